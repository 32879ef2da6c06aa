package rtc

import (
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/uplink/whip"
)

// endpoint is a WHIP server with a pion peer of pion's own making behind it.
type endpoint struct {
	t       testing.TB
	server  *httptest.Server
	offer   string
	packets map[webrtc.PayloadType]chan *rtp.Packet
	reports map[webrtc.PayloadType]chan rtcp.Packet
	patched chan struct{}
	deleted chan struct{}

	// What a test may have it do.
	edit       func(answer string) string
	onOffer    func() // before it is answered
	onAnswer   func(w http.ResponseWriter, answer string)
	onPatch    func()
	onDelete   func()
	restarts   bool        // take ICE restarts; 501 otherwise
	lite       bool        // an ICE lite agent, as clouds are
	namespaced bool        // in a network of its own: ICE is not limited to loopback
	header     http.Header // of the 201

	transport http.RoundTripper // of the client; nil for its own

	speaks speaks // to whoever listens

	mu   sync.Mutex
	peer *webrtc.PeerConnection
}

func newEndpoint(t testing.TB) *endpoint {
	e := &endpoint{t: t, patched: make(chan struct{}, 16), deleted: make(chan struct{}, 16),
		packets: map[webrtc.PayloadType]chan *rtp.Packet{
			payloadVideo: make(chan *rtp.Packet, 4096),
			payloadAudio: make(chan *rtp.Packet, 4096),
		},
		reports: map[webrtc.PayloadType]chan rtcp.Packet{
			payloadVideo: make(chan rtcp.Packet, 64),
			payloadAudio: make(chan rtcp.Packet, 64),
		},
	}
	e.server = httptest.NewServer(e.handler())
	t.Cleanup(e.close)
	return e
}

func (e *endpoint) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /whip/demo", e.publish)
	mux.HandleFunc("PATCH /session", e.patch)
	e.handleHearing(mux)
	mux.HandleFunc("DELETE /session", func(http.ResponseWriter, *http.Request) {
		note(e.deleted)
		if e.onDelete != nil {
			e.onDelete()
		}
	})
	return mux
}

func (e *endpoint) close() {
	e.server.Close() // waits for requests, which may make a peer yet
	e.hangUp()
}

// hangUp closes the peer, if there is one, and waits for all that it started.
func (e *endpoint) hangUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.peer != nil {
		_ = e.peer.GracefulClose() // its peer may be gone already
	}
}

func (e *endpoint) publish(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if e.onOffer != nil {
		e.onOffer()
	}
	e.offer = string(body)
	answer, err := e.answer(e.offer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotAcceptable)
		return
	}
	maps.Copy(w.Header(), e.header)
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", "/session")
	w.Header().Set("ETag", `"one"`)
	w.WriteHeader(http.StatusCreated)
	if e.onAnswer != nil {
		e.onAnswer(w, answer)
		return
	}
	io.WriteString(w, answer)
}

func (e *endpoint) patch(w http.ResponseWriter, r *http.Request) {
	note(e.patched)
	if e.onPatch != nil {
		e.onPatch()
	}
	if r.Header.Get("If-Match") != "*" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if !e.restarts {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	body, _ := io.ReadAll(r.Body)
	fragment, err := e.restart(string(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/trickle-ice-sdpfrag")
	w.Header().Set("ETag", `"two"`)
	io.WriteString(w, fragment)
}

// note signals whoever may be waiting.
func note(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// restart answers an ICE restart, RFC 9725 section 4.3.3.
func (e *endpoint) restart(body string) (string, error) {
	theirs, err := whip.ParseFragment(body)
	if err != nil {
		return "", err
	}
	offer, err := theirs.Apply(e.offer)
	if err != nil {
		return "", err
	}
	answer, err := e.negotiate(e.peer, offer)
	if err != nil {
		return "", err
	}
	ours, err := whip.FragmentOf(answer)
	return ours.String(), err
}

func (e *endpoint) answer(offer string) (string, error) {
	peer, err := e.newPeer()
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	e.peer = peer
	e.mu.Unlock()
	peer.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		go e.readReports(track.PayloadType(), receiver)
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			e.packets[track.PayloadType()] <- packet
		}
	})
	answer, err := e.negotiate(peer, offer)
	if err != nil {
		return "", err
	}
	if e.edit != nil {
		answer = e.edit(answer)
	}
	return answer, nil
}

func (e *endpoint) negotiate(peer *webrtc.PeerConnection, offer string) (string, error) {
	if err := peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	answer, err := peer.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(peer)
	if err := peer.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	return peer.LocalDescription().SDP, nil
}

func (e *endpoint) readReports(payloadType webrtc.PayloadType, receiver *webrtc.RTPReceiver) {
	for {
		packets, _, err := receiver.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			select {
			case e.reports[payloadType] <- p:
			default: // nobody looks
			}
		}
	}
}

func (e *endpoint) newPeer() (*webrtc.PeerConnection, error) {
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	for _, uri := range []string{absCaptureTimeURI, playoutDelayURI} {
		if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, err
		}
	}
	registry := &interceptor.Registry{}
	if err := webrtc.ConfigureRTCPReports(registry); err != nil {
		return nil, err
	}
	s := webrtc.SettingEngine{}
	if !e.namespaced {
		s.SetIncludeLoopbackCandidate(true)
		s.SetIPFilter(net.IP.IsLoopback)
	}
	s.SetLite(e.lite)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(s))
	return api.NewPeerConnection(webrtc.Configuration{})
}

// awaitDelete waits for the end of the session.
func (e *endpoint) awaitDelete() {
	e.t.Helper()
	select {
	case <-e.deleted:
	case <-time.After(10 * time.Second):
		e.t.Error("no DELETE within 10 s")
	}
}

// checkLeaks fails the test when goroutines or descriptors stay behind: those
// that are there more than before, once everything has been closed.
func checkLeaks(t *testing.T) {
	t.Helper()
	goroutines, descriptors := runtime.NumGoroutine(), openFiles(t)
	t.Cleanup(func() {
		for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
			n, files := runtime.NumGoroutine(), openFiles(t)
			if n <= goroutines && files <= descriptors {
				return
			}
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Fatalf("%d goroutines and %d files, %d and %d before:\n%s", n, files, goroutines, descriptors, buf[:runtime.Stack(buf, true)])
			}
		}
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// send writes RTCP to the publisher.
func (e *endpoint) send(packets ...rtcp.Packet) {
	e.t.Helper()
	if err := e.peer.WriteRTCP(packets); err != nil {
		e.t.Fatal(err)
	}
}

// next returns the next packet of the picture's or the sound's stream.
func (e *endpoint) next(payloadType webrtc.PayloadType) *rtp.Packet {
	e.t.Helper()
	select {
	case p := <-e.packets[payloadType]:
		return p
	case <-time.After(10 * time.Second):
		e.t.Fatalf("no packet of payload type %d within 10 s", payloadType)
		return nil
	}
}

// discard takes what comes in, until the end of the test.
func (e *endpoint) discard() {
	for {
		select {
		case <-e.packets[payloadVideo]:
		case <-e.packets[payloadAudio]:
		case <-e.t.Context().Done():
			return
		}
	}
}

// nextReport returns the next sender report about a stream and its description.
func (e *endpoint) nextReport(payloadType webrtc.PayloadType) (sr *rtcp.SenderReport, sdes *rtcp.SourceDescription) {
	e.t.Helper()
	for timeout := time.After(10 * time.Second); sr == nil || sdes == nil; {
		select {
		case p := <-e.reports[payloadType]:
			switch p := p.(type) {
			case *rtcp.SenderReport:
				sr = p
			case *rtcp.SourceDescription:
				sdes = p
			}
		case <-timeout:
			e.t.Fatalf("no sender report with description for payload type %d within 10 s", payloadType)
		}
	}
	return sr, sdes
}

func dial(t testing.TB, e *endpoint, cfg Config) (*Publisher, error) {
	t.Helper()
	cfg.Loopback = true
	p, err := Dial(t.Context(), newClient(t, e), cfg)
	if err == nil {
		t.Cleanup(func() { p.Close(t.Context()) })
	}
	return p, err
}

func mustDial(t testing.TB, e *endpoint, cfg Config) *Publisher {
	t.Helper()
	p, err := dial(t, e, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func lineOf(sdp, prefix string) string {
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
