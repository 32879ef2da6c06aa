package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/encoder"
)

// stands returns the part that stood still for half a minute within d, "" for none;
// "loop" where that did not answer.
func (r *rig) stands(d time.Duration) string {
	since, steps := map[string]time.Duration{}, map[string]uint64{}
	for at := time.Duration(0); at <= d; at += 10 * time.Second {
		ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
		parts, err := r.Progress(ctx)
		cancel()
		if err != nil {
			return "loop"
		}
		for _, p := range parts {
			if !p.Busy || p.Steps != steps[p.Name] {
				since[p.Name], steps[p.Name] = at, p.Steps
			}
			if at-since[p.Name] >= 30*time.Second {
				return p.Name
			}
		}
		r.pass(10 * time.Second)
	}
	return ""
}

// hanging is a camera whose driver does not return, whatever it is told.
type hanging struct {
	*source
	hang, release chan struct{}
}

func (h hanging) Next(ctx context.Context) (capture.Frame, error) {
	select {
	case <-h.hang:
		<-h.release
	default:
	}
	return h.source.Next(ctx)
}

type hangingEncoder struct {
	*videoEncoder
	hang, release chan struct{}
}

func (h hangingEncoder) Encode(f capture.Frame) error {
	select {
	case <-h.hang:
		<-h.release
	default:
	}
	return h.videoEncoder.Encode(f)
}

// TestProgress: what works, rests or is tried again goes on; what hangs is found.
func TestProgress(t *testing.T) {
	away := errors.New("away")
	for _, test := range []struct {
		name   string
		live   bool
		change func(r *rig, hang, release chan struct{})
		then   func(r *rig) // once it has run for a minute
		want   string
	}{
		{name: "idle"},
		{name: "live", live: true},
		{name: "paused", live: true, then: func(r *rig) { r.press(control.Pause) }},
		{name: "the camera is unplugged", live: true, then: func(r *rig) { r.camera.breaks(away, away) }},
		{name: "there is no camera", live: true, change: func(r *rig, _, _ chan struct{}) { r.camera.breaks(away, away) }},
		{name: "both are unplugged", live: true, then: func(r *rig) {
			r.camera.breaks(away, away)
			r.microphone.breaks(away, away)
		}},
		{name: "the camera is silent", live: true, then: func(r *rig) { r.camera.silent.Store(true) }},
		{name: "the endpoint is away", live: true, change: func(r *rig, _, _ chan struct{}) { r.endpoint.refuse(away) }},
		{name: "the endpoint goes", live: true, then: func(r *rig) {
			r.endpoint.refuse(away)
			p, _ := r.endpoint.last()
			p.lose()
		}},
		{name: "the endpoint is slow", live: true, change: func(r *rig, _, _ chan struct{}) {
			r.endpoint.refuse(away)
			r.endpoint.takes = 22 * time.Second
		}},
		{name: "a file that has nothing to say", live: true, change: func(r *rig, _, _ chan struct{}) {
			open := r.cfg.OpenVideo
			r.cfg.OpenVideo = func(ctx context.Context) (Video, error) {
				v, err := open(ctx)
				v.Device = false
				return v, err
			}
		}, then: func(r *rig) { r.camera.silent.Store(true) }},
		{name: "the camera's driver hangs", live: true, want: "camera", change: func(r *rig, hang, release chan struct{}) {
			open := r.cfg.OpenVideo
			r.cfg.OpenVideo = func(ctx context.Context) (Video, error) {
				v, err := open(ctx)
				v.Source = hanging{v.Source.(*source), hang, release}
				return v, err
			}
		}},
		{name: "the encoder hangs", live: true, want: "camera", change: func(r *rig, hang, release chan struct{}) {
			make := r.cfg.NewVideoEncoder
			r.cfg.NewVideoEncoder = func(v Video, rate encoder.BitRate, sink func(encoder.AccessUnit) error) (VideoEncoder, error) {
				e, err := make(v, rate, sink)
				return hangingEncoder{e.(*videoEncoder), hang, release}, err
			}
		}},
		{name: "the microphone does not open", live: true, want: "microphone", change: func(r *rig, _, release chan struct{}) {
			r.cfg.OpenAudio = func(context.Context) (Audio, error) {
				<-release
				return Audio{}, away
			}
		}},
		{name: "the endpoint's call hangs", live: true, want: "uplink", change: func(r *rig, _, release chan struct{}) {
			r.cfg.Connect = func(context.Context, Offer) (Publisher, error) {
				<-release
				return nil, away
			}
		}},
		{name: "the loop hangs", want: "loop", change: func(r *rig, _, release chan struct{}) {
			r.cfg.Phase = func(p Phase) {
				if p == Connecting {
					<-release
				}
			}
		}, then: func(r *rig) {
			ctx, cancel := context.WithCancel(r.t.Context())
			cancel()
			_, _ = r.Live(ctx, control.On) // it may be told, or not: the next one is
			ctx, cancel = context.WithTimeout(r.t.Context(), time.Second)
			defer cancel()
			_, _ = r.Live(ctx, control.On)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, false, func(r *rig) {}, func(r *rig) {
				hang, release := make(chan struct{}), make(chan struct{})
				if test.change != nil {
					r.stop()
					r.done = make(chan struct{})
					test.change(r, hang, release)
					r.run(false)
				}
				defer close(release)
				if test.live {
					r.press(control.On)
				}
				r.pass(time.Minute)
				if test.want == "camera" {
					close(hang)
				}
				if test.then != nil {
					test.then(r)
				}
				if got := r.stands(3 * time.Minute); got != test.want {
					t.Errorf("what stands still is %q, want %q", got, test.want)
				}
			})
		})
	}
}
