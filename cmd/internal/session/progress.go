package session

import (
	"context"
	"sync/atomic"
)

// pulse tells from outside whether what somebody is at goes on. It counts steps, each
// of which ends within some seconds or is stuck: a picture or chunk of sound that goes
// all the way, a device that is opened, an endpoint that is called. Between them, as
// long as there is nothing to do or a failure is waited out, it rests.
type pulse struct {
	steps atomic.Uint64
	busy  atomic.Bool
}

func (p *pulse) step() {
	p.steps.Add(1)
	p.busy.Store(true)
}

func (p *pulse) rest() { p.busy.Store(false) }

// pulses are those of a session. They outlive its conversations.
type pulses struct {
	camera, microphone, uplink, closing pulse
}

// Part is a part of the session, as Progress saw it.
type Part struct {
	Name  string
	Busy  bool   // in a step, which has to end
	Steps uint64 // begun since the session was made
}

// Progress returns how far each part is, as soon as the loop has answered; ctx's error
// where it does not. Two of them tell whether the session goes on: in a part that is
// busy and begins no other step for half a minute, something hangs. A camera that is
// unplugged or an endpoint that is away does not: each try is a step, and rests after
// it.
func (s *Session) Progress(ctx context.Context) ([]Part, error) {
	if _, err := s.ask(ctx, asked{}); err != nil {
		return nil, err
	}
	parts := make([]Part, 0, 4)
	for _, of := range []struct {
		name string
		*pulse
	}{
		{"camera", &s.pulses.camera}, {"microphone", &s.pulses.microphone},
		{"uplink", &s.pulses.uplink}, {"closing", &s.pulses.closing},
	} {
		parts = append(parts, Part{Name: of.name, Busy: of.busy.Load(), Steps: of.steps.Load()})
	}
	return parts, nil
}

// asked changes nothing: only the loop's answer is wanted.
type asked struct{}

func (asked) event() {}
