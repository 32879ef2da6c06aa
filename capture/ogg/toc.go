package ogg

import (
	"errors"
	"fmt"
	"time"
)

// maxDuration is the most that a packet may hold (RFC 6716, section 3.2.5).
const maxDuration = 120 * time.Millisecond

// Duration returns how much sound an Opus packet holds, from its TOC byte (RFC
// 6716, section 3.1).
func Duration(packet []byte) (time.Duration, error) {
	if len(packet) == 0 {
		return 0, errors.New("an empty Opus packet")
	}
	frames := time.Duration(2)
	switch packet[0] & 3 {
	case 0:
		frames = 1
	case 3:
		if len(packet) < 2 {
			return 0, errors.New("an Opus packet of one byte without its frame count")
		}
		frames = time.Duration(packet[1] & 0x3f)
	}
	d := frames * frameTime(packet[0]>>3)
	if d == 0 || d > maxDuration {
		return 0, fmt.Errorf("an Opus packet of %v, want up to %v", d, maxDuration)
	}
	return d, nil
}

// frameTime is the length of one frame in a configuration (Table 2).
func frameTime(config byte) time.Duration {
	const ms = time.Millisecond
	switch {
	case config < 12: // SILK
		return [...]time.Duration{10 * ms, 20 * ms, 40 * ms, 60 * ms}[config&3]
	case config < 16: // hybrid
		return [...]time.Duration{10 * ms, 20 * ms}[config&1]
	}
	return [...]time.Duration{2500 * time.Microsecond, 5 * ms, 10 * ms, 20 * ms}[config&3] // CELT
}
