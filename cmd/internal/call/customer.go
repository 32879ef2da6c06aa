package call

import (
	"cmp"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/uplink/calls"
)

// set takes a word; "" is none.
func (w *steady) set(word string, now time.Duration) {
	if word != "" && word != w.Now {
		w.Now, w.Since = word, now
	}
}

// due returns when the word counts that the advisor does not know yet, after it has
// stayed for hold; false when there is none.
func (w steady) due(hold time.Duration) (time.Duration, bool) {
	return w.Since + hold, w.Now != "" && w.Now != w.Heard
}

// customer takes what is told of the customer.
func (s State) customer(c calls.Customer, now time.Duration) (State, []Action) {
	s.Presence.set(c.Presence, now)
	was, since := s.trend(), s.Network.Since
	s.Network.set(c.Network, now)
	if s.trend() == was { // bad and worse in turn is bad all the time
		s.Network.Since = since
	}
	s.Microphone = c.Microphone
	return s.hear(now)
}

// trend is how the network is to what the advisor knows: worse is above 0.
func (s State) trend() int {
	rank := map[string]int{"poor": 1, "frozen": 2}
	return cmp.Compare(rank[s.Network.Now], rank[s.Network.Heard])
}

// attended says that the advisor is to hear of the customer: not before the call is
// accepted, as the ring has said that they are there.
func (s State) attended() bool { return s.Phase == Talking || s.Phase == Accepted && !s.Pending }

// hear says what has lasted of the customer.
func (s State) hear(now time.Duration) (State, []Action) {
	if !s.attended() {
		return s, nil
	}
	if at, ok := s.presenceDue(); ok && now >= at {
		s.Presence.Heard = s.Presence.Now
		if s.Presence.Now == "left" {
			s.Network = steady{}
			return s, []Action{session.CueLeft}
		}
		return s, []Action{session.CueJoined}
	}
	at, ok := s.networkDue()
	if !ok || now < at {
		return s, nil
	}
	worse := s.trend() > 0
	s.Network.Heard = s.Network.Now
	if !worse {
		return s, nil
	}
	s.NetworkAt = now
	if s.Network.Now == "frozen" {
		return s, []Action{session.CueTheyFreeze}
	}
	return s, []Action{session.CueTheirNetwork}
}

func (s State) presenceDue() (time.Duration, bool) {
	if s.Presence.Now == "left" {
		return s.Presence.due(leftTime)
	}
	return s.Presence.due(0)
}

// networkDue is when the network's state counts: a worse one is said then, and not
// more often than every networkEvery.
func (s State) networkDue() (time.Duration, bool) {
	switch trend := s.trend(); {
	case trend == 0:
		return 0, false
	case trend < 0:
		return s.Network.Since + wellTime, true
	}
	at := s.Network.Since + poorTime
	if s.NetworkAt != 0 {
		at = max(at, s.NetworkAt+networkEvery)
	}
	return at, s.Presence.Heard != "left"
}

// Deadline is when the next Tick is due; false for never.
func (s State) Deadline() (at time.Duration, ok bool) {
	sooner := func(due time.Duration) {
		if !ok || due < at {
			at, ok = due, true
		}
	}
	switch {
	case s.Phase == Ringing:
		sooner(min(s.RingAt, s.RingEnd))
	case s.attended():
		if due, is := s.presenceDue(); is {
			sooner(due)
		}
		if due, is := s.networkDue(); is {
			sooner(due)
		}
	}
	return at, ok
}
