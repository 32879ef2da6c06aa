package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"
)

// publishPlain is the publisher that pion's own examples lead to: WriteSample,
// the default interceptors, a ticker for the picture and one for the sound.
func publishPlain(ctx context.Context, endpoint, video, audio string) error {
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(net.IP.IsLoopback)
	peer, err := newPlainPeer(settings)
	if err != nil {
		return err
	}
	defer peer.Close()
	picture, err := addPlain(peer, webrtc.MimeTypeH264, "video")
	if err != nil {
		return err
	}
	sound, err := addPlain(peer, webrtc.MimeTypeOpus, "audio")
	if err != nil {
		return err
	}
	connected := make(chan struct{})
	peer.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			close(connected)
		}
	})
	if err := postPlain(ctx, peer, endpoint); err != nil {
		return err
	}
	<-connected
	failed := make(chan error, 2)
	go func() { failed <- playVideo(ctx, picture, video) }()
	go func() { failed <- playAudio(ctx, sound, audio) }()
	return <-failed
}

func newPlainPeer(settings webrtc.SettingEngine) (*webrtc.PeerConnection, error) {
	return webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
}

func addPlain(peer *webrtc.PeerConnection, mime, id string) (*webrtc.TrackLocalStaticSample, error) {
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, id, "plain")
	if err != nil {
		return nil, err
	}
	transceiver, err := peer.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, err
	}
	sender := transceiver.Sender()
	go func() { // the interceptors see RTCP only when somebody reads it
		buf := make([]byte, 1500)
		for {
			if _, _, err := sender.Read(buf); err != nil {
				return
			}
		}
	}()
	return track, nil
}

func postPlain(ctx context.Context, peer *webrtc.PeerConnection, endpoint string) error {
	offer, err := peer.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(peer)
	if err := peer.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewBufferString(peer.LocalDescription().SDP))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/sdp")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("post to %s: %s: %s", endpoint, response.Status, answer)
	}
	return peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)})
}

func playVideo(ctx context.Context, track *webrtc.TrackLocalStaticSample, path string) error {
	const interval = time.Second / 30
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	return loop(ctx, path, func(file io.Reader) error {
		reader, err := h264reader.NewReader(file)
		if err != nil {
			return err
		}
		for ctx.Err() == nil {
			nal, err := reader.NextNAL()
			if err != nil {
				return err
			}
			// Only a slice takes a picture's time; each picture is one slice here.
			sample := media.Sample{Data: nal.Data}
			if nal.UnitType == h264reader.NalUnitTypeCodedSliceIdr || nal.UnitType == h264reader.NalUnitTypeCodedSliceNonIdr {
				<-ticker.C
				sample.Duration = interval
			}
			if err := track.WriteSample(sample); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

func playAudio(ctx context.Context, track *webrtc.TrackLocalStaticSample, path string) error {
	const interval = 20 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	return loop(ctx, path, func(file io.Reader) error {
		reader, _, err := oggreader.NewWith(file)
		if err != nil {
			return err
		}
		for ctx.Err() == nil {
			page, _, err := reader.ParseNextPage()
			if err != nil {
				return err
			}
			<-ticker.C
			if err := track.WriteSample(media.Sample{Data: page, Duration: interval}); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// loop plays a file again and again.
func loop(ctx context.Context, path string, play func(io.Reader) error) error {
	for ctx.Err() == nil {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		err = play(file)
		file.Close()
		if !errors.Is(err, io.EOF) {
			return err
		}
	}
	return ctx.Err()
}
