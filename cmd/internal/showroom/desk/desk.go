// Package desk brings customers and glasses together: talk now, appointments
// with their codes, ringing and passing on, presence, and how each conversation
// ends. What may follow on what is one table, see Table; the service around it
// persists every step and tells both sides.
//
// It moves no media and sends no mail itself, and stores nothing of what anybody
// says.
package desk

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
)

// Config is what a desk works with. Zero means the default.
type Config struct {
	Records Records          // needed
	Hours   hours.Plan       // needed
	Post    Post             // sends letters; default: none are sent
	Media   Media            // what is stored of conversations; default: nothing is
	Clock   func() time.Time // default: time.Now
	Log     *slog.Logger     // default: none

	// EndRoom cuts off who publishes and views in a room of the relay, once its
	// conversation is over. It is called by Run, without a lock. Default: nothing.
	EndRoom func(room string)

	// Seal makes of an access code what the records know it by, with a secret that is
	// not in them: all codes are tried in minutes against a hash that anybody can make.
	// Default: the code itself.
	Seal func(code string) string

	// ConsentText is the version of the text by which customers consent to
	// marketing. Default: "1".
	ConsentText string
}

// Desk is the service. All its methods may be called at once.
//
// One mutex guards what is in memory, and nothing is called with it held. What is
// stored is read again after a restart; it is behind by a moment at most.
type Desk struct {
	cfg      Config
	instance string        // in the IDs of messages
	wake     chan struct{} // holds one value when Run has something to do
	wished   chan struct{} // likewise, for what is to be sent

	mu    sync.Mutex
	calls map[string]*call // open, and those that ended lately
	pairs map[string]*pair
	rooms []string // to be ended
	limits

	saving  sync.Mutex // one at a time, so that the newest state is saved last
	booking sync.Mutex // likewise; the records refuse what gets past it
	joining sync.Mutex // a code makes one conversation, and none once it is cancelled
}

// New reads the open conversations of an earlier run, and goes on with them as the
// table says. It starts nothing.
func New(ctx context.Context, cfg Config) (*Desk, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.EndRoom == nil {
		cfg.EndRoom = func(string) {}
	}
	if cfg.Seal == nil {
		cfg.Seal = func(code string) string { return code }
	}
	if cfg.Post == nil {
		cfg.Post = noPost{}
	}
	if cfg.Media == nil {
		cfg.Media = noMedia{}
	}
	cfg.ConsentText = cmp.Or(cfg.ConsentText, "1")
	d := &Desk{
		cfg: cfg, instance: rand.Text()[:8], wake: make(chan struct{}, 1), wished: make(chan struct{}, 1),
		calls: map[string]*call{}, pairs: map[string]*pair{}, limits: newLimits(),
	}
	return d, d.restore(ctx)
}

const (
	sweepEvery = time.Minute
	saveAgain  = time.Second // after the records did not take it
)

// Run carries out what is due until ctx ends, which is no error: deadlines, rooms
// to end, what customers asked to be sent.
func (d *Desk) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.work(ctx) })
	g.Go(func() error { return d.deliver(ctx) })
	return g.Wait()
}

func (d *Desk) work(ctx context.Context) error {
	var swept time.Time
	for ctx.Err() == nil {
		d.tick()
		saved := d.keep(ctx)
		d.endRooms()
		if now := d.now(); now.Sub(swept) >= sweepEvery {
			d.sweep(ctx)
			swept = now
		}
		wait := min(d.untilNext(), swept.Add(sweepEvery).Sub(d.now()))
		if !saved {
			wait = min(wait, saveAgain)
		}
		timer := time.NewTimer(max(0, wait))
		select {
		case <-ctx.Done():
		case <-d.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	d.keep(context.WithoutCancel(ctx)) // who starts the server again finds the last step
	return nil
}

func (d *Desk) now() time.Time { return d.cfg.Clock() }

// rouse has Run look. It never blocks.
func rouse(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it knows
	}
}

// tick makes the steps that are due.
func (d *Desk) tick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	for _, c := range d.ordered() {
		for at, ok := c.state.Deadline(); ok && !at.After(now); at, ok = c.state.Deadline() {
			d.step(c, Event{What: Tick})
		}
	}
}

// untilNext is how long nothing is due.
func (d *Desk) untilNext() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	wait, now := sweepEvery, d.now()
	for _, c := range d.calls {
		if at, ok := c.state.Deadline(); ok {
			wait = min(wait, at.Sub(now))
		}
	}
	return wait
}

func (d *Desk) endRooms() {
	d.mu.Lock()
	rooms := d.rooms
	d.rooms = nil
	d.mu.Unlock()
	for _, room := range rooms {
		d.cfg.EndRoom(room)
	}
}
