package fleet

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

// network is one without sockets, whose time is the bubble's.
type network struct {
	answer func(*http.Request) (*http.Response, error)

	mu      sync.Mutex
	tries   []time.Time // of the line
	fetches []time.Time
}

// RoundTrip notes when somebody asks.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	if strings.HasSuffix(r.URL.Path, "/opamp") {
		n.tries = append(n.tries, time.Now())
	} else {
		n.fetches = append(n.fetches, time.Now())
	}
	n.mu.Unlock()
	return n.answer(r)
}

// asked returns when the line and the bundle were asked for, and forgets it.
func (n *network) asked() (tries, fetches []time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	tries, fetches, n.tries, n.fetches = n.tries, n.fetches, nil, nil
	return tries, fetches
}

func (n *network) link(t *testing.T) *Link {
	t.Helper()
	const at = "https://fleet.example/api/fleet"
	client, err := origin.New(origin.Config{URL: at, Transport: n, Identity: &origin.Identity{Origins: []string{"https://fleet.example"}}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(Config{URL: at, Device: "ivzgs3bnmzwgkzluor2gk43uge", Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run runs links for a time.
func run(t *testing.T, d time.Duration, links ...*Link) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	for _, l := range links {
		all.Go(func() { _ = l.Run(ctx) }) // it ends with ctx, and with nothing else
	}
	all.Wait()
}

func status(code int, header ...string) *http.Response {
	r := &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// upgraded answers with a WebSocket, and serves it.
func upgraded(r *http.Request, serve func(net.Conn)) *http.Response {
	ours, theirs := net.Pipe()
	go serve(theirs)
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	answer := status(http.StatusSwitchingProtocols, "Connection", "Upgrade", "Upgrade", "websocket",
		"Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	answer.Body = ours
	return answer
}

// answering answers as many messages as it says with an empty one, and hears the rest.
func answering(messages int) func(net.Conn) {
	return func(c net.Conn) {
		defer c.Close()
		for ; messages > 0; messages-- {
			if skipFrame(c) != nil {
				return
			}
			if _, err := c.Write([]byte{0x82, 1, header}); err != nil { // a binary frame (RFC 6455, section 5.2)
				return
			}
		}
		_, _ = io.Copy(io.Discard, c)
	}
}

// skipFrame reads a client's frame.
func skipFrame(c net.Conn) error {
	var b [8]byte
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return err
	}
	length := int64(b[1] &^ 0x80)
	switch length {
	case 126:
		if _, err := io.ReadFull(c, b[:2]); err != nil {
			return err
		}
		length = int64(binary.BigEndian.Uint16(b[:]))
	case 127:
		return errors.New("none is as long")
	}
	_, err := io.CopyN(io.Discard, c, 4+length)
	return err
}

const forever = 1 << 30

func TestSilenceIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.answer = func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/opamp") {
				return upgraded(r, answering(1)), nil
			}
			return status(http.StatusNoContent), nil
		}
		l := n.link(t)
		run(t, time.Hour, l)
		tries, _ := n.asked()
		if len(tries) < 25 {
			t.Fatalf("%d lines in an hour", len(tries))
		}
		for i := 1; i < len(tries); i++ {
			// Three heartbeats of 30 s and the time for an answer, and up to 5 s before a new line.
			if gap := tries[i].Sub(tries[i-1]); gap < 90*time.Second || gap > 106*time.Second {
				t.Errorf("a new line after %v", gap)
			}
		}
	})
}

func TestStandingLineStaysAndIsFetchedBesideEachHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.answer = func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/opamp") {
				return upgraded(r, answering(forever)), nil
			}
			return status(http.StatusNoContent), nil
		}
		run(t, 24*time.Hour, n.link(t))
		tries, fetches := n.asked()
		if len(tries) != 1 || len(fetches) < 24 || len(fetches) > 31 {
			t.Errorf("%d lines and %d fetches in a day", len(tries), len(fetches))
		}
	})
}

func TestFetchesAloneEveryFewMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.answer = func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/opamp") {
				return nil, syscall.ECONNREFUSED
			}
			return status(http.StatusNoContent), nil
		}
		run(t, time.Hour, n.link(t))
		if _, fetches := n.asked(); len(fetches) < 20 || len(fetches) > 26 {
			t.Errorf("%d fetches in an hour", len(fetches))
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{answer: func(*http.Request) (*http.Response, error) {
			return status(http.StatusServiceUnavailable, "Retry-After", "240"), nil
		}}
		run(t, 2*time.Hour, n.link(t))
		tries, fetches := n.asked()
		for _, list := range [][]time.Time{tries, fetches} {
			if len(list) < 12 {
				t.Errorf("asked %d times", len(list))
			}
			for i := 1; i < len(list); i++ {
				if gap := list[i].Sub(list[i-1]); gap < 4*time.Minute {
					t.Errorf("again after %v", gap)
				}
			}
		}
	})
}

// A service that starts anew is found by all of a fleet within seconds, and not by all
// at once; one that stays away is asked less and less.
func TestReconnectStormIsSpread(t *testing.T) {
	const boards = 500
	for name, c := range map[string]struct {
		away time.Duration
		most map[time.Duration]int // a second, from each time on after the loss
	}{
		"back at once": {0, map[time.Duration]int{0: boards * 3 / 10, lostWait: 0}},
		"stays away":   {20 * time.Minute, map[time.Duration]int{0: boards, time.Minute: boards / 5, 10 * time.Minute: boards / 15}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for second, count := range storm(t, boards, c.away) {
					from := time.Duration(-1)
					for at := range c.most {
						if at <= second {
							from = max(from, at)
						}
					}
					if most := c.most[from]; from >= 0 && count > most {
						t.Errorf("%d of %d boards came within a second, %v after the loss, of at most %d", count, boards, second, most)
					}
					if from < 0 && count > boards*6/10 {
						t.Errorf("%d of %d boards came within a second at the start", count, boards)
					}
				}
			})
		})
	}
}

// storm has boards whose lines all end in the same moment, with a service that is away
// for a time after it, and returns how many came in each second, by the time since.
func storm(t *testing.T, boards int, away time.Duration) map[time.Duration]int {
	const up = 10 * time.Minute
	lost := time.Now().Add(up)
	n := &network{}
	n.answer = func(r *http.Request) (*http.Response, error) {
		now := time.Now()
		switch {
		case !now.Before(lost) && now.Before(lost.Add(away)):
			return nil, syscall.ECONNREFUSED
		case !strings.HasSuffix(r.URL.Path, "/opamp"):
			return status(http.StatusNoContent), nil
		}
		return upgraded(r, func(c net.Conn) {
			if now.Before(lost) {
				end := time.AfterFunc(lost.Sub(now), func() { c.Close() })
				defer end.Stop()
			}
			answering(forever)(c)
		}), nil
	}
	links := make([]*Link, boards)
	for i := range links {
		links[i] = n.link(t)
	}
	run(t, up+max(away, time.Minute)-time.Second, links...)
	tries, _ := n.asked()
	perSecond := map[time.Duration]int{}
	for _, at := range tries {
		perSecond[at.Sub(lost).Truncate(time.Second)]++
	}
	return perSecond
}

func TestBackoff(t *testing.T) {
	for failures, most := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 8 * time.Second, 5: 16 * time.Second, 6: 32 * time.Second,
		7: 64 * time.Second, 8: 2 * time.Minute, 9: 2 * time.Minute, 100: 2 * time.Minute, 1 << 40: 2 * time.Minute,
	} {
		const tries = 9000
		var tenths [11]int
		for range tries {
			tenths[min(int(backoff(failures)*10/most), 10)]++
		}
		if tenths[0]+tenths[10] != 0 {
			t.Errorf("after %d: shorter than a tenth of %v, or longer", failures, most)
		}
		for i, count := range tenths[1:10] {
			if count < 850 || count > 1150 { // 1000 each, and five standard deviations
				t.Errorf("after %d: %d of %d in the tenth %d", failures, count, tries, i+1)
			}
		}
	}
}
