package showroom

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
)

// listener reads for so many events, then no more.
type listener struct {
	http.ResponseWriter
	mu       sync.Mutex
	left     int
	text     bytes.Buffer
	deadline time.Time
}

func (l *listener) SetWriteDeadline(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = at
	return nil
}

func (l *listener) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left--; l.left < 0 {
		time.Sleep(time.Until(l.deadline)) // of the test's bubble
		return 0, os.ErrDeadlineExceeded
	}
	return l.text.Write(b)
}

func (l *listener) FlushError() error { return nil }

// A stream that has nothing to say beats; one that is not read ends.
func TestEventStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states, calls := make(chan relay.State, 1), make(chan desk.Call, 1)
		states <- relay.State{Phase: relay.Live, Publication: 2}
		calls <- desk.Call{Phase: desk.Waiting, RetryAt: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)}
		l := &listener{left: 4}
		stream := eventStream{w: l, control: http.NewResponseController(l), instance: "one"}
		begun := time.Now()
		stream.run(context.Background(), news{states: states, calls: calls})
		if took := time.Since(begun); took != 3*heartbeatInterval+writeTimeout {
			t.Errorf("it ended after %v", took)
		}
		for _, want := range []string{
			`data: {"state":"live","publication":2,"server":"one"}` + "\n\n",
			"event: call\ndata: " + `{"state":"waiting","retry_at":"2026-12-01T09:00:00Z"}` + "\n\n",
		} {
			if !strings.Contains(l.text.String(), want) {
				t.Errorf("no %q in %q", want, l.text.String())
			}
		}
		if n := strings.Count(l.text.String(), heartbeat); n != 2 {
			t.Errorf("%d beats", n)
		}
	})
}

// The glasses' stream is resumed where it broke off, replaced by the same owner's
// next one, and ends with the server at once.
func TestGlassesStream(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	check(t, err)
	url, stop := runUntil(t, s)
	anna, mia := newPerson(t, url), newPerson(t, url)
	events, hangUp := anna.listen("/api/glasses/anna/events")
	first := await(t, events, "hello", `"conversation":null`)
	cid := mia.ask(201, "POST", "/api/calls", `{"showroom":"showroom","locale":"en"}`).text("conversation")
	await(t, events, "call", cid)
	hangUp()
	if first.id == "" {
		t.Error("events have no id")
	}
	again, _ := anna.listen("/api/glasses/anna/events", "Last-Event-ID", first.id)
	if hello := await(t, again, "hello", cid).object(t); hello["conversation"].(map[string]any)["state"] != "ringing" {
		t.Errorf("resumed with %v", hello)
	}
	third, _ := anna.listen("/api/glasses/anna/events")
	await(t, third, "hello", cid)
	for range again { // until it is closed, as another one has taken its place
	}
	begun := time.Now()
	stop()
	for range third {
	}
	if took := time.Since(begun); took >= shutdownTimeout {
		t.Errorf("the server waited %v for its streams", took)
	}
}

// What a restart leaves: the conversation, its cookie, its room and its end.
func TestConversationOutlivesTheServer(t *testing.T) {
	dir := t.TempDir()
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: dir})
	check(t, err)
	url, stop := runUntil(t, s)
	mia := newPerson(t, url)
	events := glassesOf(t, url, "anna")
	cid := mia.ask(201, "POST", "/api/calls", `{"showroom":"showroom","locale":"en"}`).text("conversation")
	await(t, events, "call", cid)
	p, room := publish(t, url, "anna", "")
	if room != cid {
		t.Fatalf("published in %s", room)
	}
	page, _ := mia.listen("/api/sessions/" + cid + "/events")
	end := flow(t, p)
	await(t, page, "call", `"live"`)
	end()
	stop()

	mia.url = startServer(t, Config{DataDir: dir}) // cookies know no ports
	if c := mia.ask(200, "GET", "/api/conversations/"+cid, ""); c.text("state") != "live" {
		t.Errorf("after a restart: %v", c)
	}
	page, _ = mia.listen("/api/sessions/" + cid + "/events")
	events = glassesOf(t, mia.url, "anna")
	p, room = publish(t, mia.url, "anna", "")
	if room != cid {
		t.Fatalf("published in %s after a restart", room)
	}
	flow(t, p)
	await(t, page, "", `"live"`) // the room's own state
	newPerson(t, mia.url).ask(204, "POST", "/api/glasses/anna/end", `{"conversation":"`+cid+`"}`)
	await(t, page, "call", `"reason":"advisor"`)
	await(t, events, "conversation", `"ended"`)
}

// Everything that Run starts has stopped when it returns.
func TestServerStops(t *testing.T) {
	cycle := func() {
		s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
		check(t, err)
		url, stop := runUntil(t, s)
		events, _ := newPerson(t, url).listen("/api/glasses/anna/events")
		await(t, events, "hello", "")
		mia := newPerson(t, url)
		cid := mia.ask(201, "POST", "/api/calls", `{"showroom":"showroom","locale":"en"}`).text("conversation")
		page, _ := mia.listen("/api/sessions/" + cid + "/events")
		await(t, page, "call", `"ringing"`)
		p, _ := publish(t, url, "anna", "")
		stop()
		check(t, p.PC.GracefulClose())
		mia.CloseIdleConnections()
	}
	cycle()
	goroutines, files := settle(t, 0, 0)
	for range 3 {
		cycle()
	}
	after, open := settle(t, goroutines, files)
	t.Logf("goroutines %d, then %d; files %d, then %d", goroutines, after, files, open)
	if after > goroutines || open > files {
		t.Errorf("%d goroutines and %d files more after 3 cycles\n%s", after-goroutines, open-files, stacks())
	}
}
