package session

import (
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	var r rate
	if got := r.read(time.Hour); got != 0 {
		t.Errorf("before the first frame: %v", got)
	}
	now := time.Hour
	feed := func(n int, every time.Duration) {
		for range n {
			now += every
			r.add(now)
		}
	}
	feed(1, 0)
	if got := r.read(now); got != 0 {
		t.Errorf("of one frame: %v", got)
	}
	for _, tc := range []struct {
		frames int
		every  time.Duration
		want   float64
	}{{90, time.Second / 30, 30}, {30, time.Second / 15, 15}, {500, time.Second / 120, 120}, {5, time.Second, 1}} {
		feed(tc.frames, tc.every)
		if got := r.read(now); got != tc.want {
			t.Errorf("a frame every %v: %v, want %v", tc.every, got, tc.want)
		}
	}
	if got := r.read(now + rateSpan/2 + 1); got != 0 {
		t.Errorf("a second after the last: %v", got)
	}
}
