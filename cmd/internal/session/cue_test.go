package session

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/uplink/rtc"
)

// ear hears the cues of a session.
type ear struct {
	mu   sync.Mutex
	cues []Cue
}

func (e *ear) hear(c Cue) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cues = append(e.cues, c)
}

// want checks what was heard since it was asked last.
func (e *ear) want(t *testing.T, want ...Cue) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.cues, want) {
		t.Errorf("heard %q, want %q", e.cues, want)
	}
	e.cues = nil
}

// listening is inBubble with somebody who hears the cues.
func listening(t *testing.T, live bool, change func(*rig), test func(*rig, *ear)) {
	t.Helper()
	var e ear
	inBubble(t, live, func(r *rig) {
		r.cfg.Cue = e.hear
		if change != nil {
			change(r)
		}
	}, func(r *rig) { test(r, &e) })
}

func TestConversationIsHeard(t *testing.T) {
	listening(t, false, nil, func(r *rig, e *ear) {
		r.pass(time.Minute)
		e.want(t)
		r.press(control.On)
		e.want(t) // it is not live yet
		r.pass(time.Second)
		e.want(t, CueLive)
		r.press(control.Pause)
		e.want(t, CuePaused)
		r.pass(time.Hour)
		e.want(t)
		r.press(control.On)
		e.want(t, CueLive)
		r.press(control.Off)
		e.want(t, CueEnded)
		r.pass(time.Hour)
		e.want(t)
		r.Cue(CueBattery)
		e.want(t, CueBattery)
	})
}

func TestEndByItselfIsHeard(t *testing.T) {
	limits := func(r *rig) { r.cfg.Limits = Limits{MaxLive: time.Hour, Warn: time.Minute} }
	listening(t, true, limits, func(r *rig, e *ear) {
		r.pass(59*time.Minute - time.Second)
		e.want(t, CueLive)
		r.pass(2 * time.Second)
		e.want(t, CueEnding)
		r.pass(time.Minute)
		e.want(t, CueEndedItself)
	})
}

func TestShutdownIsHeard(t *testing.T) {
	var e ear
	inBubble(t, true, func(r *rig) { r.cfg.Cue = e.hear }, func(r *rig) {
		r.pass(time.Second)
		r.cancel()
		<-r.done
		e.want(t, CueLive, CueEndedItself)
	})
}

func TestOutageIsHeard(t *testing.T) {
	listening(t, true, nil, func(r *rig, e *ear) {
		r.pass(10 * time.Second)
		e.want(t, CueLive)
		r.endpoint.refuse(errTest)
		p, _ := r.endpoint.last()
		p.lose()
		r.pass(10 * time.Second)
		e.want(t, CuePoorNetwork)
		r.endpoint.refuse(nil)
		r.pass(time.Minute)
		e.want(t, CueLive)
	})
}

func TestRefusalIsHeard(t *testing.T) {
	listening(t, true, func(r *rig) { r.camera.breaks(errTest, nil) }, func(r *rig, e *ear) {
		r.pass(time.Minute)
		e.want(t, CueRefused)
		r.camera.breaks(nil, nil)
		r.pass(time.Minute)
		e.want(t, CueLive)
	})
}

// A camera that delivers no more is heard after 2 s, and that it delivers again.
func TestFrozenPictureIsHeard(t *testing.T) {
	listening(t, true, nil, func(r *rig, e *ear) {
		r.pass(10 * time.Second)
		e.want(t, CueLive)
		r.camera.breaks(errTest, errTest)
		r.pass(frozenTime)
		e.want(t)
		r.pass(2 * lookEvery)
		e.want(t, CueFrozen)
		r.pass(time.Minute)
		e.want(t)
		r.camera.breaks(nil, nil)
		r.pass(15 * time.Second)
		e.want(t, CueLive)
	})
}

// In a pause no picture of the camera is to leave.
func TestPauseIsNotFrozen(t *testing.T) {
	listening(t, true, nil, func(r *rig, e *ear) {
		r.pass(10 * time.Second)
		r.press(control.Pause)
		r.pass(time.Minute)
		r.press(control.On)
		r.pass(time.Minute)
		e.want(t, CueLive, CuePaused, CueLive)
	})
}

func TestSoundAloneIsNotFrozen(t *testing.T) {
	listening(t, true, func(r *rig) { r.cfg.OpenVideo = nil }, func(r *rig, e *ear) {
		r.pass(time.Hour)
		e.want(t, CueLive)
	})
}

func TestStrainIsHeard(t *testing.T) {
	listening(t, true, nil, func(r *rig, e *ear) {
		r.pass(10 * time.Second)
		e.want(t, CueLive)
		_, offer := r.endpoint.last()
		reports := func(seconds int, room encoder.BitRate) {
			for range seconds {
				offer.Estimate(rtc.Estimate{Available: room})
				r.pass(time.Second)
			}
		}
		reports(5, minBitRate/2)
		e.want(t)
		reports(1, minBitRate/2)
		e.want(t, CuePoorNetwork)
		reports(30, minBitRate/2)
		e.want(t)
		reports(60, 0)
		e.want(t)
		reports(6, minBitRate/2)
		e.want(t, CuePoorNetwork)
	})
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name    string
		limit   encoder.BitRate
		reports []rtc.Estimate // one a second
		want    bool
	}{
		{"good", 2_500_000, repeat(60, rtc.Estimate{}), false},
		{"bad for a moment", 2_500_000, repeat(5, rtc.Estimate{Available: 1}), false},
		{"bad", 2_500_000, repeat(8, rtc.Estimate{Available: 1}), true},
		{"a little better", 2_500_000, append(repeat(20, rtc.Estimate{Available: 1}), repeat(5, rtc.Estimate{})...), true},
		{"better", 2_500_000, append(repeat(20, rtc.Estimate{Available: 1}), repeat(10, rtc.Estimate{})...), false},
		{"no room by configuration", 200_000, repeat(60, rtc.Estimate{Lost: 1}), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newRateController(test.limit)
			now := t0
			for _, e := range test.reports {
				now += time.Second
				c.heard(e, now)
			}
			if c.strained != test.want {
				t.Errorf("strained is %v at %d", c.strained, c.target)
			}
		})
	}
}

func repeat(n int, e rtc.Estimate) []rtc.Estimate { return slices.Repeat([]rtc.Estimate{e}, n) }

// Each step is how many pictures left since the last look.
func TestFreezer(t *testing.T) {
	tests := []struct {
		name string
		sent []uint64
		want string // '-' is frozen
	}{
		{"moves", []uint64{15, 15, 15, 1, 15}, "....."},
		{"slow", []uint64{1, 0, 0, 0, 1, 0, 0, 0, 1}, "........."},
		{"stops", []uint64{15, 0, 0, 0, 0, 0, 0}, ".....--"},
		{"goes on", []uint64{15, 0, 0, 0, 0, 0, 15, 15, 15}, ".....--.."},
		{"drips", []uint64{15, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1}, ".....--------"},
		{"never began", []uint64{0, 0, 0, 0, 0, 0}, "....--"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := freezer{moved: t0}
			now, sent, got := t0, uint64(0), ""
			for _, n := range test.sent {
				now += lookEvery
				sent += n
				if f.look(sent, now) {
					got += "-"
				} else {
					got += "."
				}
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
