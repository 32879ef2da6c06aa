// Package letters writes the showroom's mails, in Dutch, German and English, plain
// and in HTML from one and the same text.
//
// They load nothing from elsewhere, and repeat of what a stranger typed only a
// name, if it looks like one: nobody sends their own words by our mail.
package letters

import (
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
)

// Data is what a letter is about. Base, Title, Locale, Customer and Email are needed
// in each; the others where the functions say so.
type Data struct {
	Base   string // address of the server, as https://showroom.example; the links are made of it
	Title  string // the showroom's
	Locale string // nl, de or en; another is taken for en

	Customer     string // ID
	Conversation string // ID
	Appointment  string // ID; also makes the calendar's UID
	Email        string
	Name         string // as typed; may be empty

	Start, End time.Time      // of the appointment
	Was        time.Time      // its start before it was changed
	Zone       *time.Location // the showroom's; default UTC
	Code       string         // to join with, as XXXX-XXXX
	Token      string         // of /appointment#TOKEN, to change and cancel with
	Sequence   int            // of the calendar's event: 0 at first, more by one at each change and cancellation
	NotBefore  time.Time      // when to send; default: at once

	Key            string    // of /c/CONVERSATION#KEY
	Photos, Clips  int       // how many
	KeptUntil      time.Time // photos and clips are
	ConsentText    string    // what the customer agreed to, word by word
	ConsentVersion string    // of the text
	ConsentAt      time.Time // when
	ConsentToken   string    // to withdraw with
}

// Confirmation says when the appointment is, and how to join, change and cancel.
// It wants the fields from Appointment to Sequence.
func Confirmation(d Data) mail.Message { return mail.Message{Kind: mail.Confirmation} }

// Changed says that the appointment is at another time. It wants what Confirmation
// does, and Was.
func Changed(d Data) mail.Message { return mail.Message{Kind: mail.Changed} }

// Cancelled says that the appointment is cancelled, and takes it from the calendar.
// It wants what Confirmation does, but no Code and Token.
func Cancelled(d Data) mail.Message { return mail.Message{Kind: mail.Cancelled} }

// Reminder reminds of the appointment. It wants what Confirmation does, and NotBefore.
func Reminder(d Data) mail.Message { return mail.Message{Kind: mail.Reminder} }

// Media has the link to the conversation's photos and clips. It wants Conversation,
// Key, Photos, Clips and KeptUntil.
func Media(d Data) mail.Message { return mail.Message{Kind: mail.Media} }

// Consent confirms that the customer agreed to marketing, with the link that
// withdraws it. It wants the fields that begin with Consent.
func Consent(d Data) mail.Message { return mail.Message{Kind: mail.Consent} }
