package whip

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestHostileAnswers(t *testing.T) {
	sdpHeader := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", typeSDP)
		w.Header().Set("Location", "/session/1")
	}
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		is      error
		text    string
		deleted int // DELETE of the session that came with the answer
	}{
		{"megabytes of SDP", func(w http.ResponseWriter, r *http.Request) {
			sdpHeader(w)
			w.WriteHeader(201)
			chunk := []byte("v=0\r\n" + strings.Repeat("a=x\r\n", 10000))
			for r.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, ErrTooLarge, "answer too large: over 256 KiB", 1},
		{"endless 1xx", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.WriteHeader(103)
			}
		}, nil, "publish to", 0},
		{"a huge page of an error", answers(500, strings.Repeat("x", 4<<20), "Content-Type", "text/plain"), errUnexpected, "500", 0},
		{"huge header", answers(201, answer, "Content-Type", typeSDP, "Location", "/"+strings.Repeat("x", 64<<10)), nil, "header", 0},
		{"compressed", func(w http.ResponseWriter, _ *http.Request) {
			sdpHeader(w)
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(201)
			z := gzip.NewWriter(w)
			fmt.Fprint(z, "v=0\r\n"+strings.Repeat("\x00", 1<<20))
			z.Close()
		}, nil, "compressed (gzip) unasked", 1},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			sdpHeader(w)
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(201)
			io.WriteString(w, answer)
		}, io.ErrUnexpectedEOF, "read the answer", 1},
		{"closed connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, io.EOF, "EOF", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, script{"POST /whip/a": test.handler, "DELETE /session/1": answers(200, "")})
			_, err := newClient(t, s).Publish(t.Context(), offer)
			var e *Error
			if !errors.As(err, &e) || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.text) || len(err.Error()) > 1000 {
				t.Errorf("got %v, want %v saying %q", err, test.is, test.text)
			}
			if n := len(s.got("DELETE")); n != test.deleted {
				t.Errorf("%d DELETE, want %d", n, test.deleted)
			}
		})
	}
}

func TestNotHTTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// Not before the request: an early answer is one that net/http logs.
			_, _ = conn.Read(make([]byte, 1))
			io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n")
			conn.Close()
		}
	}()
	c, err := New(Config{URL: "http://" + l.Addr().String() + "/whip/a"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Publish(t.Context(), offer); err == nil || !strings.Contains(err.Error(), "publish to") {
		t.Errorf("got %v", err)
	}
}

func TestWrongContentTypeIsToleratedWithAWarning(t *testing.T) {
	s := serve(t, script{"POST /whip/a": answers(201, answer, "Content-Type", "text/plain", "Location", "/session/1")})
	var logged bytes.Buffer
	publish(t, newClient(t, s, func(cfg *Config) { cfg.Log = slog.New(slog.NewTextHandler(&logged, nil)) }))
	if !strings.Contains(logged.String(), "another content type") || !strings.Contains(logged.String(), "text/plain") {
		t.Errorf("log: %s", logged.String())
	}
}

func TestOfferMustBeSDP(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created()})
	if _, err := newClient(t, s).Publish(t.Context(), "hello"); err == nil || len(s.got("")) != 0 {
		t.Errorf("%v after %d requests", err, len(s.got("")))
	}
}

func TestCancelledPublish(t *testing.T) {
	asked := make(chan struct{})
	s := serve(t, script{"POST /whip/a": func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}})
	c := newClient(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := c.Publish(ctx, offer); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "within") {
		t.Errorf("got %v", err)
	}
}

// While live no connection is open, and so none of its goroutines: a client
// that has nothing to say must not wake up.
func TestNothingRunsAfterSetup(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created(), "PATCH /session/1": answers(204, "")})
	session := publish(t, newClient(t, s))
	if err := session.Trickle(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	noGoroutines(t, "net/http.(*persistConn)")
}

func TestSetupUsesOneConnection(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created(), "PATCH /session/1": answers(204, "")})
	session := publish(t, newClient(t, s))
	if err := session.Trickle(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	if post, patch := s.got("POST")[0], s.got("PATCH")[0]; post.from != patch.from {
		t.Errorf("POST from %s, PATCH from %s", post.from, patch.from)
	}
}
