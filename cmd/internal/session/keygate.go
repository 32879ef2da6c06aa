package session

import (
	"sync/atomic"
	"time"
)

// keyInterval is the least time between two key frames that viewers ask for: a
// storm of requests must not turn the stream into key frames.
const keyInterval = 300 * time.Millisecond

// keyGate holds a viewer's request for a key frame until one may be made. Any
// goroutine asks; the encoding one does the rest.
type keyGate struct {
	wanted atomic.Bool
	last   time.Duration // when the last was made; 0 for never
}

func (g *keyGate) ask() { g.wanted.Store(true) }

// due says whether to make a key frame now, and then counts it as made.
func (g *keyGate) due(now time.Duration) bool {
	if !g.wanted.Load() || g.last != 0 && now-g.last < keyInterval {
		return false
	}
	g.made(now)
	return true
}

// made counts a key frame, which serves whoever has asked so far.
func (g *keyGate) made(now time.Duration) {
	g.wanted.Store(false)
	g.last = now
}

// spacing says when a key frame is overdue for a recording, which can begin only
// with one. It counts those that the encoder makes by itself, so that where they
// come often enough none is forced. It belongs to the encoding goroutine; times are
// PTS.
type spacing struct {
	every time.Duration // the longest from one to the next; 0 for no limit
	last  time.Duration // the last that was made, or forced; 0 for none
	now   time.Duration // the picture in hand
	gap   time.Duration // the longest of late between two pictures
	asked bool          // the next picture is forced to be one
}

// next takes the next picture. A gap of a source that stopped for a while says
// little of the next one.
func (s *spacing) next(pts time.Duration) {
	if s.now != 0 {
		s.gap = min(max(pts-s.now, s.gap-s.gap/8), s.every/4)
	}
	s.now = pts
	if s.asked {
		s.asked = false
		s.made(pts)
	}
}

// made says that a picture is one. One that was forced and is none is not forced
// again before the next is overdue.
func (s *spacing) made(pts time.Duration) {
	if s.last == 0 || pts > s.last {
		s.last = pts
	}
}

// overdue says whether the picture in hand must be one: if it is not, the next may
// come too late, as the gap doubles when the board becomes hot.
func (s *spacing) overdue() bool {
	return s.every != 0 && (s.last == 0 || s.now+2*s.gap-s.last > s.every)
}
