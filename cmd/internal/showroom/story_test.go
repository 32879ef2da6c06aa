package showroom

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/http/cookiejar"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// testClock stands still until it is moved.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *testClock { return &testClock{at: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)} }

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// object is an answer.
type object map[string]any

func (o object) text(key string) string {
	text, _ := o[key].(string)
	return text
}

// person is a browser with its cookies.
type person struct {
	t   *testing.T
	url string
	http.Client
}

func newPerson(t *testing.T, url string) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	check(t, err)
	p := &person{t: t, url: url, Client: http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(p.CloseIdleConnections)
	return p
}

// ask sends JSON, or nothing for "", and wants that status.
func (p *person) ask(want int, method, path, body string, header ...string) object {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	check(p.t, err)
	if body != "" {
		r.Header.Set("Content-Type", jsonType)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := p.Do(r)
	check(p.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(p.t, err)
	expect(p.t, method+" "+path+" "+body, answer, string(text), want)
	var o object
	if strings.Contains(answer.Header.Get("Content-Type"), "json") {
		check(p.t, json.Unmarshal(text, &o))
	}
	return o
}

// event is one of a stream.
type event struct{ id, kind, data string }

func (e event) object(t *testing.T) object {
	t.Helper()
	var o object
	check(t, json.Unmarshal([]byte(e.data), &o))
	return o
}

// listen follows a stream until the test ends or stop is called.
func (p *person) listen(path string, header ...string) (events <-chan event, stop func()) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, nil)
	check(p.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := p.Do(r)
	check(p.t, err)
	if answer.StatusCode != http.StatusOK {
		p.t.Fatalf("GET %s: %s", path, answer.Status)
	}
	list := make(chan event, 256)
	go func() {
		defer close(list)
		var e event
		for scanner := bufio.NewScanner(answer.Body); scanner.Scan(); {
			key, value, _ := strings.Cut(scanner.Text(), ": ")
			switch key {
			case "id":
				e.id = value
			case "event":
				e.kind = value
			case "data":
				e.data = value
			case "":
				if e.data != "" {
					list <- e
				}
				e = event{}
			}
		}
	}()
	stop = func() { answer.Body.Close() }
	p.t.Cleanup(stop)
	return list, stop
}

// await returns the next event of the kind that has what is wanted in its data.
func await(t *testing.T, events <-chan event, kind, wanted string) event {
	t.Helper()
	for {
		e, ok := <-withTimeout(t, events, kind+" "+wanted)
		if !ok {
			t.Fatalf("the stream ended before %s %s", kind, wanted)
		}
		if e.kind == kind && strings.Contains(e.data, wanted) {
			return e
		}
	}
}

// withTimeout hands on one event.
func withTimeout(t *testing.T, events <-chan event, what string) <-chan event {
	t.Helper()
	one := make(chan event, 1)
	select {
	case e, ok := <-events:
		if ok {
			one <- e
		}
		close(one)
	case <-time.After(rtctest.Timeout):
		t.Fatalf("no %s after %v", what, rtctest.Timeout)
	}
	return one
}

// letters returns the texts of the mails in the outbox, by address and subject.
func letters(t *testing.T, dir string) (list []letter) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, outboxDir, "*.eml"))
	check(t, err)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		check(t, err)
		m, err := mail.ReadMessage(bytes.NewReader(data))
		check(t, err)
		list = append(list, letter{to: m.Header.Get("To"), text: plainText(t, m.Header.Get, m.Body)})
	}
	return list
}

type letter struct{ to, text string }

// plainText finds the plain part of a message.
func plainText(t *testing.T, header func(string) string, body io.Reader) string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(header("Content-Type"))
	check(t, err)
	if strings.HasPrefix(kind, "multipart/") {
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			part, err := parts.NextRawPart()
			if err != nil {
				return ""
			}
			if text := plainText(t, part.Header.Get, part); text != "" {
				return text
			}
		}
	}
	if kind != "text/plain" {
		return ""
	}
	if header("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	check(t, err)
	return string(text)
}

// awaitLetter waits for a mail to the address in which the pattern is found, and
// returns its first group.
func awaitLetter(t *testing.T, dir, to, pattern string) string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(rtctest.Timeout); time.Now().Before(deadline); <-ticker.C {
		for _, l := range letters(t, dir) {
			if found := wanted.FindStringSubmatch(l.text); strings.Contains(l.to, to) && found != nil {
				return found[1]
			}
		}
	}
	t.Fatalf("no mail to %s has %s: %v", to, pattern, letters(t, dir))
	return ""
}

const codePattern = `\b([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})\b`

// booking is an appointment with what its mail says.
type booking struct {
	start       time.Time
	code, token string
}

// book takes the first slot that is free.
func (p *person) book(dir, email string, marketing bool) booking {
	p.t.Helper()
	slots := p.ask(200, "GET", "/api/showrooms/showroom/slots", "")["slots"].([]any)
	start := slots[0].(map[string]any)["start"].(string)
	body, err := json.Marshal(object{"showroom": "showroom", "start": start, "name": "Jan Peeters", "email": email, "phone": "+32 3 123", "locale": "nl", "marketing": marketing})
	check(p.t, err)
	answer := p.ask(201, "POST", "/api/appointments", string(body))
	at, err := time.Parse(time.RFC3339, start)
	check(p.t, err)
	if answer.text("start") != start || answer.text("email") != email {
		p.t.Errorf("booked: %v", answer)
	}
	return booking{
		start: at, code: awaitLetter(p.t, dir, email, codePattern),
		token: awaitLetter(p.t, dir, email, `/appointment\?lang=[a-z]+#([A-Za-z0-9_-]+)`),
	}
}

// join enters the code and returns the conversation.
func (p *person) join(code string) string {
	p.t.Helper()
	return p.ask(200, "POST", "/api/join", `{"code":"`+code+`"}`).text("conversation")
}

// glassesOf opens the event stream of a pair of glasses.
func glassesOf(t *testing.T, url, name string, header ...string) <-chan event {
	t.Helper()
	events, _ := newPerson(t, url).listen("/api/glasses/"+name+"/events", header...)
	if hello := (<-withTimeout(t, events, "hello")); hello.kind != "hello" {
		t.Fatalf("the first event is %v", hello)
	}
	return events
}

// publish makes glasses live, and returns the room that they are in.
func publish(t *testing.T, url, name, token string) (p *rtctest.Publisher, room string) {
	t.Helper()
	p = rtctest.NewPublisher(t, rtctest.Options{})
	p.Connect(url+"/whip/"+name, token)
	for _, link := range p.Response.Header.Values("Link") {
		if path, ok := strings.CutSuffix(link, `>; rel="`+sessionRel+`"`); ok {
			room = strings.TrimPrefix(path, "</api/sessions/")
		}
	}
	return p, room
}

// flow sends pictures and sound until stop is called.
func flow(t *testing.T, p *rtctest.Publisher) (stop func()) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer ticker.Stop()
		s := &stream{t: t, p: p}
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				p.SendAudio(s.at, uint32(s.at)*960, []byte{0xfc, 1, 2})
				s.send(rtctest.KeyFrame)
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		close(ended)
		<-done
	})
	t.Cleanup(stop)
	return stop
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
