package hardware

import "time"

// Pattern is how a status light blinks: for how long it is on, off, on, off and
// so on, over and over. No pattern is steady on: that means capture.
type Pattern []time.Duration

// At returns whether the light is on at a moment since the pattern's start, and
// for how long it stays so. An empty pattern is dark for ever, with 0.
func (p Pattern) At(since time.Duration) (on bool, left time.Duration) {
	var period time.Duration
	for _, d := range p {
		period += d
	}
	if period <= 0 {
		return false, 0
	}
	since %= period
	for i, d := range p {
		if since < d {
			return i%2 == 0, d - since
		}
		since -= d
	}
	panic("hardware: a moment outside the pattern's period")
}
