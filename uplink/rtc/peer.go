package rtc

import (
	"fmt"
	"net"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/uplink/cork"
)

const (
	payloadVideo    = 102
	payloadVideoRTX = 103
	payloadAudio    = 111

	// silence is without any ICE response or RTCP before a connection counts as
	// lost; keepalive asks for a response when nothing was heard for that long.
	silence   = 2500 * time.Millisecond
	failed    = 5 * time.Second
	keepalive = time.Second
	// relayWait is how long a direct way is preferred to one by TURN. It is the
	// delay of each connection where there is no direct one.
	relayWait = 500 * time.Millisecond
)

// newPeer makes a PeerConnection that offers what cfg says: sendonly, one
// bundle, no interceptors (track does their work).
func newPeer(cfg Config, sockets *cork.Net) (*webrtc.PeerConnection, error) {
	media := &webrtc.MediaEngine{}
	if err := registerMedia(media, cfg); err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(
		webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
		webrtc.WithSettingEngine(settings(cfg, sockets)),
	)
	configuration := webrtc.Configuration{
		BundlePolicy:  webrtc.BundlePolicyMaxBundle,
		RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	}
	if cfg.relayOnly {
		configuration.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	return api.NewPeerConnection(configuration)
}

// settings are those of ICE. Sockets is nil where little is sent.
func settings(cfg Config, sockets *cork.Net) webrtc.SettingEngine {
	s := webrtc.SettingEngine{LoggerFactory: pionLog{cfg.Log}}
	if sockets != nil {
		s.SetNet(sockets)
	}
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled) // it spins on a wrapped socket, and nobody here needs names
	s.SetICETimeouts(silence, failed, keepalive)
	s.SetPrflxAcceptanceMinWait(0)
	s.SetSrflxAcceptanceMinWait(0)
	s.SetRelayAcceptanceMinWait(relayWait)
	s.SetNetworkTypes([]webrtc.NetworkType{
		webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
	})
	limitInterfaces(&s, cfg)
	return s
}

// limitInterfaces keeps ICE to the loopback interface or to one by name.
func limitInterfaces(s *webrtc.SettingEngine, cfg Config) {
	switch {
	case cfg.Loopback:
		s.SetIncludeLoopbackCandidate(true)
		s.SetIPFilter(net.IP.IsLoopback)
	case cfg.Interface != "":
		s.SetInterfaceFilter(func(name string) bool { return name == cfg.Interface })
	}
}

func registerMedia(media *webrtc.MediaEngine, cfg Config) error {
	if cfg.Video.ProfileLevelID != "" {
		if err := registerVideo(media, videoCodec(cfg.Video.ProfileLevelID)); err != nil {
			return err
		}
	}
	if !cfg.Audio {
		return nil
	}
	if err := media.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: audioCodec(), PayloadType: payloadAudio}, webrtc.RTPCodecTypeAudio); err != nil {
		return fmt.Errorf("register Opus: %w", err)
	}
	return registerExtensions(media, webrtc.RTPCodecTypeAudio, absCaptureTimeURI)
}

func registerVideo(media *webrtc.MediaEngine, codec webrtc.RTPCodecCapability) error {
	rtx := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: codec.ClockRate, SDPFmtpLine: fmt.Sprintf("apt=%d", payloadVideo)}
	for _, p := range []webrtc.RTPCodecParameters{
		{RTPCodecCapability: codec, PayloadType: payloadVideo},
		{RTPCodecCapability: rtx, PayloadType: payloadVideoRTX},
	} {
		if err := media.RegisterCodec(p, webrtc.RTPCodecTypeVideo); err != nil {
			return fmt.Errorf("register %s: %w", p.MimeType, err)
		}
	}
	return registerExtensions(media, webrtc.RTPCodecTypeVideo, absCaptureTimeURI, playoutDelayURI)
}

func registerExtensions(media *webrtc.MediaEngine, kind webrtc.RTPCodecType, uris ...string) error {
	for _, uri := range uris {
		if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind, webrtc.RTPTransceiverDirectionSendonly); err != nil {
			return fmt.Errorf("register %s: %w", uri, err)
		}
	}
	return nil
}

func videoCodec(profileLevelID string) webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{
		MimeType:    webrtc.MimeTypeH264,
		ClockRate:   90000,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + profileLevelID,
		RTCPFeedback: []webrtc.RTCPFeedback{
			{Type: "goog-remb"}, {Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"},
		},
	}
}

// audioCodec offers what libopus' defaults deliver. RFC 7587: always 48000/2,
// whatever is sent; stereo and inband FEC are the receiver's to ask for, and we
// send neither.
func audioCodec() webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10"}
}
