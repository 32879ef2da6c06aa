package whip

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/uplink/internal/pipes"
	"github.com/bril-edge/bril/uplink/origin"
)

// inBubble runs a test on a client and a server that are joined by pipes and
// must both be gone when it ends. The client has its own transport and bounds.
func inBubble(t *testing.T, handlers script, test func(t *testing.T, c *Client, s *server)) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{handlers: handlers}
		network := pipes.New()
		h := &http.Server{Handler: s, ErrorLog: quiet}
		go h.Serve(network)
		defer h.Close()
		transport := origin.NewTransport(nil, nil)
		transport.DialContext = network.Dial
		c, err := New(Config{URL: "http://127.0.0.1/whip/a", Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		test(t, c, s)
		c.Close()
	})
}

// drip writes a byte a second until the client is gone.
func drip(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			io.WriteString(w, "x")
			if http.NewResponseController(w).Flush() != nil {
				return
			}
		}
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestSlowAnswersAreBounded(t *testing.T) {
	for _, test := range []struct {
		name    string
		post    http.HandlerFunc
		del     http.HandlerFunc
		took    time.Duration
		deleted int // DELETE of the session that came with the answer
	}{
		{"no answer", hang, hang, defaultTimeout, 0},
		{"slow bytes", func(w http.ResponseWriter, r *http.Request) {
			created()(w, r)
			drip(w, r)
		}, answers(200, ""), defaultTimeout, 1},
		{"slow bytes, and no end of the session", func(w http.ResponseWriter, r *http.Request) {
			created()(w, r)
			drip(w, r)
		}, hang, defaultTimeout + deleteTimeout, 1},
		{"slow explanation", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(404)
			drip(w, r)
		}, hang, defaultTimeout, 0},
		{"slow redirects", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(4 * time.Second):
			case <-r.Context().Done():
			}
			answers(307, "", "Location", "?"+r.URL.RawQuery+"x")(w, r)
		}, hang, defaultTimeout, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, script{"POST /whip/a": test.post, "DELETE /session/1": test.del}, func(t *testing.T, c *Client, s *server) {
				start := time.Now()
				_, err := c.Publish(t.Context(), offer)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no complete answer within 10s") {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if n := len(s.got("DELETE")); n != test.deleted {
					t.Errorf("%d DELETE, want %d", n, test.deleted)
				}
			})
		})
	}
}

// Stopping must not hang on a dead network.
func TestDeleteIsBounded(t *testing.T) {
	inBubble(t, script{"POST /whip/a": created(), "DELETE /session/1": hang}, func(t *testing.T, c *Client, _ *server) {
		session := publish(t, c)
		start := time.Now()
		if err := session.Delete(context.Background()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != deleteTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A session that nothing is trickled to keeps its connection for a moment only.
func TestIdleConnectionIsClosed(t *testing.T) {
	inBubble(t, script{"POST /whip/a": created()}, func(t *testing.T, c *Client, _ *server) {
		publish(t, c)
		time.Sleep(origin.IdleTimeout + time.Second)
		synctest.Wait()
		noGoroutines(t, "net/http.(*persistConn)")
	})
}
