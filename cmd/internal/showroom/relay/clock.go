package relay

import "time"

// senderReport is what a publisher's RTCP sender report says (RFC 3550 section
// 6.4.1): the moment ntp, on the publisher's wall clock, and the timestamp rtp of
// its media are the same instant. It reached this program at the moment at.
type senderReport struct {
	ntp uint64 // NTP time: seconds in the upper 32 bits, fractions in the lower
	rtp uint32
	at  time.Time
}

// shifted moves the instant that a report describes to now. Sender reports to
// viewers are made this way, at the relay's own pace: the line through both
// clocks stays the publisher's, which is what lip sync needs, and the NTP time
// stays that of the moment of sending, which round-trip times need.
func (r senderReport) shifted(now time.Time, clockRate uint32) (ntp uint64, rtp uint32) {
	elapsed := now.Sub(r.at)
	return r.ntp + ntpUnits(elapsed), r.rtp + rtpUnits(elapsed, clockRate)
}

// ntpUnits converts a duration to units of 2^-32 seconds.
func ntpUnits(d time.Duration) uint64 {
	seconds, rest := d/time.Second, d%time.Second
	return uint64(int64(seconds))<<32 + uint64((int64(rest)<<32)/int64(time.Second))
}

// rtpUnits converts a duration to ticks of an RTP clock; it wraps, as RTP does.
func rtpUnits(d time.Duration, clockRate uint32) uint32 {
	seconds, rest := d/time.Second, d%time.Second
	return uint32(int64(seconds)*int64(clockRate) + int64(rest)*int64(clockRate)/int64(time.Second))
}

// mediaTime unwraps RTP timestamps into the time since the first one.
type mediaTime struct {
	begun bool
	last  uint32
	ticks int64
}

func (m *mediaTime) at(timestamp, clockRate uint32) time.Duration {
	if !m.begun {
		m.begun, m.last = true, timestamp
	}
	m.ticks += int64(int32(timestamp - m.last))
	m.last = timestamp
	seconds, rest := m.ticks/int64(clockRate), m.ticks%int64(clockRate)
	return time.Duration(seconds)*time.Second + time.Duration(rest)*time.Second/time.Duration(clockRate)
}
