package e2e

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// wire lies between an agent and its endpoint. The stream of events of the glasses can
// be cut, and a publication be held up; all else passes, and media goes past it.
type wire struct {
	*httptest.Server
	proxy  *httputil.ReverseProxy
	events atomic.Pointer[strand] // nil while cut
	held   atomic.Pointer[strand] // of publications, nil for none
}

// strand ends once.
type strand struct {
	context.Context
	end context.CancelFunc
}

func newStrand() *strand {
	ctx, cancel := context.WithCancel(context.Background())
	return &strand{ctx, cancel}
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{proxy: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // what the endpoint tells of itself leads through here, too
		},
		FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
	}}
	w.mend()
	w.Server = httptest.NewServer(w)
	t.Cleanup(func() {
		w.release()
		w.cut()
		w.CloseClientConnections()
		w.Close()
	})
	return w
}

func (w *wire) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/glasses/") && strings.HasSuffix(r.URL.Path, "/events"):
		s := w.events.Load()
		if s == nil {
			panic(http.ErrAbortHandler) // closes the connection
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s, cancel)()
		r = r.WithContext(ctx)
	case strings.HasPrefix(r.URL.Path, "/whip/"):
		if !w.wait(r) {
			panic(http.ErrAbortHandler)
		}
	}
	w.proxy.ServeHTTP(out, r)
}

// wait holds a publication up as long as it is to be, and its client waits.
func (w *wire) wait(r *http.Request) bool {
	s := w.held.Load()
	if s == nil {
		return true
	}
	body, err := io.ReadAll(r.Body) // only after it is a client that leaves noticed
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	select {
	case <-s.Done():
		return r.Context().Err() == nil
	case <-r.Context().Done():
		return false
	}
}

// cut ends the stream of events, and lets none through until mend.
func (w *wire) cut() {
	if s := w.events.Swap(nil); s != nil {
		s.end()
	}
}

func (w *wire) mend() { w.events.Store(newStrand()) }

// hold has publications wait until release.
func (w *wire) hold() { w.held.Store(newStrand()) }

func (w *wire) release() {
	if s := w.held.Swap(nil); s != nil {
		s.end()
	}
}
