// Package speaker plays sound on an ALSA device: 48 kHz, mono, 16 bits, as its
// caller fills it in. It decodes and mixes nothing, and it keeps no device open
// that nobody plays on.
package speaker

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
	"unsafe"
)

// SampleRate is the rate of what is played, in Hz.
const SampleRate = 48_000

// Latency is more than what a device holds between Fill and the ear: it is to be
// filled with silence for that long until the last sound has been heard.
const Latency = 2 * periods * period

// What callers decide by. A device that may not be opened is os.ErrPermission.
var (
	// ErrNoSpeaker says that there is no such device; from "auto", that there is
	// none at all.
	ErrNoSpeaker = errors.New("no sound output")
	ErrBusy      = errors.New("device in use by another process")
	ErrGone      = errors.New("device was unplugged")
)

// Config says which device to open. The zero value opens the first one.
type Config struct {
	// Device is an ALSA name such as `hw:1,0`; "" or "auto" is ALSA's default
	// device, or else the first that plays.
	Device string
	// Log gets what the sound library says, at level debug; nil: nothing.
	Log *slog.Logger
}

// Speaker is a device that plays.
type Speaker struct {
	name   string
	device *device

	gone  chan struct{} // closed by lose
	lose  sync.Once
	close sync.Once
}

// Open opens a device and starts it. From then on it calls fill, on a thread of
// the sound library, for whatever is to be heard next: fill writes every sample
// of out, which is valid during the call only, waits for nobody, and does not
// call the Speaker.
func Open(cfg Config, fill func(out []int16)) (*Speaker, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	names := []string{cfg.Device}
	if cfg.Device == "" || cfg.Device == "auto" {
		if names = candidates("/dev/snd"); len(names) == 0 {
			return nil, hinted{fmt.Errorf("open sound output: %w", ErrNoSpeaker), "connect one, or set cues.device to none"}
		}
	}
	var failed error
	for _, name := range names {
		s, err := open(name, cfg.Log, fill)
		if err == nil {
			return s, nil
		}
		cfg.Log.Debug("sound output not usable", "device", name, "error", err)
		failed = err
	}
	return nil, failed
}

// Present says whether there is a device for "auto".
func Present() bool { return len(candidates("/dev/snd")) > 0 }

// candidates returns the names to try for "auto", ALSA's default first; none
// when no card plays. It is asked first because libasound writes to standard
// error when it finds no card.
func candidates(dir string) []string {
	nodes, _ := filepath.Glob(filepath.Join(dir, "pcmC*D*p")) // the pattern is well-formed
	if len(nodes) == 0 {
		return nil
	}
	names := []string{defaultDevice}
	for _, node := range nodes {
		var card, number int
		if _, err := fmt.Sscanf(filepath.Base(node), "pcmC%dD%dp", &card, &number); err == nil {
			names = append(names, fmt.Sprintf("hw:%d,%d", card, number))
		}
	}
	return names
}

func open(name string, log *slog.Logger, fill func(out []int16)) (*Speaker, error) {
	s := &Speaker{name: name, gone: make(chan struct{})}
	var err error
	s.device, err = openDevice(name, log, handlers{
		data: func(out []byte) { fill(samples(out)) },
		stop: func() { s.lose.Do(func() { close(s.gone) }) },
	})
	if err != nil {
		return nil, fmt.Errorf("open sound output %s: %w", name, err)
	}
	return s, nil
}

// Name returns the ALSA name of the device.
func (s *Speaker) Name() string { return s.name }

// Gone is closed when the device has stopped by itself: it was unplugged. Close
// it soon, the sound library keeps a processor busy until then.
func (s *Speaker) Gone() <-chan struct{} { return s.gone }

// Close stops the device; what it still holds may not be heard. No fill runs
// once it has returned. A second call does nothing.
func (s *Speaker) Close() error {
	s.close.Do(s.device.close)
	return nil
}

// samples views what the sound library is to play, valid until the callback
// returns. The library aligns its buffers for any sample format.
func samples(b []byte) []int16 {
	if len(b) < 2 {
		return nil
	}
	return unsafe.Slice((*int16)(unsafe.Pointer(&b[0])), len(b)/2)
}

// The device asks for 20 ms at a time, and holds four times that, until a
// stalled machine is heard.
const (
	period  = 20 * time.Millisecond
	periods = 4
)
