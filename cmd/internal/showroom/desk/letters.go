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

	// Media sends links to what is stored, and returns the mail's ID.
	Media(ctx context.Context, l MediaLetter) (mail string, err error)
}

// BookingLetter is what a letter on an appointment is made of.
type BookingLetter struct {
	Appointment
	Customer    string // ID
	Code        string // XXXX-XXXX; not of what was cancelled
	Token       string // manages the appointment
	Changes     int    // how often it was changed; for the calendar's SEQUENCE
	Unsubscribe string // a token to withdraw consent; "" without consent
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
	More         bool   // others have been mailed before
	Unsubscribe  string // a token to withdraw consent; "" without consent
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

// Wish is what a customer asks to be sent.
type Wish struct {
	Name, Email string
	Locale      string
	Items       []string // IDs; none: all of the conversation
	Marketing   bool     // consents to it
}

// Send takes down what a customer asks for, durably, and mails it: once the items
// are there, or none of the conversation's is on its way any more, or a few
// minutes are over; then what comes later in a mail of its own. Errors are joined
// *FieldErrors, *TooManyError, ErrNotYet and ErrUnknown.
func (d *Desk) Send(ctx context.Context, cid string, w Wish) error { return ErrUnknown }
