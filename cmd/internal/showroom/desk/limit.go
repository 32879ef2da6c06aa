package desk

import (
	"net/netip"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/limit"
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
	codes    *limit.Limiter[netip.Prefix] // wrong ones
	allCodes *limit.Limiter[struct{}]     // likewise, in total
	calls    *limit.Limiter[netip.Prefix] // of talk now: each can keep one pair ringing for half a minute
	bookings *limit.Limiter[netip.Prefix]
	sends    *limit.Limiter[string] // by conversation
	moves    *limit.Limiter[string] // by appointment: each is a mail
}

// maxKeys is what each remembers.
const maxKeys = 1 << 16

func newLimits() limits {
	return limits{
		codes:    limit.New[netip.Prefix](10, 30*time.Second, maxKeys),
		allCodes: limit.New[struct{}](200, 3*time.Second, maxKeys),
		calls:    limit.New[netip.Prefix](30, 2*time.Minute, maxKeys),
		bookings: limit.New[netip.Prefix](20, 5*time.Minute, maxKeys),
		sends:    limit.New[string](5, 10*time.Minute, maxKeys),
		moves:    limit.New[string](10, 10*time.Minute, maxKeys),
	}
}

func (l *limits) forget(now time.Time) {
	l.codes.Forget(now)
	l.calls.Forget(now)
	l.bookings.Forget(now)
	l.sends.Forget(now)
	l.moves.Forget(now)
}

// mayTry refuses an address that has tried too many wrong codes, and everybody
// while all together have.
func (d *Desk) mayTry(from netip.Addr) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	wait := max(d.limits.codes.Wait(limit.Site(from), now), d.limits.allCodes.Wait(struct{}{}, now))
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
	d.limits.codes.Take(limit.Site(from), now)
	d.limits.allCodes.Take(struct{}{}, now)
}

func (d *Desk) mayBook(from netip.Addr) error { return spend(d, d.limits.bookings, limit.Site(from)) }

func (d *Desk) maySend(cid string) error { return spend(d, d.limits.sends, cid) }

func (d *Desk) mayMove(appointment string) error { return spend(d, d.limits.moves, appointment) }

// spend takes one of a limiter of the desk's, or is a *TooManyError.
func spend[K comparable](d *Desk, l *limit.Limiter[K], key K) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if wait := l.Wait(key, now); wait > 0 {
		return &TooManyError{RetryAfter: wait}
	}
	l.Take(key, now)
	return nil
}
