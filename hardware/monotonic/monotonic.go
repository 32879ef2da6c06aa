// Package monotonic gives CLOCK_MONOTONIC time and waits for it without waking
// the Go runtime's sysmon thread. It knows nothing of what is being timed.
package monotonic

import (
	"time"

	"golang.org/x/sys/unix"
)

// origin ties Go's monotonic reading, which the runtime takes from the vDSO, to
// the kernel's CLOCK_MONOTONIC, which V4L2 stamps buffers with. Reading the
// clock by a system call for each frame would wake sysmon each time.
var origin = newOrigin()

type reading struct {
	wall time.Time     // carries Go's own monotonic reading
	mono time.Duration // CLOCK_MONOTONIC at that moment
}

// newOrigin takes the closest of a few pairs: the thread may be put off between
// the two readings.
func newOrigin() (best reading) {
	closest := time.Duration(1<<63 - 1)
	for range 16 {
		before := time.Now()
		mono := read()
		after := time.Now()
		if apart := after.Sub(before); apart < closest {
			closest = apart
			best = reading{wall: before.Add(apart / 2), mono: mono}
		}
	}
	return best
}

func read() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("monotonic: CLOCK_MONOTONIC is not readable: " + err.Error())
	}
	return time.Duration(ts.Nano())
}

// Now returns the time on CLOCK_MONOTONIC, as V4L2 and ALSA stamp their buffers.
func Now() time.Duration { return origin.mono + time.Since(origin.wall) }

// Wall returns the wall-clock time, as it stands now, of a moment t on
// CLOCK_MONOTONIC. A step of the wall clock moves the result with it.
func Wall(t time.Duration) time.Time { return time.Now().Add(t - Now()) }
