package boardtest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// backTime is how long a device may be back until viewers have it again.
const backTime = 2 * time.Second

// Drivers of the devices that come and go, with their device.
var (
	vivid = [2]string{"vivid", "vivid.0"}
	aloop = [2]string{"snd_aloop", "snd_aloop.0"}
)

// onCable is an agent that publishes what may be unplugged, with its viewer.
type onCable struct {
	*rig
	agent  *daemon
	viewer *viewer
}

func (r *rig) onCable(camera, microphone string) *onCable {
	r.Helper()
	e := r.endpoint()
	// Nothing is asked of the endpoint now and then, whose connection would be counted.
	config := r.config("camera: {size: 640x480, fps: 25}\ntalkback: {enabled: false}\ncalls: {events_url: none}")
	agent := r.agent(e, "--config", config, "--camera", camera, "--microphone", microphone, "--live")
	r.until("live", func(s control.Status) bool { return s.State == "live" })
	return &onCable{r, agent, r.watch(e)}
}

// moment is when a picture came, and its RTP timestamp.
type moment struct {
	at    time.Time
	stamp uint32
}

// A notice comes five times a second, also when it makes up for a stall, so these
// many pictures within this time are the camera's.
const (
	manyPictures = 5
	shortTime    = 400 * time.Millisecond
	rtpRate      = 90000 // of video, RFC 6184 section 8.2.1
)

// moves returns when it was clear that the pictures that came after a moment are
// the camera's.
func (v *viewer) moves(after time.Time) (time.Time, bool) {
	for i := manyPictures - 1; i < len(v.moments); i++ {
		first, last := v.moments[i-manyPictures+1], v.moments[i]
		if first.at.After(after) && last.stamp-first.stamp < uint32(shortTime.Seconds()*rtpRate) {
			return last.at, true
		}
	}
	return time.Time{}, false
}

// returns waits for the camera's picture after the moment from, and says how long
// that took.
func (c *onCable) returns(what string, from time.Time) time.Duration {
	c.Helper()
	var at time.Time
	c.viewer.until("the camera's picture after "+what, func() (ok bool) {
		at, ok = c.viewer.moves(from)
		return ok
	})
	took := at.Sub(from)
	if took > backTime {
		c.Errorf("after %s: the camera's picture is back after %v", what, took)
	}
	return took
}

// left is what a leak would add to.
type left struct {
	files      int // open in the agent
	buffers    int // of DMA, in the kernel
	goroutines int
}

func (c *onCable) left() left {
	c.Helper()
	return left{
		files:      c.count(fmt.Sprintf("ls /proc/%d/fd | wc -l", c.agent.PID)),
		buffers:    c.count("mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug; sed -n 's/^Total \\([0-9]*\\) objects.*/\\1/p' /sys/kernel/debug/dma_buf/bufinfo"),
		goroutines: c.status().Goroutines,
	}
}

func (r *rig) count(script string) int {
	r.Helper()
	text := strings.TrimSpace(r.run("sh", "-c", script))
	n, err := strconv.Atoi(text)
	if err != nil {
		r.Fatalf("%s prints %q", script, text)
	}
	return n
}

// level waits until there is no more left than at first: what has just ended may
// take a moment.
func (c *onCable) level(before left) {
	c.Helper()
	var now left
	for range 10 {
		now = c.left()
		if now.files <= before.files && now.buffers <= before.buffers && now.goroutines <= before.goroutines {
			c.Logf("%+v at first, then %+v", before, now)
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	c.Errorf("%+v at first, then %+v", before, now)
}

// TestCameraOnACable pulls the camera's cable twenty times while live.
func TestCameraOnACable(t *testing.T) {
	const rounds = 20
	c := board(t).onCable("auto", "none")
	c.viewer.pictures(30)
	before, since := c.left(), c.status().LiveSince
	var took []time.Duration
	for round := range rounds {
		c.bind("unbind", vivid)
		if round%5 == 0 {
			c.showsNotice()
		} else {
			time.Sleep(time.Duration(round%5) * 300 * time.Millisecond)
		}
		c.bind("bind", vivid)
		took = append(took, c.returns(fmt.Sprintf("return %d", round+1), time.Now()))
	}
	slices.Sort(took)
	t.Logf("figure: camera back at the viewer after %v, at most %v", took[rounds/2], took[rounds-1])
	s := c.until("without a fault", func(s control.Status) bool { return live(s) && len(s.Errors) == 0 })
	if !s.LiveSince.Equal(since) {
		t.Errorf("live since %v, was since %v: not the same conversation", s.LiveSince, since)
	}
	c.viewer.shows("the camera", func(luma int) bool { return luma >= 60 })
	c.level(before)
}

// showsNotice waits for the notice, and for the status that says why.
func (c *onCable) showsNotice() {
	c.Helper()
	c.until("at fault", func(s control.Status) bool { return s.State == "live" && lacks(s, "camera") })
	c.viewer.shows("a notice", func(luma int) bool { return luma > 16 && luma < 60 })
}

// lacks says that the status tells of a device that has failed, and what to do.
func lacks(s control.Status, component string) bool {
	return slices.ContainsFunc(s.Errors, func(f control.Fault) bool {
		return f.Component == component && f.Hint != "" && !f.Since.IsZero()
	})
}

// shows asks for key frames until one of them has a brightness, from 16 for black,
// that is as wanted.
func (v *viewer) shows(what string, is func(luma int) bool) {
	v.r.Helper()
	luma := 0
	for end := time.Now().Add(patience / 2); time.Now().Before(end); {
		v.forget()
		v.AskKeyFrame()
		v.pictures(3)
		v.mu.Lock()
		data := bytes.Clone(v.h264.Bytes())
		v.mu.Unlock()
		if luma = v.luma(data); is(luma) {
			return
		}
	}
	v.r.Errorf("the viewer does not see %s: the last picture's brightness is %d", what, luma)
}

// luma returns the mean brightness of the last picture in data; 0 when there is
// none that can be decoded.
func (v *viewer) luma(data []byte) int {
	v.r.Helper()
	const width, height = 64, 48
	// A failure is nothing to decode; the ends of what has come may be cut off.
	out, _ := v.pipe(data, "ffmpeg", "-v", "quiet", "-f", "h264", "-i", "-", "-vf", fmt.Sprintf("extractplanes=y,scale=%d:%d", width, height), "-f", "rawvideo", "-")
	if len(out) < width*height {
		return 0
	}
	sum := 0
	for _, y := range []byte(out[len(out)-width*height:]) {
		sum += int(y)
	}
	return sum / (width * height)
}

// TestCameraStalls has a camera deliver nothing, which is no error, and has one
// vanish under its reader while its node stays.
func TestCameraStalls(t *testing.T) {
	c := board(t).onCable("auto", "none")
	c.viewer.pictures(30)
	before := c.left()
	c.controls("percentage_of_dropped_buffers=100")
	c.showsNotice()
	c.controls("percentage_of_dropped_buffers=0")
	t.Logf("figure: camera that stalled back after %v", c.returns("a stall", time.Now()))
	c.until("well after a stall", func(s control.Status) bool { return live(s) && len(s.Errors) == 0 })
	at := time.Now()
	c.controls("disconnect=1")
	c.viewer.pictures(50)
	if gap := c.viewer.gap(at); gap > backTime {
		t.Errorf("disconnected: no picture for %v", gap)
	}
	c.until("well after a disconnection", func(s control.Status) bool { return live(s) && len(s.Errors) == 0 })
	c.level(before)
}

// TestMicrophoneOnACable pulls the microphone's cable while live: the sound goes
// on as silence, and is the microphone's again. How long that takes is shown and no
// limit: the agent tries at once, but to load and to open the sound library alone
// may cost the emulated processor more than backTime when its host is busy.
func TestMicrophoneOnACable(t *testing.T) {
	const rounds = 4
	c := board(t).onCable("none", "hw:0,1")
	hears := func(s control.Status) bool { return s.State == "live" && s.Microphone != "" }
	c.until("hearing", hears)
	before := c.left()
	for range rounds {
		c.bind("unbind", aloop)
		c.until("deaf", func(s control.Status) bool {
			return s.State == "live" && s.Microphone == "" && lacks(s, "microphone")
		})
		c.viewer.sounds(50)
		took := time.Duration(c.count(rebindSound)) * 10 * time.Millisecond
		t.Logf("figure: microphone back after %v", took)
		c.until("hearing again", hears)
		c.viewer.sounds(50)
	}
	c.until("without a fault", func(s control.Status) bool { return hears(s) && len(s.Errors) == 0 })
	c.level(before)
	c.viewer.goesOn()
}

// rebindSound gives the sound card back and prints how long it then takes, in
// hundredths of a second, until the kernel says that it records.
const rebindSound = `
echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/bind
now() { cut -d' ' -f1 /proc/uptime | tr -d .; }
begin=$(now)
until grep -q RUNNING /proc/asound/card*/pcm1c/sub*/status || [ $(($(now) - begin)) -gt 3000 ]; do sleep 0.02; done
echo $(($(now) - begin))`

// sounds waits for n packets of sound more than there are now.
func (v *viewer) sounds(n int) {
	v.r.Helper()
	v.mu.Lock()
	n += len(v.sound)
	v.mu.Unlock()
	v.until(fmt.Sprintf("sound %d", n), func() bool { return len(v.sound) >= n })
}

// goesOn checks that the time of the sound never went back nor stood still, in the
// order in which it was sent: UDP may change that.
func (v *viewer) goesOn() {
	v.r.Helper()
	v.mu.Lock()
	sound := slices.Clone(v.sound)
	v.mu.Unlock()
	slices.SortStableFunc(sound, func(a, b *rtp.Packet) int { return int(int16(a.SequenceNumber - b.SequenceNumber)) })
	for i, p := range sound[1:] {
		if step := int32(p.Timestamp - sound[i].Timestamp); step <= 0 {
			v.r.Errorf("packet %d of %d: the time of the sound went on by %d", p.SequenceNumber, len(sound), step)
		}
	}
}
