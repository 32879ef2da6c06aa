// Package eartest is a sound output for tests, which takes samples as fast as an
// ear does and keeps them in memory: a FIFO behind ALSA's file plugin. Nothing that
// is played reaches a disk.
package eartest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Device is what a program is to play on, under Ear.Env.
const Device = "hw:EAR,0"

// SampleRate is in Hz; samples are mono, of 16 bits.
const SampleRate = 48000

const (
	period  = 20 * time.Millisecond
	chunk   = int(SampleRate * period / time.Second * 2) // bytes
	pipe    = 4096                                       // bytes; the least that there is, 43 ms of sound
	plugins = `pcm.hw { @args [ CARD DEV ]; @args.CARD { type string }; @args.DEV { type integer; default 0 }
	type file; slave.pcm nothing; file %q; format "raw"; truncate true }
pcm.nothing { type null }
`
)

// Ear hears what is played from Open to the end of the test.
type Ear struct {
	config string

	mu    sync.Mutex
	heard []Moment
}

// Moment is what was played in 20 ms.
type Moment struct {
	At      time.Time // when it left for the ear
	Samples []int16
}

// Open makes an ear.
func Open(t testing.TB) *Ear {
	t.Helper()
	dir := t.TempDir()
	e := &Ear{config: filepath.Join(dir, "asound.conf")}
	fifo := filepath.Join(dir, "ear")
	check(t, unix.Mkfifo(fifo, 0o600))
	check(t, os.WriteFile(e.config, fmt.Appendf(nil, plugins, fifo), 0o600))
	// Open for writing too, so that it is there before a player and after it.
	end, err := os.OpenFile(fifo, os.O_RDWR|unix.O_NONBLOCK, 0)
	check(t, err)
	raw, err := end.SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipe) }))
	check(t, err)
	var hearing sync.WaitGroup
	hearing.Go(func() { e.hear(t, end) })
	t.Cleanup(func() {
		end.Close()
		hearing.Wait()
	})
	return e
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Env is what a program needs to play to the ear.
func (e *Ear) Env() []string { return []string{"ALSA_CONFIG_PATH=" + e.config} }

// Heard returns what was played so far. A player that stood still leaves a gap.
func (e *Ear) Heard() []Moment {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[:len(e.heard):len(e.heard)]
}

// hear takes a chunk at each tick, as a sound card does: a player that is behind
// loses its turn, one that is ahead waits.
func (e *Ear) hear(t testing.TB, from *os.File) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	buf := make([]byte, chunk)
	for filled := 0; ; <-tick.C {
		_ = from.SetReadDeadline(time.Now().Add(period / 2)) // an error is the next line's
		n, err := from.Read(buf[filled:])
		filled += n
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("hear: %v", err)
			return
		}
		if filled < chunk {
			continue
		}
		filled = 0
		m := Moment{At: time.Now(), Samples: make([]int16, chunk/2)}
		for i := range m.Samples {
			m.Samples[i] = int16(binary.LittleEndian.Uint16(buf[2*i:]))
		}
		e.mu.Lock()
		e.heard = append(e.heard, m)
		e.mu.Unlock()
	}
}
