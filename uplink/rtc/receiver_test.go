package rtc

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/uplink/whip"
)

// speaks is how an endpoint lets itself be heard.
type speaks struct {
	silent  int  // so many offers are answered by 409 first
	counter bool // make an offer of its own
	edit    func(sdp string) string
	offers  []string // that have come
	answers []string // to offers of its own

	track *webrtc.TrackLocalStaticRTP
}

func (e *endpoint) handleHearing(mux *http.ServeMux) {
	mux.HandleFunc("POST /hear", e.hear)
	mux.HandleFunc("PATCH /hearing", e.heard)
	mux.HandleFunc("DELETE /hearing", func(http.ResponseWriter, *http.Request) { note(e.deleted) })
}

func (e *endpoint) hear(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.speaks.offers = append(e.speaks.offers, string(body))
	if e.speaks.silent > 0 {
		e.speaks.silent--
		w.Header().Set("Retry-After", "2")
		http.Error(w, "nobody speaks", http.StatusConflict)
		return
	}
	sdp, err := e.speak(string(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if e.speaks.edit != nil {
		sdp = e.speaks.edit(sdp)
	}
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", "/hearing")
	w.Header().Set("ETag", `"one"`)
	status := http.StatusCreated
	if e.speaks.counter {
		status = http.StatusNotAcceptable
	}
	w.WriteHeader(status)
	io.WriteString(w, sdp)
}

// speak makes a peer that sends sound, and its answer or offer.
func (e *endpoint) speak(offer string) (string, error) {
	peer, err := e.newPeer()
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	e.peer = peer
	e.mu.Unlock()
	e.speaks.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "voice", "customer")
	if err != nil {
		return "", err
	}
	if _, err := peer.AddTrack(e.speaks.track); err != nil {
		return "", err
	}
	if !e.speaks.counter {
		return e.negotiate(peer, offer)
	}
	own, err := peer.CreateOffer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(peer)
	if err := peer.SetLocalDescription(own); err != nil {
		return "", err
	}
	<-gathered
	return peer.LocalDescription().SDP, nil
}

// heard takes the answer to an offer of its own, and what is trickled.
func (e *endpoint) heard(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("Content-Type") == "application/sdp" {
		e.speaks.answers = append(e.speaks.answers, string(body))
		if err := e.peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(body)}); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// say sends one packet.
func (e *endpoint) say(n uint16, payload []byte) {
	e.t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960}, Payload: payload}
	if err := e.speaks.track.WriteRTP(&p); err != nil {
		e.t.Error(err)
	}
}

// ear hears what a Receiver does.
type ear struct {
	*Receiver
	speech chan Speech
}

func listen(t *testing.T, e *endpoint) ear {
	t.Helper()
	h := ear{speech: make(chan Speech, 64)}
	var err error
	h.Receiver, err = NewReceiver(ReceiverConfig{Loopback: true, Speech: func(s Speech) {
		s.Payload = append([]byte(nil), s.Payload...)
		select {
		case h.speech <- s:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := h.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	return h
}

func (h ear) connect(t *testing.T, e *endpoint) error {
	t.Helper()
	return h.Connect(t.Context(), newClient(t, e), e.server.URL+"/hear")
}

// hears awaits a packet that the endpoint sends, again and again.
func (h ear) hears(t *testing.T, e *endpoint) Speech {
	t.Helper()
	for n := uint16(0); n < 500; n++ {
		e.say(n, []byte{0xf8, 1, 2})
		select {
		case s := <-h.speech:
			return s
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatal("nothing was heard in 10 s")
	return Speech{}
}

func TestReceive(t *testing.T) {
	for _, counter := range []bool{false, true} {
		t.Run(fmt.Sprintf("counter-offer %t", counter), func(t *testing.T) {
			checkLeaks(t)
			e := newEndpoint(t)
			e.speaks.counter = counter
			h := listen(t, e)
			if err := h.connect(t, e); err != nil {
				t.Fatal(err)
			}
			s := h.hears(t, e)
			if string(s.Payload) != "\xf8\x01\x02" || s.Timestamp != uint32(s.Sequence)*960 || s.SSRC == 0 || s.Arrived == 0 {
				t.Errorf("heard %+v", s)
			}
			if err := h.Close(t.Context()); err != nil {
				t.Error(err)
			}
			e.awaitDelete()
			e.close()
		})
	}
}

// While nobody speaks the same offer is made again and again.
func TestReceiveLater(t *testing.T) {
	checkLeaks(t)
	e := newEndpoint(t)
	e.speaks.silent = 2
	h := listen(t, e)
	for range 2 {
		if err := h.connect(t, e); !errors.Is(err, whip.ErrSilent) {
			t.Fatal(err)
		}
	}
	if err := h.connect(t, e); err != nil {
		t.Fatal(err)
	}
	h.hears(t, e)
	h.Close(t.Context())
	e.close()
}

// Neither offer nor answer of these glasses has room for a picture, and what the
// endpoint adds is refused.
func TestNoPictureComes(t *testing.T) {
	const video = "m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=mid:7\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:102 H264/90000\r\n"
	replace := func(old, with string) func(string) string {
		return func(sdp string) string {
			if !strings.Contains(sdp, old) {
				return "the test is wrong: no " + old
			}
			return strings.ReplaceAll(sdp, old, with)
		}
	}
	for _, tc := range []struct {
		name string
		edit func(string) string
		want string
	}{
		{"a picture beside", func(sdp string) string { return sdp + video }, `a section of "video"`},
		{"a picture first", replace("m=audio", video+"m=audio"), `a section of "video"`},
		{"a picture instead", replace("m=audio", "m=video"), `a section of "video"`},
		{"a rejected picture", func(sdp string) string { return sdp + strings.Replace(video, "video 9", "video 0", 1) }, `a section of "video"`},
		{"data", func(sdp string) string {
			return sdp + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:8\r\n"
		}, `a section of "application"`},
		{"two voices", func(sdp string) string { return sdp + sdp[strings.Index(sdp, "m=audio"):] }, "2 sections of sound"},
		{"a picture's codec", replace("opus/48000", "H264/90000"), "has no Opus"},
		{"nothing", func(sdp string) string { return sdp[:strings.Index(sdp, "m=audio")] }, "0 sections of sound"},
		{"rejected", replace("m=audio 9 ", "m=audio 0 "), "has no sound"},
		{"inactive", replace("a=sendonly", "a=inactive"), "a=inactive"},
		{"garbage", func(string) string { return "v=0\r\nm=\xff" }, "read the endpoint's"},
		{"a thousand candidates", func(sdp string) string {
			return sdp + strings.Repeat("a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n", 1000)
		}, "ICE candidates"},
	} {
		for _, counter := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, counter-offer %t", tc.name, counter), func(t *testing.T) {
				checkLeaks(t)
				e := newEndpoint(t)
				e.speaks.counter = counter
				e.speaks.edit = tc.edit
				if counter {
					e.speaks.edit = func(sdp string) string { return tc.edit(strings.ReplaceAll(sdp, "a=sendrecv", "a=sendonly")) }
				}
				h := listen(t, e)
				err := h.connect(t, e)
				if err == nil || !strings.Contains(err.Error(), tc.want) && !errors.Is(err, whip.ErrTooLarge) {
					t.Errorf("got %v\nwant %q", err, tc.want)
				}
				h.Close(t.Context())
				e.close()
				for _, sdp := range append(e.speaks.offers, e.speaks.answers...) {
					if strings.Contains(sdp, "m=video") || strings.Contains(sdp, "a=sendrecv") || strings.Count(sdp, "a=recvonly") != 1 {
						t.Errorf("these glasses say\n%s", sdp)
					}
				}
			})
		}
	}
}

// What these glasses say themselves: one section that only receives.
func TestWhatIsOffered(t *testing.T) {
	for _, counter := range []bool{false, true} {
		e := newEndpoint(t)
		e.speaks.counter = counter
		h := listen(t, e)
		if err := h.connect(t, e); err != nil {
			t.Fatal(err)
		}
		said := e.speaks.offers
		if counter {
			said = append(said, e.speaks.answers...)
		}
		for _, sdp := range said {
			if strings.Count(sdp, "m=") != 1 || !strings.Contains(sdp, "m=audio ") || !strings.Contains(sdp, "a=recvonly") ||
				strings.Contains(sdp, "a=ssrc") || !strings.Contains(sdp, "useinbandfec=1") {
				t.Errorf("these glasses say\n%s", sdp)
			}
		}
		h.Close(t.Context())
		e.close()
	}
}

// The end of the customer's microphone is heard of.
func TestReceiverLost(t *testing.T) {
	checkLeaks(t)
	e := newEndpoint(t)
	h := listen(t, e)
	if err := h.connect(t, e); err != nil {
		t.Fatal(err)
	}
	h.hears(t, e)
	e.hangUp()
	select {
	case <-h.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("the connection was not lost")
	}
	if !errors.Is(h.Err(), ErrLost) {
		t.Error(h.Err())
	}
	h.Close(t.Context())
	e.close()
}

// One source too many is not left unheard: it ends the session, and the next one
// hears it.
func TestTooManySources(t *testing.T) {
	h := listen(t, nil)
	for n := range maxStreams {
		if !h.enter() {
			t.Fatalf("source %d is not heard", n)
		}
		h.running.Done()
	}
	if h.Err() != nil {
		t.Error(h.Err())
	}
	if h.enter() {
		t.Error("one more is heard")
	}
	if !errors.Is(h.Err(), ErrLost) {
		t.Errorf("and the session goes on: %v", h.Err())
	}
}

func TestParseSpeech(t *testing.T) {
	header := rtp.Header{Version: 2, SequenceNumber: math.MaxUint16, Timestamp: math.MaxUint32, SSRC: 7, CSRC: []uint32{1, 2, 3}, Padding: true}
	if err := header.SetExtension(1, []byte{1, 2, 3, 4, 5}); err != nil {
		t.Fatal(err)
	}
	raw, err := (&rtp.Packet{Header: header, Payload: []byte{9, 8, 7}, PaddingSize: 4}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, ok := parseSpeech(raw)
	if !ok || s.Sequence != math.MaxUint16 || s.Timestamp != math.MaxUint32 || s.SSRC != 7 || string(s.Payload) != "\x09\x08\x07" {
		t.Errorf("%+v, %t", s, ok)
	}
}

func FuzzParseSpeech(f *testing.F) {
	f.Add([]byte{0xb3, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, p []byte) {
		s, ok := parseSpeech(p)
		if ok && len(s.Payload) == 0 {
			t.Error("a packet of nothing")
		}
		var want rtp.Packet
		if err := want.Unmarshal(p); err == nil && ok && string(want.Payload) != string(s.Payload) {
			t.Errorf("%x, want %x", s.Payload, want.Payload)
		}
	})
}

// BenchmarkReceive is what a packet of speech costs from socket to Speech, sender's
// side included.
func BenchmarkReceive(b *testing.B) {
	e := newEndpoint(b)
	var mu sync.Mutex
	heard := make(chan struct{}, 1)
	r, err := NewReceiver(ReceiverConfig{Loopback: true, Speech: func(Speech) {
		mu.Lock()
		defer mu.Unlock()
		note(heard)
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close(b.Context())
	if err := r.Connect(b.Context(), newClient(b, e), e.server.URL+"/hear"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := uint16(0); b.Loop(); n++ {
		e.say(n, []byte{0xf8, 1, 2})
		select {
		case <-heard:
		case <-time.After(time.Second):
		}
	}
}
