package desk

import (
	"context"
	"time"
)

// Post sends letters. What it has taken is durable.
type Post interface {
	// Booked confirms an appointment, Moved its new time, and both see to a reminder;
	// the reminder of the time before is dropped. Cancelled drops it too.
	Booked(ctx context.Context, l BookingLetter) error
	Moved(ctx context.Context, l BookingLetter) error
	Cancelled(ctx context.Context, l BookingLetter) error

	// Media sends the link to what is stored, and returns the mail's ID.
	Media(ctx context.Context, l MediaLetter) (mail string, err error)

	// Consented asks the owner of an address to confirm the consent, with the link that
	// withdraws it.
	Consented(ctx context.Context, l ConsentLetter) error
}

// BookingLetter is what a letter on an appointment is made of.
type BookingLetter struct {
	Appointment
	Customer string    // ID
	Code     string    // XXXX-XXXX; not of what was cancelled
	Link     string    // of /j/CODE#LINK, to join whatever others have guessed; likewise
	Token    string    // manages the appointment; not of what was cancelled
	Was      time.Time // its start before it moved
	Changes  int       // how often it was changed; for the calendar's SEQUENCE
}

// MediaLetter is what a letter with photos and clips is made of.
type MediaLetter struct {
	Customer     string // ID
	Conversation string
	Name, Email  string
	Locale       string
	Title        string // the showroom's
	Date         time.Time
	Items        []Item
	More         bool // others have been mailed before
}

// ConsentLetter is what a letter on a consent is made of.
type ConsentLetter struct {
	Customer string // ID
	Name     string
	Email    string
	Locale   string
	Title    string // the showroom's
	Text     string // the version of what was consented to
	Token    string // withdraws it
	At       time.Time
}

// Item is a photo or clip that is stored.
type Item struct {
	ID   string
	Kind string // photo or clip
	URL  string // path on the server, as media.Listed has it
}

// Media knows what is stored of conversations.
type Media interface {
	// Items returns what is stored of a conversation, the oldest first.
	Items(cid string) []Item
	// Running returns how many uploads are on their way that are of the
	// conversation, or could be.
	Running(cid string) int
}

type noPost struct{}

func (noPost) Booked(context.Context, BookingLetter) error        { return nil }
func (noPost) Moved(context.Context, BookingLetter) error         { return nil }
func (noPost) Cancelled(context.Context, BookingLetter) error     { return nil }
func (noPost) Media(context.Context, MediaLetter) (string, error) { return "", nil }
func (noPost) Consented(context.Context, ConsentLetter) error     { return nil }

type noMedia struct{}

func (noMedia) Items(string) []Item { return nil }
func (noMedia) Running(string) int  { return 0 }
