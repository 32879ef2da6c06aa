package desk

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/limit"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// Conversation is one as its customer, its advisor and the staff see it.
type Conversation struct {
	ID        string
	Phase     Phase
	Reason    Reason // once it has ended
	Kind      Kind
	Showroom  string // its ID
	Title     string // the showroom's
	Glasses   string // on which it rings or runs, or ran
	Locale    string
	Name      string    // the customer's, where it is known
	Start     time.Time // of the appointment; zero for none
	End       time.Time
	Created   time.Time
	Started   time.Time // when it was live first; zero for never
	Ended     time.Time // zero while it is open
	Rated     bool
	Sent      bool // something has been mailed, or is about to
	Connected bool // the advisor's event stream or media is there
	Presence  Presence
}

// Presence is what is known of a customer's page.
type Presence struct {
	Here       bool
	Network    Network
	Microphone bool
}

// Network is how a customer's page finds its network.
type Network string

// The networks.
const (
	Good   Network = "good"
	Poor   Network = "poor"
	Frozen Network = "frozen" // no picture comes
)

// view is called with mu held.
func (d *Desk) view(c *call) Conversation {
	s := c.state
	p := d.pairs[s.Glasses]
	return Conversation{
		ID: c.id, Phase: s.Phase, Reason: s.Reason, Kind: s.Kind, Showroom: c.room.ID, Title: c.room.Title,
		Glasses: s.Glasses, Locale: c.locale, Name: c.name, Start: c.start, End: c.end,
		Created: c.created, Started: c.started, Ended: c.ended, Rated: c.rated, Sent: c.sent,
		Connected: s.talks() && (p != nil && p.stream != nil || s.Phase == Live && s.PublisherGone.IsZero()),
		Presence:  Presence{Here: len(c.watchers) > 0, Network: c.network, Microphone: c.microphone},
	}
}

// Lookup returns a conversation, also one that has ended, or ErrUnknown.
func (d *Desk) Lookup(ctx context.Context, cid string) (Conversation, error) {
	d.mu.Lock()
	if c := d.calls[cid]; c != nil {
		defer d.mu.Unlock()
		return d.view(c), nil
	}
	d.mu.Unlock()
	r, err := d.cfg.Records.Conversation(ctx, cid)
	if errors.Is(err, records.ErrNotFound) {
		return Conversation{}, ErrUnknown
	}
	if err != nil {
		return Conversation{}, err
	}
	c, err := d.restored(ctx, r)
	if err != nil {
		return Conversation{}, err
	}
	c.ended, c.state.Reason, c.state.Glasses = r.Ended, Reason(r.Reason), r.Glasses
	if c.sent, err = d.cfg.Records.Sent(ctx, r.ID); err != nil {
		return Conversation{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.view(c), nil
}

// Live returns the open conversations, the oldest first.
func (d *Desk) Live() (list []Conversation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.ordered() {
		if c.state.Phase != Ended {
			list = append(list, d.view(c))
		}
	}
	return list
}

// Showroom is one as a customer sees it who wants to talk.
type Showroom struct {
	ID, Title, TimeZone string
	Open                bool
	OpensAt             time.Time // while it is closed; zero when that is not known
	Free                int       // pairs of glasses that could be called now
}

// Showrooms returns all of them in the order of the plan.
func (d *Desk) Showrooms(ctx context.Context) (list []Showroom) {
	now := d.now()
	for _, room := range d.cfg.Hours.Showrooms() {
		s := Showroom{ID: room.ID, Title: room.Title, TimeZone: room.TimeZone, Open: room.Open(now)}
		if !s.Open {
			s.OpensAt, _ = room.NextOpen(now)
		}
		s.Free = d.freeNow(ctx, room, now)
		list = append(list, s)
	}
	return list
}

// freeNow is how many pairs talk now could ring, none where that is not known.
func (d *Desk) freeNow(ctx context.Context, room hours.Showroom, now time.Time) int {
	spared, err := d.reserved(ctx, room, now)
	if err != nil && ctx.Err() == nil {
		d.cfg.Log.Error("read the appointments", "error", err)
	}
	if err != nil {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.free(&call{room: room, spared: spared}))
}

// TalkNow begins a conversation and rings the first free pair of glasses. Errors
// are *ClosedError, *BusyError, *TooManyError and ErrNoShowroom. from is the
// customer's address.
func (d *Desk) TalkNow(ctx context.Context, showroom, locale string, from netip.Addr) (Conversation, error) {
	room, ok := d.cfg.Hours.Showroom(showroom)
	if !ok {
		return Conversation{}, ErrNoShowroom
	}
	now := d.now()
	if !room.Open(now) {
		opens, _ := room.NextOpen(now)
		return Conversation{}, &ClosedError{OpensAt: opens}
	}
	spared, err := d.reserved(ctx, room, now)
	if err != nil {
		return Conversation{}, err
	}
	c := d.newCall(room, validLocale(locale), State{Phase: Booked, Kind: KindNow, Opens: now, Closes: now.Add(time.Hour)})
	c.spared = spared
	if err := d.begin(c, from); err != nil {
		return Conversation{}, d.busy(ctx, room, err)
	}
	d.keep(ctx)
	return d.Lookup(ctx, c.id)
}

var errNoneFree = errors.New("no glasses are free")

// begin rings for a new conversation of talk now.
func (d *Desk) begin(c *call, from netip.Addr) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if wait := d.limits.calls.Wait(limit.Site(from), d.now()); wait > 0 {
		return &TooManyError{RetryAfter: wait}
	}
	if len(d.free(c)) == 0 {
		return errNoneFree
	}
	d.limits.calls.Take(limit.Site(from), d.now())
	d.calls[c.id] = c
	d.step(c, Event{What: Joined})
	return nil
}

// busy says when there is time instead.
func (d *Desk) busy(ctx context.Context, room hours.Showroom, err error) error {
	if !errors.Is(err, errNoneFree) {
		return err
	}
	slots, err := d.Slots(ctx, room.ID, d.now(), busyDays)
	if err != nil {
		return err
	}
	if len(slots) == 0 {
		return &BusyError{}
	}
	return &BusyError{Next: slots[0].Start}
}

const (
	busyDays = 14 // that are searched for the next slot

	// After its start, glasses are kept free this long for a booked customer who is
	// late.
	lateBy = 10 * time.Minute
)

// reserved returns the glasses that are about to be needed for appointments.
func (d *Desk) reserved(ctx context.Context, room hours.Showroom, now time.Time) (s spared, err error) {
	list, err := d.cfg.Records.Appointments(ctx, room.ID, now.Add(-24*time.Hour), now.Add(opensBefore+time.Second))
	if err != nil {
		return s, err
	}
	s.named = map[string]bool{}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range list {
		opens, _ := window(a)
		if a.State != records.Booked || now.Before(opens) || now.After(a.Start.Add(lateBy)) {
			continue
		}
		if c := d.calls[a.Conversation]; c != nil && (c.state.Busy() || c.state.Phase == Ended) {
			continue
		}
		if a.Glasses == anyOf(room) {
			s.any++
		} else {
			s.named[a.Glasses] = true
		}
	}
	return s, nil
}

// Ring is the customer's tap on Join: a booked conversation begins to ring, or
// waits for free glasses. It does nothing to one that is past that. Errors are
// *EarlyError, ErrExpiredCode, ErrEnded and ErrUnknown.
func (d *Desk) Ring(ctx context.Context, cid string) (Conversation, error) {
	if err := d.joined(cid); err != nil {
		if _, lookup := d.Lookup(ctx, cid); lookup == nil && errors.Is(err, ErrUnknown) {
			err = ErrEnded // it is not in memory any more
		}
		return Conversation{}, err
	}
	d.keep(ctx)
	return d.Lookup(ctx, cid)
}

// going returns a conversation that has not ended, with mu held: else ErrUnknown or
// ErrEnded.
func (d *Desk) going(cid string) (*call, error) {
	c := d.calls[cid]
	switch {
	case c == nil:
		return nil, ErrUnknown
	case c.state.Phase == Ended:
		return nil, ErrEnded
	}
	return c, nil
}

func (d *Desk) joined(cid string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, err := d.going(cid)
	if err != nil {
		return err
	}
	if c.state.Phase == Booked && d.now().Before(c.state.Opens) {
		return &EarlyError{OpensAt: c.state.Opens}
	}
	d.step(c, Event{What: Joined})
	if c.state.Phase == Ended {
		return ErrExpiredCode
	}
	return nil
}

// Call is what a customer's page is told.
type Call struct {
	Phase   Phase     `json:"state"`
	Reason  Reason    `json:"reason,omitempty"`
	RetryAt time.Time `json:"retry_at,omitzero"` // when glasses are rung again, while it waits
}

// Watch returns a channel that holds the newest state of a conversation, at first
// the present one, until cancel is called. While a conversation is watched its
// customer is there. The error is ErrUnknown.
func (d *Desk) Watch(ctx context.Context, cid string) (calls <-chan Call, cancel func(), err error) {
	seen, err := d.Lookup(ctx, cid)
	if err != nil {
		return nil, nil, err
	}
	w := make(chan Call, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.calls[cid]
	if c == nil {
		w <- Call{Phase: seen.Phase, Reason: seen.Reason}
		return w, func() {}, nil
	}
	c.watchers[w] = struct{}{}
	if len(c.watchers) == 1 {
		d.step(c, Event{What: CustomerCame})
	}
	replace(w, c.told())
	return w, func() { d.unwatch(c, w) }, nil
}

func (d *Desk) unwatch(c *call, w chan Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := c.watchers[w]; !ok {
		return
	}
	delete(c.watchers, w)
	if len(c.watchers) == 0 {
		d.step(c, Event{What: CustomerWent})
	}
}

// Report takes what a customer's page says of itself. Of one that has ended it is
// ErrEnded.
func (d *Desk) Report(cid string, network Network, microphone bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, err := d.going(cid)
	if err != nil {
		return err
	}
	if c.network == network && c.microphone == microphone {
		return nil
	}
	c.network, c.microphone = network, microphone
	if c.state.talks() {
		d.tell(c.state.Glasses, c, "customer", c.presence())
	}
	return nil
}

// End is the customer's: the conversation is over. A booked one that nobody has
// answered is booked again, and its code stays good.
func (d *Desk) End(ctx context.Context, cid string) error {
	d.mu.Lock()
	c := d.calls[cid]
	if c != nil {
		d.step(c, Event{What: CustomerEnds})
	}
	d.mu.Unlock()
	if c == nil {
		_, err := d.Lookup(ctx, cid)
		return err
	}
	d.keep(ctx)
	return nil
}

// Rate counts a thumb, once, of a conversation in which somebody answered. Errors
// are ErrRated, ErrNotYet and ErrUnknown.
func (d *Desk) Rate(ctx context.Context, cid string, up bool) error {
	seen, err := d.Lookup(ctx, cid)
	if err != nil {
		return err
	}
	if seen.Started.IsZero() {
		return ErrNotYet
	}
	err = d.cfg.Records.Rate(ctx, cid, up)
	switch {
	case errors.Is(err, records.ErrRated):
		return ErrRated
	case errors.Is(err, records.ErrNotFound):
		return ErrUnknown
	case err != nil:
		return err
	}
	d.rated(cid, seen.Glasses, up)
	return nil
}

func (d *Desk) rated(cid, glasses string, up bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.calls[cid]
	if c == nil {
		c = &call{id: cid, state: State{Phase: Ended}}
	}
	c.rated = true
	thumb := "down"
	if up {
		thumb = "up"
	}
	d.tell(glasses, c, "rating", rating{cid, thumb})
}
