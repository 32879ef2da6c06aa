package post

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/web"
)

// box keeps what is put.
type box struct {
	list []mail.Message
	full bool
}

func (b *box) Put(_ context.Context, m mail.Message) (string, error) {
	if b.full {
		return "", mail.ErrFull
	}
	b.list = append(b.list, m)
	return "an ID", nil
}

func (b *box) Drop(which func(mail.Entry) bool) (int, error) {
	before := len(b.list)
	b.list = slices.DeleteFunc(b.list, func(m mail.Message) bool { return which(mail.Entry{Kind: m.Kind, Appointment: m.Appointment}) })
	return before - len(b.list), nil
}

func (b *box) kinds() (list []mail.Kind) {
	for _, m := range b.list {
		list = append(list, m.Kind)
	}
	return list
}

var now = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func newPost() (*Post, *box) {
	b := &box{}
	return New(Config{
		Queue: b, Plan: hours.Always(), Base: "https://showroom.example", Key: func(id string) string { return "key-of-" + id },
		Keep: 24 * time.Hour, Clock: func() time.Time { return now },
	}), b
}

func booked(ahead time.Duration) desk.BookingLetter {
	return desk.BookingLetter{
		Appointment: desk.Appointment{ID: "appointment", Showroom: "showroom", Title: "Showroom", Start: now.Add(ahead), End: now.Add(ahead + time.Hour), Email: "jan@example.com", Locale: "nl"},
		Customer:    "customer", Code: "K7QF-9T3M", Token: "token",
	}
}

// A reminder comes a day before, or an hour, or not at all.
func TestReminders(t *testing.T) {
	for ahead, before := range map[time.Duration]time.Duration{
		72 * time.Hour: dayBefore, 25*time.Hour + 1: dayBefore, 25 * time.Hour: hourBefore, 3*time.Hour + 1: hourBefore, 3 * time.Hour: 0, 0: 0,
	} {
		p, b := newPost()
		if err := p.Booked(t.Context(), booked(ahead)); err != nil {
			t.Fatal(err)
		}
		if before == 0 {
			if len(b.list) != 1 {
				t.Errorf("%v ahead: %v", ahead, b.kinds())
			}
			continue
		}
		if len(b.list) != 2 || b.list[1].Kind != mail.Reminder || !b.list[1].NotBefore.Equal(now.Add(ahead-before)) {
			t.Errorf("%v ahead: %v", ahead, b.list)
		}
	}
}

// Of an appointment that has moved, the new time alone is reminded of; of one that
// is cancelled, none.
func TestRemindersAreTakenBack(t *testing.T) {
	p, b := newPost()
	moved := booked(48 * time.Hour)
	moved.Was, moved.Changes = now.Add(72*time.Hour), 1
	if err := errors.Join(p.Booked(t.Context(), booked(72*time.Hour)), p.Moved(t.Context(), moved)); err != nil {
		t.Fatal(err)
	}
	if want := []mail.Kind{mail.Confirmation, mail.Changed, mail.Reminder}; !slices.Equal(b.kinds(), want) || !b.list[2].NotBefore.Equal(now.Add(24*time.Hour)) {
		t.Errorf("after a move: %v", b.list)
	}
	if err := p.Cancelled(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if want := []mail.Kind{mail.Confirmation, mail.Changed, mail.Cancelled}; !slices.Equal(b.kinds(), want) {
		t.Errorf("after the cancellation: %v", b.kinds())
	}
}

func TestFullQueue(t *testing.T) {
	p, b := newPost()
	b.full = true
	_, err := p.Media(t.Context(), desk.MediaLetter{Conversation: "c", Email: "jan@example.com"})
	if err := errors.Join(err, p.Booked(t.Context(), booked(time.Hour))); !errors.Is(err, mail.ErrFull) {
		t.Error(err)
	}
	// Nobody is reminded of a time that is not theirs any more.
	b.full = false
	if err := p.Booked(t.Context(), booked(72*time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.full = true
	if err := p.Moved(t.Context(), booked(48*time.Hour)); !errors.Is(err, mail.ErrFull) {
		t.Error(err)
	}
	if want := []mail.Kind{mail.Confirmation}; !slices.Equal(b.kinds(), want) {
		t.Errorf("after a move that could not be mailed: %v", b.kinds())
	}
}

// The mail's link opens the conversation.
func TestMediaLink(t *testing.T) {
	p, b := newPost()
	id, err := p.Media(t.Context(), desk.MediaLetter{
		Conversation: "conversation", Email: "jan@example.com", Locale: "en", Date: now,
		Items: []desk.Item{{ID: "1", Kind: "photo"}, {ID: "2", Kind: "clip"}},
	})
	if err != nil || id != "an ID" || !strings.Contains(b.list[0].Text, "https://showroom.example/c/conversation?lang=en#key-of-conversation") {
		t.Errorf("%q %v: %v", id, err, b.list)
	}
}

// What is confirmed is what the pages show.
func TestConsentIsThePages(t *testing.T) {
	p, b := newPost()
	for _, locale := range []string{"nl", "de", "en"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetPathValue("file", "words."+locale+".js")
		if err := web.ServeAsset(w, r); err != nil || !strings.Contains(w.Body.String(), "'consent.text': '"+ConsentText(locale)+"'") {
			t.Errorf("%s: the page has other words than %q (%v)", locale, ConsentText(locale), err)
		}
		err := p.Consented(t.Context(), desk.ConsentLetter{Customer: "c", Email: "jan@example.com", Locale: locale, Text: ConsentVersion, Token: "token", At: now})
		if m := b.list[len(b.list)-1]; err != nil || m.Kind != mail.Consent || !strings.HasSuffix(m.Unsubscribe, "/api/consent/withdraw/token") {
			t.Errorf("%s: %v %v", locale, m, err)
		}
	}
}
