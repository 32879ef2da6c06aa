package talkback

import "time"

// stall is when a device that asks late has stood still.
const stall = 100 * ms

// clock is the sound device's: by what it has asked for. A device may ask for a lot
// at once and then for nothing for a while; what counts is the earliest at which it
// asks for a sample, on our own clock.
//
//	lead  = when it asks - samples that it has asked for
//	least = the least of late
type clock struct {
	begun  bool
	asked  int64
	least  int64 // in the time that runs
	before int64 // and in the one before
	since  time.Duration
}

// ask notes that n samples are asked for, and returns when the first of them is due.
func (c *clock) ask(n int, now time.Duration) int64 {
	lead := samplesOf(now) - c.asked
	switch {
	case !c.begun || lead-min(c.least, c.before) > stall:
		c.begun, c.least, c.before, c.since = true, lead, lead, now
	case now-c.since >= baseTime:
		c.before, c.least, c.since = c.least, lead, now
	}
	c.least = min(c.least, lead)
	due := c.asked + min(c.least, c.before)
	c.asked += int64(n)
	return due
}
