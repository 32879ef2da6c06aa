// Package letters writes the showroom's mails, in Dutch, German and English, plain
// and in HTML from one and the same text.
//
// They load nothing from elsewhere, and repeat of what a stranger typed only a
// name, if it looks like one: nobody sends their own words by our mail.
package letters

import (
	"net/url"
	"strings"
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
	Code       string         // to join with, as XXXX-XXXX; without one the letter refers to the one before
	Link       string         // of /j/CODE#LINK; may be empty
	Token      string         // of /appointment#TOKEN, to change and cancel with; may be empty
	Sequence   int            // of the calendar's event: 0 at first, more by one at each change and cancellation
	NotBefore  time.Time      // when to send; default: at once

	Key            string    // of /c/CONVERSATION#KEY
	Photos, Clips  int       // how many
	KeptUntil      time.Time // photos and clips are
	ConsentText    string    // what the customer agreed to, word by word
	ConsentVersion string    // of the text
	ConsentAt      time.Time // when
	ConsentToken   string    // to confirm and to withdraw with
}

// Confirmation says when the appointment is, and how to join, change and cancel.
// It wants the fields from Appointment to Sequence.
func Confirmation(d Data) mail.Message {
	w := wordsOf(d.Locale)
	p := d.page(w, w.Booked)
	d.appointment(w, &p)
	return d.message(mail.Confirmation, p, d.event(w), d.End)
}

// Changed says that the appointment is at another time. It wants what Confirmation
// does, and Was.
func Changed(d Data) mail.Message {
	w := wordsOf(d.Locale)
	p := d.page(w, w.Changed)
	d.appointment(w, &p)
	return d.message(mail.Changed, p, d.event(w), d.End)
}

// Reminder reminds of the appointment. It wants what Confirmation does, and NotBefore.
// Once the appointment has begun it is not sent any more.
func Reminder(d Data) mail.Message {
	w := wordsOf(d.Locale)
	p := d.page(w, w.Reminder)
	d.appointment(w, &p)
	return d.message(mail.Reminder, p, nil, d.Start)
}

// Cancelled says that the appointment is cancelled, and takes it from the calendar.
// It wants what Confirmation does, but no Code and Token.
func Cancelled(d Data) mail.Message {
	d.Code, d.Link, d.Token = "", "", ""
	w := wordsOf(d.Locale)
	p := d.page(w, w.Cancelled)
	p.Facts = []fact{{w.Date, w.date(d.local(d.Start))}, {w.Time, w.span(d.local(d.Start), d.local(d.End))}}
	p.Action = link{w.Again, d.link("/", "")}
	e := d.event(w)
	e.Cancelled, e.Description, e.URL = true, "", ""
	return d.message(mail.Cancelled, p, e, d.End)
}

// Media has the link to the conversation's photos and clips. It wants Conversation,
// Key, Photos, Clips and KeptUntil.
func Media(d Data) mail.Message {
	w := wordsOf(d.Locale)
	p := d.page(w, w.Media)
	p.Facts = []fact{{w.Kept, w.date(d.local(d.KeptUntil))}}
	p.Action = link{d.filler(w).Replace(w.View), d.link("/c/"+url.PathEscape(d.Conversation), d.Key)}
	return d.message(mail.Media, p, nil, d.KeptUntil)
}

// Consent asks the owner of an address whether it was they who agreed to marketing,
// with the link that confirms it. It wants the fields that begin with Consent.
func Consent(d Data) mail.Message {
	w := wordsOf(d.Locale)
	p := d.page(w, w.Consent)
	p.Quote = d.ConsentText
	p.Facts = []fact{{w.GivenAt, w.moment(d.local(d.ConsentAt))}, {w.Version, d.ConsentVersion}}
	p.Action = link{w.Confirm, d.link("/news", d.ConsentToken)}
	m := d.message(mail.Consent, p, nil, time.Time{})
	m.Unsubscribe = d.url("/api/consent/withdraw/" + url.PathEscape(d.ConsentToken))
	return m
}

// page is a letter's frame: what all have.
func (d Data) page(w *words, t text) page {
	fill := d.filler(w)
	p := page{
		Lang: w.Lang, Title: d.Title, Subject: fill.Replace(t.Subject), Heading: fill.Replace(t.Heading), Greeting: w.Hello,
		IfBroken: w.IfBroken, Privacy: link{w.Privacy, d.link("/privacy", "")}, Footer: fill.Replace(t.Footer),
	}
	if name := Name(d.Name); name != "" {
		p.Greeting = strings.ReplaceAll(w.Dear, "{name}", name)
	}
	for _, paragraph := range t.Intro {
		p.Intro = append(p.Intro, fill.Replace(paragraph))
	}
	for _, paragraph := range t.After {
		p.After = append(p.After, fill.Replace(paragraph))
	}
	return p
}

// filler knows the values that texts have places for.
func (d Data) filler(w *words) *strings.Replacer {
	return strings.NewReplacer("{title}", d.Title, "{start}", w.moment(d.local(d.Start)), "{was}", w.moment(d.local(d.Was)),
		"{items}", w.items(d.Photos, d.Clips), "{what}", w.what(d.Photos, d.Clips))
}

// appointment adds how to come to it.
func (d Data) appointment(w *words, p *page) {
	p.Facts = []fact{{w.Date, w.date(d.local(d.Start))}, {w.Time, w.span(d.local(d.Start), d.local(d.End))}}
	if d.Code == "" {
		p.After = append([]string{w.SameCode}, p.After...)
	} else {
		p.Code = fact{w.Code, d.Code}
		p.Action = link{w.Join, d.joinURL()}
	}
	if d.Token != "" {
		p.Other = link{w.Manage, d.manageURL()}
	}
}

// event is the appointment in a calendar. Its UID has the host's name, so that no
// two showrooms make the same (RFC 7986, 5.3, would have a UUID; IDs here are as random).
func (d Data) event(w *words) *mail.Event {
	e := &mail.Event{
		UID: d.Appointment + "@" + d.host(), Sequence: d.Sequence, Start: d.Start, End: d.End,
		Summary: strings.ReplaceAll(w.Event, "{title}", d.Title),
	}
	var lines []string
	if d.Code != "" {
		e.URL = d.joinURL()
		lines = append(lines, w.Join+": "+e.URL, w.Code+": "+d.Code)
	}
	if d.Token != "" {
		lines = append(lines, w.Manage+": "+d.manageURL())
	}
	e.Description = strings.Join(lines, "\n")
	return e
}

func (d Data) message(kind mail.Kind, p page, e *mail.Event, until time.Time) mail.Message {
	return mail.Message{
		Kind: kind, Customer: d.Customer, Conversation: d.Conversation, Appointment: d.Appointment,
		To: d.Email, Name: Name(d.Name), Locale: p.Lang, Subject: p.Subject, Text: p.plain(), HTML: p.html(),
		Calendar: e, NotBefore: d.NotBefore, NotAfter: until,
	}
}

func (d Data) local(t time.Time) time.Time {
	if d.Zone == nil {
		return t.UTC()
	}
	return t.In(d.Zone)
}

func (d Data) url(path string) string { return strings.TrimRight(d.Base, "/") + path }

// link leads to a page in the language of the letter. The secret is in the fragment,
// which browsers send to nobody.
func (d Data) link(path, secret string) string {
	address := d.url(path) + "?lang=" + wordsOf(d.Locale).Lang
	if secret != "" {
		address += "#" + url.PathEscape(secret)
	}
	return address
}

func (d Data) joinURL() string { return d.link("/j/"+url.PathEscape(d.Code), d.Link) }

func (d Data) manageURL() string { return d.link("/appointment", d.Token) }

func (d Data) host() string {
	if u, err := url.Parse(d.Base); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return "bril.invalid"
}
