package relay

import (
	"testing"
	"time"
)

func TestLatenessFollowsTheWorst(t *testing.T) {
	var l lateness
	var m mediaTime
	at := func(i int, late time.Duration) {
		now := epoch.Add(time.Duration(i)*20*time.Millisecond + late)
		l.note(now, m.at(uint32(4294967295-10_000+i*960), 48000)) // wraps
	}
	for i := range 100 {
		at(i, 0)
	}
	if got := l.room(); got < lipRoom || got > lipRoom+time.Millisecond {
		t.Errorf("a quiet network: %v", got)
	}
	at(100, 45*time.Millisecond)
	at(101, 25*time.Millisecond)
	if got := l.room() - lipRoom; got < 24*time.Millisecond || got > 26*time.Millisecond {
		t.Errorf("one packet 45 ms late: %v", got)
	}
	at(102, 3*time.Second)
	if got := l.room(); got != maxLipRoom {
		t.Errorf("a stop: %v", got)
	}
	for i := 200; i < 900; i++ {
		at(i, 0)
	}
	if got := l.room(); got > lipRoom+2*time.Millisecond {
		t.Errorf("quiet again for 14 s: %v", got)
	}
}

func TestLatenessToleratesDrift(t *testing.T) {
	var l lateness
	for i := range 30000 { // ten minutes of a clock that is 50 ppm slow
		media := time.Duration(i) * 20 * time.Millisecond
		l.note(epoch.Add(media+media/20000), media)
	}
	if got := l.room(); got > lipRoom+time.Millisecond {
		t.Errorf("room is %v", got)
	}
}

func TestWithRoom(t *testing.T) {
	for _, c := range []struct {
		asked [3]byte
		room  time.Duration
		want  [3]byte
	}{
		{[3]byte{0, 0, 0}, 30 * time.Millisecond, [3]byte{0, 0, 3}},
		{[3]byte{0, 0, 9}, 30 * time.Millisecond, [3]byte{0, 0, 9}},
		{[3]byte{0, 0x10, 1}, 44 * time.Millisecond, [3]byte{0, 0x10, 4}},
		{[3]byte{0, 0, 0}, 3 * time.Second, [3]byte{0, 1, 44}},
		{[3]byte{0, 0, 0}, time.Hour, [3]byte{0, 0, 0}},
	} {
		if got := withRoom(c.asked, c.room); got != c.want {
			t.Errorf("%v with %v: %v, want %v", c.asked, c.room, got, c.want)
		}
	}
}
