package session

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// outside is tapped with pictures that may be taken without a conversation.
func outside(t *testing.T, change func(*rig), test func(*rig, *tape)) {
	t.Helper()
	tapped(t, false, func(r *rig) {
		r.cfg.Outside = true
		if change != nil {
			change(r)
		}
	}, func(r *rig, p *tape) {
		synctest.Wait() // it runs
		test(r, p)
	})
}

// keep asks for pictures, which must come; keepSound for sound with them.
func (r *rig) keep() Claim      { r.t.Helper(); return r.keeps(false) }
func (r *rig) keepSound() Claim { r.t.Helper(); return r.keeps(true) }

func (r *rig) keeps(sound bool) Claim {
	r.t.Helper()
	c, err := r.Keep(r.t.Context(), sound)
	if err != nil {
		r.t.Fatalf("keep: %v", err)
	}
	synctest.Wait()
	return c
}

// refuses checks why pictures are refused, and that nothing runs for them.
func (r *rig) refuses(why string) {
	r.t.Helper()
	if _, err := r.Keep(r.t.Context(), false); err == nil || !strings.Contains(err.Error(), why) {
		r.t.Errorf("keep: %v, want %q", err, why)
	}
	synctest.Wait()
}

func (r *rig) wantRunning(camera, microphone int32) {
	r.t.Helper()
	if c, m := r.camera.running.Load(), r.microphone.running.Load(); c != camera || m != microphone {
		r.t.Errorf("%d cameras and %d microphones run, want %d and %d", c, m, camera, microphone)
	}
}

// Without a conversation the camera runs as long as somebody needs pictures, and
// nobody is called.
func TestKeep(t *testing.T) {
	outside(t, nil, func(r *rig, p *tape) {
		r.pass(time.Second)
		claim := r.keep()
		if !claim.Alone {
			t.Error("it looks like a conversation")
		}
		p.wantOrder("begin")
		r.pass(10 * time.Second)
		r.wantState(Ready)
		r.wantRunning(1, 0)
		if s := r.Status(); s.Video.Encoded < 248 || s.Video.Sent > 0 || s.Video.Dropped["send"] > 0 {
			t.Errorf("pictures: %+v", s.Video)
		}
		if s := r.Status(); s.Camera != "fake camera" || s.Microphone != "" || s.Uplink.State != "off" || !s.LiveSince.IsZero() || len(s.Errors) > 0 {
			t.Errorf("status: %+v", s)
		}
		frames, video, audio := p.taken()
		if len(frames) < 248 || len(video) < 248 || len(audio) > 0 {
			t.Errorf("%d frames, %d access units, %d sounds in 10 s", len(frames), len(video), len(audio))
		}
		claim.Release()
		claim.Release()
		synctest.Wait()
		r.wantRunning(0, 0)
		r.wantState(Ready)
		p.wantOrder("begin end")
		if s := r.Status(); s.Camera != "" {
			t.Errorf("status: %+v", s)
		}
		r.keep().Release()
		synctest.Wait()
		r.wantRunning(0, 0)
		if n := len(r.endpoint.all()); n > 0 {
			t.Errorf("the endpoint was called %d times", n)
		}
	})
}

// The last of several who need pictures closes the camera.
func TestKeepTogether(t *testing.T) {
	outside(t, nil, func(r *rig, p *tape) {
		one, two := r.keep(), r.keep()
		one.Release()
		synctest.Wait()
		r.wantRunning(1, 0)
		two.Release()
		three := r.keep() // while it is closed
		r.wantRunning(1, 0)
		p.wantOrder("begin end begin")
		three.Release()
		synctest.Wait()
		r.wantRunning(0, 0)
		if n := r.camera.opened.Load(); n != 2 {
			t.Errorf("the camera was opened %d times", n)
		}
	})
}

// Who needs sound has it outside of conversations, too; who needs pictures only has
// no microphone opened.
func TestKeepWithSound(t *testing.T) {
	outside(t, nil, func(r *rig, p *tape) {
		sound := r.keepSound()
		r.wantRunning(1, 1)
		r.pass(10 * time.Second)
		p.wantFor(10 * time.Second)
		sound.Release()
		synctest.Wait()
		pictures := r.keep()
		r.wantRunning(1, 0)
		r.pass(time.Second)
		p.taken()
		sound = r.keepSound()
		r.wantRunning(1, 1)
		r.pass(10 * time.Second)
		p.wantFor(10 * time.Second)
		pictures.Release()
		sound.Release()
		synctest.Wait()
		r.wantRunning(0, 0)
		if n := r.camera.opened.Load(); n != 2 {
			t.Errorf("the camera was opened %d times", n)
		}
	})
}

// A conversation goes on with the camera that runs, with sound, and is a recording
// of its own from when it is live; its end closes all.
func TestKeepThenLive(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"devices": func(*rig) {},
		"files":   (*rig).files,
		"late":    (*rig).late,
	} {
		for what, keep := range map[string]func(*rig) Claim{"pictures": (*rig).keep, "sound": (*rig).keepSound} {
			t.Run(name+", "+what, func(t *testing.T) {
				outside(t, change, func(r *rig, p *tape) {
					claim := keep(r)
					r.pass(time.Second)
					if state := r.press(control.On); state != string(Connecting) {
						t.Errorf("on: %s", state)
					}
					p.wantOrder("begin end")
					p.taken()
					r.refuses("not live yet")
					r.pass(r.endpoint.takes + time.Second)
					r.wantState(Live)
					r.wantRunning(1, 1)
					p.wantOrder("begin end begin")
					p.wantFor(time.Second)
					conn, _ := r.endpoint.last()
					if pictures := conn.pictures(); len(pictures) < 20 || !pictures[0].key || pictures[0].pts < conn.at || len(conn.sounds()) < 90 {
						t.Errorf("the conversation begins with %d pictures", len(pictures))
					}
					if r.camera.opened.Load() != 1 {
						t.Error("the camera was opened again")
					}
					claim.Release()
					r.pass(time.Second)
					r.wantState(Live)
					if c := r.keep(); c.Alone {
						t.Error("a conversation looks like none")
					}
					r.press(control.Off)
					r.pass(time.Second)
					r.wantState(Ready)
					r.wantRunning(0, 0)
				})
			})
		}
	}
}

// A conversation may begin while the sources are being opened, and while they are
// being closed.
func TestKeepAndLiveAtOnce(t *testing.T) {
	outside(t, func(r *rig) { r.camera.takes = time.Second }, func(r *rig, p *tape) {
		asked := make(chan error, 1)
		go func() {
			_, err := r.Keep(r.t.Context(), false)
			asked <- err
		}()
		r.pass(time.Second / 2)
		r.press(control.On)
		if err := <-asked; !errors.As(err, &errNotLive{}) {
			t.Errorf("keep: %v", err)
		}
		r.pass(time.Second)
		r.wantState(Live)
		r.wantRunning(1, 1)
		if r.camera.opened.Load() != 1 {
			t.Error("the camera was opened twice")
		}
		r.press(control.Off)
		claim := r.keep() // while the conversation is being ended
		r.wantState(Ready)
		r.wantRunning(1, 0)
		claim.Release()
		if state := r.press(control.On); state != string(Stopping) {
			t.Errorf("on: %s", state)
		}
		r.pass(2 * time.Second)
		r.wantState(Live)
		p.wantOrder("begin end begin end begin")
	})
}

// Who asks for pictures that do not come is told why, and in time; nothing stays
// open.
func TestKeepRefused(t *testing.T) {
	charge := func(r *rig, level hardware.BatteryLevel) {
		r.Charged(r.t.Context(), level)
		synctest.Wait()
	}
	tests := map[string]struct {
		why     string
		prepare func(*rig)
		takes   time.Duration
		known   bool // before it is tried
	}{
		"not allowed":  {"none is live", func(r *rig) { r.Session.cfg.Outside = false }, 0, true},
		"no camera":    {"unplugged", func(r *rig) { r.camera.breaks(errGone, nil) }, 0, false},
		"slow camera":  {"did not open within 5s", func(r *rig) { r.camera.takes = 20 * time.Second }, openTime, false},
		"battery":      {"nearly empty", func(r *rig) { charge(r, hardware.BatteryEmpty) }, 0, true},
		"paused":       {"paused", func(r *rig) { r.press(control.On); r.pass(time.Second); r.press(control.Pause) }, 0, true},
		"connecting":   {"not live yet", func(r *rig) { r.endpoint.refuse(errTest); r.press(control.On); r.pass(time.Second) }, 0, true},
		"daemon stops": {"the daemon stops", func(r *rig) { r.cancel(); <-r.done }, 0, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			outside(t, nil, func(r *rig, p *tape) {
				test.prepare(r)
				if err := r.Recordable(); (err != nil) != test.known {
					t.Errorf("recordable: %v", err)
				}
				opened, asked := r.camera.opened.Load(), monotonic.Now()
				r.refuses(test.why)
				if took := monotonic.Now() - asked; took != test.takes {
					t.Errorf("it took %v", took)
				}
				if test.known && r.camera.opened.Load() != opened {
					t.Error("the camera was opened for nothing")
				}
				r.pass(20 * time.Second)
				if len(p.order) > 0 && name != "paused" {
					t.Errorf("%q", p.order)
				}
				if name != "paused" && name != "connecting" {
					r.wantRunning(0, 0)
					r.wantFault("")
				}
			})
		})
	}
}

// What ends pictures without a conversation, and what does not.
func TestKeepEnds(t *testing.T) {
	tests := map[string]struct {
		happens func(*rig)
		goesOn  bool
	}{
		"live off":    {func(r *rig) { r.press(control.Off) }, true},
		"too long":    {func(r *rig) { r.pass(2 * time.Hour) }, true},
		"low battery": {func(r *rig) { r.Charged(r.t.Context(), hardware.BatteryLow) }, true},
		"heat":        {func(r *rig) { r.Heated(r.t.Context(), hardware.HeatVeryHot) }, true},
		"battery":     {func(r *rig) { r.Charged(r.t.Context(), hardware.BatteryEmpty) }, false},
		"shutdown":    {func(r *rig) { r.cancel() }, false},
		"end of file": {func(r *rig) { r.camera.ends.Store(true) }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			outside(t, func(r *rig) {
				r.cfg.OpenAudio = nil
				r.cfg.Limits.MaxLive = time.Hour
			}, func(r *rig, p *tape) {
				claim := r.keep()
				r.pass(time.Second)
				test.happens(r)
				r.pass(time.Second)
				if test.goesOn {
					p.wantOrder("begin")
					r.wantRunning(1, 0)
				} else {
					p.wantOrder("begin end")
					r.wantRunning(0, 0)
				}
				claim.Release()
				synctest.Wait()
				r.wantRunning(0, 0)
			})
		})
	}
}

// A camera that is pulled meanwhile is opened again, as in a conversation.
func TestKeepOfACameraThatFails(t *testing.T) {
	outside(t, (*rig).plugging, func(r *rig, p *tape) {
		claim := r.keep()
		r.pass(time.Second)
		r.camera.unplug()
		r.pass(time.Second)
		r.wantFault("camera")
		p.taken()
		r.plug(r.camera)
		r.pass(10 * time.Second)
		if frames, video, _ := p.taken(); len(frames) < 240 || !video[0].key {
			t.Errorf("%d frames after it came back", len(frames))
		}
		claim.Release()
		synctest.Wait()
		r.wantFault("")
	})
}

// TestKeepRaces lets several ask and go while conversations begin, pause and end:
// at the end nothing runs, and who has a claim without a conversation has pictures.
func TestKeepRaces(t *testing.T) {
	outside(t, func(r *rig) { r.camera.takes = 10 * time.Millisecond }, func(r *rig, _ *tape) {
		ctx, cancel := context.WithCancel(r.t.Context())
		done := make(chan int)
		for i := range 4 {
			go func() {
				had := 0
				for ctx.Err() == nil {
					if c, err := r.Keep(ctx, i%2 == 0); err == nil {
						had++
						time.Sleep(time.Duration(3+7*i) * time.Millisecond)
						c.Release()
					}
					time.Sleep(time.Duration(1+5*i) * time.Millisecond)
				}
				done <- had
			}()
		}
		for i := range 300 {
			r.press([]control.Action{control.On, control.Off, control.On, control.Pause, control.Off}[i%5])
			time.Sleep(time.Duration(i%37) * 11 * time.Millisecond)
		}
		cancel()
		for range 4 {
			if <-done == 0 {
				t.Error("somebody never got pictures")
			}
		}
		r.press(control.Off)
		r.pass(10 * time.Second)
		r.wantState(Ready)
		r.wantRunning(0, 0)
	})
}
