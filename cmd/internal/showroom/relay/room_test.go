package relay

import (
	"errors"
	"net/netip"
	"testing"
)

// The server follows a conversation however many pages watch it.
func TestFollowIsNotKeptOut(t *testing.T) {
	r, err := Listen(Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Watchers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, leave, err := r.Watch("anna")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Watch("bert"); !errors.Is(err, ErrFull) {
		t.Errorf("a second page: %v", err)
	}
	states, cancel, err := r.Follow("anna")
	if err != nil {
		t.Fatalf("the server: %v", err)
	}
	if s := <-states; s.Phase != Waiting {
		t.Errorf("it sees %+v", s)
	}
	cancel()
	cancel()
	leave()
	if _, _, err := r.Watch("anna"); err != nil || r.watchers != 1 {
		t.Errorf("%d watch: %v", r.watchers, err)
	}
}
