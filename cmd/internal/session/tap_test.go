package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// tape is a Tap that keeps what it is shown, and breaks the test where that comes
// at the wrong time.
type tape struct {
	t *testing.T

	mu     sync.Mutex
	open   bool
	fresh  bool     // no access unit yet
	order  []string // of Begin and End, with when
	frames []written
	video  []written
	audio  []written
}

func (p *tape) Begin() { p.turn(true) }
func (p *tape) End()   { p.turn(false) }

func (p *tape) turn(open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == open {
		p.t.Errorf("open is %v, and becomes so again", open)
	}
	p.open, p.fresh = open, open
	p.order = append(p.order, map[bool]string{true: "begin", false: "end"}[open])
}

func (p *tape) Frame(f *capture.Frame) {
	p.keep(&p.frames, written{f.Planes[0].Data[0], false, f.PTS, monotonic.Now()})
}

func (p *tape) Video(au encoder.AccessUnit) {
	p.keep(&p.video, written{au.Data[0], au.Key, au.PTS, monotonic.Now()})
}

func (p *tape) Audio(a encoder.Packet) {
	p.keep(&p.audio, written{a.Data[0], false, a.PTS, monotonic.Now()})
}

func (p *tape) keep(list *[]written, w written) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.open:
		p.t.Errorf("shown outside of Begin and End: %+v", w)
	case w.what != 'c':
		p.t.Errorf("shown, and not captured: %+v", w)
	case list == &p.video && p.fresh && !w.key:
		p.t.Errorf("it begins without a key frame: %+v", w)
	}
	if list == &p.video {
		p.fresh = false
	}
	*list = append(*list, w)
}

// taken returns what was shown since it was asked last.
func (p *tape) taken() (frames, video, audio []written) {
	p.mu.Lock()
	defer p.mu.Unlock()
	frames, video, audio = p.frames, p.video, p.audio
	p.frames, p.video, p.audio = nil, nil, nil
	return frames, video, audio
}

// wantOrder checks when it was begun and ended.
func (p *tape) wantOrder(want string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := strings.Join(p.order, " "); got != want {
		p.t.Errorf("%q, want %q", got, want)
	}
}

// wantFor checks that as much was shown as is captured in that time.
func (p *tape) wantFor(d time.Duration) (video []written) {
	p.t.Helper()
	frames, video, audio := p.taken()
	for _, c := range []struct {
		list []written
		each time.Duration
	}{{frames, frameTime}, {video, frameTime}, {audio, capture.ChunkTime}} {
		if n, want := len(c.list), int(d/c.each); n < want-2 || n > want+2 {
			p.t.Errorf("%d of what comes every %v in %v: want %d", n, c.each, d, want)
		}
	}
	return video
}

// tapped is inBubble with a Tap.
func tapped(t *testing.T, live bool, change func(*rig), test func(*rig, *tape)) {
	t.Helper()
	var p *tape
	inBubble(t, live, func(r *rig) {
		p = &tape{t: r.t}
		r.cfg.Tap, r.cfg.KeyFrameEvery = p, 2*time.Second
		if change != nil {
			change(r)
		}
	}, func(r *rig) { test(r, p) })
}

// A whole conversation: it is recorded from when it is live, but for its pause; an
// outage changes nothing.
func TestTap(t *testing.T) {
	tapped(t, false, nil, func(r *rig, p *tape) {
		r.pass(time.Second)
		r.press(control.On)
		r.pass(r.endpoint.takes / 2) // the camera runs, there is no connection yet
		p.wantOrder("")
		r.pass(r.endpoint.takes/2 + 10*time.Second)
		p.wantOrder("begin")
		p.wantFor(10 * time.Second)

		r.press(control.Pause)
		p.wantOrder("begin end")
		p.taken()
		r.pass(10 * time.Second)
		p.wantFor(0)
		r.press(control.On)
		p.wantOrder("begin end begin")
		r.pass(10 * time.Second)
		p.wantFor(10 * time.Second)

		r.endpoint.refuse(errTest)
		old, _ := r.endpoint.last()
		old.lose()
		r.pass(20 * time.Second)
		r.wantState(Connecting)
		p.wantFor(20 * time.Second)
		r.endpoint.refuse(nil)
		r.pass(20 * time.Second)
		r.wantState(Live)
		p.wantFor(20 * time.Second)
		p.wantOrder("begin end begin")

		r.press(control.Off)
		p.wantOrder("begin end begin end")
		r.pass(10 * time.Second)
		r.wantState(Ready)
		p.wantFor(0)
		r.press(control.On)
		r.pass(time.Second)
		p.wantOrder("begin end begin end begin")
	})
}

// However a conversation ends, its recording does.
func TestTapEnds(t *testing.T) {
	ends := map[string]func(*rig){
		"shutdown":    func(r *rig) { r.cancel() },
		"battery":     func(r *rig) { r.Charged(r.t.Context(), hardware.BatteryEmpty) },
		"too long":    func(r *rig) { r.pass(time.Minute) },
		"end of file": func(r *rig) { r.camera.ends.Store(true); r.microphone.ends.Store(true) },
	}
	for name, end := range ends {
		for _, outage := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in an outage: %v", name, outage), func(t *testing.T) {
				tapped(t, true, func(r *rig) { r.files(); r.cfg.Limits.MaxLive = time.Minute }, func(r *rig, p *tape) {
					r.pass(10 * time.Second)
					if outage {
						r.endpoint.refuse(errTest)
						old, _ := r.endpoint.last()
						old.lose()
					}
					r.pass(10 * time.Second)
					p.wantOrder("begin")
					end(r)
					r.pass(time.Second)
					p.wantOrder("begin end")
				})
			})
		}
	}
}

// Where the conversation is paused before it is live, or while it is interrupted,
// nothing of the pause is recorded; what follows is.
func TestTapOfOddPauses(t *testing.T) {
	for name, change := range map[string]func(*rig){"devices": func(*rig) {}, "files": (*rig).files} {
		t.Run(name, func(t *testing.T) { oddPauses(t, change) })
	}
}

func oddPauses(t *testing.T, change func(*rig)) {
	tapped(t, true, func(r *rig) { change(r); r.endpoint.takes = 10 * time.Second }, func(r *rig, p *tape) {
		r.pass(time.Second)
		r.press(control.Pause)
		r.pass(20 * time.Second)
		r.wantState(Paused)
		p.wantOrder("")
		r.press(control.On)
		p.wantOrder("begin")
		r.pass(10 * time.Second)
		r.endpoint.refuse(errTest)
		old, _ := r.endpoint.last()
		old.lose()
		r.pass(10 * time.Second)
		p.taken()
		r.press(control.Pause)
		p.wantOrder("begin end")
		r.pass(10 * time.Second)
		p.wantFor(0)
		r.press(control.On)
		r.pass(10 * time.Second)
		r.wantState(Connecting)
		p.wantOrder("begin end begin")
		p.wantFor(10 * time.Second)
	})
}

// An advisor who goes on before the connection is there was never live: nothing is
// recorded until then.
func TestTapBeforeLive(t *testing.T) {
	tapped(t, true, func(r *rig) { r.endpoint.takes = 10 * time.Second }, func(r *rig, p *tape) {
		r.pass(time.Second)
		r.press(control.Pause)
		r.pass(time.Second)
		r.press(control.On)
		r.pass(5 * time.Second)
		p.wantOrder("")
		r.pass(13 * time.Second)
		r.wantState(Live)
		p.wantOrder("begin")
	})
}

// While the connection is lost frames are encoded for the recording, and counted as
// not sent; without a Tap nothing is captured. The new connection begins with a key
// frame that is newer than it.
func TestTapInAnOutage(t *testing.T) {
	for name, tap := range map[string]bool{"tap": true, "no tap": false} {
		t.Run(name, func(t *testing.T) {
			tapped(t, true, func(r *rig) {
				r.late()
				if !tap {
					r.cfg.Tap = nil
				}
			}, func(r *rig, p *tape) {
				r.pass(10 * time.Second)
				r.endpoint.refuse(errTest)
				old, _ := r.endpoint.last()
				old.lose()
				r.pass(time.Second)
				before := r.Status().Video
				r.pass(10 * time.Second)
				after := r.Status().Video
				want := uint64(0)
				if tap {
					want = uint64(10 * time.Second / frameTime)
				}
				for what, n := range map[string]uint64{
					"captured": after.Captured - before.Captured,
					"encoded":  after.Encoded - before.Encoded,
					"not sent": after.Dropped["send"] - before.Dropped["send"],
				} {
					if n != want {
						t.Errorf("%s: %d, want %d", what, n, want)
					}
				}
				if after.Sent != before.Sent || after.Dropped["capture"] != before.Dropped["capture"] {
					t.Errorf("%+v after %+v", after, before)
				}
				r.endpoint.refuse(nil)
				r.pass(20 * time.Second)
				conn, _ := r.endpoint.last()
				if pictures := conn.pictures(); len(pictures) == 0 || !pictures[0].key || pictures[0].pts < conn.at {
					t.Errorf("the new connection at %v begins with %+v", conn.at, pictures[:min(1, len(pictures))])
				}
				if _, video, _ := p.taken(); tap {
					r.inOrder(video, false)
					wantSteady(t, video)
				}
			})
		})
	}
}

// wantSteady checks that no picture is missing.
func wantSteady(t *testing.T, video []written) {
	t.Helper()
	for i := 1; i < len(video); i++ {
		if gap := video[i].pts - video[i-1].pts; gap != frameTime {
			t.Errorf("%v between two pictures at %v", gap, video[i].pts)
		}
	}
}

// A camera that is away leaves a gap: neither its notice nor the silence of a
// microphone is shown, and the recording goes on with a key frame.
func TestTapOfAFailedDevice(t *testing.T) {
	tapped(t, true, (*rig).plugging, func(r *rig, p *tape) {
		r.pass(10 * time.Second)
		r.camera.unplug()
		r.microphone.unplug()
		r.pass(time.Second)
		p.taken()
		r.pass(10 * time.Second)
		p.wantFor(0)
		r.plug(r.camera)
		r.plug(r.microphone)
		r.pass(10 * time.Second)
		if video := p.wantFor(10 * time.Second); len(video) == 0 || !video[0].key {
			t.Errorf("it goes on with %+v", video[:min(1, len(video))])
		}
		p.wantOrder("begin")
	})
}

// lagging makes a source of pictures that are old when they come.
func (r *rig) lagging() {
	open := r.cfg.OpenVideo
	r.cfg.OpenVideo = func(ctx context.Context) (Video, error) {
		v, err := open(ctx)
		v.Source = lag{v.Source}
		return v, err
	}
}

type lag struct{ VideoSource }

func (l lag) Next(ctx context.Context) (capture.Frame, error) {
	f, err := l.VideoSource.Next(ctx)
	f.PTS -= 5 * frameTime
	return f, err
}

// Of files, which go on after a pause with what they read in it, and whose encoder
// lives through it, nothing from before its end is shown afterwards.
func TestTapOfWhatComesLate(t *testing.T) {
	tapped(t, true, func(r *rig) { r.files(); r.lagging(); r.late() }, func(r *rig, p *tape) {
		for range 5 {
			r.pass(10*time.Second + frameTime/2)
			r.press(control.Pause)
			p.taken()
			r.pass(3 * time.Second)
			resumed := monotonic.Now()
			r.press(control.On)
			r.pass(time.Second)
			frames, video, audio := p.taken()
			for _, list := range [][]written{frames, video, audio} {
				if len(list) == 0 || list[0].pts < resumed {
					t.Errorf("resumed at %v: %+v", resumed, list[:min(1, len(list))])
				}
			}
		}
	})
}

// A picture that the heat leaves out is shown: a photo may be made of it.
func TestTapWhileHot(t *testing.T) {
	tapped(t, true, nil, func(r *rig, p *tape) {
		r.pass(10 * time.Second)
		r.Heated(r.t.Context(), hardware.HeatVeryHot)
		r.pass(time.Second)
		p.taken()
		r.pass(10 * time.Second)
		frames, video, _ := p.taken()
		if all := int(10 * time.Second / frameTime); len(frames) != all || len(video) > all/2+1 || len(video) < all/2-1 {
			t.Errorf("%d frames and %d access units", len(frames), len(video))
		}
	})
}

// TestTapRaces presses against sources and encoders that run as fast as they can,
// on the real clock: nothing captured in a pause is shown, and nothing outside of
// Begin and End.
func TestTapRaces(t *testing.T) {
	for name, devices := range map[string]bool{"devices": true, "files": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.endpoint.takes = 0
			r.race()
			if !devices {
				r.files()
			}
			p := &tape{t: t}
			r.cfg.Tap = p
			r.run(true)
			defer r.stop()
			r.reach(Live)
			var pauses []interval
			for i := range 30 {
				r.nextPicture('c')
				r.press(control.Pause)
				pause := interval{from: monotonic.Now()}
				if i%3 != 0 { // else both presses at once
					r.nextPicture(black16)
				}
				pause.to = monotonic.Now()
				r.press(control.On)
				pauses = append(pauses, pause)
			}
			r.nextPicture('c')
			r.nextSound() // which may not be shown yet
			r.nextSound()
			frames, video, audio := p.taken()
			for _, list := range [][]written{frames, video, audio} {
				if len(list) == 0 {
					t.Error("nothing was shown")
				}
				for _, w := range list {
					if slices.ContainsFunc(pauses, func(p interval) bool { return w.pts >= p.from && w.pts < p.to }) {
						t.Errorf("captured at %v, in a pause, and shown", w.pts)
					}
				}
			}
		})
	}
}
