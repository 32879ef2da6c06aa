// Package mail sends the showroom's letters, by any SMTP server, from a queue on
// disk: what Put took is not lost by a crash or a full disk, and is sent once.
//
// Once more it is sent only if the process dies between the server's word that
// it took a mail and the rename that notes this, or if that word is lost on the way.
// Both copies have the same Message-ID, by which mailboxes know them for one.
//
// Of a mail that was sent or has failed, no address and no content is kept. It
// sends nothing in the clear but to the machine it runs on, and no picture, no
// script and nothing that is loaded from elsewhere.
package mail

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// None is the Config.SMTP with which mails stay on disk, to be looked at.
const None = "none"

// Config is what a queue is made of. Zero means the default.
type Config struct {
	Dir          string           // of the queue; with None, the .eml files appear in it
	SMTP         string           // None, smtp://USER@HOST:587 or smtps://USER@HOST:465; default: None
	PasswordFile string           // holds USER's password; default: no authentication
	From         string           // address, also as Name <address>; default, with None only: Showroom <showroom@bril.invalid>
	RootCAs      *x509.CertPool   // that may have signed the server's certificate; default: the system's
	Clock        func() time.Time // default: time.Now
	Log          *slog.Logger     // default: none

	// Known says whether a customer is on record. Put asks it at the moment from which
	// on Erase finds the mail: whoever deletes the record first, and calls Erase then,
	// leaves no mail, whatever is on its way here. Default: all are.
	Known func(ctx context.Context, customer string) (bool, error)
}

// Kind is what a mail is about.
type Kind string

// The kinds.
const (
	Confirmation Kind = "confirmation" // of an appointment
	Reminder     Kind = "reminder"     // of an appointment
	Changed      Kind = "changed"      // the appointment is at another time
	Cancelled    Kind = "cancelled"    // the appointment
	Media        Kind = "media"        // photos and clips
	Consent      Kind = "consent"      // to marketing was given
)

// Message is a mail to one person. What letters makes is one.
type Message struct {
	Kind         Kind
	Customer     string // ID, stays in the list when address and content are gone
	Conversation string // ID, likewise
	Appointment  string // ID, likewise
	To           string // an address, see ParseAddress
	Name         string // of who gets it; may be empty; what could pretend to be something else is left out
	Locale       string // nl, de or en
	Subject      string
	Text         string // plain
	HTML         string // the same; may be empty
	Calendar     *Event // may be nil

	// Unsubscribe is the address that takes a POST with List-Unsubscribe=One-Click
	// (RFC 8058). Only marketing has one.
	Unsubscribe string

	NotBefore time.Time // sent at this time; default: at once
	NotAfter  time.Time // given up at this time, as news that are none any more; default, and at most: 5 days of tries
}

// Event is an appointment in the customer's calendar (RFC 5545, 5546).
type Event struct {
	UID         string    // the same for every change of one appointment
	Sequence    int       // above the one before, at each change
	Start, End  time.Time //
	Summary     string
	Description string
	URL         string // where to go at that time
	Cancelled   bool
}

// State is where a mail is.
type State string

// The states. A mail is in the last three for good.
const (
	Queued State = "queued" // waits for its time, or the next try
	Sent   State = "sent"   // taken by the SMTP server
	Outbox State = "outbox" // a file in Dir, as there is no SMTP server
	Failed State = "failed" // refused for good; Problem says why
)

// Entry is what is known of a mail. It has no address and nothing of the content.
type Entry struct {
	ID           string    `json:"id"`
	Kind         Kind      `json:"kind"`
	State        State     `json:"state"`
	Attempts     int       `json:"attempts"`
	NextTry      time.Time `json:"next_try,omitzero"` // while queued
	Problem      string    `json:"problem,omitempty"` // of the last try, in the server's words, without addresses
	At           time.Time `json:"at"`                // put
	Done         time.Time `json:"done,omitzero"`     // sent, laid in the outbox or given up; zero while queued
	Customer     string    `json:"customer,omitempty"`
	Conversation string    `json:"conversation,omitempty"`
	Appointment  string    `json:"appointment,omitempty"`
}

// Copy is all that is stored of a mail, for the person it is to.
type Copy struct {
	Entry   Entry
	To      string // empty once it was sent or has failed
	Message []byte // as sent (RFC 5322); likewise
}

var (
	// ErrAddress is an address that no mail can be sent to.
	ErrAddress = errors.New("not an e-mail address")
	// ErrFull is a queue with more waiting mails than one showroom ever has.
	ErrFull = errors.New("too many mails wait")
	// ErrErased is a customer of whom nothing is to be stored any more.
	ErrErased = errors.New("the customer was erased")
)

// ConfigError is a configuration that no mail can be sent with.
type ConfigError struct {
	Problem error
	hint    string
}

func (e *ConfigError) Error() string { return e.Problem.Error() }

func (e *ConfigError) Unwrap() error { return e.Problem }

// Hint says what to type instead.
func (e *ConfigError) Hint() string { return e.hint }

func refuse(hint, format string, a ...any) error {
	return &ConfigError{Problem: fmt.Errorf(format, a...), hint: hint}
}
