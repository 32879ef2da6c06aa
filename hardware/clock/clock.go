// Package clock tells the wall-clock time and whether anything has confirmed it
// since the machine was started. A board without a clock chip starts with the time
// of its last shutdown, or with 1970: what must not happen too early, such as
// deleting what was captured, waits for a confirmed one. It sets no clock.
package clock

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// tolerance is how far a server's time may be off from ours to confirm it. The
// decisions that depend on it are about days.
const tolerance = 5 * time.Minute

// Clock is the machine's. The zero value is ready.
type Clock struct {
	heard atomic.Bool // from a server

	kernel func() bool      // of tests; nil is the kernel's own word
	now    func() time.Time // likewise
}

// Now returns the wall-clock time, and whether it is confirmed: by the kernel, whose
// clock an NTP client disciplines (adjtimex(2), STA_UNSYNC; it is set at boot), or
// by a server (Heard).
func (c *Clock) Now() (now time.Time, confirmed bool) {
	now = time.Now()
	if c.now != nil {
		now = c.now()
	}
	kernel := disciplined
	if c.kernel != nil {
		kernel = c.kernel
	}
	return now, c.heard.Load() || kernel()
}

// Heard takes the time that a server told, whose word counts: one that was
// reached over TLS. A clock that is far off is not confirmed by it, nor set.
func (c *Clock) Heard(told time.Time) {
	if now, _ := c.Now(); now.Sub(told).Abs() <= tolerance {
		c.heard.Store(true)
	}
}

// disciplined asks the kernel. Reading needs no privilege.
func disciplined() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
