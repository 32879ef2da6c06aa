package whip

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	offer  = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
	answer = "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
	token  = "t0k3n.of-the_glasses"
)

// seen is one request that reached the server.
type seen struct {
	method, path, query, body, from string
	header                          http.Header
}

// server answers by script: one handler for each method and path.
type server struct {
	*httptest.Server

	mu       sync.Mutex
	handlers script
	requests []seen
}

// script is a server's handlers, keyed as "POST /whip/a".
type script map[string]http.HandlerFunc

// serve starts a server; what no handler takes it answers by 404.
func serve(t *testing.T, handlers script) *server {
	t.Helper()
	s := &server{handlers: script{}}
	for what, handler := range handlers {
		s.on(what, handler)
	}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = quiet
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// on sets one handler.
func (s *server) on(what string, handler http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[what] = handler
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, seen{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.RemoteAddr, r.Header.Clone()})
	handler, found := s.handlers[r.Method+" "+r.URL.Path]
	s.mu.Unlock()
	if found {
		handler(w, r)
		return
	}
	http.Error(w, "no such thing", http.StatusNotFound)
}

// got returns the requests so far of one method, "" for all.
func (s *server) got(method string) (of []seen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if method == "" || r.method == method {
			of = append(of, r)
		}
	}
	return of
}

// answers makes a handler of a status, a body and pairs of header fields.
func answers(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// created is the ordinary answer to an offer.
func created(header ...string) http.HandlerFunc {
	return answers(201, answer, append([]string{"Content-Type", typeSDP, "Location", "/session/1", "ETag", `"one"`}, header...)...)
}

// newClient makes a client of server's endpoint /whip/a and checks, when the
// test ends, that it leaves no goroutine behind.
func newClient(t *testing.T, s *server, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{URL: s.URL + "/whip/a", Token: NewSecret(token), Timeout: 5 * time.Second}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		noGoroutines(t, "net/http.(*persistConn)")
	})
	return c
}

// publish fails the test unless a session comes of it.
func publish(t *testing.T, c *Client) *Session {
	t.Helper()
	s, err := c.Publish(t.Context(), offer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// noGoroutines waits until no goroutine runs a function of that name: closing a
// connection only tells its goroutines to go.
func noGoroutines(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		stacks := make([]byte, 1<<20)
		if all := string(stacks[:runtime.Stack(stacks, true)]); !strings.Contains(all, name) {
			return
		} else if ctx.Err() != nil {
			t.Fatalf("goroutines left:\n%s", all)
		}
		runtime.Gosched()
	}
}

// quiet is for servers whose clients misbehave on purpose.
var quiet = log.New(io.Discard, "", 0)
