package rtc

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
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
	t       *testing.T
	server  *httptest.Server
	offer   string
	packets map[webrtc.PayloadType]chan *rtp.Packet
	deleted chan struct{}

	mu    sync.Mutex
	peer  *webrtc.PeerConnection
	edit  func(answer string) string
	codec []webrtc.RTPCodecParameters
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{t: t, packets: map[webrtc.PayloadType]chan *rtp.Packet{
		payloadVideo: make(chan *rtp.Packet, 4096),
		payloadAudio: make(chan *rtp.Packet, 4096),
	}, deleted: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /whip/demo", e.publish)
	mux.HandleFunc("PATCH /session", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("DELETE /session", func(http.ResponseWriter, *http.Request) { e.deleted <- struct{}{} })
	e.server = httptest.NewServer(mux)
	t.Cleanup(e.close)
	return e
}

func (e *endpoint) close() {
	e.server.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.peer != nil {
		e.peer.GracefulClose()
	}
}

func (e *endpoint) publish(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.offer = string(body)
	answer, err := e.answer(e.offer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotAcceptable)
		return
	}
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", "/session")
	w.Header().Set("ETag", `"one"`)
	w.WriteHeader(http.StatusCreated)
	io.WriteString(w, answer)
}

func (e *endpoint) answer(offer string) (string, error) {
	peer, err := e.newPeer()
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	e.peer = peer
	e.mu.Unlock()
	peer.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			e.packets[track.PayloadType()] <- packet
		}
	})
	if err := peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(peer)
	answer, err := peer.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	if err := peer.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	if e.edit != nil {
		return e.edit(peer.LocalDescription().SDP), nil
	}
	return peer.LocalDescription().SDP, nil
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
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(net.IP.IsLoopback)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(s))
	return api.NewPeerConnection(webrtc.Configuration{})
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

func dial(t *testing.T, e *endpoint, cfg Config) (*Publisher, error) {
	t.Helper()
	client, err := whip.New(whip.Config{URL: e.server.URL + "/whip/demo"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	cfg.Loopback, cfg.Log = true, slog.New(slog.DiscardHandler)
	p, err := Dial(t.Context(), client, cfg)
	if err == nil {
		t.Cleanup(func() { p.Close(t.Context()) })
	}
	return p, err
}

func mustDial(t *testing.T, e *endpoint, cfg Config) *Publisher {
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
