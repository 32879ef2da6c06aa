package session

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

const black16 = 16 // Y of a black picture

func TestPause(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		r.pass(10*time.Second + frameTime/2)
		p, _ := r.endpoint.last()
		p.pictures()
		p.sounds()
		pressed := monotonic.Now()
		if state := r.press(control.Pause); state != string(Paused) {
			t.Errorf("pause: %s", state)
		}
		r.pass(0)
		if first := p.pictures(); len(first) != 1 || first[0].what != black16 || !first[0].key || first[0].at != pressed {
			t.Errorf("at the press: %+v, want black at once, as a key frame", first)
		}
		if r.camera.running.Load()+r.microphone.running.Load() != 0 {
			t.Error("a device runs in a pause")
		}
		if !p.paused.Load() {
			t.Error("the endpoint does not know of the pause")
		}
		r.pass(10 * time.Second)
		r.wantState(Paused)
		pictures, sounds := p.pictures(), p.sounds()
		if n := len(pictures); n != 10*stillFPS || slices.ContainsFunc(pictures, func(w written) bool { return w.what != black16 }) {
			t.Errorf("%d pictures in 10 s of a pause: %+v", n, pictures)
		}
		if n := len(sounds); n < 1000 || n > 1002 || slices.ContainsFunc(sounds, func(w written) bool { return w.what != 0 }) {
			t.Errorf("%d sounds in 10 s of a pause: %+v", n, sounds)
		}
		resumed := monotonic.Now()
		if state := r.press(control.On); state != string(Live) {
			t.Errorf("on: %s", state)
		}
		r.pass(time.Second)
		pictures = p.pictures()
		if len(pictures) < 20 || !pictures[0].key || pictures[0].what != 'c' || pictures[0].pts < resumed {
			t.Errorf("after the pause: %+v", pictures)
		}
		if r.camera.opened.Load() != 2 || r.microphone.opened.Load() != 2 {
			t.Error("the devices were not opened again")
		}
		if p.paused.Load() {
			t.Error("the endpoint does not know that it goes on")
		}
		r.wantFault("")
	})
}

// Sources that are no devices only wait, and what they have made meanwhile does
// not leave.
func TestPauseOfFiles(t *testing.T) {
	inBubble(t, true, func(r *rig) { r.files() }, func(r *rig) {
		r.pass(10 * time.Second)
		r.press(control.Pause)
		r.pass(10 * time.Second)
		if r.camera.running.Load() != 1 || r.microphone.running.Load() != 1 {
			t.Error("a file was closed in a pause")
		}
		p, _ := r.endpoint.last()
		p.pictures()
		resumed := monotonic.Now()
		r.press(control.On)
		r.pass(time.Second)
		if pictures := p.pictures(); len(pictures) == 0 || pictures[0].what != 'c' || !pictures[0].key || pictures[0].pts < resumed {
			t.Errorf("after the pause: %+v", pictures)
		}
		if n := r.camera.opened.Load(); n != 1 {
			t.Errorf("opened %d times", n)
		}
	})
}

// A pause that is asked for before there is a connection begins with black, and
// the devices that were opened to know what to offer are closed.
func TestPauseBeforeLive(t *testing.T) {
	inBubble(t, true, func(r *rig) { r.endpoint.takes = 10 * time.Second }, func(r *rig) {
		r.pass(time.Second)
		r.press(control.Pause)
		r.pass(time.Second)
		if r.camera.running.Load()+r.microphone.running.Load() != 0 {
			t.Error("a device runs in a pause")
		}
		r.pass(10 * time.Second)
		r.wantState(Paused)
		p, _ := r.endpoint.last()
		if pictures := p.pictures(); len(pictures) == 0 || pictures[0].what != black16 || !pictures[0].key {
			t.Errorf("it begins with %+v", pictures)
		}
	})
}

// The connection is lost and made again in a pause: it begins with a black key
// frame.
func TestPauseOverALostConnection(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		r.pass(10 * time.Second)
		r.press(control.Pause)
		r.pass(time.Second)
		old, _ := r.endpoint.last()
		old.lose()
		r.pass(time.Second)
		r.wantState(Paused)
		p, offer := r.endpoint.last()
		if pictures := p.pictures(); p == old || len(pictures) == 0 || pictures[0].what != black16 || !pictures[0].key {
			t.Errorf("it begins with %+v", pictures)
		}
		offer.KeyFrame() // a viewer joins
		r.pass(time.Second / stillFPS)
		if pictures := p.pictures(); !slices.ContainsFunc(pictures, func(w written) bool { return w.key }) {
			t.Errorf("a viewer that joins in a pause gets %+v", pictures)
		}
	})
}

// A pause ends the wait after a failure: black comes at once, and the camera is
// tried at once when the pause ends.
func TestPauseOfAFailedCamera(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		r.pass(10 * time.Second)
		p, _ := r.endpoint.last()
		r.camera.breaks(nil, errTest)
		r.pass(20 * time.Second)
		p.pictures()
		r.press(control.Pause)
		r.pass(0)
		if pictures := p.pictures(); len(pictures) != 1 || pictures[0].what != black16 {
			t.Errorf("at the press: %+v", pictures)
		}
		r.camera.breaks(nil, nil)
		r.press(control.On)
		r.pass(2 * frameTime)
		if pictures := p.pictures(); len(pictures) == 0 {
			t.Error("the camera is not tried when the pause ends")
		}
	})
}

func TestKeyFrameStorm(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		r.pass(time.Second)
		p, offer := r.endpoint.last()
		p.pictures()
		asked := monotonic.Now()
		offer.KeyFrame()
		r.pass(frameTime)
		if pictures := p.pictures(); len(pictures) == 0 || !pictures[len(pictures)-1].key || pictures[len(pictures)-1].at > asked+frameTime {
			t.Errorf("asked at %v: %+v", asked, pictures)
		}
		for range 300 {
			offer.KeyFrame()
			r.pass(10 * time.Millisecond)
		}
		var last time.Duration
		keys := 0
		for _, w := range p.pictures() {
			if w.key {
				if last != 0 && w.at-last < keyInterval {
					t.Errorf("two key frames within %v", w.at-last)
				}
				last = w.at
				keys++
			}
		}
		if keys < 8 || keys > 10 {
			t.Errorf("%d key frames in 3 s of requests", keys)
		}
	})
}

// TestPauseRaces presses against sources and encoders that run as fast as they
// can, on the real clock. Nothing captured in a pause is ever written.
func TestPauseRaces(t *testing.T) {
	for name, devices := range map[string]bool{"devices": true, "files": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.endpoint.takes = 0
			r.race()
			if !devices {
				r.files()
			}
			r.run(true)
			defer r.stop()
			r.reach(Live)
			var pauses []interval
			for range 30 {
				r.nextPicture('c')
				r.press(control.Pause)
				p := interval{from: monotonic.Now()}
				r.nextPicture(black16)
				p.to = monotonic.Now()
				r.press(control.On)
				pauses = append(pauses, p)
			}
			r.nextPicture('c')
			r.nextSound() // its goroutine may not have had a turn in all the pauses
			r.checkPauses(pauses)
		})
	}
}

// interval is a time in which nothing may be captured that leaves.
type interval struct{ from, to time.Duration }

func (r *rig) checkPauses(pauses []interval) {
	r.t.Helper()
	p, _ := r.endpoint.last()
	for _, list := range [][]written{p.pictures(), p.sounds()} {
		captured := 0
		for i, w := range list {
			if w.what != 'c' {
				continue
			}
			captured++
			if slices.ContainsFunc(pauses, func(p interval) bool { return w.pts >= p.from && w.pts < p.to }) {
				r.t.Errorf("captured at %v, in a pause, and sent at %v", w.pts, w.at)
			}
			if i > 0 && list[i-1].what == black16 && !w.key {
				r.t.Errorf("the picture after black is no key frame: %+v", w)
			}
		}
		if captured == 0 {
			r.t.Error("nothing was captured")
		}
	}
}

// files makes the sources files: they stay open in a pause.
func (r *rig) files() {
	openVideo, openAudio := r.cfg.OpenVideo, r.cfg.OpenAudio
	r.cfg.OpenVideo = func(ctx context.Context) (Video, error) {
		v, err := openVideo(ctx)
		v.Device = false
		return v, err
	}
	r.cfg.OpenAudio = func(ctx context.Context) (Audio, error) {
		a, err := openAudio(ctx)
		a.Device = false
		return a, err
	}
}

// race makes sources that never wait, and stamp what they deliver a moment ago;
// encoders that take their time; and a pause on the real clock.
func (r *rig) race() {
	openVideo, openAudio, newEncoder := r.cfg.OpenVideo, r.cfg.OpenAudio, r.cfg.NewVideoEncoder
	r.cfg.OpenVideo = func(ctx context.Context) (Video, error) {
		v, err := openVideo(ctx)
		v.Source = &racing{VideoSource: v.Source}
		return v, err
	}
	r.cfg.OpenAudio = func(ctx context.Context) (Audio, error) {
		a, err := openAudio(ctx)
		a.Source = &racingSound{AudioSource: a.Source}
		return a, err
	}
	r.cfg.NewVideoEncoder = func(v Video, rate encoder.BitRate, sink func(encoder.AccessUnit) error) (VideoEncoder, error) {
		return newEncoder(v, rate, func(au encoder.AccessUnit) error {
			dawdle()
			return sink(au)
		})
	}
}

// dawdle lets others go first.
func dawdle() {
	for range 20 {
		runtime.Gosched()
	}
}

type racing struct {
	VideoSource
	sequence uint64
}

// Next does not look at ctx: a camera may have a picture at the very moment.
func (s *racing) Next(context.Context) (capture.Frame, error) {
	dawdle()
	s.sequence++
	f := capture.Frame{Format: capture.I420, PTS: monotonic.Now() - time.Duration(s.sequence%3)*10*time.Microsecond, Sequence: s.sequence}
	f.Planes[0].Data = []byte{'c'}
	return f, nil
}

type racingSound struct{ AudioSource }

func (s *racingSound) Next(context.Context) (capture.Sound, error) {
	dawdle()
	const length = 50 * time.Microsecond
	return capture.Sound{Format: capture.Opus, Packet: []byte{'c'}, PTS: monotonic.Now() - length, Length: length}, nil
}

// reach waits, on the real clock, for a state.
func (r *rig) reach(want Phase) {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); r.Status().State != string(want); runtime.Gosched() {
		if time.Now().After(deadline) {
			r.t.Fatalf("state is %s, want %s: %+v", r.Status().State, want, r.Status().Errors)
		}
	}
}

// nextPicture waits, on the real clock, for a new picture of a kind.
func (r *rig) nextPicture(what byte) {
	r.t.Helper()
	p, _ := r.endpoint.last()
	r.grows(func() int64 { return p.count(what) }, fmt.Sprintf("picture of kind %d", what))
}

// nextSound waits likewise for a new captured sound.
func (r *rig) nextSound() {
	r.t.Helper()
	p, _ := r.endpoint.last()
	r.grows(p.heard.Load, "sound")
}

func (r *rig) grows(count func() int64, of string) {
	r.t.Helper()
	from := count()
	for deadline := time.Now().Add(10 * time.Second); count() == from; runtime.Gosched() {
		if time.Now().After(deadline) {
			r.t.Fatalf("no %s", of)
		}
	}
}
