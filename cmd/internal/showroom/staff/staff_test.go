package staff

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/cmd/internal/showroom/web"
)

// cheap is a hash that tests have time for.
func cheap() Params { return Params{Memory: 8, Passes: 1, Threads: 1} }

const password = "correct horse battery"

// clock is one that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fakeDesk has the conversations, and the mails, that tests give it.
type fakeDesk struct {
	mu    sync.Mutex
	talks []Conversation
	mails []mail.Entry
}

func (f *fakeDesk) Live() []Conversation {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.talks
}

func (f *fakeDesk) List() []mail.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mails
}

func (f *fakeDesk) set(talks []Conversation, mails ...mail.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.talks, f.mails = talks, mails
}

const twoShowrooms = `
showrooms:
  - {id: antwerp, title: Showroom Antwerpen, time_zone: Europe/Brussels, hours: {monday: 09:00-18:00}}
  - {id: suva, title: Showroom Suva, time_zone: Pacific/Fiji, hours: {monday: 09:00-18:00}}
`

// office is a server with the views alone.
type office struct {
	t     *testing.T
	url   string
	clock *clock
	desk  *fakeDesk
	db    *records.DB
	staff *Staff
	admin Admin

	mu   sync.Mutex
	down bool // every answer is 503
}

func newOffice(t *testing.T, change func(*Config)) *office {
	t.Helper()
	o := &office{t: t, clock: &clock{now: time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)}, desk: &fakeDesk{}}
	var err error
	o.db, err = records.Open(records.Config{Dir: t.TempDir(), Clock: o.clock.Now})
	check(t, err)
	t.Cleanup(func() { check(t, o.db.Close()) })
	plan, err := hours.Parse([]byte(twoShowrooms), "hours.yaml")
	check(t, err)
	cfg := Config{
		Records: o.db, Desk: o.desk, Mail: o.desk, Passwords: cheap(), Clock: o.clock.Now, Showrooms: plan.Showrooms(),
	}
	if change != nil {
		change(&cfg)
	}
	o.staff, err = New(cfg)
	check(t, err)
	o.admin = NewAdmin(o.db)
	server := httptest.NewServer(o.handler())
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

// handler serves as package showroom does.
func (o *office) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range o.staff.Routes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'none'")
			if o.isDown() && r.URL.Path != "/staff" {
				writeProblem(w, refuse(http.StatusServiceUnavailable, "", "down"))
			} else if err := h(w, r); err != nil {
				writeProblem(w, err)
			}
		})
	}
	mux.HandleFunc("GET /assets/{file}", func(w http.ResponseWriter, r *http.Request) { _ = web.ServeAsset(w, r) })
	return mux
}

func (o *office) isDown() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.down
}

func (o *office) setDown(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

// add makes an account with the tests' password.
func (o *office) add(name, role, showroom string) {
	o.t.Helper()
	hash, err := Hash(password, cheap())
	check(o.t, err)
	check(o.t, o.admin.Add(o.t.Context(), Account{Name: name, Role: role, Showroom: showroom, Hash: hash}))
}

// writeProblem answers as package showroom does.
func writeProblem(w http.ResponseWriter, err error) {
	refused := &Error{Status: http.StatusInternalServerError, Detail: err.Error()}
	errors.As(err, &refused)
	w.Header().Set("Content-Type", "application/problem+json")
	if refused.RetryAfter > 0 {
		w.Header().Set("Retry-After", refused.Seconds())
	}
	w.WriteHeader(refused.Status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "urn:bril:problem:" + refused.Word, "status": refused.Status, "detail": refused.Detail})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browserOf is a client with cookies of its own.
type browserOf struct {
	*office
	http http.Client
}

func (o *office) browser() *browserOf {
	jar, err := cookiejar.New(nil)
	check(o.t, err)
	return &browserOf{o, http.Client{Jar: jar}}
}

// ask returns the status and the body of an answer.
func (b *browserOf) ask(method, path, body string, header ...string) (int, string) {
	b.t.Helper()
	answer, text := b.answer(method, path, body, header...)
	return answer.StatusCode, text
}

func (b *browserOf) answer(method, path, body string, header ...string) (*http.Response, string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	check(b.t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := b.http.Do(request)
	check(b.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(b.t, err)
	return answer, string(text)
}

func (b *browserOf) must(status int, method, path, body string, header ...string) string {
	b.t.Helper()
	got, text := b.ask(method, path, body, header...)
	if got != status {
		b.t.Fatalf("%s %s: %d %s, want %d", method, path, got, text, status)
	}
	return text
}

func (b *browserOf) login(name, password string) int {
	b.t.Helper()
	body, err := json.Marshal(map[string]string{"name": name, "password": password})
	check(b.t, err)
	status, _ := b.ask(http.MethodPost, "/api/staff/login", string(body))
	return status
}

// get reads an answer into a value.
func get[T any](b *browserOf, path string) (value T) {
	b.t.Helper()
	check(b.t, json.Unmarshal([]byte(b.must(http.StatusOK, http.MethodGet, path, "")), &value))
	return value
}
