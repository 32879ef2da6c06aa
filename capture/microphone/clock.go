package microphone

import (
	"math"
	"time"

	"github.com/bril-edge/bril/capture"
)

// clock tells when each sample was recorded from when its buffer came. A buffer
// comes late, never early: the thread that fetches it is woken some time after
// the device filled it. So an earlier arrival than expected is believed at once,
// and a later one only slowly, which follows the drift between the device's
// crystal and the machine's (100 ppm, at most half a millisecond behind).
type clock struct {
	started bool
	end     time.Duration // of the last sample, as estimated
	last    time.Duration // last stamp given out
}

const (
	// slew is the part of a late arrival that is believed: with buffers of 10 ms it
	// follows within 5 s.
	slew = 512
	// jump is the error beyond which samples must have been lost (an overrun, a
	// suspend): the clock starts anew.
	jump = 150 * time.Millisecond
)

// advance takes a buffer of n samples that came at the moment at and returns
// when its first sample was recorded.
func (c *clock) advance(n int, at time.Duration) time.Duration {
	length := duration(n)
	expected := c.end + length
	late := at - expected
	switch {
	case !c.started || late > jump || late < -jump:
		c.started = true
		c.end = at
	case late < 0:
		c.end = at
	default:
		c.end = expected + late/slew
	}
	return c.end - length
}

// stamp returns the time of sample n of a buffer that starts at start. It never
// goes back.
func (c *clock) stamp(start time.Duration, n int) time.Duration {
	c.last = max(start+duration(n), c.last+1)
	return c.last
}

// duration returns the length of n samples.
func duration(n int) time.Duration {
	return time.Duration(n) * time.Second / capture.SampleRate
}

// gain multiplies samples by a factor in 1/4096ths.
type gain int64

const unity gain = 4096

func newGain(db float64) gain { return gain(math.Round(float64(unity) * math.Pow(10, db/20))) }

// apply copies as many samples as fit and clips what gets too loud.
func (g gain) apply(to, from []int16) int {
	n := copy(to, from)
	if g == unity {
		return n
	}
	for i, v := range to[:n] {
		loud := int64(v) * int64(g) / int64(unity)
		to[i] = int16(min(max(loud, math.MinInt16), math.MaxInt16))
	}
	return n
}
