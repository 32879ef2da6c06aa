package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/hardware"
)

const ms = time.Millisecond

// The patterns of the status light. Each is dark for longer than it is lit, so
// that on a board with one lamp none looks like capture.
func patternOf(phase session.Phase, battery bool) hardware.Pattern {
	switch {
	case phase == session.Fault:
		return hardware.Pattern{100 * ms, 100 * ms, 100 * ms, 100 * ms, 100 * ms, 700 * ms}
	case phase == session.Connecting:
		return hardware.Pattern{200 * ms, 300 * ms}
	case battery:
		return hardware.Pattern{100 * ms, 200 * ms, 100 * ms, 200 * ms, 100 * ms, 3300 * ms}
	case phase == session.Ready:
		return hardware.Pattern{50 * ms, 3950 * ms}
	case phase == session.Paused:
		return hardware.Pattern{100 * ms, 200 * ms, 100 * ms, 1600 * ms}
	}
	return nil
}

// signals shows with a lamp what the session is doing. The lamp may be the
// capture light, which takes no part while something is captured.
type signals struct {
	lamp *hardware.Light
	log  *slog.Logger

	mu        sync.Mutex
	shown     hardware.Pattern
	now       session.Phase
	battery   bool
	searching bool // for a QR code
	changed   chan struct{}
}

func newSignals(lamp *hardware.Light, log *slog.Logger) *signals {
	return &signals{lamp: lamp, log: log, changed: make(chan struct{})}
}

// phase shows a new phase of the session.
func (s *signals) phase(now session.Phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
	s.change()
}

// lowBattery shows that the battery is low, or no longer.
func (s *signals) lowBattery(low bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.battery != low {
		s.battery = low
		s.change()
	}
}

// provisioning shows that a QR code is looked for, or no longer: quick short flashes,
// which a board with one lamp shows before and after the camera only.
func (s *signals) provisioning(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.searching = on
	s.change()
}

func (s *signals) change() {
	s.shown = patternOf(s.now, s.battery)
	if s.searching {
		s.shown = hardware.Pattern{50 * ms, 200 * ms}
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *signals) current() (hardware.Pattern, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown, s.changed
}

const (
	// lookEvery is how often a dark lamp is looked at: whether it is still there.
	lookEvery = 10 * time.Second
	// lampWait is until a lamp that fails is tried again.
	lampWait = 2 * time.Second
)

// run blinks until ctx ends, and opens a lamp that fails again and again.
func (s *signals) run(ctx context.Context) {
	if s.lamp.Status().State == hardware.LightNone {
		return
	}
	for ctx.Err() == nil {
		pattern, changed := s.current()
		s.blink(ctx, pattern, changed)
	}
	_ = s.lamp.Show(false) // kept for status
}

// blink shows one pattern until it changes.
func (s *signals) blink(ctx context.Context, pattern hardware.Pattern, changed <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for start := time.Now(); ; {
		select {
		case <-timer.C:
		case <-changed:
			return
		case <-ctx.Done():
			return
		}
		on, left := pattern.At(time.Since(start))
		if left == 0 {
			left = lookEvery
		}
		failed := s.lamp.Status().Err != nil
		if err := s.lamp.Show(on); err != nil {
			left = max(left, lampWait)
			if !failed {
				s.log.Warn("light does not work, will be tried again", "error", err)
			}
		}
		timer.Reset(left)
	}
}
