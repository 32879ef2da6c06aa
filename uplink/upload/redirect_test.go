package upload

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/spool"
)

// acknowledging tells when it has nothing left.
type acknowledging struct {
	*outbox
	done chan struct{}
}

func (a acknowledging) Acknowledge(id, sha256 string) error {
	defer close(a.done)
	return a.outbox.Acknowledge(id, sha256)
}

// deferring tells of the first thing that fails.
type deferring struct {
	*outbox
	why chan string
}

func (d deferring) Defer(_ string, _ time.Time, why string) error {
	d.why <- why
	return nil
}

func runUntil[T any](t *testing.T, cfg Config, done <-chan T) T {
	t.Helper()
	u, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	got := <-done
	cancel()
	<-ended
	return got
}

func redirecting(t *testing.T, to string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", to+r.URL.Path)
		w.WriteHeader(307)
	}))
	t.Cleanup(s.Close)
	return s
}

// The bytes go along with a redirect to an origin that is trusted.
func TestRedirectToTrustedOrigin(t *testing.T) {
	e := newEndpoint()
	there := httptest.NewServer(e)
	defer there.Close()
	here := redirecting(t, there.URL)
	o, done := newOutbox(), make(chan struct{})
	item := o.put("item", 3*pieceSize/2)
	runUntil(t, Config{Spool: acknowledging{o, done}, URL: here.URL + "/api/uploads/", Token: origin.NewSecret(token), TrustedOrigins: []string{there.URL}}, done)
	if err := e.has(item); err != nil {
		t.Error(err)
	}
}

func TestPieceIsReadAgainAfterARedirect(t *testing.T) {
	data := content("item", 1000)
	p := &piece{file: bytes.NewReader(data), start: 100, length: 800, pace: &pace{limit: func() int64 { return 0 }}}
	_, _ = p.watched(t.Context(), func(context.Context) (*origin.Reply, error) {
		for _, read := range []int{0, 10, 800} {
			b, got := p.body(), make([]byte, read)
			for n := 0; n < read; {
				k, err := b.Read(got[n:])
				if err != nil {
					t.Fatal(err)
				}
				n += k
			}
			if !bytes.Equal(got, data[100:100+read]) {
				t.Errorf("the first %d bytes are others", read)
			}
			b.Close()
			b.Close()
		}
		return nil, nil
	})
}

func TestUntrustedOriginGetsNothing(t *testing.T) {
	e := newEndpoint()
	there := httptest.NewServer(e)
	defer there.Close()
	here := redirecting(t, there.URL)
	o, why := newOutbox(), make(chan string, 8)
	o.put("item", 10)
	got := runUntil(t, Config{Spool: deferring{o, why}, URL: here.URL + "/api/uploads/", Token: origin.NewSecret(token)}, why)
	if !strings.Contains(got, "redirect at "+there.URL+": not a trusted origin") || len(e.requests) != 0 {
		t.Errorf("%q after %v", got, e.requests)
	}
}

func TestNobodyListens(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	asker, err := origin.New(origin.Config{URL: s.URL, Key: keyURL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client{Client: asker}.receipt(t.Context(), spool.Entry{ID: "item"})
	if judge(err) != endpointGrowing || origin.Hint(err) != "is the endpoint running? check upload.url" {
		t.Errorf("%v, hint %q", err, origin.Hint(err))
	}
}
