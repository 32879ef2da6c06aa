package showroom

import (
	"net/netip"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/limit"
)

// What one address may ask of what is open to everybody: a page asks a few times,
// and a family or an office may share an address.
const (
	visitBurst    = 60 // at once
	visitInterval = 500 * time.Millisecond
	maxVisitors   = 4096
)

// visits counts by address. Of who has gone it knows nothing after a minute.
type visits struct {
	mu        sync.Mutex
	sites     *limit.Limiter[netip.Prefix]
	forgotten time.Time
}

func newVisits() *visits {
	return &visits{sites: limit.New[netip.Prefix](visitBurst, visitInterval, maxVisitors)}
}

// wait takes one visit of the address, or says how long to wait for the next.
func (v *visits) wait(from netip.Addr, now time.Time) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.forgotten) >= visitBurst*visitInterval {
		v.sites.Forget(now)
		v.forgotten = now
	}
	site := limit.Site(from)
	wait := v.sites.Wait(site, now)
	if wait == 0 {
		v.sites.Take(site, now)
	}
	return wait
}
