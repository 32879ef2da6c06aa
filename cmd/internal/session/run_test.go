package session

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/uplink/rtc"
	"github.com/bril-edge/bril/uplink/whip"
)

func TestLiveAndOff(t *testing.T) {
	inBubble(t, false, nil, func(r *rig) {
		r.pass(time.Minute)
		r.wantState(Ready)
		if n := r.camera.opened.Load(); n != 0 {
			t.Fatal("the camera runs before anybody is live")
		}
		if state := r.press(control.On); state != string(Connecting) {
			t.Errorf("live on: %s, want connecting", state)
		}
		r.pass(time.Second)
		r.wantState(Live)
		s := r.Status()
		if s.Camera != "fake camera" || s.Microphone != "fake microphone" || s.Encoder != "fake" || s.Uplink.State != "connected" {
			t.Errorf("status: %+v", s)
		}
		p, offer := r.endpoint.last()
		if offer.ProfileLevelID != "42c01f" || !offer.Audio {
			t.Errorf("offered %+v", offer)
		}
		pictures := p.pictures()
		if len(pictures) < 20 || !pictures[0].key || slices.ContainsFunc(pictures[1:], func(w written) bool { return w.key }) {
			t.Errorf("pictures: want 20 and more, the first a key frame, the others not: %+v", pictures)
		}
		if len(p.sounds()) < 40 {
			t.Error("no sound")
		}
		if state := r.press(control.Off); state != string(Stopping) {
			t.Errorf("live off: %s, want stopping", state)
		}
		r.pass(time.Second)
		r.wantState(Ready)
		if r.camera.running.Load() != 0 || r.microphone.running.Load() != 0 || !p.closed.Load() {
			t.Error("something is open after live off")
		}
		if s := r.Status(); s.Camera != "" || s.Uplink.State != "off" {
			t.Errorf("status: %+v", s)
		}
	})
}

func TestLostIsRedialledAtOnce(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		r.pass(time.Minute)
		old, _ := r.endpoint.last()
		old.lose()
		r.pass(0)
		r.wantState(Connecting)
		if f := r.wantFault("uplink"); f.Message != rtc.ErrLost.Error() {
			t.Errorf("fault: %+v", f)
		}
		r.pass(r.endpoint.takes + 2*frameTime)
		r.wantState(Live)
		r.wantFault("")
		p, _ := r.endpoint.last()
		if p == old || !old.closed.Load() {
			t.Error("the lost connection is still in use")
		}
		if pictures := p.pictures(); len(pictures) == 0 || !pictures[0].key {
			t.Errorf("a connection begins with %+v, want a key frame", pictures)
		}
		if n := r.camera.opened.Load(); n != 1 {
			t.Errorf("camera was opened %d times", n)
		}
	})
}

// An endpoint that takes calls and drops them must not be hammered.
func TestLostSoonIsWaitedFor(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		for range 100 {
			r.pass(100 * time.Millisecond)
			if list := r.endpoint.all(); len(list) > 0 {
				list[len(list)-1].lose()
			}
		}
		if n := len(r.endpoint.all()); n > 20 {
			t.Errorf("%d calls in 10 s", n)
		}
	})
}

// An endpoint that takes every call and drops it is called less and less, as one
// that refuses is.
func TestDroppedForLongIsCalledLess(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		calls := func(seconds int) int {
			before := len(r.endpoint.all())
			for range seconds {
				r.pass(time.Second)
				if p, _ := r.endpoint.last(); p != nil {
					p.lose()
				}
			}
			return len(r.endpoint.all()) - before
		}
		first := calls(60)
		calls(180)
		if later := calls(60); first < 20 || later > 6 {
			t.Errorf("%d calls in the first minute, %d in the fifth", first, later)
		}
	})
}

// One that goes again as soon as it is back, for however long that lasts, is
// called as often as at its first outage.
func TestGoneAgainIsCalledAtOnce(t *testing.T) {
	gone := &whip.Error{Op: "publish to", Err: errTest}
	inBubble(t, true, nil, func(r *rig) {
		for range 200 {
			r.pass(100 * time.Millisecond)
			r.wantState(Live)
			r.endpoint.refuse(gone)
			p, _ := r.endpoint.last()
			p.lose()
			r.pass(2 * time.Second)
			r.endpoint.refuse(nil)
			r.pass(time.Second + r.endpoint.takes)
		}
	})
}

func TestRefusedBacksOff(t *testing.T) {
	tests := []struct {
		name        string
		err         error
		least, most time.Duration
		hint        string
	}{
		{"no answer", errTest, 500 * time.Millisecond, time.Second, ""},
		{"Retry-After", &whip.Error{Op: "publish to", Err: whip.ErrBusy, RetryAfter: 7 * time.Second, Hint: "wait"}, 7 * time.Second, 9 * time.Second, "wait"},
		{"wrong token", &whip.Error{Op: "publish to", Err: whip.ErrUnauthorized, Hint: "check the token"}, 15 * time.Second, 30 * time.Second, "check the token"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, true, func(r *rig) { r.endpoint.refuse(test.err) }, func(r *rig) {
				r.pass(5 * test.most)
				r.wantState(Connecting)
				if f := r.wantFault("uplink"); f.Message != test.err.Error() || f.Hint != test.hint || f.Count < 2 {
					t.Errorf("fault: %+v", f)
				}
				calls := r.endpoint.calls
				for i := range calls[1:] {
					if wait := calls[i+1] - calls[i] - r.endpoint.takes; wait < test.least || wait > test.most {
						t.Errorf("wait %d was %v, want %v to %v", i, wait, test.least, test.most)
					}
				}
				r.endpoint.refuse(nil)
				r.pass(test.most + time.Second)
				r.wantState(Live)
				r.wantFault("")
			})
		})
	}
}

func TestCameraDoesNotOpen(t *testing.T) {
	inBubble(t, true, func(r *rig) { r.camera.breaks(hintedError{errTest}, nil) }, func(r *rig) {
		r.pass(36 * time.Second)
		r.wantState(Fault)
		if f := r.wantFault("camera"); f.Hint != "mend it" || f.Count != 9 {
			t.Errorf("fault: %+v, want a hint and a count of 9", f)
		}
		want := []time.Duration{0, 200, 600, 1400, 3000, 6200, 12600, 22600, 32600}
		for i, at := range r.camera.opens() {
			if at != want[i]*time.Millisecond {
				t.Errorf("tried at %v, want %v", r.camera.opens(), want)
				break
			}
		}
		if n := r.microphone.running.Load(); n != 0 {
			t.Error("the microphone runs in a fault")
		}
		if s := r.Status(); s.Uplink.State != "off" {
			t.Errorf("uplink is %s, want off", s.Uplink.State)
		}
		r.camera.breaks(nil, nil)
		r.pass(11 * time.Second)
		r.wantState(Live)
		r.pass(steady + time.Second)
		r.wantFault("")
	})
}

func TestCameraFailsWhileLive(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		r.pass(time.Minute)
		p, _ := r.endpoint.last()
		r.camera.breaks(nil, errTest)
		r.pass(30 * time.Second)
		r.wantState(Live)
		r.wantFault("camera")
		if n := len(r.camera.opens()); n < 5 || n > 8 {
			t.Errorf("camera was opened %d times in 30 s", n)
		}
		if n := len(p.sounds()); n < 80*50 {
			t.Errorf("%d sounds: the sound has stopped with the picture", n)
		}
		p.pictures()
		r.camera.breaks(nil, nil)
		r.pass(11 * time.Second)
		if pictures := p.pictures(); !comesBack(pictures) {
			t.Error("the picture does not come back with a key frame")
		}
		r.pass(steady)
		r.wantFault("")
		if n := len(r.endpoint.all()); n != 1 {
			t.Errorf("%d connections: the connection should have stood", n)
		}
	})
}

// A camera that gives a picture now and then and fails again is not well.
func TestCameraThatFlaps(t *testing.T) {
	inBubble(t, true, func(r *rig) { r.flapping(10) }, func(r *rig) {
		for range 600 {
			r.pass(100 * time.Millisecond)
			if r.Status().State == string(Live) && r.camera.opened.Load() > 1 {
				r.wantFault("camera")
			}
		}
		if n := r.camera.opened.Load(); n > 12 {
			t.Errorf("opened %d times in a minute: the waits do not grow", n)
		}
	})
}

func TestBrokenPictures(t *testing.T) {
	var broken atomic.Bool
	inBubble(t, true, func(r *rig) {
		r.converting(func(f capture.Frame) (capture.Frame, error) {
			if broken.Load() {
				return f, fmt.Errorf("picture %d: %w", f.Sequence, errTest)
			}
			return f, nil
		})
	}, func(r *rig) {
		r.pass(time.Minute)
		broken.Store(true)
		r.pass(brokenTime / 2)
		broken.Store(false)
		r.pass(time.Second)
		r.wantFault("") // they are counted only
		if n := r.Status().Video.Dropped["capture"]; n < 10 || n > 13 {
			t.Errorf("%d pictures dropped", n)
		}
		broken.Store(true)
		r.pass(10 * time.Second)
		if f := r.wantFault("camera"); f.Count > 5 {
			t.Errorf("fault: %+v: one for a second, not for each picture", f)
		}
		broken.Store(false)
		r.pass(10*time.Second + steady)
		r.wantFault("")
	})
}

func TestEncoderFails(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		r.pass(10 * time.Second)
		broken := error(hintedError{errTest})
		r.endpoint.encoder.Load().fails.Store(&broken)
		r.pass(100 * time.Millisecond)
		if f := r.wantFault("encoder"); f.Hint != "mend it" {
			t.Errorf("fault: %+v", f)
		}
		r.pass(time.Second + steady) // it was made anew
		r.wantFault("")
		r.wantState(Live)
	})
}

func TestNoMicrophone(t *testing.T) {
	inBubble(t, true, func(r *rig) { r.microphone.breaks(errTest, nil) }, func(r *rig) {
		r.pass(20 * time.Second)
		r.wantState(Live)
		r.wantFault("microphone")
		p, _ := r.endpoint.last()
		if n := len(p.pictures()); n < 400 {
			t.Errorf("%d pictures in 20 s without sound", n)
		}
		r.microphone.breaks(nil, nil)
		r.pass(10*time.Second + steady)
		r.wantFault("")
		if len(p.sounds()) == 0 {
			t.Error("the sound has not come")
		}
	})
}

func TestEndOfFile(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		r.pass(time.Second)
		r.camera.breaks(nil, io.EOF)
		r.pass(time.Minute)
		r.wantState(Live) // there is sound left
		if n := r.camera.opened.Load(); n != 1 {
			t.Errorf("a file that has ended was opened %d times", n)
		}
		r.microphone.breaks(nil, io.EOF)
		r.pass(time.Second)
		r.wantState(Ready)
		r.wantFault("")
	})
}

func TestViewersAndLimits(t *testing.T) {
	limits := func(r *rig) {
		r.cfg.Limits = testLimits
		r.camera.interval, r.microphone.interval = time.Second, time.Second // hours of it
	}
	t.Run("nobody watches", func(t *testing.T) {
		inBubble(t, true, limits, func(r *rig) {
			r.pass(9 * time.Minute)
			r.wantState(Live)
			s := r.Status()
			if s.Viewers == nil || *s.Viewers != 0 || len(s.Warnings) != 1 || s.Warnings[0] != "live ends in 1m0s: nobody was watching" {
				t.Errorf("viewers %v, warnings %q", s.Viewers, s.Warnings)
			}
			r.endpoint.viewers.Store(1)
			r.pass(viewersEvery)
			if s := r.Status(); len(s.Warnings) != 0 || *s.Viewers != 1 {
				t.Errorf("somebody came: viewers %v, warnings %q", *s.Viewers, s.Warnings)
			}
			r.endpoint.viewers.Store(0)
			r.pass(testLimits.NoViewer + viewersEvery)
			r.wantState(Ready)
			if r.Status().Viewers != nil {
				t.Error("viewers are shown without a connection")
			}
		})
	})
	t.Run("too long", func(t *testing.T) {
		inBubble(t, true, limits, func(r *rig) {
			r.endpoint.viewers.Store(3)
			r.pass(testLimits.MaxLive - time.Second)
			r.wantState(Live)
			r.pass(time.Second)
			r.wantState(Ready)
		})
	})
	t.Run("the endpoint does not tell", func(t *testing.T) {
		inBubble(t, true, limits, func(r *rig) {
			r.endpoint.viewers.Store(-1)
			r.pass(time.Hour)
			r.wantState(Live)
		})
	})
}

func TestEstimatesMoveTheRate(t *testing.T) {
	inBubble(t, true, nil, func(r *rig) {
		r.pass(time.Second)
		_, offer := r.endpoint.last()
		offer.Estimate(rtc.Estimate{Available: 700_000})
		r.pass(2 * frameTime)
		if got := r.endpoint.encoder.Load().rate.Load(); got != 700_000 || r.Status().Uplink.TargetBPS != got {
			t.Errorf("the encoder is asked for %d, status shows %d, want 700000", got, r.Status().Uplink.TargetBPS)
		}
		if phase, rate := r.Rate(); phase != Live || rate != 700_000 {
			t.Errorf("%s at %d", phase, rate)
		}
		r.press(control.Off)
		r.pass(time.Second)
		if phase, rate := r.Rate(); phase != Ready || rate != 0 {
			t.Errorf("after the end %s at %d", phase, rate)
		}
		offer.Estimate(rtc.Estimate{Available: 1}) // of a call that is over
		r.press(control.On)
		r.pass(time.Second)
		if got := r.endpoint.encoder.Load().rate.Load(); got != 2_500_000 {
			t.Errorf("the next conversation begins at %d", got)
		}
	})
}

func TestNetworkChanges(t *testing.T) {
	var changes chan struct{}
	inBubble(t, true, func(r *rig) {
		changes = make(chan struct{})
		r.cfg.Network = func(ctx context.Context, changed func()) error {
			for {
				select {
				case <-changes:
					changed()
				case <-ctx.Done():
					return nil
				}
			}
		}
	}, func(r *rig) {
		r.pass(time.Second)
		changes <- struct{}{}
		r.pass(0)
		if p, _ := r.endpoint.last(); p.changes.Load() != 1 {
			t.Errorf("the connection was told %d times", p.changes.Load())
		}
		r.press(control.Off)
		r.pass(time.Second)
		changes <- struct{}{} // nobody to tell
	})
}

// A call that is answered after the conversation has ended is hung up, even when
// the next conversation is wished for already.
func TestConnectedTooLate(t *testing.T) {
	inBubble(t, true, func(r *rig) {
		r.deaf()
		r.endpoint.takes = 5 * time.Second
	}, func(r *rig) {
		r.pass(time.Second)
		r.press(control.Off)
		if state := r.press(control.On); state != string(Stopping) {
			t.Errorf("live on while stopping: %s", state)
		}
		r.pass(5 * time.Second)
		list := r.endpoint.all()
		if len(list) != 1 || !list[0].closed.Load() || len(list[0].pictures()) != 0 {
			t.Errorf("a late connection is used, or left open: %+v", list)
		}
		r.wantState(Connecting)
		r.pass(5 * time.Second)
		r.wantState(Live)
	})
}

// What the daemon is doing when it is told to stop, it ends.
func TestShutdown(t *testing.T) {
	always := func(*rig) {}
	tests := map[string]struct {
		change, then func(*rig)
		want         Phase
	}{
		"live":             {nil, always, Live},
		"paused":           {nil, func(r *rig) { r.press(control.Pause) }, Paused},
		"camera fault":     {func(r *rig) { r.camera.breaks(errTest, nil) }, always, Fault},
		"endpoint refuses": {func(r *rig) { r.endpoint.refuse(errTest) }, always, Connecting},
		"endpoint is slow": {func(r *rig) { r.endpoint.takes = time.Hour }, always, Connecting},
		"camera is slow":   {func(r *rig) { r.camera.takes = 20 * time.Second }, always, Connecting},
		"farewell is slow": {func(r *rig) { r.endpoint.farewell = 2 * time.Second }, func(r *rig) { r.press(control.Off) }, Stopping},
		"wish while it is": {func(r *rig) { r.endpoint.farewell = 2 * time.Second }, func(r *rig) { r.press(control.Off); r.press(control.On) }, Stopping},
		"off":              {nil, func(r *rig) { r.press(control.Off); r.pass(time.Second) }, Ready},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, true, test.change, func(r *rig) {
				r.pass(10 * time.Second)
				test.then(r)
				r.wantState(test.want)
			})
		})
	}
}

func TestStatusIsFreeOfRaces(t *testing.T) {
	inBubble(t, false, nil, func(r *rig) {
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					r.Status()
				}
			}
		}()
		for i := range 50 {
			r.press([]control.Action{control.On, control.Pause, control.On, control.Off}[i%4])
			r.pass(time.Duration(i%7) * 50 * time.Millisecond)
		}
		close(stop)
		<-done
	})
}
