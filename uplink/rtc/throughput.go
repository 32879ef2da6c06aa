package rtc

import (
	"sync"
	"time"

	"github.com/bril-edge/bril/encoder"
)

// throughput is what leaves in a second. Whoever sends adds to it, so that it
// needs no timer and no report of the far end.
type throughput struct {
	mu     sync.Mutex
	second time.Duration // the one that is being filled, in whole seconds
	filled uint64        // bytes in it
	full   uint64        // bytes in the second before it
}

func (t *throughput) add(bytes int, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(now)
	t.filled += uint64(bytes)
}

// rate is that of the last whole second.
func (t *throughput) rate(now time.Duration) encoder.BitRate {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(now)
	return encoder.BitRate(8 * t.full)
}

func (t *throughput) turn(now time.Duration) {
	second := now.Truncate(time.Second)
	switch second - t.second {
	case 0:
		return
	case time.Second:
		t.full = t.filled
	default: // nothing left in the second before this one
		t.full = 0
	}
	t.second, t.filled = second, 0
}
