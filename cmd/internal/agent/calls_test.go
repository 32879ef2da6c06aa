package agent

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware"
)

// caller is a customer at a browser, without the picture.
type caller struct {
	t    *testing.T
	base string
	http http.Client
	cid  string
}

func newCaller(t *testing.T, whip string) *caller {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &caller{t: t, base: strings.TrimSuffix(whip, "/whip/test"), http: http.Client{Jar: jar, Timeout: patience}}
}

func (c *caller) ask(method, path, body string, answer any) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	r, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode > 299 {
		c.t.Fatalf("%s %s: %s", method, path, r.Status)
	}
	if answer != nil {
		if err := json.NewDecoder(r.Body).Decode(answer); err != nil {
			c.t.Fatal(err)
		}
	}
}

// calls talks now, and stays on the page until the test ends.
func (c *caller) calls() {
	c.t.Helper()
	var shops struct{ Showrooms []struct{ ID string } }
	c.ask("GET", "/api/showrooms", "", &shops)
	var made struct{ Conversation string }
	c.ask("POST", "/api/calls", `{"showroom":"`+shops.Showrooms[0].ID+`","locale":"nl"}`, &made)
	c.cid = made.Conversation
	ctx, cancel := context.WithCancel(c.t.Context())
	request, err := http.NewRequestWithContext(ctx, "GET", c.base+"/api/sessions/"+c.cid+"/events", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	page, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		cancel()
		page.Body.Close()
	})
}

func (c *caller) ends() { c.ask("POST", "/api/conversations/"+c.cid+"/end", "", nil) }

func (c *caller) wantEnd(r running, reason string) {
	c.t.Helper()
	var now struct{ State, Reason string }
	r.until("the end at the endpoint", func(control.Status) bool {
		c.ask("GET", "/api/conversations/"+c.cid, "", &now)
		return now.State == "ended"
	})
	if now.Reason != reason {
		c.t.Errorf("it ended for %q, want %q", now.Reason, reason)
	}
}

func is(state, call string) func(control.Status) bool {
	return func(s control.Status) bool { return s.State == state && s.Call != nil && s.Call.State == call }
}

// From ring to end with the reference endpoint, by buttons and by both sides.
func TestCalls(t *testing.T) {
	endpoint := startEndpoint(t)
	g := newGlasses(t)
	r := startGlasses(t, g, glassesConfig(endpoint), false)
	r.until("events", func(s control.Status) bool { return s.Call != nil && s.Call.Events == "connected" })
	if _, err := r.Call(t.Context(), control.AcceptCall); err == nil {
		t.Error("accepted what does not ring")
	}
	first := newCaller(t, endpoint)
	first.calls()
	s := r.until("a call", is("ready", "ringing"))
	if s.Call.Conversation != first.cid || s.Call.Kind != "now" || g.running.Load() > 0 {
		t.Errorf("%+v, %d devices run; want %s", *s.Call, g.running.Load(), first.cid)
	}
	g.button1.gesture <- hardware.Short // a photo otherwise
	r.until("a conversation", is("live", "talking"))
	if name := r.conversationName(); name != first.cid {
		t.Errorf("photos are kept under %q, want %s", name, first.cid)
	}
	if _, err := r.Photo(t.Context(), false); err != nil {
		t.Error(err)
	}
	r.until("the photo", func(control.Status) bool {
		var list struct{ Items []struct{ ID string } }
		first.ask("GET", "/api/sessions/"+first.cid+"/media", "", &list)
		return len(list.Items) == 1
	})
	r.until("the customer", func(s control.Status) bool { return s.Call.Customer.Presence == "joined" })
	if _, err := r.Live(t.Context(), control.Pause); err != nil {
		t.Error(err)
	}
	first.ends() // in a pause, too
	r.until("the end", is("ready", "idle"))
	if name := r.conversationName(); name != "test" {
		t.Errorf("photos are kept under %q afterwards", name)
	}
	g.wantDark(r, "the customer's end")

	second := newCaller(t, endpoint)
	second.calls()
	r.until("another call", is("ready", "ringing"))
	g.button2.gesture <- hardware.Short // a pause otherwise
	r.until("silence", is("ready", "idle"))
	second.wantEnd(r, "declined")

	third := newCaller(t, endpoint)
	third.calls()
	r.until("a third call", is("ready", "ringing"))
	g.button1.gesture <- hardware.Long // live
	r.until("a conversation", is("live", "talking"))
	g.button1.gesture <- hardware.Long
	r.until("the end", is("ready", "idle"))
	third.wantEnd(r, "advisor")

	fourth := newCaller(t, endpoint)
	fourth.calls()
	r.until("a fourth call", is("ready", "ringing"))
	if state, err := r.Call(t.Context(), control.AcceptCall); err != nil || state == "ringing" {
		t.Errorf("%s, %v", state, err)
	}
	r.until("a conversation", is("live", "talking"))
	if state, err := r.Call(t.Context(), control.EndCall); err != nil || state != "idle" {
		t.Errorf("%s, %v", state, err)
	}
	r.until("the end", is("ready", "idle"))
	fourth.wantEnd(r, "advisor")
	g.wantDark(r, "the end")
}

// The endpoint's events are lost in conversation: it goes on, and who is cut off at
// the customer's end is not live elsewhere.
func TestEventsLostInConversation(t *testing.T) {
	endpoint := startEndpoint(t)
	events := newWire(t, strings.TrimSuffix(endpoint, "/whip/test"))
	cfg := glassesConfig(endpoint)
	cfg.Calls.EventsURL = events.URL + "/api/glasses/{name}/events"
	g := newGlasses(t)
	r := startGlasses(t, g, cfg, false)
	r.until("events", func(s control.Status) bool { return s.Call != nil && s.Call.Events == "connected" })
	c := newCaller(t, endpoint)
	c.calls()
	r.until("a call", is("ready", "ringing"))
	g.button1.gesture <- hardware.Short
	r.until("a conversation", is("live", "talking"))
	events.cut()
	r.until("silence", func(s control.Status) bool { return s.Call.Events == "waiting" && len(s.Errors) > 0 })
	if s := r.Status(); s.State != "live" || s.Call.State != "talking" || s.Errors[0].Component != "calls" || s.Errors[0].Hint == "" {
		t.Errorf("%s, %+v, %+v", s.State, s.Call, s.Errors)
	}
	c.ends()
	r.until("the end", func(s control.Status) bool { return s.State == "ready" && s.Call.State == "idle" })
	g.wantDark(r, "the customer's end")
}

// Live by button works whatever is the matter with the answer to a call: the endpoint
// hears of it when it is called.
func TestLiveWhileNoAnswerArrives(t *testing.T) {
	endpoint := startEndpoint(t)
	events := newWire(t, strings.TrimSuffix(endpoint, "/whip/test"))
	cfg := glassesConfig(endpoint)
	cfg.Calls.EventsURL = events.URL + "/api/glasses/{name}/events"
	g := newGlasses(t)
	r := startGlasses(t, g, cfg, false)
	r.until("events", func(s control.Status) bool { return s.Call != nil && s.Call.Events == "connected" })
	events.mute.Store(true)
	c := newCaller(t, endpoint)
	c.calls()
	r.until("a call", is("ready", "ringing"))
	g.button1.gesture <- hardware.Long // live
	r.until("a conversation", is("live", "talking"))
	if name := r.conversationName(); name != c.cid {
		t.Errorf("it is conversation %q, want %s", name, c.cid)
	}
}

// Who takes a call and ends live before the endpoint has answered is not live later.
func TestOffBeforeTheAnswer(t *testing.T) {
	endpoint := startEndpoint(t)
	events := newWire(t, strings.TrimSuffix(endpoint, "/whip/test"))
	cfg := glassesConfig(endpoint)
	cfg.Calls.EventsURL = events.URL + "/api/glasses/{name}/events"
	g := newGlasses(t)
	r := startGlasses(t, g, cfg, false)
	r.until("events", func(s control.Status) bool { return s.Call != nil && s.Call.Events == "connected" })
	c := newCaller(t, endpoint)
	c.calls()
	r.until("a call", is("ready", "ringing"))
	events.held.Lock()
	g.button1.gesture <- hardware.Short
	r.until("an answer on its way", is("ready", "accepted"))
	if _, err := r.Live(t.Context(), control.Off); err != nil {
		t.Error(err)
	}
	events.held.Unlock()
	c.wantEnd(r, "advisor")
	if s := r.Status(); s.State != "ready" || g.running.Load() > 0 {
		t.Errorf("it is %s, and %d devices run", s.State, g.running.Load())
	}
}

// wire is a proxy that can be cut, and which can keep what the glasses say from
// arriving, or hold it.
type wire struct {
	*httptest.Server
	broken, mute atomic.Bool
	held         sync.Mutex
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
	}
	w := &wire{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if w.broken.Load() || r.Method == http.MethodPost && w.mute.Load() {
			panic(http.ErrAbortHandler)
		}
		if r.Method == http.MethodPost {
			w.held.Lock()
			defer w.held.Unlock()
		}
		proxy.ServeHTTP(out, r)
	}))
	t.Cleanup(func() {
		w.CloseClientConnections()
		w.Close()
	})
	return w
}

func (w *wire) cut() {
	w.broken.Store(true)
	w.CloseClientConnections()
}

// With an endpoint that has no calls nothing is shown of them, and going live is as
// it was.
func TestNoCalls(t *testing.T) {
	cfg := glassesConfig(startEndpoint(t))
	cfg.Calls.EventsURL = configs.CallsNone
	g := newGlasses(t)
	r := startGlasses(t, g, cfg, true)
	s := r.until("pictures", func(s control.Status) bool { return s.State == "live" })
	if s.Call != nil || len(s.Errors)+len(s.Warnings) > 0 {
		t.Errorf("%+v, errors %+v, warnings %q", s.Call, s.Errors, s.Warnings)
	}
	r.alive()
	for _, action := range []control.CallAction{control.AcceptCall, control.DeclineCall, control.EndCall} {
		if _, err := r.Call(t.Context(), action); err == nil || hint(err) == "" {
			t.Errorf("%s: %v", action, err)
		}
	}
}
