package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/uplink/rtc"
)

func bits(n int) encoder.BitRate { return encoder.BitRate(n) }

// What is left is spread evenly, whatever the camera's rate and jitter.
func TestThinner(t *testing.T) {
	tests := []struct {
		name   string
		level  hardware.HeatLevel
		fps    float64 // nominal
		real   float64
		jitter float64 // of the time between two pictures
		left   float64 // pictures a second
		gap    float64 // the longest between two that are left, in pictures of the camera
	}{
		{"normal", normal, 30, 30, 0, 30, 1},
		{"hot", hot, 30, 30, 0, 20, 2},
		{"very hot", veryHot, 30, 30, 0, 15, 2},
		{"hot, 25", hot, 25, 25, 0, 16.67, 2},
		{"hot, 60 with jitter", hot, 60, 60, 0.2, 40, 2.5},
		{"very hot with jitter", veryHot, 30, 30, 0.2, 15, 2.5},
		{"a rate that is not known", veryHot, 0, 30, 0, 15, 2},
		{"a camera slowed by the dark", hot, 30, 15, 0, 15, 1},
		{"a camera that is a little fast", hot, 30, 30.3, 0, 20, 2.1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var th thinner
			e := easingOf(test.level)
			th.keep.Store(&e)
			const seconds = 60
			frame := float64(time.Second) / test.real
			left, last, longest := 0, time.Duration(0), time.Duration(0)
			for i := range int(seconds * test.real) {
				pts := t0 + time.Duration(frame*(float64(i)+test.jitter*(random.Float64()-0.5)))
				if th.drop(pts, test.fps) {
					continue
				}
				if left++; left > 1 {
					longest = max(longest, pts-last)
				}
				last = pts
			}
			if got := float64(left) / seconds; got < test.left-0.2 || got > test.left+0.2 {
				t.Errorf("%.2f pictures a second are left, want %.2f", got, test.left)
			}
			if gap := float64(longest) / frame; gap > test.gap+0.01 {
				t.Errorf("up to %.2f pictures apart, want %.2f", gap, test.gap)
			}
		})
	}
}

// A gap, or a clock that begins anew, does not stop the pictures.
func TestThinnerBeginsAnew(t *testing.T) {
	var th thinner
	e := easingOf(veryHot)
	th.keep.Store(&e)
	for _, pts := range []time.Duration{time.Hour, 0, time.Minute, time.Second} {
		if th.drop(pts, 30) {
			t.Errorf("the picture at %v is left out", pts)
		}
	}
}

func TestHeatThinsAndComesBack(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		r.pass(2 * time.Second)
		p, offer := r.endpoint.last()
		// left lets ten seconds pass, as the far end reports, and returns what of
		// 25 pictures a second arrives.
		left := func() float64 {
			p.pictures()
			for range 10 {
				r.pass(time.Second)
				offer.Estimate(rtc.Estimate{})
			}
			r.pass(0)
			return float64(len(p.pictures())) / 10
		}
		rate := func() encoder.BitRate { return bits(int(r.endpoint.encoder.Load().rate.Load())) }
		wants := func(what string, pictures float64, target encoder.BitRate) {
			t.Helper()
			if got := left(); got < pictures-0.2 || got > pictures+0.2 {
				t.Errorf("%s: %.1f pictures a second, want %.1f", what, got, pictures)
			}
			if rate() != target {
				t.Errorf("%s: %v b/s, want %v", what, rate(), target)
			}
		}
		wants("normal", 25, 2_500_000)
		r.Heated(r.t.Context(), warmish)
		wants("warm", 25, 2_500_000)
		r.Heated(r.t.Context(), veryHot)
		wants("very hot", 12.5, 875_000)
		if s := r.Status(); s.Video.Dropped["heat"] < 100 || s.Video.Dropped["capture"] != 0 || len(s.Warnings) != 1 {
			t.Errorf("status: %+v, %q", s.Video, s.Warnings)
		}
		r.Heated(r.t.Context(), hot)
		r.pass(time.Second)
		if got := rate(); got > 1_000_000 {
			t.Errorf("back at %v b/s at once", got)
		}
		wants("hot", 16.67, 1_357_409) // 5 % a second, the last of them on its way
		left()
		wants("hot for a while", 16.67, 1_500_000)
		r.Heated(r.t.Context(), normal)
		left()
		left()
		wants("normal again", 25, 2_500_000)
		if s := r.Status(); len(s.Warnings) != 0 {
			t.Errorf("warnings: %q", s.Warnings)
		}
	})
}

// Heat of before a conversation counts, and so does a source opened again.
func TestBeginsHot(t *testing.T) {
	inBubble(t, false, nil, func(r *rig) {
		r.Heated(r.t.Context(), veryHot)
		r.press(control.On)
		r.pass(time.Second)
		p, _ := r.endpoint.last()
		if rate := r.endpoint.encoder.Load().rate.Load(); rate != 875_000 {
			t.Errorf("begins with %d b/s", rate)
		}
		p.pictures()
		r.pass(10 * time.Second)
		if n := len(p.pictures()); n < 120 || n > 130 {
			t.Errorf("%d pictures in 10 s, want 125", n)
		}
	})
}

// A stream that is encoded already loses nothing; the status says so.
func TestEncodedIsNotThinned(t *testing.T) {
	coded := func(r *rig) {
		open := r.cfg.OpenVideo
		r.cfg.OpenVideo = func(ctx context.Context) (Video, error) {
			v, err := open(ctx)
			v.Format.Format = capture.H264
			return v, err
		}
	}
	inBubble(t, true, coded, func(r *rig) {
		r.pass(time.Second)
		r.Heated(r.t.Context(), veryHot)
		r.pass(0)
		p, _ := r.endpoint.last()
		p.pictures()
		r.pass(10 * time.Second)
		if n := len(p.pictures()); n < 249 {
			t.Errorf("%d pictures in 10 s, want 250", n)
		}
		if s := r.Status(); s.Video.Dropped["heat"] != 0 || len(s.Warnings) != 1 {
			t.Errorf("status: %+v, %q", s.Video, s.Warnings)
		}
	})
}

func TestNearlyEmptyBatteryEndsLive(t *testing.T) {
	var cues []Cue
	hear := func(r *rig) { r.cfg.Cue = func(c Cue) { cues = append(cues, c) } }
	inBubble(t, true, hear, func(r *rig) {
		r.pass(time.Second)
		r.wantState(Live)
		p, _ := r.endpoint.last()
		r.Charged(r.t.Context(), low)
		r.Charged(r.t.Context(), empty)
		r.pass(time.Second)
		r.wantState(Ready)
		if !p.closed.Load() || r.camera.running.Load() != 0 || r.microphone.running.Load() != 0 {
			t.Error("something is open")
		}
		_, err := r.Live(r.t.Context(), control.On)
		var advice interface{ Hint() string }
		if !errors.As(err, &advice) || advice.Hint() == "" {
			t.Errorf("live on: %v", err)
		}
		r.pass(time.Second)
		r.wantState(Ready)
		if s := r.Status(); len(s.Warnings) != 1 {
			t.Errorf("warnings: %q", s.Warnings)
		}
		if want := []Cue{CueLive, CueBattery, CueEndedItself, CueBattery, CueBattery}; len(cues) != len(want) || cues[2] != want[2] {
			t.Errorf("heard %q, want %q", cues, want)
		}
		if _, err := r.Live(r.t.Context(), control.Off); err != nil { // means nothing, and is no error
			t.Errorf("live off: %v", err)
		}
		if _, err := r.Live(r.t.Context(), control.Pause); !errors.As(err, &errNothingLive{}) {
			t.Errorf("live pause: %v", err)
		}
		r.Charged(r.t.Context(), fine)
		r.press(control.On)
		r.pass(time.Second)
		r.wantState(Live)
	})
}
