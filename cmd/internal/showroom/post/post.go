// Package post turns what the desk has to say into letters and puts them into the
// mail's queue: it knows the server's address, which links lead where, and when to
// remind. It decides nothing else.
package post

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/letters"
	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
)

// A reminder comes a day before, or an hour before what was booked later than that.
// Who has booked for within the next hours has the confirmation still in sight.
const (
	dayBefore   = 24 * time.Hour
	hourBefore  = time.Hour
	leastBefore = 3 * time.Hour
)

// Queue is what takes letters, as mail.Queue does.
type Queue interface {
	Put(ctx context.Context, m mail.Message) (string, error)
	Drop(which func(mail.Entry) bool) (int, error)
}

// Config is what a post works with. All but Clock and Log is needed.
type Config struct {
	Queue Queue
	Plan  hours.Plan
	Base  string                           // address of the server, for links
	Key   func(conversation string) string // that opens its page
	Keep  time.Duration                    // photos and clips are kept so long
	Clock func() time.Time                 // default: time.Now
	Log   *slog.Logger                     // default: none
}

// Post writes for a desk.
type Post struct{ cfg Config }

// New returns a post. It starts nothing.
func New(cfg Config) *Post {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Post{cfg}
}

var _ desk.Post = (*Post)(nil)

// Booked confirms an appointment, and reminds of it.
func (p *Post) Booked(ctx context.Context, l desk.BookingLetter) error {
	d := p.booking(l)
	if _, err := p.cfg.Queue.Put(ctx, letters.Confirmation(d)); err != nil {
		return err
	}
	p.remind(ctx, d)
	return nil
}

// Moved tells the new time, and reminds of that one instead. That is done also where
// the first cannot be: the time before is wrong by now.
func (p *Post) Moved(ctx context.Context, l desk.BookingLetter) error {
	d := p.booking(l)
	_, err := p.cfg.Queue.Put(ctx, letters.Changed(d))
	err = errors.Join(err, p.forget(l.ID))
	p.remind(ctx, d)
	return err
}

// Cancelled says so, and reminds of nothing.
func (p *Post) Cancelled(ctx context.Context, l desk.BookingLetter) error {
	_, err := p.cfg.Queue.Put(ctx, letters.Cancelled(p.booking(l)))
	return errors.Join(err, p.forget(l.ID))
}

// Media sends the link to photos and clips.
func (p *Post) Media(ctx context.Context, l desk.MediaLetter) (string, error) {
	d := letters.Data{
		Base: p.cfg.Base, Title: l.Title, Locale: l.Locale, Customer: l.Customer, Conversation: l.Conversation,
		Email: l.Email, Name: l.Name, Key: p.cfg.Key(l.Conversation), KeptUntil: l.Date.Add(p.cfg.Keep),
	}
	for _, item := range l.Items {
		if item.Kind == "clip" {
			d.Clips++
		} else {
			d.Photos++
		}
	}
	return p.cfg.Queue.Put(ctx, letters.Media(d))
}

// Consented confirms a consent word by word, with the way to take it back.
func (p *Post) Consented(ctx context.Context, l desk.ConsentLetter) error {
	_, err := p.cfg.Queue.Put(ctx, letters.Consent(letters.Data{
		Base: p.cfg.Base, Title: l.Title, Locale: l.Locale, Customer: l.Customer, Email: l.Email, Name: l.Name,
		ConsentText: ConsentText(l.Locale), ConsentVersion: l.Text, ConsentAt: l.At, ConsentToken: l.Token,
	}))
	return err
}

func (p *Post) booking(l desk.BookingLetter) letters.Data {
	zone := time.UTC
	if room, ok := p.cfg.Plan.Showroom(l.Showroom); ok {
		zone = room.Location()
	}
	return letters.Data{
		Base: p.cfg.Base, Title: l.Title, Locale: l.Locale, Customer: l.Customer, Appointment: l.ID,
		Email: l.Email, Name: l.Name, Start: l.Start, End: l.End, Was: l.Was, Zone: zone,
		Code: l.Code, Link: l.Link, Token: l.Token, Sequence: l.Changes,
	}
}

// remind asks for a reminder where one is of use. An appointment without one is
// an appointment all the same.
func (p *Post) remind(ctx context.Context, d letters.Data) {
	now := p.cfg.Clock()
	switch ahead := d.Start.Sub(now); {
	case ahead > dayBefore+hourBefore:
		d.NotBefore = d.Start.Add(-dayBefore)
	case ahead > leastBefore:
		d.NotBefore = d.Start.Add(-hourBefore)
	default:
		return
	}
	if _, err := p.cfg.Queue.Put(ctx, letters.Reminder(d)); err != nil {
		p.cfg.Log.Error("put a reminder", "appointment", d.Appointment, "error", err)
	}
}

// forget drops the reminders of an appointment.
func (p *Post) forget(appointment string) error {
	_, err := p.cfg.Queue.Drop(func(e mail.Entry) bool { return e.Kind == mail.Reminder && e.Appointment == appointment })
	return err
}
