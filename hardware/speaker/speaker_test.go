package speaker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/hardware/alsa"
)

// TestDevice plays a tone on a real device, BRIL_TEST_SPEAKER or the first one.
func TestDevice(t *testing.T) {
	p := player{hertz: 440}
	s, err := Open(Config{Device: os.Getenv("BRIL_TEST_SPEAKER")}, p.fill)
	if errors.Is(err, ErrNoSpeaker) || errors.Is(err, os.ErrPermission) {
		t.Skip("needs a sound output: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	<-p.filled(48_000)
	took := time.Since(start)
	t.Logf("%s took a second of sound in %v, of which it holds up to %v", s.Name(), took, Latency)
	if took > 1200*time.Millisecond || took < time.Second-Latency {
		t.Errorf("a second of sound was taken in %v", took)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What is filled in is what ALSA gets: here its plugin that writes a file.
func TestPlays(t *testing.T) {
	dir := t.TempDir()
	config, raw := filepath.Join(dir, "asound.conf"), filepath.Join(dir, "heard.raw")
	err := os.WriteFile(config, fmt.Appendf(nil, `
pcm.heard { type file; slave.pcm nothing; file %q; format "raw"; truncate true }
pcm.nothing { type null }
ctl.heard { type hw; card 0 }
`, raw), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ALSA_CONFIG_PATH", config)
	p := player{hertz: 1000}
	threads := runtime.NumGoroutine()
	s, err := Open(Config{Device: "heard", Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}, p.fill)
	if err != nil && strings.Contains(err.Error(), "load ALSA") {
		t.Skip("needs libasound2: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-p.filled(48_000)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	taken := p.count()
	if got := runtime.NumGoroutine(); got > threads {
		t.Errorf("%d goroutines before, %d after Close", threads, got)
	}
	data, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	heard := make([]int16, len(data)/2)
	for i := range heard {
		heard[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
	}
	t.Logf("%d samples were filled in, %d came out", taken, len(heard))
	want := make([]int16, 24_000)
	(&player{hertz: 1000}).fill(want)
	if len(heard) < len(want) || !slices.Equal(heard[:len(want)], want) {
		t.Errorf("what came out is not what was filled in: %d samples", len(heard))
	}
	if p.count() != taken {
		t.Error("filled after Close")
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, name := range []string{"hw:31,7", "no such device", strings.Repeat("x", 300)} {
		s, err := Open(Config{Device: name}, func([]int16) {})
		if err == nil {
			s.Close()
		}
		var hint interface{ Hint() string }
		if !errors.Is(err, ErrNoSpeaker) || !strings.Contains(err.Error(), "open sound output "+name) ||
			len(name) < 256 && !errors.As(err, &hint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// player makes a tone.
type player struct {
	hertz float64

	mu   sync.Mutex
	made int
	wait int
	done chan struct{}
}

func (p *player) fill(out []int16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range out {
		out[i] = int16(8000 * math.Sin(2*math.Pi*p.hertz*float64(p.made+i)/alsa.SampleRate))
	}
	p.made += len(out)
	if p.done != nil && p.made >= p.wait {
		close(p.done)
		p.done = nil
	}
}

// filled returns what is closed once n samples have been made.
func (p *player) filled(n int) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := make(chan struct{})
	p.done, p.wait = done, n
	return done
}

func (p *player) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}
