package desk

import (
	"net/netip"
	"time"
)

// limits bound what one address, and all together, can try. They are guarded by
// the desk's mutex.
//
// A code is one of 2^40. In total, wrong codes can be tried 200 at once, and 1,200
// an hour after that: with 1,000 appointments open, somebody with any number of
// addresses finds one in 100 years. A right code costs nothing, so that customers
// get in between them; who follows the link in the mail is not counted at all, see
// JoinByLink.
type limits struct {
	codes    limiter[netip.Prefix] // wrong ones
	allCodes limiter[struct{}]     // likewise, in total
	calls    limiter[netip.Prefix] // of talk now: each can keep one pair ringing for half a minute
	bookings limiter[netip.Prefix]
	sends    limiter[string] // by conversation
	moves    limiter[string] // by appointment: each is a mail
}

func newLimits() limits {
	return limits{
		codes:    newLimiter[netip.Prefix](10, 30*time.Second),
		allCodes: newLimiter[struct{}](200, 3*time.Second),
		calls:    newLimiter[netip.Prefix](30, 2*time.Minute),
		bookings: newLimiter[netip.Prefix](20, 5*time.Minute),
		sends:    newLimiter[string](5, 10*time.Minute),
		moves:    newLimiter[string](10, 10*time.Minute),
	}
}

func (l *limits) sweep(now time.Time) {
	l.codes.sweep(now)
	l.calls.sweep(now)
	l.bookings.sweep(now)
	l.sends.sweep(now)
	l.moves.sweep(now)
}

// maxKeys bounds a limiter's memory. What comes when it is full is as one.
const maxKeys = 1 << 16

// limiter lets each key do something burst times, and once more every interval
// after that.
type limiter[K comparable] struct {
	burst    int
	interval time.Duration
	spent    map[K]time.Time // when all of it has been given back
}

func newLimiter[K comparable](burst int, interval time.Duration) limiter[K] {
	return limiter[K]{burst: burst, interval: interval, spent: map[K]time.Time{}}
}

func (l *limiter[K]) key(key K) K {
	if _, known := l.spent[key]; !known && len(l.spent) >= maxKeys {
		var shared K
		return shared
	}
	return key
}

// wait returns how long the key must wait for its next one; 0 for not at all.
func (l *limiter[K]) wait(key K, now time.Time) time.Duration {
	owed := max(0, l.spent[l.key(key)].Sub(now))
	return max(0, owed-time.Duration(l.burst-1)*l.interval)
}

// take takes one.
func (l *limiter[K]) take(key K, now time.Time) {
	key = l.key(key)
	full := l.spent[key]
	if full.Before(now) {
		full = now
	}
	l.spent[key] = full.Add(l.interval)
}

func (l *limiter[K]) sweep(now time.Time) {
	for key, full := range l.spent {
		if !full.After(now) {
			delete(l.spent, key)
		}
	}
}

// addressOf returns what one customer can have of addresses: of IPv6 it is a /64.
func addressOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	prefix, err := a.Prefix(bits)
	if err != nil { // no address: all of these are one
		return netip.Prefix{}
	}
	return prefix
}

// mayTry refuses an address that has tried too many wrong codes, and everybody
// while all together have.
func (d *Desk) mayTry(from netip.Addr) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	wait := max(d.limits.codes.wait(addressOf(from), now), d.limits.allCodes.wait(struct{}{}, now))
	if wait > 0 {
		return &TooManyError{RetryAfter: wait}
	}
	return nil
}

// wrong counts a wrong code.
func (d *Desk) wrong(from netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	d.limits.codes.take(addressOf(from), now)
	d.limits.allCodes.take(struct{}{}, now)
}

func (d *Desk) mayBook(from netip.Addr) error { return spend(d, &d.limits.bookings, addressOf(from)) }

func (d *Desk) maySend(cid string) error { return spend(d, &d.limits.sends, cid) }

func (d *Desk) mayMove(appointment string) error { return spend(d, &d.limits.moves, appointment) }

// spend takes one of a limiter of the desk's, or is a *TooManyError.
func spend[K comparable](d *Desk, l *limiter[K], key K) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if wait := l.wait(key, now); wait > 0 {
		return &TooManyError{RetryAfter: wait}
	}
	l.take(key, now)
	return nil
}
