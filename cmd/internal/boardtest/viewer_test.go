package boardtest

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// viewer is a customer on this machine: it keeps what comes.
type viewer struct {
	r *rig
	*rtctest.Viewer

	mu      sync.Mutex
	h264    bytes.Buffer // Annex B
	partial int          // bytes of it that are of a picture that is not whole yet
	shown   int          // whole pictures
	at      time.Time    // of the last
	moments []moment     // of all
	sound   []*rtp.Packet
	missing int // packets of pictures that did not come
	next    uint16
	begun   bool
	held    map[uint16]arrival // came before another that is missing
	since   time.Time          // when it was missed first
	open    codecs.H264Packet
	more    chan struct{}
}

// watch connects a viewer until the test ends.
func (r *rig) watch(e endpoint) *viewer {
	r.Helper()
	return r.watchWith(e, rtctest.Options{NoRTX: true})
}

func (r *rig) watchWith(e endpoint, options rtctest.Options) *viewer {
	r.Helper()
	v := &viewer{r: r, Viewer: rtctest.NewViewer(r.T, options), held: map[uint16]arrival{}, more: make(chan struct{}, 1)}
	var running sync.WaitGroup
	r.Cleanup(running.Wait) // runs after the context has ended
	running.Go(v.receive)
	v.Connect(e.url+"/whep/demo", "")
	return v
}

func (v *viewer) receive() {
	for {
		select {
		case p := <-v.Video:
			v.picture(p)
		case p := <-v.Audio:
			v.mu.Lock()
			v.sound = append(v.sound, p)
			v.mu.Unlock()
		case <-v.r.Context().Done():
			return
		}
		select {
		case v.more <- struct{}{}:
		default:
		}
	}
}

// arrival is a packet and when it came.
type arrival struct {
	*rtp.Packet
	at time.Time
}

// holdTime is how long a packet may be late: what is lost on its way out of the
// guest is sent again, as the endpoint asks for it.
const holdTime = 500 * time.Millisecond

// picture puts packets into their order, as a browser does.
func (v *viewer) picture(p *rtp.Packet) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if !v.begun {
		v.begun, v.next = true, p.SequenceNumber
	}
	if int16(p.SequenceNumber-v.next) < 0 {
		return // too late, or twice
	}
	if len(v.held) == 0 {
		v.since = now
	}
	v.held[p.SequenceNumber] = arrival{p, now}
	for len(v.held) > 0 {
		first, ok := v.held[v.next]
		switch {
		case ok:
			delete(v.held, v.next)
			v.since = now
			v.take(first)
		case now.Sub(v.since) > holdTime:
			v.missing++
		default:
			return
		}
		v.next++
	}
}

// take is to be called with the packets in their order.
func (v *viewer) take(p arrival) {
	data, err := v.open.Unmarshal(p.Payload)
	if err != nil {
		v.r.Errorf("packet %d: %v", p.SequenceNumber, err)
		return
	}
	v.h264.Write(data)
	v.partial += len(data)
	if p.Marker {
		v.partial = 0
		v.shown++
		v.at = p.at
		v.moments = append(v.moments, moment{v.at, p.Timestamp})
	}
}

// until waits for what is asked of the viewer, under its lock.
func (v *viewer) until(what string, is func() bool) {
	v.r.Helper()
	v.within(patience, what, is)
}

// within is until with a limit of its own.
func (v *viewer) within(limit time.Duration, what string, is func() bool) {
	v.r.Helper()
	timeout := time.After(limit)
	for {
		v.mu.Lock()
		done := is()
		v.mu.Unlock()
		if done {
			return
		}
		select {
		case <-v.more:
		case <-timeout:
			v.r.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// pictures waits for n pictures more than there are now.
func (v *viewer) pictures(n int) {
	v.r.Helper()
	v.mu.Lock()
	n += v.shown
	v.mu.Unlock()
	v.until("picture "+strconv.Itoa(n), func() bool { return v.shown >= n })
}

// forget throws away what has come, so that decodes looks at what comes from now
// on; that begins in the middle of a stream unless a key frame is asked for.
func (v *viewer) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.h264.Reset()
	v.partial, v.shown, v.missing = 0, 0, 0
}

// decodes checks that ffmpeg reads the whole pictures that have come, without a
// complaint, and returns how many of this size it found.
func (v *viewer) decodes(width, height int) int {
	v.r.Helper()
	v.mu.Lock()
	data := bytes.Clone(v.h264.Bytes()[:max(v.h264.Len()-v.partial, 0)])
	v.mu.Unlock()
	if complaint := v.filter(data, "ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-f", "null", "-"); complaint != "" {
		v.r.Errorf("ffmpeg: %s", complaint)
	}
	var probe struct {
		Streams []struct {
			Width, Height int
			Frames        string `json:"nb_read_frames"`
		}
	}
	text := v.filter(data, "ffprobe", "-v", "quiet", "-f", "h264", "-i", "-", "-count_frames", "-show_streams", "-of", "json")
	if err := json.Unmarshal([]byte(text), &probe); err != nil || len(probe.Streams) != 1 {
		v.r.Fatalf("ffprobe: %v: %s", err, text)
	}
	s := probe.Streams[0]
	if s.Width != width || s.Height != height {
		v.r.Errorf("pictures of %dx%d, want %dx%d", s.Width, s.Height, width, height)
	}
	n, err := strconv.Atoi(s.Frames)
	if err != nil {
		v.r.Errorf("ffprobe counts %q frames", s.Frames)
	}
	return n
}

// filter runs a program of this machine on data. It has to succeed.
func (v *viewer) filter(data []byte, name string, args ...string) string {
	v.r.Helper()
	out, err := v.pipe(data, name, args...)
	if err != nil {
		v.r.Fatalf("%s: %v\n%s", name, err, out)
	}
	return out
}

// pipe is filter for what may fail.
func (v *viewer) pipe(data []byte, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(v.r.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
