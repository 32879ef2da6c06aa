// Package speaker plays sound on an ALSA device: 48 kHz, mono, 16 bits, as its
// caller fills it in, or as a Mixer adds up several who do. It decodes nothing, and
// it keeps no device open that nobody plays on.
package speaker

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bril-edge/bril/hardware/alsa"
)

// Latency is more than what a device holds between Fill and the ear: it is to be
// filled with silence for that long until the last sound has been heard.
const Latency = 2 * periods * period

// ErrNoSpeaker says that there is no such device; from "auto", that there is none
// at all. The other errors are those of package alsa.
var ErrNoSpeaker = errors.New("no sound output")

// Config says which device to open. The zero value opens the first one.
type Config struct {
	// Device is an ALSA name such as `hw:1,0`; "" or "auto" is ALSA's default
	// device, or else the first that plays.
	Device string
	// Prompt has the device hold little, for a conversation: it is asked for sound
	// twice as often, and what is filled in is heard some 30 ms later.
	Prompt bool
	// Log gets what the sound library says, at level debug; nil: nothing.
	Log *slog.Logger
}

// Speaker is a device that plays.
type Speaker struct {
	name   string
	device *alsa.Device

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
		if names = alsa.Names("/dev/snd", alsa.Playing); len(names) == 0 {
			return nil, hinted{fmt.Errorf("open sound output: %w", ErrNoSpeaker), "connect one; without any, cues.device: none and talkback.enabled: false"}
		}
	}
	var failed error
	for _, name := range names {
		s, err := open(name, cfg, fill)
		if err == nil {
			return s, nil
		}
		cfg.Log.Debug("sound output not usable", "device", name, "error", err)
		failed = err
	}
	return nil, failed
}

func open(name string, cfg Config, fill func(out []int16)) (*Speaker, error) {
	s := &Speaker{name: name, gone: make(chan struct{})}
	var err error
	s.device, err = alsa.Play(alsa.Config{
		Name: name, Missing: alsa.Missing{Err: ErrNoSpeaker, Hint: "aplay -L lists the sound outputs that are connected"},
		Period: cfg.period(), Periods: cfg.periods(), Log: cfg.Log,
		Gone: func() { s.lose.Do(func() { close(s.gone) }) },
	}, fill)
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
	s.close.Do(s.device.Close)
	return nil
}

// The device asks for 20 ms at a time, and holds four times that, until a
// stalled machine is heard.
const (
	period  = 20 * time.Millisecond
	periods = 4
)

// Of a conversation it holds as little as a scheduler that has other work allows.
const (
	promptPeriod  = 10 * time.Millisecond
	promptPeriods = 3
)

func (c Config) period() time.Duration {
	if c.Prompt {
		return promptPeriod
	}
	return period
}

func (c Config) periods() int {
	if c.Prompt {
		return promptPeriods
	}
	return periods
}

// Holds returns how long what is filled in takes to be heard.
func (c Config) Holds() time.Duration { return time.Duration(c.periods()) * c.period() }

// hinted is an error with what to do about it, which a user sees on a line of its
// own.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint returns what the user can do, as one line.
func (h hinted) Hint() string { return h.hint }
