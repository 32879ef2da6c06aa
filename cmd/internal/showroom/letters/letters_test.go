package letters

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// story is the data of a letter that wants everything.
func story(locale string) Data {
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		panic(err)
	}
	return Data{
		Base: "https://showroom.example/", Title: "Autohuis Jansen & Zonen", Locale: locale,
		Customer: "cust", Conversation: "talk", Appointment: "abcdefghijklmnopqrstuvwxyz", Email: "anna@example.com", Name: "Anna de Vries",
		Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC),
		Was: time.Date(2026, 11, 30, 13, 0, 0, 0, time.UTC), Zone: zone, Code: "7K3M-9QXA", Link: "l1nk", Token: "T0ken-_x", Sequence: 2,
		Key: "K3y_-", Photos: 3, Clips: 1, KeptUntil: time.Date(2027, 6, 1, 9, 0, 0, 0, time.UTC),
		ConsentText: "Ja, stuur mij nieuws & aanbiedingen.", ConsentVersion: "2026-11", ConsentAt: time.Date(2026, 12, 1, 9, 31, 0, 0, time.UTC), ConsentToken: "w1thdraw",
	}
}

var makers = []struct {
	kind mail.Kind
	make func(Data) mail.Message
}{
	{mail.Confirmation, Confirmation},
	{mail.Changed, Changed},
	{mail.Reminder, Reminder},
	{mail.Cancelled, Cancelled},
	{mail.Media, Media},
	{mail.Consent, Consent},
}

var locales = []string{"nl", "de", "en"}

// A change of the texts shows in the diff of testdata. BRIL_WRITE_LETTERS=1 writes it.
func TestLetters(t *testing.T) {
	for _, locale := range locales {
		for _, maker := range makers {
			m := maker.make(story(locale))
			if m.Kind != maker.kind || m.Locale != locale || m.To != "anna@example.com" || m.Name != "Anna de Vries" || m.Customer != "cust" {
				t.Errorf("%s %s: %+v", locale, maker.kind, m)
			}
			for extension, got := range map[string]string{".txt": "Subject: " + m.Subject + "\n\n" + m.Text, ".html": m.HTML} {
				path := filepath.Join("testdata", fmt.Sprintf("%s.%s%s", maker.kind, locale, extension))
				if os.Getenv("BRIL_WRITE_LETTERS") != "" {
					check(t, os.WriteFile(path, []byte(got), 0o644))
				}
				want, err := os.ReadFile(path)
				check(t, err)
				if got != string(want) {
					t.Errorf("%s differs:\n%s", path, got)
				}
			}
			wantComplete(t, m)
			wantAlike(t, m)
			wantNothingRemote(t, m)
		}
	}
}

// wantComplete finds a place that was not filled, and a value that was not there.
func wantComplete(t *testing.T, m mail.Message) {
	t.Helper()
	for _, s := range []string{m.Subject, m.Text, m.HTML} {
		if strings.ContainsAny(strings.ReplaceAll(s, style(m.HTML), ""), "{}") || strings.Contains(s, "0001") || strings.Contains(s, "ZgotmplZ") || strings.Contains(s, "\n\n\n") {
			t.Errorf("%s %s: %s", m.Kind, m.Locale, s)
		}
	}
	if e := m.Calendar; e != nil && strings.ContainsAny(e.Summary+e.Description, "{}") {
		t.Errorf("%s %s: %+v", m.Kind, m.Locale, e)
	}
}

func style(s string) string { return regexp.MustCompile(`(?s)<style>.*?</style>`).FindString(s) }

// wantAlike says that whoever reads plain text reads the same.
func wantAlike(t *testing.T, m mail.Message) {
	t.Helper()
	var words []string
	for _, word := range strings.Fields(m.Text) {
		words = append(words, strings.Trim(word, `:"`))
	}
	body := m.HTML[strings.Index(m.HTML, "<body"):]
	seen := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, " ") + strings.Join(hrefs(m.HTML), " "))
	for _, word := range words {
		if word != "--" && !strings.Contains(seen, word) {
			t.Errorf("%s %s: %q is only in the plain text", m.Kind, m.Locale, word)
		}
	}
}

func hrefs(s string) (list []string) {
	for _, found := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(s, -1) {
		list = append(list, html.UnescapeString(found[1]))
	}
	return list
}

// wantNothingRemote allows links to the showroom, and nothing that loads by itself.
func wantNothingRemote(t *testing.T, m mail.Message) {
	t.Helper()
	if found := regexp.MustCompile(`(?i)<(img|script|link|iframe|object|video|form|input|svg|base)|src=|url\(|@import|http-equiv|\son[a-z]+=`).FindString(m.HTML); found != "" {
		t.Errorf("%s %s: holds %s", m.Kind, m.Locale, found)
	}
	links := hrefs(m.HTML)
	if len(links) < 2 {
		t.Errorf("%s %s: links %q", m.Kind, m.Locale, links)
	}
	for _, link := range append(links, regexp.MustCompile(`https?:\S*`).FindAllString(m.Text, -1)...) {
		if !strings.HasPrefix(link, "https://showroom.example/") || strings.Contains(link, "example//") {
			t.Errorf("%s %s: link to %s", m.Kind, m.Locale, link)
		}
	}
}

func TestLinks(t *testing.T) {
	for kind, want := range map[mail.Kind][]string{
		mail.Confirmation: {"/j/7K3M-9QXA?lang=en#l1nk", "/appointment?lang=en#T0ken-_x", "/privacy?lang=en"},
		mail.Changed:      {"/j/7K3M-9QXA?lang=en#l1nk", "/appointment?lang=en#T0ken-_x", "/privacy?lang=en"},
		mail.Reminder:     {"/j/7K3M-9QXA?lang=en#l1nk", "/appointment?lang=en#T0ken-_x", "/privacy?lang=en"},
		mail.Cancelled:    {"/?lang=en", "/privacy?lang=en"},
		mail.Media:        {"/c/talk?lang=en#K3y_-", "/privacy?lang=en"},
		mail.Consent:      {"/news?lang=en#w1thdraw", "/privacy?lang=en"},
	} {
		m := makers[slices.IndexFunc(makers, func(m struct {
			kind mail.Kind
			make func(Data) mail.Message
		}) bool {
			return m.kind == kind
		})].make(story("en"))
		var got []string
		for _, link := range hrefs(m.HTML) {
			got = append(got, strings.TrimPrefix(link, "https://showroom.example"))
		}
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
}

// Only marketing has a header to unsubscribe by.
func TestUnsubscribe(t *testing.T) {
	for _, maker := range makers {
		want := ""
		if maker.kind == mail.Consent {
			want = "https://showroom.example/api/consent/withdraw/w1thdraw"
		}
		if got := maker.make(story("nl")).Unsubscribe; got != want {
			t.Errorf("%s: %q", maker.kind, got)
		}
	}
}

func TestEvent(t *testing.T) {
	d := story("de")
	booked, changed, cancelled := Confirmation(d).Calendar, Changed(d).Calendar, Cancelled(d).Calendar
	if booked.UID != d.Appointment+"@showroom.example" || changed.UID != booked.UID || cancelled.UID != booked.UID {
		t.Errorf("UIDs %q, %q, %q", booked.UID, changed.UID, cancelled.UID)
	}
	if booked.Cancelled || !cancelled.Cancelled || booked.Sequence != 2 || !booked.Start.Equal(d.Start) || !booked.End.Equal(d.End) {
		t.Errorf("%+v", booked)
	}
	if booked.Summary != "Gespräch mit "+d.Title || !strings.Contains(booked.Description, d.Code) || booked.URL != "https://showroom.example/j/7K3M-9QXA?lang=de#l1nk" {
		t.Errorf("%+v", booked)
	}
	if strings.Contains(cancelled.Description+cancelled.URL, d.Code) {
		t.Errorf("%+v", cancelled)
	}
	for _, maker := range makers[2:] {
		if e := maker.make(d).Calendar; (e == nil) == (maker.kind == mail.Cancelled) {
			t.Errorf("%s: %+v", maker.kind, e)
		}
	}
}

// Who moves an appointment has its token, but of the code only a hash.
func TestWithoutCode(t *testing.T) {
	d := story("nl")
	d.Code = ""
	m := Changed(d)
	if !strings.Contains(m.Text, "eerdere e-mail blijft geldig") || strings.Contains(m.Text+m.HTML, "/j/") || m.Calendar.URL != "" {
		t.Errorf("%s", m.Text)
	}
}

func TestNews(t *testing.T) {
	d := story("nl")
	if m := Reminder(d); !m.NotAfter.Equal(d.Start) {
		t.Errorf("a reminder until %v", m.NotAfter)
	}
	if m := Confirmation(d); !m.NotAfter.Equal(d.End) {
		t.Errorf("a confirmation until %v", m.NotAfter)
	}
	d.NotBefore = d.Start.Add(-time.Hour)
	if m := Reminder(d); !m.NotBefore.Equal(d.NotBefore) {
		t.Errorf("a reminder from %v", m.NotBefore)
	}
}

// Each language says all there is, and has the same places to fill.
func TestLanguagesAreComplete(t *testing.T) {
	places := regexp.MustCompile(`\{[a-z]+\}`)
	var shape func(v reflect.Value, path string, into map[string]string)
	shape = func(v reflect.Value, path string, into map[string]string) {
		switch v.Kind() {
		case reflect.String:
			if strings.TrimSpace(v.String()) == "" {
				t.Errorf("%s is empty", path)
			}
			found := places.FindAllString(v.String(), -1)
			slices.Sort(found)
			into[path] = strings.Join(slices.Compact(found), "")
		case reflect.Struct:
			for i := range v.NumField() {
				shape(v.Field(i), path+"."+v.Type().Field(i).Name, into)
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				shape(v.Index(i), fmt.Sprintf("%s[%d]", path, i), into)
			}
		}
	}
	want := map[string]string{}
	shape(reflect.ValueOf(*wordsOf("en")), "", want)
	for _, locale := range locales {
		got := map[string]string{}
		shape(reflect.ValueOf(*wordsOf(locale)), "", got)
		if wordsOf(locale).Lang != locale || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", locale, got, want)
		}
	}
	if wordsOf("fr").Lang != "en" {
		t.Error("French is not English")
	}
}

func TestTimes(t *testing.T) {
	d := story("nl")
	summer := time.Date(2027, 7, 1, 9, 0, 0, 0, time.UTC)
	for locale, want := range map[string]string{
		"nl": "11:00 tot 11:30 uur (Midden-Europese zomertijd)",
		"de": "11:00 bis 11:30 Uhr (MESZ)",
		"en": "11:00 to 11:30 (Central European Summer Time)",
	} {
		if got := wordsOf(locale).span(d.local(summer), d.local(summer.Add(30*time.Minute))); got != want {
			t.Errorf("%s: %q", locale, got)
		}
	}
	w := wordsOf("en")
	d.Zone = nil
	if got := w.span(d.local(summer), d.local(summer)); !strings.Contains(got, "09:00 (UTC)") && !strings.Contains(got, "09:00 to 09:00 (UTC)") {
		t.Error(got)
	}
	if got := w.zone(summer.In(time.FixedZone("+0530", 5*3600+1800))); got != "UTC+05:30" {
		t.Error(got)
	}
}

func TestItems(t *testing.T) {
	w := wordsOf("nl")
	for _, test := range []struct {
		photos, clips int
		items, what   string
	}{
		{1, 0, "1 foto", "foto's"},
		{3, 1, "3 foto's en 1 video", "foto's en video's"},
		{0, 2, "2 video's", "video's"},
		{0, 0, "foto's en video's", "foto's en video's"},
	} {
		if items, what := w.items(test.photos, test.clips), w.what(test.photos, test.clips); items != test.items || what != test.what {
			t.Errorf("%d, %d: %q, %q", test.photos, test.clips, items, what)
		}
	}
}

// The queue takes every letter, and a calendar follows the appointment through them.
func TestLettersAreMails(t *testing.T) {
	q, err := mail.Open(mail.Config{Dir: filepath.Join(t.TempDir(), "outbox")})
	check(t, err)
	defer q.Close()
	for _, locale := range locales {
		for _, maker := range makers {
			_, err := q.Put(t.Context(), maker.make(story(locale)))
			check(t, err)
		}
	}
	copies, err := q.Export("cust")
	check(t, err)
	events := 0
	for _, c := range copies {
		if strings.Contains(string(c.Message), "appointment.ics") {
			events++
		}
	}
	if len(copies) != len(locales)*len(makers) || events != 3*len(locales) {
		t.Errorf("%d mails, %d events", len(copies), events)
	}
}
