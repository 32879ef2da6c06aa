package records

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// AppointmentState is what has become of an appointment.
type AppointmentState string

// The states, as they are written.
const (
	Booked    AppointmentState = "booked"
	Done      AppointmentState = "done"
	Missed    AppointmentState = "missed"
	Cancelled AppointmentState = "cancelled"
)

// Appointment is a slot of one pair of glasses that a customer booked.
type Appointment struct {
	ID, Showroom, Glasses, Customer string
	Start, End                      time.Time
	State                           AppointmentState
	Conversation                    string // empty until there is one
	Sequence                        int    // counts changes, as calendars want it (RFC 5545, 3.8.7.4)
	Name, Phone, Locale             string // as given for it: who booked may not be who the address belongs to
}

// longest is how long an appointment can be. So those that touch a time begin at most
// so long before it, and the index finds them among all that ever were.
const longest = 24 * time.Hour

const appointmentColumns = "id, showroom, glasses, customer, starts, ends, state, conversation, sequence, name, phone, locale"

func scanAppointment(row scanner) (a Appointment, err error) {
	var start, end int64
	err = oneRow(row.Scan(&a.ID, &a.Showroom, &a.Glasses, &a.Customer, &start, &end, &a.State, &a.Conversation, &a.Sequence, &a.Name, &a.Phone, &a.Locale))
	a.Start, a.End = fromMillis(start), fromMillis(end)
	return a, err
}

// Book takes a slot for a customer, who is found by e-mail address or made. One who
// is known stays as known: that somebody knows the address proves nothing. Of code and
// token only hashes are stored, of exactly what is given. ErrTaken: the glasses have a
// booked appointment in that time.
func (d *DB) Book(ctx context.Context, c Customer, a Appointment, code, manageToken string) (Appointment, error) {
	if !a.Start.Before(a.End) || a.End.Sub(a.Start) > longest {
		return Appointment{}, fmt.Errorf("book an appointment from %v to %v: it has more than 0 and at most 24 hours", a.Start, a.End)
	}
	a.ID, a.State, a.Sequence = NewID(), Booked, 0
	a.Name, a.Phone, a.Locale = c.Name, c.Phone, c.Locale
	err := d.tx(ctx, "book an appointment", func(tx *sql.Tx) error {
		if err := wantFree(tx, a); err != nil {
			return err
		}
		c, err := d.customerOf(tx, c)
		if err != nil {
			return err
		}
		a.Customer = c.ID
		_, err = tx.Exec("INSERT INTO appointments ("+appointmentColumns+", code_hash, token_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			a.ID, a.Showroom, a.Glasses, a.Customer, millis(a.Start), millis(a.End), a.State, a.Conversation, a.Sequence, a.Name, a.Phone, a.Locale, hash(code), hash(manageToken))
		return err
	})
	if err != nil {
		return Appointment{}, err
	}
	a.Start, a.End = fromMillis(millis(a.Start)), fromMillis(millis(a.End))
	return a, nil
}

// wantFree refuses overlaps, too, as where the grid of slots has changed. The
// unique index on glasses and start stands behind it.
func wantFree(tx *sql.Tx, a Appointment) error {
	var taken bool
	err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM appointments WHERE glasses = ? AND state = 'booked' AND id <> ? AND starts < ? AND ends > ?)",
		a.Glasses, a.ID, millis(a.End), millis(a.Start)).Scan(&taken)
	if err == nil && taken {
		return ErrTaken
	}
	return err
}

// Appointment returns an appointment by ID.
func (d *DB) Appointment(ctx context.Context, id string) (Appointment, error) {
	return scanAppointment(d.sql.QueryRowContext(ctx, "SELECT "+appointmentColumns+" FROM appointments WHERE id = ?", id))
}

// AppointmentByCode returns the appointment of an access code.
func (d *DB) AppointmentByCode(ctx context.Context, code string) (Appointment, error) {
	return scanAppointment(d.sql.QueryRowContext(ctx, "SELECT "+appointmentColumns+" FROM appointments WHERE code_hash = ?", hash(code)))
}

// AppointmentByToken returns the appointment of the token in its e-mail.
func (d *DB) AppointmentByToken(ctx context.Context, manageToken string) (Appointment, error) {
	return scanAppointment(d.sql.QueryRowContext(ctx, "SELECT "+appointmentColumns+" FROM appointments WHERE token_hash = ?", hash(manageToken)))
}

// Appointments returns those of a showroom that overlap the time, in any state,
// the earliest first.
func (d *DB) Appointments(ctx context.Context, showroom string, from, to time.Time) ([]Appointment, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT "+appointmentColumns+" FROM appointments WHERE showroom = ? AND starts > ? AND starts < ? AND ends > ? ORDER BY starts, glasses",
		showroom, millis(from.Add(-longest)), millis(to), millis(from))
	return collect(rows, err, scanAppointment)
}

// BookedUntil returns when the booked appointments of an e-mail address end that end
// after a moment, the earliest first.
func (d *DB) BookedUntil(ctx context.Context, email string, after time.Time) ([]time.Time, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT ends FROM appointments WHERE customer = (SELECT id FROM customers WHERE email_key = ?)
		AND state = 'booked' AND ends > ? ORDER BY ends`, emailKey(email), millis(after))
	return collect(rows, err, func(row scanner) (time.Time, error) {
		var ends int64
		err := row.Scan(&ends)
		return fromMillis(ends), err
	})
}

// Move gives a booked appointment another slot. ErrTaken, ErrState or ErrNotFound
// leave it as it was.
func (d *DB) Move(ctx context.Context, id string, start, end time.Time, glasses string) (Appointment, error) {
	var a Appointment
	err := d.tx(ctx, "move an appointment", func(tx *sql.Tx) (err error) {
		if a, err = scanAppointment(tx.QueryRow("SELECT "+appointmentColumns+" FROM appointments WHERE id = ?", id)); err != nil {
			return err
		}
		if a.State != Booked {
			return ErrState
		}
		a.Start, a.End, a.Glasses = start, end, glasses
		a.Sequence++
		if err := wantFree(tx, a); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE appointments SET starts = ?, ends = ?, glasses = ?, sequence = ? WHERE id = ?", millis(start), millis(end), glasses, a.Sequence, id)
		return err
	})
	return a, err
}

// SetAppointmentState ends a booking. Only what is booked changes: ErrState says
// that it was not, unless it is in that state already.
func (d *DB) SetAppointmentState(ctx context.Context, id string, state AppointmentState) error {
	return d.tx(ctx, "set the state of an appointment", func(tx *sql.Tx) error {
		a, err := scanAppointment(tx.QueryRow("SELECT "+appointmentColumns+" FROM appointments WHERE id = ?", id))
		if err != nil || a.State == state {
			return err
		}
		if a.State != Booked {
			return ErrState
		}
		_, err = tx.Exec("UPDATE appointments SET state = ?, sequence = sequence + 1 WHERE id = ?", state, id)
		return err
	})
}

// SetAppointmentConversation gives an appointment its conversation and returns it.
// An appointment has one: the first stays, whoever comes second is told it.
func (d *DB) SetAppointmentConversation(ctx context.Context, id, conversation string) (string, error) {
	err := d.tx(ctx, "give an appointment its conversation", func(tx *sql.Tx) error {
		return oneRow(tx.QueryRow("UPDATE appointments SET conversation = coalesce(nullif(conversation, ''), ?) WHERE id = ? RETURNING conversation",
			conversation, id).Scan(&conversation))
	})
	return conversation, err
}
