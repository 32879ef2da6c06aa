package session

import (
	"sync/atomic"
	"time"
)

// keyInterval is the least time between two key frames that viewers ask for: a
// storm of requests must not turn the stream into key frames.
const keyInterval = 300 * time.Millisecond

// keyGate holds a viewer's request for a key frame until one may be made. Any
// goroutine asks; the encoding one looks at each frame.
type keyGate struct {
	wanted atomic.Bool
	last   time.Duration // when the last was let through
}

func (g *keyGate) ask() { g.wanted.Store(true) }

// due says whether to make a key frame now, and then counts it as made.
func (g *keyGate) due(now time.Duration) bool {
	if !g.wanted.Load() || g.last != 0 && now-g.last < keyInterval {
		return false
	}
	g.wanted.Store(false)
	g.last = now
	return true
}
