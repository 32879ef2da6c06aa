package relay

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Phase is what a conversation is in, as viewers are told. The words are part of
// the HTTP interface.
type Phase string

// The phases.
const (
	Waiting     Phase = "waiting"     // no publisher
	Connecting  Phase = "connecting"  // a publisher is establishing its connection
	Live        Phase = "live"        // media flows
	Paused      Phase = "paused"      // the publisher sends no picture, on purpose
	Interrupted Phase = "interrupted" // the publisher was lost and may return
)

// State is what watchers see.
type State struct {
	Phase       Phase
	Publication int // counts the publishers of this room
}

// room is one conversation. Its fields are guarded by the relay's mutex, but for
// the two that the packets' path reads.
type room struct {
	name      string
	publisher atomic.Pointer[publisher]
	connected atomic.Pointer[[]*viewer] // replaced, never changed

	viewers     map[*viewer]struct{} // connected or on the way
	watchers    map[chan State]struct{}
	pages       int // of the watchers
	publication int
	lost        bool // the last publisher went without saying so
	told        State
	grace       *time.Timer
}

func newRoom(name string) *room {
	r := &room{
		name: name, viewers: map[*viewer]struct{}{}, watchers: map[chan State]struct{}{},
		told: State{Phase: Waiting},
	}
	r.connected.Store(&[]*viewer{})
	return r
}

func (r *room) empty() bool {
	return r.publisher.Load() == nil && len(r.viewers) == 0 && len(r.watchers) == 0 && !r.lost
}

// facts decide the phase.
type facts struct {
	publisher, connected bool
	told                 bool // the publisher said that it paused
	lost                 bool // the publisher before went without a word
	picture, sound       bool // packets came lately, or none are to be expected
}

func (f facts) phase() Phase {
	switch {
	case !f.publisher && f.lost:
		return Interrupted
	case !f.publisher:
		return Waiting
	case !f.connected && f.lost:
		return Interrupted
	case !f.connected:
		return Connecting
	case f.told:
		return Paused
	case !f.picture && !f.sound:
		return Interrupted
	case !f.picture:
		return Paused
	}
	return Live
}

func (r *room) state() State {
	f := facts{lost: r.lost}
	if p := r.publisher.Load(); p != nil {
		p.describe(&f, time.Now())
	}
	return State{Phase: f.phase(), Publication: r.publication}
}

// announce tells the watchers when the state has changed. A watcher that is behind
// finds the newest state only.
func (r *room) announce() {
	now := r.state()
	if now == r.told {
		return
	}
	r.told = now
	for w := range r.watchers {
		replace(w, now)
	}
}

// replace puts a state in a channel of one, over what is there. All senders hold
// the relay's mutex.
func replace(w chan State, s State) {
	select {
	case <-w:
	default:
	}
	w <- s
}

// askKey asks the publisher for a key frame. It never blocks.
func (r *room) askKey() {
	if p := r.publisher.Load(); p != nil {
		p.askKey()
	}
}

func (r *room) join(v *viewer) {
	list := append(slices.Clone(*r.connected.Load()), v)
	r.connected.Store(&list)
}

func (r *room) leave(v *viewer) {
	delete(r.viewers, v)
	list := slices.DeleteFunc(slices.Clone(*r.connected.Load()), func(other *viewer) bool { return other == v })
	r.connected.Store(&list)
}

func (r *room) stopGrace() {
	if r.grace != nil {
		r.grace.Stop()
		r.grace = nil
	}
}

// Watch returns a channel that holds the newest state of the conversation, at
// first the present one, until cancel is called. It is for pages, and ErrFull where
// there are too many of them, of this conversation or of all.
func (r *Relay) Watch(name string) (states <-chan State, cancel func(), err error) {
	return r.watch(name, 1)
}

// Follow is Watch for the server itself, which no number of pages keeps out.
func (r *Relay) Follow(name string) (states <-chan State, cancel func(), err error) {
	return r.watch(name, 0)
}

// watch counts pages, which are bounded.
func (r *Relay) watch(name string, pages int) (states <-chan State, cancel func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, ErrClosed
	}
	if r.watchers+pages > r.cfg.Watchers {
		return nil, nil, fmt.Errorf("%w: %d watch already", ErrFull, r.watchers)
	}
	if room := r.rooms[name]; room != nil && room.pages+pages > r.cfg.Viewers {
		return nil, nil, fmt.Errorf("%w: %d watch this one already", ErrFull, room.pages)
	}
	room := r.room(name)
	w := make(chan State, 1)
	room.watchers[w] = struct{}{}
	room.pages += pages
	r.watchers += pages
	w <- room.state()
	return w, func() { r.unwatch(room, w, pages) }, nil
}

func (r *Relay) unwatch(room *room, w chan State, pages int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := room.watchers[w]; ok {
		delete(room.watchers, w)
		room.pages -= pages
		r.watchers -= pages
		r.tidy(room)
	}
}

// Status returns the phase of a conversation and how many viewers are connected.
// A name that nobody uses is waiting with none.
func (r *Relay) Status(name string) (Phase, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[name]
	if room == nil {
		return Waiting, 0
	}
	return room.state().Phase, len(*room.connected.Load())
}
