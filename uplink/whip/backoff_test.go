package whip

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

func TestBackoff(t *testing.T) {
	lost := errors.New("connection refused")
	busy := func(d time.Duration) error { return &Error{Err: ErrBusy, RetryAfter: d} }
	const second = time.Second
	for _, test := range []struct {
		name     string
		down     []time.Duration // of tries before, and of the one that is looked at
		err      error
		from, to time.Duration // the wait is in [from, to)
	}{
		{"first", []time.Duration{0}, lost, second / 2, second},
		{"just before two minutes", []time.Duration{0, 119 * second}, lost, second / 2, second},
		{"at two minutes", []time.Duration{0, 120 * second}, lost, second, 2 * second},
		{"doubled", []time.Duration{0, 120 * second, 122 * second, 126 * second}, lost, 4 * second, 8 * second},
		{"the most", []time.Duration{0, 120 * second, 130 * second, 140 * second, 150 * second, 160 * second, 170 * second, 200 * second}, lost, 15 * second, 30 * second},
		{"first asked late", []time.Duration{time.Hour}, lost, second / 2, second},
		{"permanent", []time.Duration{0}, &Error{Err: ErrUnauthorized}, 15 * second, 30 * second},
		{"asked for less", []time.Duration{0}, busy(second / 4), second / 2, second},
		{"asked for more", []time.Duration{0}, busy(20 * second), 20 * second, 22 * second},
		{"asked for the most", []time.Duration{0}, busy(origin.MaxRetryAfter), origin.MaxRetryAfter, origin.MaxRetryAfter + 30*second},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := map[time.Duration]bool{}
			for seed := range uint64(200) {
				b := Backoff{Rand: rand.New(rand.NewPCG(seed, 1))}
				var wait time.Duration
				for _, down := range test.down {
					wait = b.Next(down, test.err)
				}
				if wait < test.from || wait >= test.to {
					t.Fatalf("seed %d: %v is not in [%v, %v)", seed, wait, test.from, test.to)
				}
				seen[wait] = true
			}
			if len(seen) < 150 {
				t.Errorf("%d different waits of 200: no jitter to speak of", len(seen))
			}
		})
	}
}

func TestBackoffReset(t *testing.T) {
	var b Backoff // with Go's own randomness
	for range 10 {
		b.Next(time.Hour, nil)
	}
	b.Reset()
	if wait := b.Next(0, nil); wait < backoffShort/2 || wait >= backoffShort {
		t.Errorf("after Reset: %v", wait)
	}
}

func TestAway(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"no answer", &Error{Err: syscall.ECONNREFUSED}, true},
		{"wrapped", fmt.Errorf("dial: %w", &Error{Err: io.ErrUnexpectedEOF}), true},
		{"its gateway", &Error{Status: 502, Err: errUnexpected}, true},
		{"its gateway gave up", &Error{Status: 504, Err: errUnexpected}, true},
		{"busy", &Error{Status: 503, Err: ErrBusy}, true},
		{"itself", &Error{Status: 500, Err: errUnexpected}, false},
		{"a certificate", &Error{Err: fmt.Errorf("%w: expired", ErrCertificate)}, false},
		{"a refusal", &Error{Status: 401, Err: ErrUnauthorized}, false},
		{"not signalling", io.EOF, false},
	} {
		if got := Away(test.err); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
