package e2e

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
	"github.com/bril-edge/bril/encoder/h264"
)

// picture is one access unit as a viewer puts it together (RFC 6184).
type picture struct {
	first     time.Time // when its first packet came
	timestamp uint32    // of RTP: when it was taken, in 1/90000 s
	data      []byte    // Annex B
}

func (p picture) key() bool { return h264.Inspect(p.data).IDR }

// slices of the picture, as they came.
func (p picture) slices() [][]byte {
	var list [][]byte
	for nal := range h264.NALs(p.data) {
		if nal.Type() == h264.TypeSlice || nal.Type() == h264.TypeIDR {
			list = append(list, nal)
		}
	}
	return list
}

// watcher keeps all that a viewer receives. It asks for nothing again: what is
// lost is counted.
type watcher struct {
	t *testing.T

	mu       sync.Mutex
	pictures []picture
	sound    []*rtp.Packet
	lost     int // packets missing in the order of arrival, of both kinds
	more     chan struct{}

	depacketiser codecs.H264Packet
	open         picture // what has come of a picture
	next         map[uint8]uint16
}

func newWatcher(t *testing.T) *watcher {
	return &watcher{t: t, more: make(chan struct{}, 1), next: map[uint8]uint16{}}
}

// watch connects a viewer by WHEP and keeps what it gets until the test ends.
func watch(t *testing.T, whep string) (*watcher, *rtctest.Viewer) {
	t.Helper()
	return watchWith(t, whep, rtctest.Options{NoRTX: true})
}

func watchWith(t *testing.T, whep string, options rtctest.Options) (*watcher, *rtctest.Viewer) {
	t.Helper()
	w := newWatcher(t)
	v := rtctest.NewViewer(t, options)
	var running sync.WaitGroup
	t.Cleanup(running.Wait) // runs after t.Context has ended
	running.Go(func() {
		for {
			select {
			case p := <-v.Video:
				w.video(p, time.Now())
			case p := <-v.Audio:
				w.audio(p)
			case <-t.Context().Done():
				return
			}
		}
	})
	v.Connect(whep, "")
	return w, v
}

func (w *watcher) video(p *rtp.Packet, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count(p)
	if w.open.data == nil {
		w.open.first, w.open.timestamp = at, p.Timestamp
	}
	data, err := w.depacketiser.Unmarshal(p.Payload)
	if err != nil {
		w.t.Errorf("packet %d: %v", p.SequenceNumber, err)
		return
	}
	w.open.data = append(w.open.data, data...)
	if p.Marker {
		w.pictures = append(w.pictures, w.open)
		w.open = picture{}
		w.tell()
	}
}

func (w *watcher) audio(p *rtp.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count(p)
	w.sound = append(w.sound, p)
	w.tell()
}

// count is to be called under the lock.
func (w *watcher) count(p *rtp.Packet) {
	if next, known := w.next[p.PayloadType]; known {
		w.lost += int(p.SequenceNumber - next)
	}
	w.next[p.PayloadType] = p.SequenceNumber + 1
}

func (w *watcher) tell() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (w *watcher) seen() ([]picture, []*rtp.Packet, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.pictures), slices.Clone(w.sound), w.lost
}

// until returns what has come once it is as asked for.
func (w *watcher) until(what string, is func([]picture, []*rtp.Packet) bool) ([]picture, []*rtp.Packet) {
	w.t.Helper()
	timeout := time.After(patience)
	for {
		pictures, sound, _ := w.seen()
		if is(pictures, sound) {
			return pictures, sound
		}
		select {
		case <-w.more:
		case <-timeout:
			w.t.Fatalf("not within %v: %s; %d pictures and %d packets of sound came", patience, what, len(pictures), len(sound))
		}
	}
}

// morePictures waits for n pictures more than there are now.
func (w *watcher) morePictures(n int) {
	w.t.Helper()
	before, _, _ := w.seen()
	w.until("more pictures", func(p []picture, _ []*rtp.Packet) bool { return len(p) >= len(before)+n })
}

// annexB joins pictures for a decoder.
func annexB(pictures []picture) []byte {
	var b bytes.Buffer
	for _, p := range pictures {
		b.Write(p.data)
	}
	return b.Bytes()
}

// cloud is an endpoint of nothing but WHIP, without any pacing of its own between
// it and the agent.
type cloud struct {
	*watcher
	url string
	pc  chan *webrtc.PeerConnection
	id  chan webrtc.SSRC // of the picture
}

// newCloud takes publishers whose picture has a profile-level-id.
func newCloud(t *testing.T, profile string) *cloud {
	t.Helper()
	c := &cloud{watcher: newWatcher(t), pc: make(chan *webrtc.PeerConnection, 1), id: make(chan webrtc.SSRC, 1)}
	api := rtctest.NewAPI(t, rtctest.Options{NoRTX: true, FMTP: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + profile})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /whip", func(w http.ResponseWriter, r *http.Request) {
		answer, err := c.answer(api, r)
		if err != nil {
			t.Error(err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/sdp")
		w.Header().Set("Location", "/session")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(answer)) // the agent tells when it did not get it
	})
	mux.HandleFunc("DELETE /session", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c.url = server.URL + "/whip"
	return c
}

func (c *cloud) answer(api *webrtc.API, r *http.Request) (string, error) {
	var offer bytes.Buffer
	if _, err := offer.ReadFrom(r.Body); err != nil {
		return "", err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	c.t.Cleanup(func() { _ = pc.GracefulClose() })
	pc.OnTrack(c.track)
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer.String()}); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	c.pc <- pc
	return pc.LocalDescription().SDP, nil
}

func (c *cloud) track(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	if t.Kind() == webrtc.RTPCodecTypeVideo {
		c.id <- t.SSRC()
	}
	for {
		p, _, err := t.ReadRTP()
		switch {
		case err != nil:
			return
		case t.Kind() == webrtc.RTPCodecTypeVideo:
			c.video(p, time.Now())
		default:
			c.audio(p)
		}
	}
}

// asker returns what sends a PLI for the picture.
func (c *cloud) asker() func() {
	c.t.Helper()
	pc, id := rtctest.Next(c.t, "a publisher", c.pc), rtctest.Next(c.t, "a picture", c.id)
	return func() {
		if err := pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(id)}}); err != nil {
			c.t.Errorf("send a PLI: %v", err)
		}
	}
}
