package session

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware"
)

// at makes a camera of so many pictures a second, and encoders that are set up by
// change.
func (r *rig) at(fps float64, change func(*videoEncoder)) {
	r.camera.interval = time.Duration(float64(time.Second) / fps)
	open, newEncoder := r.cfg.OpenVideo, r.cfg.NewVideoEncoder
	r.cfg.OpenVideo = func(ctx context.Context) (Video, error) {
		v, err := open(ctx)
		v.Format.FPS = fps
		return v, err
	}
	r.cfg.NewVideoEncoder = func(v Video, rate encoder.BitRate, sink func(encoder.AccessUnit) error) (VideoEncoder, error) {
		e, err := newEncoder(v, rate, sink)
		change(e.(*videoEncoder))
		return e, err
	}
}

// While a conversation is recorded key frames are never further apart than
// KeyFrameEvery, in an outage and while the board is hot, too. An encoder whose own
// are close enough together is forced to none.
func TestTapKeyFrames(t *testing.T) {
	const every = 2 * time.Second
	for _, fps := range []float64{5, 15, 29.97, 60} {
		own := int(every.Seconds()*fps) - 3 // pictures
		encoders := []struct {
			name   string
			setUp  func(*videoEncoder)
			forced bool // key frames, while the pictures come as they should
			hot    bool // tried too
		}{
			{"none of its own", func(*videoEncoder) {}, true, true},
			{"too few of its own", func(e *videoEncoder) { e.gop = 3 * own }, true, true},
			{"enough of its own", func(e *videoEncoder) { e.gop = own }, false, true},
			{"deaf, enough of its own", func(e *videoEncoder) { e.gop, e.deaf = own, true }, false, false},
			{"deaf, enough of its own while hot", func(e *videoEncoder) { e.gop, e.deaf = own/2, true }, false, true},
		}
		for _, enc := range encoders {
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("%g a second, %s, late: %v", fps, enc.name, late), func(t *testing.T) {
					tapped(t, true, func(r *rig) {
						r.at(fps, enc.setUp)
						if late {
							r.late()
						}
					}, func(r *rig, p *tape) {
						r.pass(time.Second)
						e := r.endpoint.encoder.Load()
						before := e.forced.Load()
						r.pass(7 * time.Second)
						r.endpoint.refuse(errTest)
						conn, _ := r.endpoint.last()
						conn.lose()
						r.pass(7 * time.Second)
						if n := e.forced.Load() - before; (n > 0) != enc.forced {
							t.Errorf("%d key frames were forced", n)
						}
						if enc.hot {
							for _, level := range []hardware.HeatLevel{hardware.HeatHot, hardware.HeatVeryHot, hardware.HeatNormal, hardware.HeatVeryHot} {
								r.Heated(r.t.Context(), level)
								r.pass(5 * time.Second)
							}
						}
						_, video, _ := p.taken()
						wantKeys(t, video, every)
						if n := int(e.forced.Load()); n > 1+int(35*time.Second/(every/2)) {
							t.Errorf("%d key frames were forced in all", n)
						}
					})
				})
			}
		}
	}
}

func wantKeys(t *testing.T, video []written, every time.Duration) {
	t.Helper()
	if len(video) == 0 || !video[0].key {
		t.Fatal("it does not begin with a key frame")
	}
	last, longest := video[0].pts, time.Duration(0)
	for _, w := range video {
		longest = max(longest, w.pts-last)
		if w.key {
			last = w.pts
		}
	}
	if longest > every {
		t.Errorf("%v from one key frame on, want %v at most", longest, every)
	}
}

// A camera's jitter makes no key frames necessary, and one that stops for a while
// is forced to one afterwards, not to many.
func TestSpacing(t *testing.T) {
	const every = 2 * time.Second
	s := spacing{every: every}
	pts, forced := 100*time.Second, 0
	picture := func(gap time.Duration, key bool) {
		pts += gap
		s.next(pts)
		if s.overdue() {
			forced++
			key = true
		}
		if key {
			s.made(pts)
		}
	}
	picture(0, true)
	if forced != 1 {
		t.Errorf("the first picture: %d forced, want 1", forced)
	}
	for i := range 3000 {
		jitter := time.Duration(i*7919%21-10) * time.Millisecond
		picture(33*time.Millisecond+jitter, i%51 == 0)
	}
	if forced != 1 {
		t.Errorf("with jitter: %d forced, want none more", forced-1)
	}
	forced = 0
	picture(5*time.Second, false)
	for i := range 50 {
		picture(33*time.Millisecond, i == 30)
	}
	if forced < 1 || forced > 2 {
		t.Errorf("after a stop: %d forced", forced)
	}
}
