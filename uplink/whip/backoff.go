package whip

import (
	"math/rand/v2"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

const (
	backoffEager = 2 * time.Minute  // of an outage, in which a short wait is worth its packets
	backoffShort = time.Second      // longest wait in that time
	backoffLong  = 30 * time.Second // longest wait after it
)

// Backoff says how long to wait before the next try of a connection. It has no
// clock: the caller says how long the outage has lasted. The zero value is ready.
type Backoff struct {
	Rand *rand.Rand // source of the jitter; Go's own when nil

	ceiling time.Duration // of the last wait
}

// Next returns the wait after a try that failed with err, down after the
// outage began: 0.5 to 1 s in its first two minutes, then twice as long each
// time up to 15 to 30 s, which is also the wait after a Permanent error. A
// server's Retry-After is never undercut.
func (b *Backoff) Next(down time.Duration, err error) time.Duration {
	switch {
	case Permanent(err):
		b.ceiling = backoffLong
	case down < backoffEager || b.ceiling == 0:
		b.ceiling = backoffShort
	default:
		b.ceiling = min(2*b.ceiling, backoffLong)
	}
	wait := b.ceiling/2 + b.jitter(b.ceiling/2)
	if asked := origin.RetryAfter(err); asked > wait {
		// A fleet that was told the same second must not come in that second.
		wait = asked + b.jitter(max(backoffShort, asked/10))
	}
	return wait
}

// Reset starts over, once a connection has held.
func (b *Backoff) Reset() { b.ceiling = 0 }

// jitter is uniform in [0, n).
func (b *Backoff) jitter(n time.Duration) time.Duration {
	if b.Rand != nil {
		return time.Duration(b.Rand.Int64N(int64(n)))
	}
	return rand.N(n)
}
