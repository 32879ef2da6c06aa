package mail

import (
	"bytes"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
)

const (
	maxSubject = 150     // runes
	maxURL     = 700     // bytes; a header's line ends at 998
	maxText    = 1 << 16 // bytes of each body: many times the longest letter
)

// compose writes a mail as it is sent, every time. Its caller has read the address.
func compose(m Message, id string, from *mail.Address, now time.Time) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	_, domain, _ := strings.Cut(from.Address, "@")
	msg.SetMessageIDWithValue(id + "@" + domain)
	msg.SetDateWithValue(now)
	msg.FromMailAddress(from)
	msg.ToMailAddress(&mail.Address{Name: displayName(m.Name), Address: m.To})
	msg.Subject(line(m.Subject, maxSubject))
	msg.SetGenHeader(gomail.HeaderContentLang, m.Locale)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, 5: nobody's absence notice answers it
	if m.Unsubscribe != "" {
		msg.SetListUnsubscribe(m.Unsubscribe)
		if strings.HasPrefix(m.Unsubscribe, "https:") { // RFC 8058, 3.1
			msg.SetListUnsubscribePost()
		}
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	if m.Calendar != nil {
		if err := attach(msg, m.Calendar, now, from, m.To); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	if _, err := msg.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("write mail: %w", err)
	}
	return out.Bytes(), nil
}

// attach adds the event twice: as an alternative, which calendars act on (RFC 6047,
// 2.4), and as a file, which a person opens where they do not.
func attach(msg *gomail.Msg, e *Event, now time.Time, from *mail.Address, to string) error {
	ics := e.ics(now, from.Address, from.Name, to)
	msg.AddAlternativeString(gomail.ContentType("text/calendar; method="+e.method()), ics)
	err := msg.AttachReader("appointment.ics", strings.NewReader(ics), gomail.WithFileContentType("application/ics"))
	if err != nil {
		return fmt.Errorf("attach the calendar file: %w", err)
	}
	return nil
}

// check refuses what only a mistake in the program makes.
func (m Message) check() error {
	switch {
	case m.Kind == "" || strings.Trim(string(m.Kind), "abcdefghijklmnopqrstuvwxyz") != "":
		return fmt.Errorf("mail of kind %q", m.Kind)
	case m.Locale != "nl" && m.Locale != "de" && m.Locale != "en":
		return fmt.Errorf("mail in language %q", m.Locale)
	case m.Subject == "" || m.Text == "":
		return fmt.Errorf("mail %s without subject or text", m.Kind)
	case len(m.Text) > maxText || len(m.HTML) > maxText || !utf8.ValidString(m.Text+m.HTML):
		return fmt.Errorf("mail %s: its text is no UTF-8, or longer than %d bytes", m.Kind, maxText)
	}
	if err := checkURL(m.Unsubscribe); err != nil {
		return fmt.Errorf("mail %s: unsubscribe: %w", m.Kind, err)
	}
	if e := m.Calendar; e != nil && (e.UID == "" || e.Sequence < 0 || !e.Start.Before(e.End) || len(e.Description) > maxText) {
		return fmt.Errorf("mail %s: an event without UID, or that ends before it starts", m.Kind)
	} else if e != nil {
		return checkURL(e.URL)
	}
	return nil
}

// checkURL takes what goes into a header as it is; "" too.
func checkURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(s) > maxURL {
		return fmt.Errorf("%.80q is no web address of at most %d bytes", s, maxURL)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>"\^{|}`+"`", r) }) {
		return fmt.Errorf("%.80q has characters that a web address has not", s)
	}
	return nil
}
