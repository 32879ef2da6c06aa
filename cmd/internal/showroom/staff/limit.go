package staff

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// How many guesses are free, and how often there is one more.
const (
	freeOfAddress = 10
	freeOfName    = 30 // above one address's, so that one address cannot use it up
	freeOfDevice  = 10
	refill        = 30 * time.Second

	maxBuckets = 8192 // remembered at once; the emptiest demand goes first
)

// limiter bounds how often passwords are guessed: for each address, and for each
// name from all addresses together. Names that nobody has are bounded as those
// that somebody has, so that nothing tells them apart.
//
// Whoever guesses from many addresses could so keep the name's owner out. So a
// browser that has logged in before is counted by itself and by nothing else (see
// device.go), and every wait ends: a guess that is refused costs nothing.
type limiter struct {
	mu      sync.Mutex
	buckets map[bucketKey]time.Time // when it is full again
}

type bucketKey struct{ kind, name string }

type bucket struct {
	bucketKey
	free int
}

// buckets that a guess is counted in.
func bucketsOf(name string, from netip.Addr, device string) []bucket {
	if device != "" {
		return []bucket{{bucketKey{"device", device}, freeOfDevice}}
	}
	return []bucket{{bucketKey{"address", site(from)}, freeOfAddress}, {bucketKey{"name", name}, freeOfName}}
}

// site is what one party has: an IPv4 address, or an IPv6 network of 64 bits.
func site(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if prefix, err := a.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return a.String()
}

// take counts a guess in all buckets, or in none and returns how long to wait.
func (l *limiter) take(now time.Time, buckets []bucket) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range buckets {
		full := l.buckets[b.bucketKey]
		if earliest := full.Add(-time.Duration(b.free-1) * refill); earliest.After(now) {
			wait = max(wait, earliest.Sub(now))
		}
	}
	if wait > 0 {
		return wait, false
	}
	for _, b := range buckets {
		l.put(now, b.bucketKey, later(now, l.buckets[b.bucketKey]).Add(refill))
	}
	return 0, true
}

// giveBack undoes take: it was no guess.
func (l *limiter) giveBack(now time.Time, buckets []bucket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range buckets {
		if full, ok := l.buckets[b.bucketKey]; ok {
			l.put(now, b.bucketKey, full.Add(-refill))
		}
	}
}

func (l *limiter) put(now time.Time, key bucketKey, full time.Time) {
	if !full.After(now) {
		delete(l.buckets, key)
		return
	}
	if _, known := l.buckets[key]; !known && len(l.buckets) >= maxBuckets {
		l.forget()
	}
	if l.buckets == nil {
		l.buckets = map[bucketKey]time.Time{}
	}
	l.buckets[key] = full
}

// forget makes room for many, so that it is not done for each: the eighth that is
// full again, or will be first.
func (l *limiter) forget() {
	keys := slices.SortedFunc(maps.Keys(l.buckets), func(a, b bucketKey) int { return l.buckets[a].Compare(l.buckets[b]) })
	for _, key := range keys[:len(keys)/8] {
		delete(l.buckets, key)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
