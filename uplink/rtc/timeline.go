package rtc

import "time"

// resync is the gap in the capture times of sound from which the RTP clock jumps
// along. Below it, samples are the better clock: a device's jitter must not be
// heard as gaps, and sender reports carry its drift.
const resync = 40 * time.Millisecond

// timeline turns capture times on CLOCK_MONOTONIC into the RTP timestamps of one
// stream.
type timeline struct {
	rate    uint32 // of the RTP clock, in Hz
	last    uint32 // timestamp given last; random at first, RFC 3550 section 5.1
	lastPTS time.Duration
	length  time.Duration // of the last sound
	started bool
}

// at returns the timestamp of a picture taken at pts.
func (l *timeline) at(pts time.Duration) uint32 {
	if l.started {
		l.last += ticks(pts, l.rate) - ticks(l.lastPTS, l.rate)
	}
	l.started, l.lastPTS = true, pts
	return l.last
}

// follow returns the timestamp of sound taken at pts that lasts length.
func (l *timeline) follow(pts, length time.Duration) uint32 {
	if l.started {
		l.last += ticks(l.length, l.rate)
		if gap := pts - (l.lastPTS + l.length); gap.Abs() >= resync {
			l.last += ticks(pts, l.rate) - ticks(l.lastPTS+l.length, l.rate)
		}
	}
	l.started, l.lastPTS, l.length = true, pts, length
	return l.last
}

// now returns what the timestamp would be for something taken at the moment t.
func (l *timeline) now(t time.Duration) uint32 {
	return l.last + ticks(t, l.rate) - ticks(l.lastPTS, l.rate)
}

// ticks is d in units of a clock of rate Hz, modulo 2^32. It cuts d in two,
// because nanoseconds times 90000 overflow after 28 hours of uptime.
func ticks(d time.Duration, rate uint32) uint32 {
	seconds, rest := int64(d/time.Second), int64(d%time.Second)
	return uint32(seconds*int64(rate) + rest*int64(rate)/int64(time.Second))
}

// ntp is a wall-clock time as a 64-bit NTP timestamp, RFC 5905 section 6.
func ntp(t time.Time) uint64 {
	const ntpEpoch = 2208988800 // seconds from 1900 to 1970
	return uint64(t.Unix()+ntpEpoch)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}
