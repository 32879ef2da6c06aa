package soak

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// speaker is a customer who speaks, and begins again wherever the connection goes.
type speaker struct {
	cancel  context.CancelFunc
	done    sync.WaitGroup
	packets atomic.Int64
}

// speakTo sends the packets over and over until it is ended.
func speakTo(t *testing.T, e *endpoint, packets [][]byte) *speaker {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &speaker{cancel: cancel}
	api := rtctest.NewAPI(t, rtctest.Options{SoundOnly: true})
	s.done.Go(func() {
		for ctx.Err() == nil {
			s.speak(ctx, api, e.url("/talk/demo"), packets)
		}
	})
	t.Cleanup(s.end)
	return s
}

func (s *speaker) end() {
	s.cancel()
	s.done.Wait()
}

func (s *speaker) sent() int64 { return s.packets.Load() }

// speak is one connection. Why it ends does not matter: the endpoint is killed.
func (s *speaker) speak(ctx context.Context, api *webrtc.API, endpoint string, packets [][]byte) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	peer, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return
	}
	defer peer.GracefulClose()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "voice", "customer")
	if err != nil {
		return
	}
	if _, err := peer.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		return
	}
	gone := make(chan struct{})
	var once sync.Once
	peer.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state > webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(gone) })
		}
	})
	if post(ctx, peer, endpoint) != nil {
		<-tick.C
		return
	}
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-gone:
			return
		case <-ctx.Done():
			return
		}
		packet := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: uint32(n) * 960}, Payload: packets[n%len(packets)]}
		if track.WriteRTP(packet) == nil {
			s.packets.Add(1)
		}
	}
}

func post(ctx context.Context, peer *webrtc.PeerConnection, endpoint string) error {
	offer, err := peer.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(peer)
	if err := peer.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(peer.LocalDescription().SDP))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/sdp")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)})
}
