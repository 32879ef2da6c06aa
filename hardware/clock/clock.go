// Package clock tells the wall-clock time and whether anything has confirmed it
// since the machine was started. A board without a clock chip starts with the time
// of its last shutdown, or with 1970: what must not happen too early, such as
// deleting what was captured, waits for a confirmed one. It sets no clock.
//
// The time that it tells never falls below a floor: the moment at which the program
// was built, and what a server last told over verified TLS, which is kept on the
// disk. So a certificate of today can be judged on a board that believes in 1970.
package clock

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// tolerance is how far a server's time may be off from ours to confirm it. The
// decisions that depend on it are about days.
const tolerance = 5 * time.Minute

// Clock is the machine's. The zero value is ready, and has no floor.
type Clock struct {
	heard atomic.Bool // from a server

	mu     sync.Mutex
	floor  floor
	raised chan struct{} // holds one value when the floor was raised; nil without Open
	path   string        // of the file that keeps it
	kept   time.Time     // what that holds

	kernel func() bool // of tests; nil is the kernel's own word
	now    func() (wall time.Time, mono time.Duration)
}

// floor is a time that has been, and when on CLOCK_MONOTONIC that was known. It rises
// with that clock, which nobody sets.
type floor struct {
	at    time.Time
	known time.Duration
}

// lowest returns what the time is at least at a moment on CLOCK_MONOTONIC.
func (f floor) lowest(mono time.Duration) time.Time {
	if f.at.IsZero() {
		return time.Time{}
	}
	return f.at.Add(mono - f.known)
}

// Now returns the wall-clock time, and whether it is confirmed: by the kernel, whose
// clock an NTP client disciplines (adjtimex(2), STA_UNSYNC; it is set at boot), or
// by a server (Heard). Where the machine's clock is below the floor, it is the
// floor's time; when it is far below, nothing has confirmed it.
func (c *Clock) Now() (now time.Time, confirmed bool) {
	now, mono := c.machine()
	c.mu.Lock()
	lowest := c.floor.lowest(mono)
	c.mu.Unlock()
	confirmed = lowest.Sub(now) <= tolerance && (c.heard.Load() || c.disciplined())
	if now.Before(lowest) {
		now = lowest
	}
	return now, confirmed
}

// TLSTime is the time by which certificates are judged, for tls.Config.
func (c *Clock) TLSTime() time.Time {
	now, _ := c.Now()
	return now
}

// Confirmed is what Now says of it.
func (c *Clock) Confirmed() bool {
	_, confirmed := c.Now()
	return confirmed
}

// Heard takes the time that a server told, whose word counts: one that was
// reached over TLS. A clock that is far off is not confirmed by it, nor set; but it
// tells no time before that one any more. A server that is ahead of NTP is wrong.
func (c *Clock) Heard(told time.Time) {
	now, mono := c.machine()
	switch near := now.Sub(told).Abs() <= tolerance; {
	case near:
		c.heard.Store(true)
		if told.After(now) { // who of the two is right does not matter
			told = now
		}
	case told.After(now) && c.disciplined():
		return
	}
	c.raise(told, mono)
	if c.raised != nil {
		select {
		case c.raised <- struct{}{}:
		default: // Run has yet to look
		}
	}
}

// NotBefore raises the floor to a time that has been, such as that of the build.
func (c *Clock) NotBefore(at time.Time) {
	_, mono := c.machine()
	c.raise(at, mono)
}

// raise never lowers the floor.
func (c *Clock) raise(at time.Time, mono time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.floor.lowest(mono)) {
		c.floor = floor{at.Round(0), mono}
	}
}

func (c *Clock) machine() (wall time.Time, mono time.Duration) {
	if c.now != nil {
		return c.now()
	}
	return time.Now(), monotonic.Now()
}

func (c *Clock) disciplined() bool {
	if c.kernel != nil {
		return c.kernel()
	}
	return disciplined()
}

// disciplined asks the kernel. Reading needs no privilege.
func disciplined() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
