package calls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

// server answers requests by a script, on the clock of a bubble.
type server struct {
	mu       sync.Mutex
	serve    func(n int, r *http.Request, out *io.PipeWriter) *http.Response // the n-th, from 0
	requests []*http.Request
	bodies   []string
	at       []time.Duration
	began    time.Time
	open     int
}

// RoundTrip implements http.RoundTripper.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	body := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.requests)
	s.requests, s.bodies, s.at = append(s.requests, r), append(s.bodies, body), append(s.at, time.Since(s.began))
	in, out := io.Pipe()
	res := s.serve(n, r, out)
	if res == nil {
		return nil, errors.New("nobody is there")
	}
	if res.Body == nil {
		s.open++
		// As net/http does, the end of the request ends its body.
		context.AfterFunc(r.Context(), func() { in.CloseWithError(r.Context().Err()) })
		res.Body = &counted{in, s, sync.Once{}}
	}
	res.Request = r
	return res, nil
}

type counted struct {
	io.ReadCloser
	server *server
	once   sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.server.open--
	})
	return c.ReadCloser.Close()
}

func events() *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}}}
}

func status(code int, header ...string) *http.Response {
	r := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

const (
	nothing = "id: 1\nevent: hello\ndata: {\"conversation\":null}\n\n"
	ringing = "id: 2\nevent: call\ndata: {" + quoted + ",\"kind\":\"now\"}\n\n"
	beat    = ": still here\n\n"
)

type rig struct {
	*server
	*Client
	t      *testing.T
	cancel func()
	done   chan struct{}
	heard  []Event
	locked sync.Mutex
}

func inBubble(t *testing.T, serve func(n int, r *http.Request, out *io.PipeWriter) *http.Response, test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &server{serve: serve, began: time.Now()}
		c, err := New(Config{URL: "https://cloud.example/api/glasses/anna/events", Token: origin.NewSecret("s3cret"), Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		r := &rig{server: s, Client: c, t: t, cancel: cancel, done: make(chan struct{})}
		go func() {
			defer close(r.done)
			if err := c.Run(ctx, r.hear); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		test(r)
		cancel()
		<-r.done
		r.pass(2 * time.Minute) // for those who speak to notice
		if s.open != 0 {
			t.Errorf("%d streams are left open", s.open)
		}
		if state := c.Status().State; state != Off {
			t.Errorf("after its end it is %s", state)
		}
	})
}

func (r *rig) hear(e Event) {
	r.locked.Lock()
	defer r.locked.Unlock()
	r.heard = append(r.heard, e)
}

func (r *rig) pass(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

func (r *rig) want(state State, heard ...Event) {
	r.t.Helper()
	r.locked.Lock()
	defer r.locked.Unlock()
	if s := r.Status(); s.State != state {
		r.t.Errorf("it is %s (%v) instead of %s", s.State, s.Err, state)
	}
	if !reflect.DeepEqual(r.heard, heard) && len(r.heard)+len(heard) > 0 {
		r.t.Errorf("heard %+v, want %+v", r.heard, heard)
	}
	r.heard = nil
}

func (r *rig) wantErr(want error) {
	r.t.Helper()
	if err := r.Status().Err; !errors.Is(err, want) {
		r.t.Errorf("it waits for %v, want %v", err, want)
	}
}

// asked returns when the stream was asked for, in whole seconds.
func (r *rig) asked() (list []int) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	for _, at := range r.at {
		list = append(list, int(at.Round(time.Second).Seconds()))
	}
	return list
}

// say writes to a stream for as long as anybody reads it.
func say(out *io.PipeWriter, text string) { _, _ = io.WriteString(out, text) }

// beats keeps a stream alive.
func beats(out *io.PipeWriter) {
	for {
		time.Sleep(15 * time.Second)
		if _, err := io.WriteString(out, beat); err != nil {
			return
		}
	}
}

func TestFollowsAndResumes(t *testing.T) {
	serve := func(n int, r *http.Request, out *io.PipeWriter) *http.Response {
		go func() {
			say(out, nothing)
			if n == 0 {
				time.Sleep(time.Minute) // in silence, but for:
				return
			}
			beats(out)
		}()
		if n == 0 {
			go func() {
				time.Sleep(30 * time.Second)
				say(out, ringing+"retry: 2000\n\n")
				time.Sleep(time.Second)
				out.Close()
			}()
		}
		return events()
	}
	inBubble(t, serve, func(r *rig) {
		r.want(Connected, Hello{})
		r.pass(30 * time.Second)
		r.want(Connected, Call{Conversation: conversation, Kind: "now"})
		r.pass(time.Second)
		r.want(Waiting, Down{})
		r.wantErr(ErrEnded)
		r.pass(2 * time.Second) // as the endpoint wishes
		r.want(Connected, Hello{})
		first, second := r.requests[0], r.requests[1]
		if first.Header.Get("Last-Event-ID") != "" || second.Header.Get("Last-Event-ID") != "2" {
			t.Errorf("resumed from %q", second.Header.Get("Last-Event-ID"))
		}
		if first.Header.Get("Authorization") != "Bearer s3cret" || first.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("asked with %v", first.Header)
		}
		r.pass(time.Hour)
		r.want(Connected)
	})
}

func TestSilence(t *testing.T) {
	tests := map[string]func(out *io.PipeWriter){
		"nothing":    func(*io.PipeWriter) {},
		"slow bytes": func(out *io.PipeWriter) { slowly(out, strings.Repeat("x", 1000)) },
		"half events": func(out *io.PipeWriter) {
			for {
				time.Sleep(10 * time.Second)
				if _, err := io.WriteString(out, "data: x\n"); err != nil {
					return
				}
			}
		},
	}
	for name, after := range tests {
		t.Run(name, func(t *testing.T) {
			serve := func(n int, _ *http.Request, out *io.PipeWriter) *http.Response {
				go func() {
					say(out, nothing)
					after(out)
				}()
				return events()
			}
			inBubble(t, serve, func(r *rig) {
				r.want(Connected, Hello{})
				r.pass(silence - time.Millisecond)
				r.want(Connected)
				r.pass(2 * time.Millisecond)
				r.want(Connected, Down{}, Hello{}) // at once: it had held
				if asked := r.asked(); !slices.Equal(asked, []int{0, 40}) {
					t.Errorf("asked at %v", asked)
				}
			})
		})
	}
}

func slowly(out *io.PipeWriter, text string) {
	for i := range text {
		time.Sleep(5 * time.Second)
		if _, err := io.WriteString(out, text[i:i+1]); err != nil {
			return
		}
	}
}

func TestNoHello(t *testing.T) {
	for name, first := range map[string]string{
		"only that it lives": beat, "something else": ringing, "not what hello is": "event: hello\ndata: 7\n\n", "a page": "<!doctype html>\n\n",
		"another's words": "data: {\"state\":\"live\"}\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			serve := func(_ int, _ *http.Request, out *io.PipeWriter) *http.Response {
				go func() {
					say(out, first)
					beats(out)
				}()
				return events()
			}
			inBubble(t, serve, func(r *rig) {
				r.pass(openTime + time.Millisecond)
				r.want(Waiting)
				r.wantErr(ErrNotEvents)
				if asked := r.asked(); len(asked) != 1 {
					t.Errorf("asked again within %v, at %v", openTime, asked)
				}
			})
		})
	}
}

func TestHostile(t *testing.T) {
	tests := map[string]struct {
		say  func(out *io.PipeWriter)
		want error
	}{
		"an endless line":       {func(out *io.PipeWriter) { _, _ = io.Copy(out, &repeated{text: "x"}) }, ErrTooLarge},
		"10,000 calls a second": {func(out *io.PipeWriter) { calling(out, strings.Repeat(ringing, 1000)) }, ErrFlood},
		"1,000 calls a second":  {func(out *io.PipeWriter) { calling(out, strings.Repeat(ringing, 100)) }, ErrFlood},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			serve := func(_ int, _ *http.Request, out *io.PipeWriter) *http.Response {
				go func() {
					say(out, nothing)
					test.say(out)
				}()
				return events()
			}
			inBubble(t, serve, func(r *rig) {
				r.pass(12 * time.Second)
				if n := len(r.heard); n > 4000 {
					t.Errorf("%d events went on", n)
				}
				r.heard = nil
				r.want(Waiting)
				r.wantErr(test.want)
				r.pass(10 * time.Minute)
				if n := len(r.asked()); n > 45 || n < 10 {
					t.Errorf("asked %d times in ten minutes", n)
				}
			})
		})
	}
}

// calling says ten times a second what rings.
func calling(out *io.PipeWriter, text string) {
	for {
		if _, err := io.WriteString(out, text); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// What cannot be understood is passed over, and the rest goes on.
func TestWrongJSON(t *testing.T) {
	serve := func(_ int, _ *http.Request, out *io.PipeWriter) *http.Response {
		go func() {
			say(out, nothing+"event: call\ndata: {\n\n"+"event: customer\ndata: {\"conversation\":[]}\n\n"+"event: party\ndata: 1\n\n"+ringing)
			beats(out)
		}()
		return events()
	}
	inBubble(t, serve, func(r *rig) {
		r.want(Connected, Hello{}, Call{Conversation: conversation, Kind: "now"})
	})
}

func TestRefused(t *testing.T) {
	page := func(code int) *http.Response {
		return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader("<html>"))}
	}
	tests := []struct {
		name   string
		answer func() *http.Response
		state  State
		err    error
		most   int // times that it is asked in an hour
	}{
		{"nobody there", func() *http.Response { return nil }, Waiting, nil, 400},
		{"401", func() *http.Response { return status(401) }, Waiting, ErrUnauthorized, 240},
		{"403", func() *http.Response { return status(403) }, Waiting, ErrUnauthorized, 240},
		{"404", func() *http.Response { return status(404) }, Absent, ErrAbsent, 15},
		{"404 with a page", func() *http.Response { return page(404) }, Absent, ErrAbsent, 15},
		{"405", func() *http.Response { return status(405) }, Absent, ErrAbsent, 15},
		{"204", func() *http.Response { return status(204) }, Absent, ErrAbsent, 15},
		{"409", func() *http.Response { return status(409) }, Waiting, ErrTaken, 240},
		{"429", func() *http.Response { return status(429, "Retry-After", "120") }, Waiting, ErrBusy, 31},
		{"500", func() *http.Response { return status(500) }, Waiting, errUnexpected, 400},
		{"503", func() *http.Response { return status(503) }, Waiting, ErrBusy, 400},
		{"a page", func() *http.Response { return page(200) }, Waiting, ErrNotEvents, 240},
		{"another origin", func() *http.Response { return status(307, "Location", "https://evil.example/") }, Waiting, origin.ErrUntrusted, 240},
		{"compressed", func() *http.Response {
			r := events()
			r.Header.Set("Content-Encoding", "gzip")
			return r
		}, Waiting, nil, 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			serve := func(int, *http.Request, *io.PipeWriter) *http.Response { return test.answer() }
			inBubble(t, serve, func(r *rig) {
				r.want(test.state)
				if test.err != nil {
					r.wantErr(test.err)
				}
				if text := fmt.Sprint(r.Status().Err); strings.Contains(text, "s3cret") {
					t.Errorf("the error shows the token: %s", text)
				}
				r.pass(time.Hour)
				r.want(test.state)
				asked := r.asked()
				if len(asked) > test.most || len(asked) < 8 {
					t.Errorf("asked %d times in an hour, at %v", len(asked), asked)
				}
				for _, q := range r.requests {
					if q.URL.Host != "cloud.example" {
						t.Errorf("asked %s", q.URL)
					}
				}
				before := len(asked)
				r.Wake()
				synctest.Wait()
				if len(r.asked()) != before+1 {
					t.Error("a change of the network does not have it asked")
				}
			})
		})
	}
}

// A header that does not come holds nothing for ever.
func TestSlowHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c, err := New(Config{URL: "https://cloud.example/events", Transport: slow})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), openTime+100*time.Millisecond)
		defer cancel()
		go func() {
			time.Sleep(openTime + 50*time.Millisecond)
			if st := c.Status(); st.State != Waiting || !errors.Is(st.Err, context.DeadlineExceeded) {
				t.Errorf("%s, %v", st.State, st.Err)
			}
		}()
		if err := c.Run(ctx, func(Event) {}); err != nil {
			t.Error(err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
