package desk

import (
	"context"
	"errors"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// remembered is how long what has ended stays in memory.
const remembered = 10 * time.Minute

// restore takes up the conversations that were open when the last run ended.
func (d *Desk) restore(ctx context.Context) error {
	open, err := d.cfg.Records.OpenConversations(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range open {
		c, err := d.restored(ctx, r)
		if err != nil {
			return err
		}
		d.calls[c.id] = c
		d.step(c, Event{What: Restarted})
	}
	return nil
}

func (d *Desk) restored(ctx context.Context, r records.Conversation) (*call, error) {
	c := &call{
		id: r.ID, room: d.room(r.Showroom), locale: r.Locale, customer: r.Customer, appointment: r.Appointment,
		created: r.Created, started: r.Started, rated: r.Rated, watchers: map[chan Call]struct{}{},
		state: State{Phase: Phase(r.State), Kind: Kind(r.Kind), Glasses: r.Glasses, Since: d.now()},
	}
	if !c.state.Busy() {
		c.state.Glasses = ""
	}
	if err := d.fillCall(ctx, c); err != nil {
		return nil, err
	}
	return c, nil
}

// fillCall adds what is known of a conversation's appointment and customer.
func (d *Desk) fillCall(ctx context.Context, c *call) error {
	if c.appointment != "" {
		a, err := d.cfg.Records.Appointment(ctx, c.appointment)
		if err != nil && !errors.Is(err, records.ErrNotFound) {
			return err
		}
		c.start, c.end, c.preferred, c.name = a.Start, a.End, a.Glasses, a.Name
		c.state.Opens, c.state.Closes = window(a)
	}
	if c.customer != "" && c.name == "" {
		customer, err := d.cfg.Records.Customer(ctx, c.customer)
		if err != nil && !errors.Is(err, records.ErrNotFound) {
			return err
		}
		c.name = customer.Name
	}
	return nil
}

// room returns a showroom, also one that is no longer in the plan.
func (d *Desk) room(id string) hours.Showroom {
	if room, ok := d.cfg.Hours.Showroom(id); ok {
		return room
	}
	return hours.Showroom{ID: id, Title: id, TimeZone: "UTC"}
}

// keep saves what has changed; false when something could not be, and is to be
// tried again.
func (d *Desk) keep(ctx context.Context) bool {
	d.saving.Lock()
	defer d.saving.Unlock()
	for {
		c, r := d.unsavedCall()
		if c == nil {
			return true
		}
		err := d.cfg.Records.SaveConversation(ctx, r)
		switch {
		case errors.Is(err, records.ErrErased):
			d.Forget(r.ID)
		case err != nil:
			d.mu.Lock()
			c.unsaved = true
			d.mu.Unlock()
			if ctx.Err() == nil {
				d.cfg.Log.Error("save a conversation", "error", err)
			}
			return false
		case !r.Ended.IsZero():
			d.close(ctx, c, r)
		}
	}
}

// unsavedCall returns a conversation to be saved as it is now, nil for none.
func (d *Desk) unsavedCall() (*call, records.Conversation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		if c.unsaved && !c.erased {
			c.unsaved = false
			return c, records.Conversation{
				ID: c.id, Showroom: c.room.ID, Glasses: c.state.Glasses, Appointment: c.appointment, Customer: c.customer, Locale: c.locale,
				Created: c.created, Started: c.started, Ended: c.ended,
				State: string(c.state.Phase), Reason: string(c.state.Reason), Kind: string(c.state.Kind),
			}
		}
	}
	return nil, records.Conversation{}
}

// close does what follows on the end of a conversation, once. What a crash leaves
// undone of it, the sweep does, but for the count.
func (d *Desk) close(ctx context.Context, c *call, r records.Conversation) {
	d.mu.Lock()
	done := c.closed
	c.closed = true
	d.mu.Unlock()
	if done {
		return
	}
	if r.Appointment != "" && r.Reason != string(Cancelled) {
		d.closeAppointment(ctx, r.Appointment, !r.Started.IsZero())
	}
	if r.Started.IsZero() {
		return
	}
	u := records.Usage{Conversations: 1, Duration: r.Ended.Sub(r.Started)}
	for _, item := range d.cfg.Media.Items(r.ID) {
		if item.Kind == "clip" {
			u.Clips++
		} else {
			u.Photos++
		}
	}
	if err := d.cfg.Records.CountUsage(ctx, r.Showroom, u); err != nil {
		d.cfg.Log.Error("count usage", "error", err)
	}
}

func (d *Desk) closeAppointment(ctx context.Context, id string, took bool) {
	state := records.Missed
	if took {
		state = records.Done
	}
	err := d.cfg.Records.SetAppointmentState(ctx, id, state)
	if err != nil && !errors.Is(err, records.ErrState) && !errors.Is(err, records.ErrNotFound) && ctx.Err() == nil {
		d.cfg.Log.Error("close an appointment", "error", err)
	}
}

// Forget ends a conversation that has been erased, and stores nothing more of it.
func (d *Desk) Forget(cid string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.calls[cid]
	if c == nil {
		return
	}
	c.erased = true
	for _, what := range []What{CustomerEnds, Withdrawn} { // in each phase one of them ends it
		d.step(c, Event{What: what})
	}
	c.name, c.customer = "", ""
}

// sweep forgets what ended a while ago, and closes appointments that nobody came to.
func (d *Desk) sweep(ctx context.Context) {
	now := d.now()
	d.mu.Lock()
	for id, c := range d.calls {
		if c.state.Phase == Ended && (!c.unsaved || c.erased) && len(c.watchers) == 0 && now.Sub(c.ended) > remembered {
			delete(d.calls, id)
		}
	}
	for name, p := range d.pairs {
		if p.stream == nil && d.on(name) == nil && now.Sub(p.idle) > remembered {
			delete(d.pairs, name)
		}
	}
	d.limits.forget(now)
	d.mu.Unlock()
	for _, room := range d.cfg.Hours.Showrooms() {
		if err := d.sweepAppointments(ctx, room, now); err != nil && ctx.Err() == nil {
			d.cfg.Log.Error("close appointments", "error", err)
		}
	}
}

// sweepBack is how long a server may have been down for its appointments to be
// closed when it is back.
const sweepBack = 31 * 24 * time.Hour

func (d *Desk) sweepAppointments(ctx context.Context, room hours.Showroom, now time.Time) error {
	list, err := d.cfg.Records.Appointments(ctx, room.ID, now.Add(-sweepBack), now)
	if err != nil {
		return err
	}
	for _, a := range list {
		if _, closes := window(a); a.State != records.Booked || now.Before(closes) || d.isOpen(a.Conversation) {
			continue
		}
		took := false
		if a.Conversation != "" {
			r, err := d.cfg.Records.Conversation(ctx, a.Conversation)
			if err != nil && !errors.Is(err, records.ErrNotFound) {
				return err
			}
			took = !r.Started.IsZero()
		}
		d.closeAppointment(ctx, a.ID, took)
	}
	return nil
}

func (d *Desk) isOpen(cid string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.calls[cid]
	return c != nil && c.state.Phase != Ended
}
