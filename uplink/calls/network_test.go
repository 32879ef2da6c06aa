package calls

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// listenTo follows one stream at an address by the real transport.
func listenTo(t *testing.T, ctx context.Context, url string, handle func(Event)) error {
	t.Helper()
	c, err := New(Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer c.http.CloseIdle()
	f := &follower{Client: c, handle: handle}
	return f.listen(ctx)
}

func TestEndlessHeader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil { // an answer before that is none
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
		_, _ = io.Copy(conn, &repeated{text: "X-More: " + strings.Repeat("x", 1000) + "\r\n"})
	}()
	if err := listenTo(t, t.Context(), "http://"+l.Addr().String()+"/events", nil); err == nil || !strings.Contains(err.Error(), "header") {
		t.Errorf("%v", err)
	}
}

// An explanation without an end is cut, and a stream ends with its context.
func TestOverTheNetwork(t *testing.T) {
	mux := http.NewServeMux()
	gone := make(chan struct{})
	mux.HandleFunc("/refused", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.Copy(w, &repeated{text: "no "})
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, nothing)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	if err := listenTo(t, t.Context(), server.URL+"/refused", nil); !errors.Is(err, ErrUnauthorized) || len(err.Error()) > 500 {
		t.Errorf("%.600v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := listenTo(t, ctx, server.URL+"/events", func(Event) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	<-gone // the server has noticed
}
