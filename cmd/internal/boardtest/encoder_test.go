package boardtest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/encoder/h264"
)

// publish starts an agent with vivid at its full rate, and returns it when it is
// ready.
func (r *rig) publish(e endpoint) *daemon {
	r.Helper()
	d := r.agent(e, "--config", r.config("camera: {source: auto, size: 640x480, fps: 25}\nmicrophone: {source: none}"))
	r.until("ready", func(s status) bool { return s.State == "ready" })
	return d
}

// ready ends live.
func (r *rig) ready() {
	r.Helper()
	r.live("off")
	r.until("ready", func(s status) bool { return s.State == "ready" })
}

func (r *rig) live(action string) { r.run("bril", "live", action, "--control", socket) }

const vencParameters = "/sys/module/bril_venc/parameters/"

// venc sets parameters of the test encoder until the test ends.
func (r *rig) venc(parameters string) {
	r.Helper()
	for _, p := range strings.Fields(parameters) {
		name, value, _ := strings.Cut(p, "=")
		path := vencParameters + name
		before, err := r.guest.ReadFile(r.Context(), path)
		if err != nil {
			r.Fatal(err)
		}
		r.set(path, value)
		r.Cleanup(func() {
			if err := r.guest.WriteFile(context.Background(), path, before); err != nil {
				r.Error(err)
			}
		})
	}
}

// TestCameraToViewerWithoutCopies sends what vivid takes at its full rate: camera,
// DMA buffer, encoder, endpoint, viewer. The machine that emulates the board may
// have other things to do for a moment, so one of three runs has to be whole. When
// even the camera, which is in the kernel, is late in each of them, they say
// nothing of the agent.
func TestCameraToViewerWithoutCopies(t *testing.T) {
	r := board(t)
	e := r.endpoint()
	r.publish(e)
	r.live("on")
	r.until("live", live)
	v := r.watch(e)
	v.pictures(20)
	dropped, missed := uint64(1), uint64(0)
	for run := 0; dropped > 0 && run < 3; run++ {
		v.restart()
		before, began := r.status(), time.Now()
		v.pictures(500)
		took, s := time.Since(began), r.status()
		dropped = 0
		missed += s.Video.Missed - before.Video.Missed
		for stage, n := range s.Video.Dropped {
			dropped += n - before.Video.Dropped[stage]
		}
		t.Logf("%s, %s: %.2f pictures a second, %d dropped, %d not taken by the camera, %d copied, %.0f MB, latency %+v",
			s.Camera, s.Encoder, 500/took.Seconds(), dropped, s.Video.Missed-before.Video.Missed, s.Video.Copies, float64(s.RSSBytes)/1e6, s.LatencyMS)
		if !strings.HasPrefix(s.Encoder, "bril-venc /dev/video") || !strings.HasSuffix(s.Encoder, "(dmabuf)") || s.Video.Copies != 0 {
			t.Errorf("the encoder is %q, %d pictures were copied", s.Encoder, s.Video.Copies)
		}
		if len(s.Errors) > 0 {
			t.Errorf("errors: %+v", s.Errors)
		}
		if v.whole() {
			v.decodes(640, 480)
		}
	}
	r.live("off")
	switch {
	case dropped > 0 && missed > 15:
		t.Skipf("needs a machine that is not busy: the camera itself did not take %d pictures of 1500", missed)
	case dropped > 0:
		t.Errorf("%d pictures were dropped while 500 passed", dropped)
	}
}

// TestEncoderQuirks goes live with each quirk of the test encoder: the stream
// stays decodable, and who asks for a key frame gets one.
func TestEncoderQuirks(t *testing.T) {
	copied := "copied"
	tests := []struct{ parameters, how string }{
		{"keyframe_control=1", ""}, {"keyframe_control=2", ""},
		{"bitrate_control=1", ""}, {"bitrate_control=2", ""}, {"controls_frozen=1", ""}, {"frame_rc=0", ""},
		{"headers=1", ""}, {"headers=2", ""}, {"headers=3", ""}, {"headers=4", ""},
		{"keyframe_flag=0", ""},
		{"stride_align=32", ""}, {"stride_align=64", ""}, {"stride_align=128", ""}, {"stride_align=256", copied},
		{"width_align=32 height_align=16", ""},
		{"split_bytes=500", ""},
		{"first_buffer=1", ""}, {"first_buffer=2", ""},
		{"import=1", copied}, {"import=2", copied},
		{"padding=0", ""}, {"padding=2", ""},
		{"latency_ms=30", ""},
		{"eio_every=15", ""},
	}
	r := board(t)
	e := r.endpoint()
	r.publish(e)
	for _, test := range tests {
		t.Run(test.parameters, func(t *testing.T) {
			r := r.sub(t)
			r.venc(test.parameters)
			copies := r.status().Video.Copies
			r.live("on")
			defer r.ready()
			r.until("live", live)
			v := r.watch(e)
			v.pictures(5)
			v.plays()
			s := r.status()
			if now := s.Video.Copies > copies; now != (test.how == copied) {
				t.Errorf("%s, %d pictures copied", s.Encoder, s.Video.Copies-copies)
			}
			if strings.Contains(s.Encoder, "software") {
				t.Errorf("the encoder is %s: %q", s.Encoder, s.Warnings)
			}
		})
	}
}

// TestEncoderFailures has the encoder fail while it is live: pictures go on within
// two seconds, and in the end nothing is left open.
func TestEncoderFailures(t *testing.T) {
	r := board(t)
	e := r.endpoint()
	d := r.publish(e)
	open, goroutines := r.descriptors(d), r.status().Goroutines
	for _, parameters := range []string{"stall_after=1", "stall_after=1 stall_until_close=1", "eio_every=1"} {
		t.Run(parameters, func(t *testing.T) {
			r := r.sub(t)
			r.live("on")
			r.until("live", live)
			v := r.watch(e)
			v.pictures(30)
			before, from := v.longestGap(0)
			noticed := d.failures()
			r.venc(parameters)
			r.until("noticed", func(status) bool { return d.failures() > noticed })
			for _, p := range strings.Fields(parameters) {
				name, _, _ := strings.Cut(p, "=")
				r.set(vencParameters+name, "0")
			}
			v.pictures(50)
			gap, _ := v.longestGap(from)
			s := r.status()
			t.Logf("no picture for %v, %v before; %s %q", gap, before, s.Encoder, s.Warnings)
			if gap > 2*time.Second {
				t.Error("that is too long")
			}
			v.plays()
			r.ready()
		})
	}
	if now := r.descriptors(d); now != open {
		t.Errorf("%s at first, then %s", open, now)
	}
	if s := r.status(); s.Goroutines > goroutines+3 {
		t.Errorf("%d goroutines at first, then %d", goroutines, s.Goroutines)
	}
}

// failures counts those of the encoder that the agent has noticed.
func (d *daemon) failures() int { return strings.Count(d.said(), "encoder failed") }

// TestEncoderThatStallsForGood is replaced by software.
func TestEncoderThatStallsForGood(t *testing.T) {
	r := board(t)
	e := r.endpoint()
	r.venc("stall_after=20")
	r.publish(e)
	r.live("on")
	s := r.until("in software", func(s status) bool { return strings.Contains(s.Encoder, "software") })
	if !strings.Contains(strings.Join(s.Warnings, "\n"), "3 failures in a minute") {
		t.Errorf("warnings: %q", s.Warnings)
	}
	v := r.watch(e)
	v.pictures(5)
	v.plays()
}

// descriptors says what of the media path a program of the guest has open.
func (r *rig) descriptors(d *daemon) string {
	r.Helper()
	list := r.run("sh", "-c", fmt.Sprintf("ls -l /proc/%d/fd || true", d.PID)) // one may be closed while they are listed
	count := func(what string) int { return strings.Count(list, what) }
	return fmt.Sprintf("%d devices, %d DMA buffers, %d epoll sets", count("-> /dev/video"), count("dmabuf"), count("eventpoll"))
}

// sub is the rig of a subtest.
func (r *rig) sub(t *testing.T) *rig { return &rig{T: t, guest: r.guest, share: r.share} }

// plays checks that the stream goes on from a key frame that is asked for, and
// decodes from there. UDP may lose packets on its way out of the guest; what has
// lost some is tried again.
func (v *viewer) plays() {
	v.r.Helper()
	for range 5 {
		v.restart()
		v.pictures(15)
		if v.whole() {
			defer func() { // which a failure of ffmpeg does not keep from running
				if v.r.Failed() {
					v.r.Log("the stream is of", v.nals())
				}
			}()
			v.decodes(640, 480)
			return
		}
	}
	v.r.Error("five times in a row packets were lost")
}

// askedTime is how long a key frame may take that is asked for: less than it takes
// until one comes unasked, which is 10 s.
const askedTime = 5 * time.Second

// restart asks for a key frame and throws away what comes before it.
func (v *viewer) restart() {
	v.r.Helper()
	v.forget()
	v.AskKeyFrame()
	v.within(askedTime, "a key frame, as it was asked for", func() bool {
		data := v.h264.Bytes()
		for at := 0; at+4 < len(data); at++ {
			if data[at] != 0 || data[at+1] != 0 || data[at+2] != 1 || h264.NAL(data[at+3:]).Type() != h264.TypeSPS {
				continue
			}
			v.h264.Next(at)
			return true
		}
		return false
	})
}

// nals returns the types of what has come since restart.
func (v *viewer) nals() (types []h264.Type) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for nal := range h264.NALs(v.h264.Bytes()) {
		types = append(types, nal.Type())
	}
	return types
}

// whole says whether nothing was lost since restart began: what was may have been
// of the key frame already, as this looks at it only after a while.
func (v *viewer) whole() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.missing == 0
}

// longestGap returns the longest time without a picture from the picture number
// from on, and the number of the next one.
func (v *viewer) longestGap(from int) (gap time.Duration, next int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := max(from, 1); i < len(v.moments); i++ {
		gap = max(gap, v.moments[i].at.Sub(v.moments[i-1].at))
	}
	return gap, len(v.moments)
}
