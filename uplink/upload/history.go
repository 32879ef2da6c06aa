package upload

import (
	"math/rand/v2"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

const (
	firstWait = time.Second     // longest first wait; the shortest is half of it
	soonWait  = 8 * time.Second // longest wait for a lock
	longWait  = 5 * time.Minute // longest wait of all
	maxTries  = 256             // items whose failures are counted
)

// history counts failures, of the endpoint and of single items, and says how
// long to wait after the next. One goroutine owns it.
type history struct {
	endpoint int // failures in a row
	tries    map[string]int
	offsets  map[string]int64 // that items were at when last heard of
}

func newHistory() history {
	return history{tries: map[string]int{}, offsets: map[string]int64{}}
}

// advanced notes the offset that an item is at, and reports whether it is
// further than before. A link that is cut all the time, and carries something
// each time, is no reason to wait longer and longer.
func (h *history) advanced(id string, offset int64) bool {
	before, known := h.offsets[id]
	if len(h.offsets) >= maxTries {
		clear(h.offsets)
	}
	h.offsets[id] = offset
	if !known || offset <= before {
		return false
	}
	h.endpoint = 0
	return true
}

// wait counts a failure and returns how long to wait after it: 0.5 to 1 s, then
// twice as long each time up to 2.5 to 5 min. A server's Retry-After is never
// undercut.
func (h *history) wait(id string, err error, v verdict) time.Duration {
	ceiling := longWait
	switch v {
	case endpointLong:
	case endpointGrowing:
		h.endpoint++
		ceiling = grown(h.endpoint, longWait)
	default:
		h.endpoint = 0
		if len(h.tries) >= maxTries {
			clear(h.tries) // among them items that are gone from the spool
		}
		h.tries[id]++
		most := longWait
		if v == itemSoon {
			most = soonWait
		}
		ceiling = grown(h.tries[id], most)
	}
	wait := ceiling/2 + rand.N(ceiling/2)
	if asked := origin.RetryAfter(err); asked > wait {
		// A fleet that was told the same second must not come in that second.
		wait = asked + rand.N(max(firstWait, asked/10))
	}
	return wait
}

// grown doubles firstWait for each failure after the first.
func grown(failures int, most time.Duration) time.Duration {
	return min(firstWait<<min(failures-1, 16), most)
}

// succeeded forgets an item's failures and the endpoint's.
func (h *history) succeeded(id string) {
	h.endpoint = 0
	delete(h.tries, id)
	delete(h.offsets, id)
}

// woken starts over, as something may have changed.
func (h *history) woken() {
	h.endpoint = 0
	clear(h.tries)
}
