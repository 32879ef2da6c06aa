package fleet_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/fleet/fleettest"
)

func TestFetchGoesAroundTheLine(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	s.Silence(true)
	b := &board{}
	cfg := b.config(t, s)
	cfg.Fetch = 50 * time.Millisecond
	b.start(t, cfg)
	s.Await(t, "204", func() bool { return s.Fetches()[http.StatusNoContent] > 0 })
	<-b.Reached()
	s.OfferByFetch([]byte("by fetch"))
	s.Await(t, "304", func() bool { return s.Fetches()[http.StatusNotModified] > 1 })
	if offers, _ := b.taken(); !b.has("by fetch") || offers != 1 || s.Fetches()[http.StatusOK] != 1 {
		t.Errorf("%d offers, fetches %v", offers, s.Fetches())
	}
}

func TestFetchIsBounded(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	s.Silence(true)
	written := make(chan int, 100)
	s.AnswerFetch(func(w http.ResponseWriter, _ *http.Request) {
		n := 0
		for part := make([]byte, 64<<10); n < 50<<20; {
			k, err := w.Write(part)
			n += k
			if err != nil {
				break
			}
		}
		select {
		case written <- n:
		default:
		}
	})
	b := &board{}
	cfg := b.config(t, s)
	cfg.Fetch = 50 * time.Millisecond
	b.start(t, cfg)
	// What the network holds comes on top of what is read.
	if n := <-written; n > 16<<20 {
		t.Errorf("%d MB of 50 were taken", n>>20)
	}
	s.AnswerFetch(nil)
	s.OfferByFetch([]byte("after it"))
	s.Await(t, "offer", func() bool { return b.has("after it") })
	if offers, _ := b.taken(); offers != 1 {
		t.Errorf("%d offers", offers)
	}
}
