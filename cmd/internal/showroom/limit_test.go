package showroom

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestVisits(t *testing.T) {
	v := newVisits()
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	home, alsoHome, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8:0:1::1")
	for range visitBurst {
		if v.wait(home, now) > 0 {
			t.Fatal("held up within the burst")
		}
	}
	for range 3 { // who asks while waiting does not wait longer
		if wait := v.wait(alsoHome, now); wait <= 0 || wait > time.Second {
			t.Errorf("the same household waits %v", wait)
		}
	}
	if v.wait(other, now) > 0 {
		t.Error("another household waits, too")
	}
	if v.wait(home, now.Add(time.Second)) > 0 {
		t.Error("it still waits a second later")
	}
	for i := range 3 * maxVisitors {
		v.wait(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now.Add(time.Minute))
	}
	if v.sites.Len() > maxVisitors {
		t.Errorf("%d are remembered", v.sites.Len())
	}
	v.wait(netip.Addr{}, now) // a request without an address
}

// Of many who want the last slot at once, one has it.
func TestLastSlot(t *testing.T) {
	dir := t.TempDir()
	url := startServer(t, Config{DataDir: dir, Clock: newClock().now, Hours: writeHours(t, "anna")})
	first := newPerson(t, url)
	start := first.ask(200, "GET", "/api/showrooms/showroom/slots", "")["slots"].([]any)[0].(map[string]any)["start"].(string)
	body, err := json.Marshal(object{"showroom": "showroom", "start": start, "name": "Jan", "email": "jan@example.com", "phone": "", "locale": "nl", "marketing": false})
	check(t, err)
	var booked, taken atomic.Int64
	var running sync.WaitGroup
	for range 15 {
		running.Go(func() {
			answer, err := first.Post(url+"/api/appointments", jsonType, strings.NewReader(string(body)))
			if err != nil {
				t.Error(err)
				return
			}
			answer.Body.Close()
			switch answer.StatusCode {
			case http.StatusCreated:
				booked.Add(1)
			case http.StatusConflict:
				taken.Add(1)
			}
		})
	}
	running.Wait()
	if booked.Load() != 1 || taken.Load() != 14 {
		t.Errorf("%d have it, to %d it is taken", booked.Load(), taken.Load())
	}
}
