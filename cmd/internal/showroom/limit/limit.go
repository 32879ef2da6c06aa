// Package limit bounds how often somebody does something, by the generic cell rate
// algorithm: all it keeps of a key is the moment from which all is free again.
package limit

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Limiter lets each key do something so often at once, and once more every interval
// after that. It is not safe for concurrent use.
type Limiter[K comparable] struct {
	burst    int
	interval time.Duration
	most     int
	free     map[K]time.Time // when nothing is owed any more
}

// New makes a limiter that remembers at most so many keys. When there are more, those
// that owe least are forgotten: with one answer for all that come then, an attack from
// many addresses would shut out everybody.
func New[K comparable](burst int, interval time.Duration, most int) *Limiter[K] {
	return &Limiter[K]{burst: burst, interval: interval, most: most, free: map[K]time.Time{}}
}

// Wait returns how long the key has to wait for its next one; 0 for not at all.
func (l *Limiter[K]) Wait(key K, now time.Time) time.Duration {
	return max(0, l.owed(key, now)-time.Duration(l.burst-1)*l.interval)
}

// owed is how long it is until the key has all again. More than all is not owed: then
// the clock was set back, and what was counted before says nothing.
func (l *Limiter[K]) owed(key K, now time.Time) time.Duration {
	owed := max(0, l.free[key].Sub(now))
	if owed > l.all() {
		return 0
	}
	return owed
}

func (l *Limiter[K]) all() time.Duration { return time.Duration(l.burst) * l.interval }

// Take takes one. No more than all is owed, however often it is taken.
func (l *Limiter[K]) Take(key K, now time.Time) {
	l.put(key, now.Add(min(l.owed(key, now)+l.interval, l.all())), now)
}

// GiveBack undoes a Take.
func (l *Limiter[K]) GiveBack(key K, now time.Time) {
	l.put(key, now.Add(l.owed(key, now)-l.interval), now)
}

// Forget drops what owes nothing any more: of who has gone nothing is kept.
func (l *Limiter[K]) Forget(now time.Time) {
	maps.DeleteFunc(l.free, func(_ K, free time.Time) bool { return !free.After(now) })
}

// Len returns how many keys are remembered.
func (l *Limiter[K]) Len() int { return len(l.free) }

func (l *Limiter[K]) put(key K, free, now time.Time) {
	if !free.After(now) {
		delete(l.free, key)
		return
	}
	if _, known := l.free[key]; !known && len(l.free) >= l.most {
		l.makeRoom()
	}
	l.free[key] = free
}

// makeRoom drops an eighth, so that it is not done for each: those that owe nothing
// any more, or least.
func (l *Limiter[K]) makeRoom() {
	keys := slices.SortedFunc(maps.Keys(l.free), func(a, b K) int { return l.free[a].Compare(l.free[b]) })
	for _, key := range keys[:max(1, len(keys)/8)] {
		delete(l.free, key)
	}
}

// Site returns what one party has of addresses: one of IPv4, or an IPv6 network of 64
// bits. No address is one party.
func Site(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
