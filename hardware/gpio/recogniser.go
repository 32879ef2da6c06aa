package gpio

import (
	"time"

	"github.com/bril-edge/bril/hardware"
)

// The times of a gesture. Those between presses are Android's: a double tap's
// second press comes within 300 ms (ViewConfiguration.DOUBLE_TAP_TIMEOUT). A
// long press is longer than there, where it is felt on glass: what it does is
// not to happen to who rests a finger.
const (
	bounceTime = 20 * time.Millisecond  // a level that lasts shorter is a contact's bounce
	doubleTime = 300 * time.Millisecond // from the release to the second press, at most
	longTime   = 800 * time.Millisecond // held, at least
	stuckTime  = 30 * time.Second       // held; nobody does that
)

// recogniser turns the edges of one button into gestures. It has no clock: it is
// fed with edges and their times, and with the moment that it asks to be woken.
//
//	       press            release <800ms          300ms, or no double
//	idle ─────────> pressed ─────────────> released ─────────────────> Short
//	 ^                 │ 800ms                 │ press
//	 │                 v                       v
//	 └──release── spent (Long) <────────── spent (Double)
//
// An edge takes effect at once, and whatever follows it within bounceTime only
// once that is over, if it lasts. A press that is gone by then was a spark.
type recogniser struct {
	double bool // a second press means something; else Short does not wait for it

	phase phase
	since time.Duration // of the last change of the phase
	down  bool          // as the phases have it
	raw   bool          // as the last edge has it
	quiet time.Duration // until when edges are bounces
	held  time.Duration // since when it is down
	stuck bool          // it has been down for longer than anyone presses it
}

type phase uint8

const (
	idle phase = iota
	pressed
	released // once, and may become a double
	spent    // its gesture has been told
)

// newRecogniser begins with a button that is down or not. One that is held from
// the start was not pressed for us.
func newRecogniser(double, down bool, now time.Duration) recogniser {
	r := recogniser{double: double, down: down, raw: down, held: now, quiet: now}
	if down {
		r.phase = spent
	}
	return r
}

// edge takes the button's level at a moment. It returns the gesture that is
// complete by it, or "".
func (r *recogniser) edge(down bool, at time.Duration) hardware.Gesture {
	gesture := r.wake(at)
	r.raw = down
	if down == r.down || at < r.quiet { // a repeat, or a bounce
		return gesture
	}
	if g := r.change(at); g != "" {
		gesture = g
	}
	return gesture
}

// wake is to be called at deadline or later, once all edges up to then are in.
func (r *recogniser) wake(now time.Duration) (gesture hardware.Gesture) {
	for at, ok := r.deadline(); ok && now >= at; at, ok = r.deadline() {
		g := r.due(at)
		if g != "" {
			gesture = g
		}
	}
	return gesture
}

// deadline is when wake is to be called if no edge comes before; false for never.
func (r *recogniser) deadline() (at time.Duration, ok bool) {
	switch {
	case r.phase == pressed:
		at, ok = r.since+longTime, true
	case r.phase == released:
		at, ok = r.since+doubleTime, true
	case r.down && !r.stuck:
		at, ok = r.held+stuckTime, true
	}
	if r.raw != r.down && (!ok || r.quiet < at) {
		at, ok = r.quiet, true
	}
	return at, ok
}

// due does what a deadline is for.
func (r *recogniser) due(at time.Duration) hardware.Gesture {
	switch {
	case r.raw != r.down && at == r.quiet && r.phase == pressed:
		r.down, r.phase = false, idle
	case r.raw != r.down && at == r.quiet: // what looked like a bounce has lasted
		return r.change(at)
	case r.phase == pressed:
		r.phase = spent
		return hardware.Long
	case r.phase == released:
		r.phase = idle
		return hardware.Short
	default:
		r.stuck = true
	}
	return ""
}

// change takes a level that counts.
func (r *recogniser) change(at time.Duration) hardware.Gesture {
	r.down = !r.down
	r.quiet, r.stuck = at+bounceTime, false
	if r.down {
		return r.press(at)
	}
	return r.release(at)
}

func (r *recogniser) press(at time.Duration) hardware.Gesture {
	r.held, r.since = at, at
	if r.phase == released {
		r.phase = spent
		return hardware.Double
	}
	r.phase = pressed
	return ""
}

func (r *recogniser) release(at time.Duration) hardware.Gesture {
	r.since = at
	switch {
	case r.phase != pressed:
		r.phase = idle
		return ""
	case r.double:
		r.phase = released
		return ""
	}
	r.phase = idle
	return hardware.Short
}
