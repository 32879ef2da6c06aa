package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

const (
	maxDays = 31                  // of slots in one answer
	horizon = 90 * 24 * time.Hour // how far ahead can be booked

	// Anybody can book for any e-mail address, and each time a mail goes there.
	maxBooked = 5 // appointments to come of one address
)

// Request is what a customer fills in to book.
type Request struct {
	Showroom  string
	Start     time.Time
	Name      string
	Email     string
	Phone     string // optional
	Locale    string // nl, de or en
	Marketing bool   // consents to it
	From      netip.Addr
}

// Appointment is one as its customer sees it.
type Appointment struct {
	ID       string
	Showroom string // its ID
	Title    string // the showroom's
	TimeZone string
	Start    time.Time
	End      time.Time
	State    string // booked, done, missed or cancelled, as package records has it
	Name     string
	Email    string
	Phone    string
	Locale   string
}

// window is when an appointment can be joined.
func window(a records.Appointment) (opens, closes time.Time) {
	return a.Start.Add(-opensBefore), a.End.Add(closesAfter)
}

// anyOf is booked in a showroom that lists no glasses, whichever will be free. It
// cannot be the name of a pair.
func anyOf(room hours.Showroom) string { return "@" + room.ID }

// seats are what one slot of a showroom can be booked on.
func seats(room hours.Showroom) []string {
	if len(room.Glasses) == 0 {
		return []string{anyOf(room)}
	}
	return room.Glasses
}

// Slots returns the free slots of a showroom that start in the days from a moment
// on, at most 31; ErrNoShowroom.
func (d *Desk) Slots(ctx context.Context, showroom string, from time.Time, days int) ([]hours.Slot, error) {
	room, ok := d.cfg.Hours.Showroom(showroom)
	if !ok {
		return nil, ErrNoShowroom
	}
	now := d.now()
	to := from.AddDate(0, 0, min(days, maxDays))
	if !from.After(now) {
		from = now.Add(time.Nanosecond) // what begins now can no longer be booked
	}
	if last := now.Add(horizon); last.Before(to) {
		to = last
	}
	if !from.Before(to) {
		return nil, nil
	}
	booked, err := d.booked(ctx, room, from, to.Add(room.Slot), "")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(room.Slots(from, to), func(s hours.Slot) bool { return len(vacant(room, s, booked)) == 0 }), nil
}

// booked returns what is taken of a showroom, but for the appointment except.
func (d *Desk) booked(ctx context.Context, room hours.Showroom, from, to time.Time, except string) ([]records.Appointment, error) {
	list, err := d.cfg.Records.Appointments(ctx, room.ID, from, to)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(a records.Appointment) bool { return a.State != records.Booked || a.ID == except }), nil
}

// vacant returns the glasses of a showroom that nobody has booked in a slot, those
// that are booked least first.
func vacant(room hours.Showroom, slot hours.Slot, booked []records.Appointment) []string {
	load := map[string]int{}
	free := slices.DeleteFunc(slices.Clone(seats(room)), func(glasses string) bool {
		return slices.ContainsFunc(booked, func(a records.Appointment) bool {
			return a.Glasses == glasses && slot.Overlaps(hours.Slot{Start: a.Start, End: a.End})
		})
	})
	for _, a := range booked {
		load[a.Glasses]++
	}
	slices.SortStableFunc(free, func(a, b string) int { return load[a] - load[b] })
	return free
}

// slot returns the slot that starts then, or ErrNoSlot.
func (d *Desk) slot(room hours.Showroom, start time.Time) (hours.Slot, error) {
	now := d.now()
	slot, ok := room.HasSlot(start)
	if !ok || !start.After(now) || start.After(now.Add(horizon)) {
		return hours.Slot{}, ErrNoSlot
	}
	return slot, nil
}

// Book makes an appointment with one of the showroom's glasses that are free
// then, and mails the code. Errors are ErrTaken, ErrNoSlot, ErrNoShowroom,
// *TooManyError, and joined *FieldErrors.
func (d *Desk) Book(ctx context.Context, r Request) (Appointment, error) {
	room, ok := d.cfg.Hours.Showroom(r.Showroom)
	if !ok {
		return Appointment{}, ErrNoShowroom
	}
	customer, err := r.customer()
	if err != nil {
		return Appointment{}, err
	}
	slot, err := d.slot(room, r.Start)
	if err != nil {
		return Appointment{}, err
	}
	if err := d.mayBook(r.From); err != nil {
		return Appointment{}, err
	}
	token := rand.Text()
	a, err := d.takeSlot(ctx, room, slot, func(glasses string, slot hours.Slot) (records.Appointment, error) {
		if err := d.wantFew(ctx, customer.Email); err != nil {
			return records.Appointment{}, err
		}
		a := records.Appointment{Showroom: room.ID, Glasses: glasses, Start: slot.Start, End: slot.End}
		return d.cfg.Records.Book(ctx, customer, a, d.cfg.Seal(codeOf(token)), linkOf(token))
	}, "")
	if err != nil {
		return Appointment{}, err
	}
	return d.confirm(ctx, a, token, r.Marketing)
}

// wantFew refuses an address that has as many appointments as one may have, until
// the first of them is over or is cancelled.
func (d *Desk) wantFew(ctx context.Context, email string) error {
	now := d.now()
	ends, err := d.cfg.Records.BookedUntil(ctx, email, now)
	if err == nil && len(ends) >= maxBooked {
		err = &TooManyError{RetryAfter: ends[0].Sub(now)}
	}
	return err
}

// takeSlot has take book one pair of glasses after the other until one is free.
func (d *Desk) takeSlot(ctx context.Context, room hours.Showroom, slot hours.Slot,
	take func(glasses string, slot hours.Slot) (records.Appointment, error), except string) (records.Appointment, error) {
	d.booking.Lock()
	defer d.booking.Unlock()
	day := 24 * time.Hour
	booked, err := d.booked(ctx, room, slot.Start.Add(-day), slot.End.Add(day), except)
	if err != nil {
		return records.Appointment{}, err
	}
	for _, glasses := range vacant(room, slot, booked) {
		a, err := take(glasses, slot)
		if !errors.Is(err, records.ErrTaken) {
			return a, err
		}
	}
	return records.Appointment{}, ErrTaken
}

// confirm mails the code, which is stored nowhere else: without that mail there is
// no appointment.
func (d *Desk) confirm(ctx context.Context, a records.Appointment, token string, marketing bool) (Appointment, error) {
	l, err := d.letter(ctx, a, token)
	if err == nil {
		err = d.cfg.Post.Booked(ctx, l)
	}
	if err != nil {
		// The request may have been given up; the slot is to be free all the same.
		undo := d.cfg.Records.SetAppointmentState(context.WithoutCancel(ctx), a.ID, records.Cancelled)
		return Appointment{}, errors.Join(err, undo)
	}
	if marketing {
		d.consent(ctx, a.Customer, l.Email, l.Locale, l.Title)
	}
	return l.Appointment, nil
}

// letter gathers what a letter on an appointment is made of.
func (d *Desk) letter(ctx context.Context, a records.Appointment, token string) (BookingLetter, error) {
	customer, err := d.cfg.Records.Customer(ctx, a.Customer)
	if err != nil {
		return BookingLetter{}, err
	}
	return BookingLetter{Appointment: d.seen(a, customer), Customer: a.Customer, Code: ShowCode(codeOf(token)), Link: linkOf(token), Token: token, Changes: a.Sequence}, nil
}

func (d *Desk) seen(a records.Appointment, c records.Customer) Appointment {
	room := d.room(a.Showroom)
	return Appointment{
		ID: a.ID, Showroom: a.Showroom, Title: room.Title, TimeZone: room.TimeZone, Start: a.Start, End: a.End,
		State: string(a.State), Name: a.Name, Email: c.Email, Phone: a.Phone, Locale: a.Locale,
	}
}

// byToken returns the appointment that a token manages.
func (d *Desk) byToken(ctx context.Context, token string) (records.Appointment, error) {
	a, err := d.cfg.Records.AppointmentByToken(ctx, linkOf(token))
	if errors.Is(err, records.ErrNotFound) {
		err = ErrUnknownAppointment
	}
	return a, err
}

// Appointment returns the one that a token from a mail manages, or
// ErrUnknownAppointment.
func (d *Desk) Appointment(ctx context.Context, token string) (Appointment, error) {
	a, err := d.byToken(ctx, token)
	if err != nil {
		return Appointment{}, err
	}
	l, err := d.letter(ctx, a, token)
	return l.Appointment, err
}

// Move gives the appointment another slot, and mails that; the code stays. Errors
// are those of Book, ErrUnknownAppointment, and ErrFixed for one that has begun
// or is over.
func (d *Desk) Move(ctx context.Context, token string, start time.Time) (Appointment, error) {
	d.joining.Lock()
	defer d.joining.Unlock()
	a, err := d.byToken(ctx, token)
	if err != nil {
		return Appointment{}, err
	}
	if a.State != records.Booked || !d.now().Before(a.Start) || d.underWay(a) {
		return Appointment{}, ErrFixed
	}
	room, ok := d.cfg.Hours.Showroom(a.Showroom)
	if !ok {
		return Appointment{}, ErrNoShowroom
	}
	slot, err := d.slot(room, start)
	if err != nil {
		return Appointment{}, err
	}
	was := a.Start
	if !slot.Start.Equal(was) {
		if err := d.mayMove(a.ID); err != nil {
			return Appointment{}, err
		}
		a, err = d.takeSlot(ctx, room, slot, func(glasses string, slot hours.Slot) (records.Appointment, error) {
			return d.cfg.Records.Move(ctx, a.ID, slot.Start, slot.End, glasses)
		}, a.ID)
	}
	if errors.Is(err, records.ErrState) {
		err = ErrFixed
	}
	if err != nil {
		return Appointment{}, err
	}
	return d.moved(ctx, a, token, was)
}

// underWay says whether the conversation of an appointment rings or runs.
func (d *Desk) underWay(a records.Appointment) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.calls[a.Conversation]
	return c != nil && c.state.Phase != Booked
}

// moved tells whom it concerns. The appointment has moved, whether the mail is
// taken or not.
func (d *Desk) moved(ctx context.Context, a records.Appointment, token string, was time.Time) (Appointment, error) {
	d.mu.Lock()
	if c := d.calls[a.Conversation]; c != nil {
		c.start, c.end, c.preferred = a.Start, a.End, a.Glasses
		opens, closes := window(a)
		d.step(c, Event{What: Moved, Opens: opens, Closes: closes})
	}
	d.mu.Unlock()
	l, err := d.letter(ctx, a, token)
	if err != nil {
		return Appointment{}, err
	}
	if l.Was = was; !was.Equal(a.Start) {
		if err := d.cfg.Post.Moved(ctx, l); err != nil {
			d.cfg.Log.Error("mail that an appointment has moved", "error", err)
		}
	}
	return l.Appointment, nil
}

// Cancel gives the slot back, and mails that. A second time is no error; one that
// talks or is over is ErrFixed.
func (d *Desk) Cancel(ctx context.Context, token string) error {
	d.joining.Lock()
	defer d.joining.Unlock()
	a, err := d.byToken(ctx, token)
	if err != nil || a.State == records.Cancelled {
		return err
	}
	if _, closes := window(a); a.State != records.Booked || !d.now().Before(closes) || !d.withdraw(a) {
		return ErrFixed
	}
	err = d.cfg.Records.SetAppointmentState(ctx, a.ID, records.Cancelled)
	if errors.Is(err, records.ErrState) {
		return ErrFixed
	}
	if err != nil {
		return err
	}
	d.keep(ctx)
	if a, err = d.cfg.Records.Appointment(ctx, a.ID); err != nil {
		return err
	}
	l, err := d.letter(ctx, a, "")
	if err != nil {
		return err
	}
	l.Code, l.Link = "", ""
	if err := d.cfg.Post.Cancelled(ctx, l); err != nil {
		d.cfg.Log.Error("mail that an appointment is cancelled", "error", err)
	}
	return nil
}

// withdraw ends the conversation of an appointment, where there is one; false when
// somebody has answered it.
func (d *Desk) withdraw(a records.Appointment) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.calls[a.Conversation]
	if c == nil {
		return true
	}
	d.step(c, Event{What: Withdrawn})
	return c.state.Phase == Ended && c.state.Reason == Cancelled
}
