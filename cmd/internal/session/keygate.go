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
