package desk

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// call is a conversation in memory. Its fields are guarded by the desk's mutex.
type call struct {
	id       string
	state    State
	room     hours.Showroom
	locale   string
	customer string // ID; "" until it is known
	name     string // the customer's, likewise

	appointment string // ID; "" for none
	preferred   string // the glasses that were booked
	start, end  time.Time
	spared      spared

	created, started, ended time.Time
	rated, sent             bool

	watchers   map[chan Call]struct{}
	network    Network
	microphone bool

	unsaved bool
	erased  bool // nothing of it is to be stored
	closed  bool // what follows on its end has been done
}

func (d *Desk) newCall(room hours.Showroom, locale string, state State) *call {
	now := d.now()
	state.Since, state.CustomerGone = now, now // its page will be there in a moment
	c := &call{id: records.NewID(), state: state, room: room, locale: locale, created: now, watchers: map[chan Call]struct{}{}}
	return c
}

// step makes a step of a conversation, with mu held.
func (d *Desk) step(c *call, e Event) {
	e.At, e.Free = d.now(), d.free(c)
	before := c.state
	after, actions := Step(before, e)
	c.state = after
	freed := false
	for _, a := range actions {
		switch a.Do {
		case Ring:
			d.tell(a.Glasses, c, "call", d.ring(c))
		case StopRing:
			d.tell(a.Glasses, c, "call_gone", callGone{c.id, a.Reason})
		case Tell:
			d.tellAll(c, before)
		case TellPresence:
			d.tell(a.Glasses, c, "customer", c.presence())
		case Free:
			if p := d.pairs[a.Glasses]; p != nil {
				p.idle = e.At
			}
			freed = true
		case EndRoom:
			d.rooms = append(d.rooms, c.id)
		}
	}
	if freed {
		d.offer()
	}
	rouse(d.wake)
}

// tellAll takes down another phase, and tells it the customer's pages and the
// glasses that talk.
func (d *Desk) tellAll(c *call, before State) {
	now := d.now()
	c.unsaved = true
	if c.state.Phase == Live && c.started.IsZero() {
		c.started = now
	}
	if c.state.Phase == Ended && c.ended.IsZero() {
		c.ended = now
		rouse(d.wished)
	}
	for w := range c.watchers {
		replace(w, c.told())
	}
	if c.state.talks() || before.talks() {
		d.tell(c.state.Glasses, c, "conversation", changed{c.id, c.state.Phase, c.state.Reason})
	}
}

// talks says whether somebody has answered, and it is not over.
func (s State) talks() bool { return s.Phase == Connecting || s.Phase == Live }

// replace puts a state in a channel of one, over what is there. All senders hold
// the mutex.
func replace(w chan Call, c Call) {
	select {
	case <-w:
	default:
	}
	w <- c
}

func (c *call) told() Call {
	told := Call{Phase: c.state.Phase, Reason: c.state.Reason}
	if c.state.Phase == Waiting {
		told.RetryAt = c.state.Since.Add(ringAgain).UTC()
	}
	return told
}

// offer tells who waits that glasses may be free, with mu held.
func (d *Desk) offer() {
	for _, c := range d.waiting() {
		d.step(c, Event{What: Freed})
	}
}

// waiting returns the conversations of who waits, the earliest first, with mu held.
func (d *Desk) waiting() []*call {
	var list []*call
	for _, c := range d.calls {
		if c.state.Phase == Waiting {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *call) int {
		return cmp.Or(a.start.Compare(b.start), a.created.Compare(b.created), cmp.Compare(a.id, b.id))
	})
	return list
}

// spared are glasses that talk now leaves alone: somebody has booked them, and
// can be there at any moment.
type spared struct {
	named map[string]bool
	any   int // and so many more, whichever they are
}

// free returns the glasses that can be rung for a conversation, the best first,
// with mu held: those that were booked, then those that have been idle longest.
func (d *Desk) free(c *call) []string {
	busy := map[string]bool{}
	for _, other := range d.calls {
		if other.state.Busy() {
			busy[other.state.Glasses] = true
		}
	}
	var list []*pair
	for _, p := range d.pairs {
		if p.stream != nil && !busy[p.name] && !c.spared.named[p.name] && d.cfg.Hours.Serves(p.name, c.room) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *pair) int {
		if a.name == c.preferred || b.name == c.preferred {
			return cmp.Compare(boolInt(b.name == c.preferred), boolInt(a.name == c.preferred))
		}
		return cmp.Or(a.idle.Compare(b.idle), cmp.Compare(a.name, b.name))
	})
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.name
	}
	return names[:max(0, len(names)-c.spared.any)]
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ordered returns all conversations, the oldest first, with mu held.
func (d *Desk) ordered() []*call {
	return slices.SortedFunc(maps.Values(d.calls), func(a, b *call) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id))
	})
}

// on returns the conversation that rings or runs on glasses, nil for none, with mu
// held.
func (d *Desk) on(glasses string) *call {
	for _, c := range d.calls {
		if c.state.Busy() && c.state.Glasses == glasses {
			return c
		}
	}
	return nil
}
