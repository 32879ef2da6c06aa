package fleetsim

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bril-edge/bril/configs/fleet"
)

// Crowd is a fleet's boards as they behave on a working day: most are on, some stay in
// their drawers, and some come and go.
type Crowd struct {
	Boards   []*Board
	Offline  int // the last ones, which are never on
	Flapping int // of the others, the first ones
	rng      *rand.Rand

	mu        sync.Mutex
	changed   chan struct{}
	confirmed map[string]time.Time // by ID, of the newest bundle
	failed    map[string]fleet.Attempt
	seen      map[string]time.Time // when a board's line stood last
}

// Behaviour says how a crowd is divided, and how long it takes.
type Behaviour struct {
	Offline   float64 // share that is never on
	Flapping  float64 // share that comes and goes
	Probation time.Duration
	Works     func(fleet.Bundle) error
	Seed      uint64
	FleetName string
}

// NewCrowd makes the boards of a fleet; they are off.
func NewCrowd(f *Fleet, server string, how Behaviour) *Crowd {
	c := &Crowd{
		rng: rand.New(rand.NewPCG(how.Seed, 1)), changed: make(chan struct{}, 1), confirmed: map[string]time.Time{},
		failed: map[string]fleet.Attempt{}, seen: map[string]time.Time{},
	}
	n := len(f.Boards)
	c.Offline, c.Flapping = int(float64(n)*how.Offline), int(float64(n)*how.Flapping)
	for _, one := range f.Boards {
		c.Boards = append(c.Boards, New(Config{
			Server: server, Roots: f.Roots, ID: one.ID, Cert: one.Cert, Fleet: how.FleetName, Keys: []ed25519.PublicKey{f.Key.Public().(ed25519.PublicKey)},
			Probation: how.Probation, Works: how.Works, Changed: c.note,
		}))
	}
	return c
}

// note hears of each attempt.
func (c *Crowd) note(b *Board, a fleet.Attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch a.Phase {
	case fleet.Confirmed:
		c.confirmed[b.ID()] = a.At
	case fleet.Refused, fleet.Returned:
		c.failed[b.ID()] = a
	default:
		delete(c.confirmed, b.ID())
		delete(c.failed, b.ID())
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// On are the boards that are switched on at all.
func (c *Crowd) On() []*Board { return c.Boards[:len(c.Boards)-c.Offline] }

// Run keeps the boards' lines until ctx ends. Those that flap are on for a while and
// off for a while.
func (c *Crowd) Run(ctx context.Context) {
	var all sync.WaitGroup
	for i, b := range c.On() {
		if i >= c.Flapping {
			all.Go(func() { _ = b.Run(ctx) }) // it ends with ctx
			continue
		}
		r := rand.New(rand.NewPCG(c.rng.Uint64(), uint64(i)))
		all.Go(func() { flap(ctx, b, r) })
	}
	all.Wait()
}

// flap has a board come and go: on for 5 to 25 s, off for 1 to 8 s.
func flap(ctx context.Context, b *Board, r *rand.Rand) {
	for ctx.Err() == nil {
		on, cancel := context.WithTimeout(ctx, 5*time.Second+time.Duration(r.Int64N(int64(20*time.Second))))
		_ = b.Run(on) // it ends with its time
		cancel()
		timer := time.NewTimer(time.Second + time.Duration(r.Int64N(int64(7*time.Second))))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// Look notes which boards' lines stand, and returns how many do.
func (c *Crowd) Look() (connected int) {
	now := time.Now()
	for _, b := range c.On() {
		if b.Connected() {
			connected++
			c.mu.Lock()
			c.seen[b.ID()] = now
			c.mu.Unlock()
		}
	}
	return connected
}

// Since returns when those lines were made that stand and are newer than a moment, in
// that order.
func (c *Crowd) Since(moment time.Time) (made []time.Time) {
	for _, b := range c.On() {
		if at := b.Since(); at.After(moment) {
			made = append(made, at)
		}
	}
	sortTimes(made)
	return made
}

// Busiest is how many of some moments, in their order, are within one second, at most.
func Busiest(moments []time.Time) (most int) {
	first := 0
	for i, at := range moments {
		for at.Sub(moments[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// Reachable are the boards whose line stood at some look since a moment.
func (c *Crowd) Reachable(since time.Time) map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	there := map[string]bool{}
	for id, at := range c.seen {
		if !at.Before(since) {
			there[id] = true
		}
	}
	return there
}

// Confirmed counts those of a set that have confirmed the newest bundle, and when the
// last of a share of them did; zero while fewer have.
func (c *Crowd) Confirmed(of map[string]bool, share float64) (n int, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var times []time.Time
	for id := range of {
		if t, ok := c.confirmed[id]; ok {
			times = append(times, t)
		}
	}
	n = len(times)
	need := int(float64(len(of))*share + 0.999999)
	if need > 0 && n >= need {
		sortTimes(times)
		at = times[need-1]
	}
	return n, at
}

// Failed counts boards that have refused the newest bundle, or returned from it.
func (c *Crowd) Failed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.failed)
}

// Changed has a value after each attempt.
func (c *Crowd) Changed() <-chan struct{} { return c.changed }
