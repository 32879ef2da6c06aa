package talkback

import (
	"time"
)

const (
	sampleRate = 48_000            // in Hz: a timestamp counts samples (RFC 7587 section 4.1)
	ms         = sampleRate / 1000 // in samples

	minTarget   = 5 * ms
	firstTarget = 10 * ms  // until the network is known
	maxTarget   = 200 * ms // more is no conversation
	jump        = 2 * sampleRate
	// baseTime is for how long the fastest way counts that a packet has taken, so that
	// clocks which drift apart, and a network that becomes slower, are followed.
	baseTime = 5 * time.Second
	// shrinkTime is in which the target comes two thirds of the way down.
	shrinkTime = 5 * sampleRate
)

// timing knows how late packets come: from their timestamps, which are in samples
// of the sender's clock, and their arrival on ours. Both are in samples here.
//
//	transit = arrival - timestamp, of an unknown origin
//	base    = the least transit of late
//	late    = transit - base
//	target  = how late a packet may be that is still waited for
type timing struct {
	begun       bool
	base        int64
	least       int64 // transit in the time that runs
	before      int64 // and in the one before
	since       time.Duration
	target      int64
	jitter      float64 // as of RFC 3550 section 6.4.1, in samples
	lastAt      int64
	lastTransit int64
}

// observe notes a packet. It returns false where the sender's clock is not the one
// of before.
func (t *timing) observe(at int64, arrived time.Duration) bool {
	transit := samplesOf(arrived) - at
	if same := abs(transit-t.base) < jump; !t.begun || !same {
		was := t.begun
		*t = timing{begun: true, base: transit, least: transit, before: transit, since: arrived,
			target: firstTarget, lastTransit: transit, lastAt: at}
		return !was
	}
	t.jitter += (float64(abs(transit-t.lastTransit)) - t.jitter) / 16
	passed := min(max(at-t.lastAt, 0), sampleRate)
	t.lastTransit, t.lastAt = transit, max(at, t.lastAt)
	t.follow(transit, arrived)
	late := min(transit-t.base, maxTarget)
	if late >= t.target {
		t.target = late
		return true
	}
	t.target = max(t.target-(t.target-late)*passed/shrinkTime, minTarget)
	return true
}

// follow keeps base, and the moment that target stands for, when that moves.
func (t *timing) follow(transit int64, now time.Duration) {
	if now-t.since >= baseTime {
		t.before, t.least, t.since = t.least, transit, now
	}
	t.least = min(t.least, transit)
	base := min(t.before, t.least)
	t.target = min(max(t.target-(base-t.base), minTarget), maxTarget)
	t.base = base
}

// delay returns how long after its fastest arrival sample at is heard, when that is
// due, in samples of our clock.
func (t *timing) delay(at, due int64) int64 { return due - at - t.base }

func samplesOf(d time.Duration) int64 { return int64(d) * ms / int64(time.Millisecond) }

func durationOf(samples int64) time.Duration {
	return time.Duration(samples) * time.Millisecond / ms
}

func abs(n int64) int64 { return max(n, -n) }
