package relay

import (
	"sync/atomic"
	"time"
)

// Sound is some 80 ms old when a customer hears it: a chunk of 10, the encoder, the
// browser's jitter buffer, the loudspeaker. A picture shown at once, as a playout
// delay of 0 asks for (Chromium, 720p30 on loopback), is far ahead of it, beyond
// what viewers forgive. Bril asks for this much itself; others may not. So pictures
// get some room to wait in, and browsers, which know both delays, use of it what
// they need to bring the two within 30 ms or so of each other.
const lipRoom = 40 * time.Millisecond

// soundLead is by how much the reports to viewers make sound older than it is. A
// browser stops at 30 ms by its own reckoning, which ends where a picture is handed
// to the display: the wait for its refresh comes on top, and lips were up to 63 ms
// off. With 5 ms they were up to 56, with pictures as much later.
const soundLead = 5 * time.Millisecond

// maxLipRoom bounds what a bad network adds: a picture that is later than this is
// worse than lips that are off.
const maxLipRoom = 200 * time.Millisecond

const (
	latenessFree  = 20 * time.Millisecond // a browser's jitter buffer is not finer
	latenessHeld  = 10 * time.Second      // a browser's jitter buffer forgets about as slowly
	driftAllowed  = 1e-4                  // between the publisher's clock and ours
	playoutUnit   = 10 * time.Millisecond
	maxPlayoutLag = 0xfff // 12 bits of units
)

// lateness follows how late a track's packets come, compared with its fastest: a
// browser's jitter buffer for sound grows by about as much. One goroutine calls
// note.
type lateness struct {
	begun   bool
	last    time.Time
	fastest time.Duration // arrival less media time, of the fastest packet
	origin  time.Time
	heldAt  time.Time
	worst   atomic.Int64 // ns
}

// note takes one packet's arrival and media time, both from any origin.
func (l *lateness) note(now time.Time, media time.Duration) {
	if !l.begun {
		l.begun, l.origin, l.last, l.heldAt = true, now, now, now
		l.fastest = -media
		return
	}
	transit := now.Sub(l.origin) - media
	l.fastest += time.Duration(float64(now.Sub(l.last)) * driftAllowed)
	l.last = now
	if transit < l.fastest {
		l.fastest = transit
	}
	late := transit - l.fastest
	if int64(late) > l.worst.Load() || now.Sub(l.heldAt) > latenessHeld {
		l.worst.Store(int64(late))
		l.heldAt = now
	}
}

// room is what pictures may wait for sound.
func (l *lateness) room() time.Duration {
	return min(lipRoom+max(0, time.Duration(l.worst.Load())-latenessFree), maxLipRoom)
}

// withRoom raises the maximum of a playout delay: 12 bits of minimum, then 12 of
// maximum, in units of 10 ms.
func withRoom(delay [3]byte, room time.Duration) [3]byte {
	units := int((room + playoutUnit/2) / playoutUnit)
	if most := int(delay[1]&0x0f)<<8 | int(delay[2]); most >= units || units > maxPlayoutLag {
		return delay
	}
	delay[1] = delay[1]&0xf0 | byte(units>>8)
	delay[2] = byte(units)
	return delay
}
