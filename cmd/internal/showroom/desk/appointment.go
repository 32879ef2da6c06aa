package desk

import (
	"context"
	"net/netip"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
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

// Slots returns the free slots of a showroom that start in the days from a moment
// on, at most 31; ErrNoShowroom.
func (d *Desk) Slots(ctx context.Context, showroom string, from time.Time, days int) ([]hours.Slot, error) {
	return nil, ErrNoShowroom
}

// Book makes an appointment with one of the showroom's glasses that are free
// then, and mails the code. Errors are ErrTaken, ErrNoSlot, ErrNoShowroom,
// *TooManyError, and joined *FieldErrors.
func (d *Desk) Book(ctx context.Context, r Request) (Appointment, error) {
	return Appointment{}, ErrNoShowroom
}

// Appointment returns the one that a token from a mail manages, or
// ErrUnknownAppointment.
func (d *Desk) Appointment(ctx context.Context, token string) (Appointment, error) {
	return Appointment{}, ErrUnknownAppointment
}

// Move gives the appointment another slot, and mails that; the code stays. Errors
// are those of Book, ErrUnknownAppointment, and ErrFixed for one that has begun
// or is over.
func (d *Desk) Move(ctx context.Context, token string, start time.Time) (Appointment, error) {
	return Appointment{}, ErrUnknownAppointment
}

// Cancel gives the slot back, and mails that. A second time is no error.
func (d *Desk) Cancel(ctx context.Context, token string) error { return ErrUnknownAppointment }

// Join opens the conversation of a code. The first time in the appointment's
// window makes it; after that it is the same one until it is over. Errors are
// the code's, *EarlyError and *TooManyError.
func (d *Desk) Join(ctx context.Context, code string, from netip.Addr) (Conversation, error) {
	return Conversation{}, ErrUnknownCode
}
