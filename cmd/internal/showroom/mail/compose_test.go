package mail

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	ics "github.com/arran4/golang-ical"
)

func event() *Event {
	return &Event{
		UID: "a1@jansen.example", Sequence: 3,
		Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC),
		Summary:     `Gespräch; mit "Jansen, Zonen" \ Co`,
		Description: "Am Gespräch teilnehmen: https://jansen.example/j/7K3M-9QXA\nCode: 7K3M-9QXA; nur für Sie, " + strings.Repeat("ä", 100),
		URL:         "https://jansen.example/j/7K3M-9QXA",
	}
}

func complete() Message {
	m := message("anna@example.com")
	m.Calendar, m.Unsubscribe = event(), "https://jansen.example/api/consent/withdraw/"+strings.Repeat("t", 120)
	return m
}

func composed(t testing.TB, m Message) []byte {
	t.Helper()
	from, err := parseFrom("Autohuis Jänsen <showroom@jansen.example>")
	check(t, err)
	data, err := compose(m, "abc", from, time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC))
	check(t, err)
	return data
}

// read is a mail as the standard library understands it.
type read struct {
	header mail.Header
	parts  map[string]string // by media type; attachments by name
	types  []string          // with parameters
}

func parse(t testing.TB, data []byte) read {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	check(t, err)
	r := read{header: m.Header, parts: map[string]string{}}
	r.add(t, m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), "", m.Body)
	return r
}

func (r *read) add(t testing.TB, contentType, encoding, disposition string, body io.Reader) {
	t.Helper()
	media, params, err := mime.ParseMediaType(contentType)
	check(t, err)
	r.types = append(r.types, contentType)
	if strings.HasPrefix(media, "multipart/") {
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			p, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return
			}
			check(t, err)
			r.add(t, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p.Header.Get("Content-Disposition"), p)
		}
	}
	name := media
	if disposition != "" {
		_, params, err := mime.ParseMediaType(disposition)
		check(t, err)
		name = params["filename"]
	}
	switch encoding {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	default:
		t.Errorf("%s is encoded %q", media, encoding)
	}
	text, err := io.ReadAll(body)
	check(t, err)
	r.parts[name] = string(text)
}

func TestCompose(t *testing.T) {
	m := complete()
	r := parse(t, composed(t, m))
	for name, want := range map[string]string{
		"Message-Id": "<abc@jansen.example>", "Date": "Tue, 01 Dec 2026 09:00:00 +0000", "Subject": m.Subject,
		"To": `"Anna de Vries" <anna@example.com>`, "Content-Language": "nl", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0",
		"List-Unsubscribe": "<" + m.Unsubscribe + ">", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
	} {
		if got := r.header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	from, err := r.header.AddressList("From")
	check(t, err)
	if len(from) != 1 || from[0].Name != "Autohuis Jänsen" || from[0].Address != "showroom@jansen.example" {
		t.Errorf("from %v", from)
	}
	if lines(r.parts["text/plain"]) != m.Text || r.parts["text/html"] != m.HTML {
		t.Errorf("parts %q", r.parts)
	}
	if r.parts["text/calendar"] == "" || r.parts["text/calendar"] != r.parts["appointment.ics"] {
		t.Errorf("calendar %q, file %q", r.parts["text/calendar"], r.parts["appointment.ics"])
	}
	if !slices.Contains(r.types, "text/calendar; method=REQUEST; charset=UTF-8") {
		t.Errorf("types %q", r.types)
	}
}

// Only marketing has headers to unsubscribe by, and only by HTTPS with one click.
func TestUnsubscribeHeaders(t *testing.T) {
	m := message("anna@example.com")
	if r := parse(t, composed(t, m)); r.header.Get("List-Unsubscribe")+r.header.Get("List-Unsubscribe-Post") != "" {
		t.Error(r.header)
	}
	m.Unsubscribe = "http://127.0.0.1:8080/api/consent/withdraw/x"
	if r := parse(t, composed(t, m)); r.header.Get("List-Unsubscribe") != "<"+m.Unsubscribe+">" || r.header.Get("List-Unsubscribe-Post") != "" {
		t.Error(r.header)
	}
}

func TestCalendar(t *testing.T) {
	e := event()
	for _, cancelled := range []bool{false, true} {
		e.Cancelled = cancelled
		m := message("anna@example.com")
		m.Calendar = e
		text := parse(t, composed(t, m)).parts["appointment.ics"]
		wantFolded(t, text)
		got := vevent(t, text)
		for property, want := range map[ics.ComponentProperty]string{
			ics.ComponentPropertyUniqueId: e.UID, ics.ComponentPropertySequence: "3", ics.ComponentPropertySummary: e.Summary,
			ics.ComponentPropertyDescription: e.Description, ics.ComponentPropertyUrl: e.URL, ics.ComponentPropertyLocation: e.URL,
			ics.ComponentPropertyDtStart: "20261201T090000Z", ics.ComponentPropertyDtEnd: "20261201T093000Z", ics.ComponentPropertyDtstamp: "20261201T090000Z",
			ics.ComponentPropertyOrganizer: "mailto:showroom@jansen.example", ics.ComponentPropertyAttendee: "mailto:anna@example.com",
			ics.ComponentPropertyStatus: map[bool]string{false: "CONFIRMED", true: "CANCELLED"}[cancelled],
		} {
			if p := got.GetProperty(property); p == nil || p.Value != want {
				t.Errorf("%s: %+v, want %q", property, p, want)
			}
		}
		start, err := got.GetStartAt()
		check(t, err)
		if !start.Equal(e.Start) {
			t.Errorf("starts %v", start)
		}
	}
}

// vevent reads a calendar file by another program's library.
func vevent(t testing.TB, text string) *ics.VEvent {
	t.Helper()
	c, err := ics.ParseCalendar(strings.NewReader(text))
	check(t, err)
	if len(c.Events()) != 1 || len(c.CalendarProperties) != 3 {
		t.Fatalf("%d events, %d properties in\n%s", len(c.Events()), len(c.CalendarProperties), text)
	}
	return c.Events()[0]
}

// wantFolded is RFC 5545, 3.1.
func wantFolded(t testing.TB, text string) {
	t.Helper()
	if !strings.HasSuffix(text, "\r\n") || strings.Count(text, "\n") != strings.Count(text, "\r\n") || strings.Count(text, "\r") != strings.Count(text, "\r\n") {
		t.Errorf("line ends of %q", text)
	}
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > 75 || !utf8.ValidString(line) {
			t.Errorf("%d bytes: %q", len(line), line)
		}
	}
}

const reader = `
import email, email.policy, json, sys
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
parts = [p for p in m.walk() if not p.is_multipart()]
print(json.dumps({
  "defects": [str(d) for p in m.walk() for d in p.defects],
  "to": [[a.display_name, a.addr_spec] for a in m["To"].addresses],
  "subject": m["Subject"],
  "types": [[p.get_content_type(), p.get_param("method"), p.get_filename()] for p in parts],
  "text": m.get_body(("plain",)).get_content(),
  "html": m.get_body(("html",)).get_content(),
}))`

// Python reads it too, and finds nothing that it has to forgive.
func TestComposeByPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is missing: apt install python3")
	}
	m := complete()
	m.Name, m.Subject = "Ştefan Ünal محمد "+strings.Repeat("é", 40), strings.Repeat("Gespräch über Größen ", 7)
	c := exec.Command(python, "-I", "-c", reader)
	c.Stdin = bytes.NewReader(composed(t, m))
	out, err := c.Output()
	check(t, err)
	var got struct {
		Defects             []string
		To                  [][]string
		Subject, Text, HTML string
		Types               [][]any
	}
	check(t, json.Unmarshal(out, &got))
	// Spaces aside: it keeps some that RFC 2047, 6.2, takes away between two encoded
	// words, and one where a header's first line is empty.
	same := func(a, b string) bool { return strings.ReplaceAll(a, " ", "") == strings.ReplaceAll(b, " ", "") }
	if len(got.Defects) != 0 || len(got.To) != 1 || !same(got.To[0][0], displayName(m.Name)) || got.To[0][1] != m.To || !same(got.Subject, m.Subject) {
		t.Errorf("%s", out)
	}
	if lines(got.Text) != m.Text || strings.TrimSpace(got.HTML) != m.HTML {
		t.Errorf("%s", out)
	}
	if len(got.Types) != 4 || got.Types[2][0] != "text/calendar" || got.Types[2][1] != "REQUEST" || got.Types[3][2] != "appointment.ics" {
		t.Errorf("%v", got.Types)
	}
}

var known = regexp.MustCompile(`^(Auto-Submitted|Content-Language|Content-Type|Date|From|List-Unsubscribe|List-Unsubscribe-Post|Message-Id|Mime-Version|Subject|To)$`)

// Whatever is typed, a mail has the headers that it should have, one of each, goes to
// one address, and says what it said.
func FuzzCompose(f *testing.F) {
	f.Add("Anna de Vries", "anna@example.com", "Uw afspraak", "Tot dan.", "Gesprek")
	f.Add("Anna\r\nBcc: eve@example.org", "anna@example.com\r\nBcc: eve@example.org", "x\r\n\r\n<script>", ".\r\n.\r\nRCPT TO:<eve@example.org>", "x\r\nATTENDEE:mailto:eve@example.org")
	f.Add("=?utf-8?q?=0D=0ABcc:_eve?=", `"a b"@example.com`, "=?utf-8?b?DQpCY2M6IGV2ZQ==?=", "\r\r\n", "\\n\\;,:")
	f.Add("\u202eseirV ed annA\u2069", "anna@exam\u00adple.com", "\u2028Bcc: x\u2029\u0085", "\x00\x1b[31m", "\u202e")
	f.Add(strings.Repeat("ä", 5000), strings.Repeat("a", 300)+"@example.com", strings.Repeat("x", 5000), strings.Repeat("y", 5000), strings.Repeat("é", 500))
	f.Add(`Anna", <eve@example.org>`, "anna@example.com, eve@example.org", "\xff\xfe", "é", `";CN="x`)
	f.Fuzz(func(t *testing.T, name, to, subject, text, summary string) {
		address, err := ParseAddress(to)
		if err != nil {
			address = "anna@example.com"
		}
		m := complete()
		m.Name, m.To, m.Subject, m.Text, m.Calendar.Summary, m.Calendar.Description = name, address, "S "+subject, "T"+text, summary, "D"+text
		from, err := parseFrom("Jansen <showroom@jansen.example>")
		check(t, err)
		data, err := compose(m, "abc", from, time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC))
		if err != nil {
			if utf8.ValidString(m.Text) && len(text) < maxText {
				t.Fatal(err)
			}
			return
		}
		wantSafe(t, data)
		r := parse(t, data)
		for name, values := range r.header {
			if !known.MatchString(name) || len(values) != 1 {
				t.Errorf("header %s: %q", name, values)
			}
		}
		list, err := r.header.AddressList("To")
		if err != nil || len(list) != 1 || list[0].Address != address || list[0].Name != displayName(name) {
			t.Errorf("to %v (%v), want %q", list, err, displayName(name))
		}
		got, err := new(mime.WordDecoder).DecodeHeader(r.header.Get("Subject"))
		if want := line(m.Subject, maxSubject); err != nil || got != want {
			t.Errorf("subject %q (%v), want %q", got, err, want)
		}
		wantFolded(t, r.parts["text/calendar"])
		e := vevent(t, r.parts["text/calendar"])
		if len(e.Properties) != 13 || e.GetProperty(ics.ComponentPropertyAttendee).Value != "mailto:"+address {
			t.Errorf("%d properties in\n%s", len(e.Properties), r.parts["text/calendar"])
		}
		if got := e.GetProperty(ics.ComponentPropertySummary).Value; got != line(summary, maxSubject) {
			t.Errorf("summary %q, want %q", got, line(summary, maxSubject))
		}
	})
}

// wantSafe says that what goes over the line are printable lines of RFC 5321.
func wantSafe(t testing.TB, data []byte) {
	t.Helper()
	for line := range bytes.SplitSeq(bytes.TrimSuffix(data, []byte("\r\n")), []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsFunc(line, func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }) {
			t.Errorf("line %q", line)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{
		"anna@example.com", " Anna.O'Neill+x@Example.COM ", "anna@bücher.example", "a@b", "a@b.c", "a..b@c.example", "a@-b.example", "a@[127.0.0.1]",
		`"a b"@c.example`, "a@b.example\r\nRCPT TO:<x@y.example>", "a@b.example>", "<a@b.example>", "ä@b.example", "a@b@c.example", "a@b.example.", "a@xn--bcher-kva.example",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := ParseAddress(typed)
		if err != nil {
			if got != "" || !errors.Is(err, ErrAddress) {
				t.Errorf("%q: %q, %v", typed, got, err)
			}
			return
		}
		parsed, err := mail.ParseAddress(got)
		if err != nil || parsed.Address != got || len(got) > maxAddress || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>()[]\,;:"`, r) }) {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
		if again, err := ParseAddress(got); again != got || err != nil {
			t.Errorf("%q again: %q, %v", got, again, err)
		}
	})
}

func TestParseAddress(t *testing.T) {
	for typed, want := range map[string]string{
		"anna@example.com": "anna@example.com", " Anna.O'Neill+x@Example.COM ": "Anna.O'Neill+x@example.com", "anna@bücher.example": "anna@xn--bcher-kva.example",
		"anna@localhost": "", "anna": "", "@example.com": "", "anna@": "", "a..b@example.com": "", ".a@example.com": "", "a b@example.com": "", "anna@example..com": "",
		"anna@127.0.0.1": "", "anna@[::1]": "", `"x"@example.com`: "", "anna@example.com, eve@example.com": "", "a@b@example.com": "", "änna@example.com": "",
		strings.Repeat("a", 65) + "@example.com": "", "": "",
	} {
		if got, err := ParseAddress(typed); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
}

// A server's words name no one.
func FuzzAnonymous(f *testing.F) {
	f.Add("550 5.1.1 <Anna@Example.com>: user anna unknown at example.com", "anna@example.com")
	f.Add("anna anna.anna\r\nanna", "anna@example.com")
	f.Add("[address] address", "address@address.example")
	f.Fuzz(func(t *testing.T, words, to string) {
		address, err := ParseAddress(to)
		if err != nil {
			address = "anna@example.com"
		}
		got := anonymous(words, address)
		if strings.Contains(strings.ToLower(got), strings.ToLower(address)) || strings.Contains(got, "@") ||
			strings.ContainsFunc(got, unicode.IsControl) || utf8.RuneCountInString(got) > maxProblem {
			t.Errorf("%q of %s: %q", words, address, got)
		}
	})
}

func lines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
