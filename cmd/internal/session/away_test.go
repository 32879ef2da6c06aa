package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/hardware/monotonic"
)

var errGone = errors.New("unplugged by the test")

// backTime is within what a device that has come has to be in use.
const backTime = 200 * time.Millisecond

// unplug takes a device away; who tries to open it finds none.
func (d *device) unplug() { d.breaks(errGone, errGone) }

// cable is what r.cfg.Devices is told.
type cable chan [2]bool

// plugging lets the session hear of devices that come.
func (r *rig) plugging() {
	r.cable = make(cable, 8)
	r.cfg.Devices = func(ctx context.Context, came func(camera, microphone bool)) error {
		for {
			select {
			case c := <-r.cable:
				came(c[0], c[1])
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// plug brings a device, and tells.
func (r *rig) plug(d *device) {
	d.breaks(nil, nil)
	r.cable <- [2]bool{d == r.camera, d == r.microphone}
}

// comesBack says that a captured picture comes, and the first as a key frame.
func comesBack(pictures []written) bool {
	i := slices.IndexFunc(pictures, func(w written) bool { return w.what == 'c' })
	return i >= 0 && pictures[i].key
}

// inOrder checks that times go on, and that each kind begins with a key frame.
func (r *rig) inOrder(list []written, keys bool) {
	r.t.Helper()
	for i, w := range list {
		if i == 0 {
			continue
		}
		if w.pts <= list[i-1].pts {
			r.t.Errorf("%+v comes after %+v", w, list[i-1])
		}
		if keys && w.what != list[i-1].what && !w.key {
			r.t.Errorf("%+v after %+v is no key frame", w, list[i-1])
		}
	}
}

// A camera that vanishes leaves its last picture for a while, then a notice; what
// comes back begins with a key frame, at once.
func TestCameraVanishes(t *testing.T) {
	inBubble(t, true, (*rig).plugging, func(r *rig) {
		r.pass(time.Minute)
		p, offer := r.endpoint.last()
		r.camera.unplug()
		p.pictures()
		p.sounds()
		r.pass(lastTime - frameTime)
		if pictures := p.pictures(); len(pictures) != 0 {
			t.Errorf("instead of the last picture: %+v", pictures)
		}
		r.pass(10*time.Second + frameTime)
		pictures := p.pictures()
		if n := len(pictures); n < 10*stillFPS || n > 10*stillFPS+1 || slices.ContainsFunc(pictures, func(w written) bool { return w.what != 'n' }) {
			t.Errorf("%d pictures in 10 s of a notice: %+v", n, pictures)
		}
		offer.KeyFrame() // a viewer joins
		r.pass(time.Second / stillFPS)
		if again := p.pictures(); len(again) == 0 || !again[0].key || !pictures[0].key {
			t.Errorf("viewers get %+v", again)
		}
		if n := len(p.sounds()); n < 12*50 {
			t.Errorf("%d sounds: the sound has stopped with the picture", n)
		}
		r.wantState(Live)
		if f := r.wantFault("camera"); f.Count < 3 || time.Since(f.Since) < 12*time.Second {
			t.Errorf("fault: %+v", f)
		}
		r.plug(r.camera)
		r.pass(backTime)
		if pictures := p.pictures(); !comesBack(pictures) {
			t.Errorf("after the return: %+v", pictures)
		} else {
			r.inOrder(pictures, true)
		}
		r.pass(steady + frameTime)
		r.wantFault("")
		if n := len(r.endpoint.all()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// While the microphone is away, silence keeps the viewers' clocks going.
func TestMicrophoneVanishes(t *testing.T) {
	inBubble(t, true, (*rig).plugging, func(r *rig) {
		r.pass(time.Minute)
		p, _ := r.endpoint.last()
		p.sounds()
		r.microphone.unplug()
		r.pass(30 * time.Second)
		sounds := p.sounds()
		if n := len(sounds); n < 30*100-2 || n > 30*100+1 || sounds[n-1].what != 0 {
			t.Errorf("%d sounds in 30 s", n)
		}
		r.inOrder(sounds, false)
		r.wantFault("microphone")
		r.plug(r.microphone)
		r.pass(backTime)
		more := p.sounds()
		if n := len(more); n == 0 || more[n-1].what != 'c' {
			t.Errorf("after the return: %+v", more)
		}
		r.inOrder(append(sounds[len(sounds)-1:], more...), false)
		r.pass(steady)
		r.wantFault("")
	})
}

// A device vanishes in one phase, and returns in another.
func TestVanishAndReturn(t *testing.T) {
	phases := []struct {
		name    string
		reach   func(*rig) // from live
		wants   Phase
		then    func(*rig) // back to live
		picture byte       // what viewers see with the camera away; 0: nobody looks
	}{
		{"live", func(*rig) {}, Live, func(*rig) {}, 'n'},
		{"paused", func(r *rig) { r.press(control.Pause) }, Paused, func(r *rig) { r.press(control.On) }, black16},
		{"connecting", func(r *rig) {
			r.endpoint.refuse(errTest)
			p, _ := r.endpoint.last()
			p.lose()
		}, Connecting, func(r *rig) {
			r.endpoint.refuse(nil)
			r.pass(20 * time.Second)
		}, 0},
		{"ready", func(r *rig) { r.press(control.Off) }, Ready, func(r *rig) { r.press(control.On) }, 0},
		{"paused and back", func(r *rig) {
			r.press(control.Pause)
			r.pass(time.Second)
			r.press(control.On)
		}, Live, func(*rig) {}, 'n'},
	}
	for _, phase := range phases {
		for name, of := range map[string]func(*rig) *device{
			"camera": func(r *rig) *device { return r.camera }, "microphone": func(r *rig) *device { return r.microphone },
		} {
			for order, vanish := range map[string]func(r *rig, d *device){
				"before": func(r *rig, d *device) { d.unplug(); phase.reach(r) },
				"in":     func(r *rig, d *device) { phase.reach(r); r.pass(time.Second); d.unplug() },
			} {
				t.Run(fmt.Sprintf("%s vanishes %s %s", name, order, phase.name), func(t *testing.T) {
					inBubble(t, true, (*rig).plugging, func(r *rig) {
						d := of(r)
						r.pass(10 * time.Second)
						vanish(r, d)
						r.pass(10 * time.Second)
						r.wantState(phase.wants)
						if p, _ := r.endpoint.last(); phase.picture != 0 && d == r.camera {
							p.pictures()
							r.pass(time.Second)
							if list := p.pictures(); len(list) == 0 || list[0].what != phase.picture {
								t.Errorf("viewers see %+v, want %d", list, phase.picture)
							}
						}
						r.plug(d)
						r.pass(backTime)
						phase.then(r)
						r.pass(time.Second)
						r.wantState(Live)
						p, _ := r.endpoint.last()
						p.pictures()
						p.sounds()
						r.pass(time.Second)
						pictures, sounds := p.pictures(), p.sounds()
						other := func(w written) bool { return w.what != 'c' }
						if len(pictures) < 20 || slices.ContainsFunc(pictures, other) || len(sounds) < 40 || slices.ContainsFunc(sounds, other) {
							t.Errorf("after the return: %+v, %+v", pictures, sounds)
						}
						r.pass(steady)
						r.wantFault("")
					})
				})
			}
		}
	}
}

// With the camera away, a press in a notice is black at once, and nothing that is
// captured in a pause leaves, whenever the camera returns.
func TestReturnInAPause(t *testing.T) {
	inBubble(t, true, (*rig).plugging, func(r *rig) {
		r.pass(time.Minute)
		p, _ := r.endpoint.last()
		r.camera.unplug()
		r.microphone.unplug()
		r.pass(10 * time.Second)
		p.pictures()
		r.press(control.Pause)
		r.pass(0)
		if list := p.pictures(); len(list) == 0 || list[len(list)-1].what != black16 || !list[len(list)-1].key {
			t.Errorf("at the press: %+v", list)
		}
		p.sounds()
		r.plug(r.camera)
		r.plug(r.microphone)
		r.pass(10 * time.Second)
		if r.camera.running.Load()+r.microphone.running.Load() != 0 {
			t.Error("a device runs in a pause")
		}
		captured := func(w written) bool { return w.what == 'c' }
		if slices.ContainsFunc(p.pictures(), captured) || slices.ContainsFunc(p.sounds(), captured) {
			t.Error("what is captured in a pause leaves")
		}
		resumed := monotonic.Now()
		r.press(control.On)
		r.pass(backTime)
		list := p.pictures()
		if !comesBack(list) || list[0].pts < resumed {
			t.Errorf("after the pause: %+v", list)
		}
	})
}

// Live without a camera waits for one, and takes it when it comes.
func TestNoCameraYet(t *testing.T) {
	inBubble(t, false, func(r *rig) {
		r.plugging()
		r.camera.unplug()
	}, func(r *rig) {
		r.press(control.On)
		r.pass(20 * time.Second)
		r.wantState(Fault)
		r.cable <- [2]bool{false, true} // of another kind
		r.pass(time.Second)
		tries := len(r.camera.opens())
		r.plug(r.camera)
		r.pass(r.endpoint.takes + backTime)
		r.wantState(Live)
		if n := len(r.camera.opens()); n != tries+1 {
			t.Errorf("tried %d times at its coming", n-tries)
		}
	})
}

// A device that is told of while it is being opened is tried again at once: it
// may have come too late for that try.
func TestComesWhileItIsOpened(t *testing.T) {
	inBubble(t, false, func(r *rig) {
		r.plugging()
		r.camera.breaks(errGone, nil)
		r.camera.takes = time.Second
	}, func(r *rig) {
		r.press(control.On)
		r.pass(time.Second / 2)
		r.cable <- [2]bool{true, true}
		r.pass(time.Second/2 + time.Millisecond)
		r.camera.breaks(nil, nil) // before the second try ends
		r.pass(time.Second + r.endpoint.takes)
		r.wantState(Live)
	})
}

// A cable that is loose does not make retries storm, nor a notice flicker.
func TestLooseCable(t *testing.T) {
	inBubble(t, true, (*rig).plugging, func(r *rig) {
		r.pass(10 * time.Second)
		p, _ := r.endpoint.last()
		p.pictures()
		for range 20 {
			r.camera.unplug()
			r.pass(500 * time.Millisecond)
			r.plug(r.camera)
			r.pass(500 * time.Millisecond)
		}
		list := p.pictures()
		if len(list) < 100 || slices.ContainsFunc(list, func(w written) bool { return w.what != 'c' }) {
			t.Errorf("%d pictures: %+v", len(list), list)
		}
		r.inOrder(list, false)
		if n := len(r.camera.opens()); n > 60 {
			t.Errorf("opened %d times in 20 s", n)
		}
		r.pass(steady + time.Second)
		r.wantFault("")
	})
}

// A device that delivers nothing and reports nothing is opened again.
func TestStall(t *testing.T) {
	for _, name := range []string{"camera", "microphone"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, true, nil, func(r *rig) {
				d := map[string]*device{"camera": r.camera, "microphone": r.microphone}[name]
				r.pass(time.Minute)
				d.silent.Store(true)
				r.pass(stallTime + guardEvery + frameTime)
				if f := r.wantFault(name); f.Hint == "" {
					t.Errorf("fault: %+v", f)
				}
				d.silent.Store(false)
				r.pass(time.Second + steady)
				if n := d.opened.Load(); n != 2 {
					t.Errorf("opened %d times", n)
				}
				r.wantFault("")
			})
		})
	}
	t.Run("while it begins", func(t *testing.T) {
		inBubble(t, true, func(r *rig) { r.camera.silent.Store(true) }, func(r *rig) {
			r.pass(firstTime)
			r.wantFault("")
			r.pass(time.Second)
			r.wantFault("camera")
			r.pass(time.Minute)
			if n := r.camera.opened.Load(); n < 4 || n > 10 {
				t.Errorf("opened %d times in a minute", n)
			}
			p, _ := r.endpoint.last()
			if list := p.pictures(); len(list) == 0 || list[0].what != 'n' || !list[0].key {
				t.Errorf("viewers see %+v", list)
			}
		})
	})
	t.Run("of a file", func(t *testing.T) {
		inBubble(t, true, (*rig).files, func(r *rig) {
			r.pass(time.Minute)
			r.camera.silent.Store(true)
			r.pass(time.Minute)
			r.wantFault("")
		})
	})
	t.Run("without a connection", func(t *testing.T) {
		inBubble(t, true, func(r *rig) { r.endpoint.takes = time.Minute }, func(r *rig) {
			r.pass(time.Minute + time.Second)
			r.wantState(Live)
			if n := r.camera.opened.Load(); n != 1 {
				t.Errorf("opened %d times: nothing reads it before there is a connection", n)
			}
		})
	})
}

// The advisor hears that the picture is frozen, notice or not, and that it is not
// any more.
func TestVanishedIsHeard(t *testing.T) {
	var frozen, live atomic.Int32
	inBubble(t, true, func(r *rig) {
		r.plugging()
		r.cfg.Cue = func(c Cue) {
			switch c {
			case CueFrozen:
				frozen.Add(1)
			case CueLive:
				live.Add(1)
			}
		}
	}, func(r *rig) {
		r.pass(time.Minute)
		r.camera.unplug()
		r.pass(30 * time.Second)
		if frozen.Load() != 1 || live.Load() != 1 {
			t.Errorf("heard frozen %d times, live %d times", frozen.Load(), live.Load())
		}
		r.plug(r.camera)
		r.pass(3 * time.Second)
		if frozen.Load() != 1 || live.Load() != 2 {
			t.Errorf("after the return, heard frozen %d times, live %d times", frozen.Load(), live.Load())
		}
	})
}

func TestDevicesCannotBeWatched(t *testing.T) {
	inBubble(t, true, func(r *rig) {
		r.cfg.Devices = func(context.Context, func(_, _ bool)) error { return errTest }
	}, func(r *rig) {
		r.pass(10 * time.Second)
		r.camera.unplug()
		r.pass(10 * time.Second)
		r.camera.breaks(nil, nil)
		r.pass(10*time.Second + steady) // the back-off is left
		r.wantFault("")
	})
}
