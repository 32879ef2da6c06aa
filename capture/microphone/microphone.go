// Package microphone takes sound from an ALSA device and brings it to the
// agent's one shape: 48 kHz, mono, chunks of 10 ms, stamped on CLOCK_MONOTONIC.
// It encodes nothing, and nothing waits for it: sound that no one fetches is
// dropped, oldest first.
package microphone

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/alsa"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// Config says which microphone to open. The zero value opens the first one.
type Config struct {
	// Device is an ALSA name as `hw:1,0`; "" or "auto" is ALSA's default device, or
	// else the first that records.
	Device string
	// Memory finds the same microphone again, by a card's number or "auto"; nil:
	// does not.
	Memory *Memory
	// Gain is in dB, from -60 to 40. Sound that it makes too loud is clipped.
	Gain float64
	// Log gets what the sound library says, at level debug; nil: nothing.
	Log *slog.Logger
}

// Microphone is a microphone that records. One goroutine calls Next; Close may
// come from another.
type Microphone struct {
	name   string
	device *alsa.Device
	feed   *recorder

	close sync.Once
}

// Open opens the microphone and starts it. See the Err variables, and those
// of package alsa, for what may be wrong.
func Open(cfg Config) (*Microphone, error) {
	if math.IsNaN(cfg.Gain) || cfg.Gain < -60 || cfg.Gain > 40 {
		return nil, fmt.Errorf("open microphone: gain of %g dB: %w: -60 to 40", cfg.Gain, ErrOutOfRange)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	system := machine()
	names, err := system.names(cfg)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, name := range names {
		m, err := open(name, cfg)
		if err == nil {
			cfg.Memory.remember(system, cfg.Device, name)
			return m, nil
		}
		cfg.Log.Debug("microphone not usable", "device", name, "error", err)
		failed = err
	}
	return nil, failed
}

// The device holds 80 ms until sound is lost when the machine stalls.
const periods = 8

func open(name string, cfg Config) (*Microphone, error) {
	m := &Microphone{name: name, feed: newRecorder(cfg.Gain)}
	var err error
	m.device, err = alsa.Record(alsa.Config{
		Name: name, Missing: missing(), Period: capture.ChunkTime, Periods: periods, Log: cfg.Log,
		Gone: func() { m.feed.fail(fmt.Errorf("read microphone %s: %w", name, alsa.ErrGone)) },
	}, func(in []int16) { m.feed.write(in, monotonic.Now()) })
	if err != nil {
		return nil, fmt.Errorf("open microphone %s: %w", name, err)
	}
	return m, nil
}

// Name returns the ALSA name of the device.
func (m *Microphone) Name() string { return m.name }

// Next returns the next 10 ms of sound. It blocks until they are there, ctx
// ends, or the microphone is closed (os.ErrClosed) or unplugged (alsa.ErrGone; close it
// soon, the sound library keeps a processor busy until then). A gap in Sequence is
// sound that was not fetched in time.
func (m *Microphone) Next(ctx context.Context) (capture.Sound, error) { return m.feed.next(ctx) }

// Close turns the microphone off and ends Next. A second call does nothing.
func (m *Microphone) Close() error {
	m.close.Do(func() {
		m.feed.close()
		m.device.Close()
	})
	return nil
}
