package showroom

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What one address may ask of what is open to everybody: a page asks a few times,
// and a family or an office may share an address.
const (
	visitRate  = 2  // a second
	visitBurst = 60 // at once
	maxVisitor = 4096
)

// visits counts by address, and knows no more of anybody for longer than it takes
// to forget: a minute. Zero is one that has seen nobody.
type visits struct {
	mu   sync.Mutex
	seen map[netip.Prefix]*rate.Limiter
}

// wait takes one visit of the address, or says how long to wait for the next.
func (v *visits) wait(from netip.Addr, now time.Time) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := site(from)
	limiter := v.seen[key]
	if limiter == nil {
		if len(v.seen) >= maxVisitor {
			v.forget(now)
		}
		if v.seen == nil {
			v.seen = map[netip.Prefix]*rate.Limiter{}
		}
		limiter = rate.NewLimiter(visitRate, visitBurst)
		v.seen[key] = limiter
	}
	reservation := limiter.ReserveN(now, 1)
	delay := reservation.DelayFrom(now)
	if delay > 0 {
		reservation.CancelAt(now)
	}
	return delay
}

// forget drops who has not come lately. When all have, it is an attack from many
// addresses: then all begin anew, as one bound for all would shut out everybody.
func (v *visits) forget(now time.Time) {
	for key, limiter := range v.seen {
		if limiter.TokensAt(now) >= visitBurst {
			delete(v.seen, key)
		}
	}
	if len(v.seen) >= maxVisitor {
		clear(v.seen)
	}
}

// site is what one household has: an address, or 64 bits of IPv6.
func site(from netip.Addr) netip.Prefix {
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	prefix, err := from.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address: all of those are one
	}
	return prefix
}
