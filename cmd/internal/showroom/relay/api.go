package relay

import (
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/webrtc/v4"
)

// nackHistory is how many packets of each track to a viewer can be sent again: a
// second of 1080p at 10 Mb/s.
const nackHistory = 1024

// iceKeepalive matters only to agents that ask for it: a lite agent sends no checks.
const iceKeepalive = 2 * time.Second

// dtlsRetransmission is short because ICE has just proved the path: what is
// lost on Wi-Fi should not cost the customer a second.
const dtlsRetransmission = 150 * time.Millisecond

// settings are common to all sessions. The relay is an ICE lite agent (RFC 8445
// section 2.5): its addresses are all it has, and clients do the checks.
func (r *Relay) settings() (webrtc.SettingEngine, error) {
	var s webrtc.SettingEngine
	s.SetLite(true)
	s.SetICEUDPMux(r.mux)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(true)
	s.SetICETimeouts(r.cfg.Silence, r.cfg.Silence, iceKeepalive)
	s.SetDTLSRetransmissionInterval(dtlsRetransmission)
	s.SetDTLSInsecureSkipHelloVerify(true) // ICE has verified the address already
	s.SetFireOnTrackBeforeFirstRTP(true)
	s.SetReceiveMTU(packetSize)
	s.LoggerFactory = loggerFactory{r.log}
	if !r.cfg.Advertise.IsValid() {
		return s, nil
	}
	return s, s.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
		External:        []string{r.cfg.Advertise.String()},
		AsCandidateType: webrtc.ICECandidateTypeHost,
		Mode:            webrtc.ICEAddressRewriteAppend,
	})
}

// packetSize is the largest packet read, in bytes: an Ethernet frame's payload.
const packetSize = 1500

var (
	videoFeedback = []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	nackFeedback  = []webrtc.RTCPFeedback{{Type: "nack"}}
	twccFeedback  = []webrtc.RTCPFeedback{{Type: "transport-cc"}}
)

// publisherAPI receives: NACK and transport-wide feedback go out to the publisher.
func (r *Relay) publisherAPI(o *offer) (*webrtc.API, error) {
	engine := &webrtc.MediaEngine{}
	if err := registerMedia(engine, o, twccFeedback); err != nil {
		return nil, err
	}
	for _, uri := range []string{uriMid, uriPlayoutDelay, uriAbsCaptureTime, uriTransportCC} {
		if err := registerExtension(engine, uri); err != nil {
			return nil, err
		}
	}
	generator, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(20 * time.Millisecond))
	if err != nil {
		return nil, err
	}
	feedback, err := twcc.NewSenderInterceptor(twcc.SendInterval(50 * time.Millisecond))
	if err != nil {
		return nil, err
	}
	reports, err := report.NewReceiverInterceptor()
	if err != nil {
		return nil, err
	}
	return r.api(engine, generator, feedback, reports)
}

// viewerAPI sends: it answers NACKs. Sender reports are the legs' own work.
func (r *Relay) viewerAPI(o *offer) (*webrtc.API, error) {
	engine := &webrtc.MediaEngine{}
	if err := registerMedia(engine, o, nil); err != nil {
		return nil, err
	}
	for _, uri := range []string{uriMid, uriPlayoutDelay, uriAbsCaptureTime} {
		if err := registerExtension(engine, uri); err != nil {
			return nil, err
		}
	}
	responder, err := nack.NewResponderInterceptor(nack.ResponderSize(nackHistory))
	if err != nil {
		return nil, err
	}
	return r.api(engine, nackBudgetFactory{}, responder)
}

func (r *Relay) api(engine *webrtc.MediaEngine, chain ...interceptor.Factory) (*webrtc.API, error) {
	settings, err := r.settings()
	if err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	for _, factory := range chain {
		registry.Add(factory)
	}
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(engine),
		webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(registry),
	), nil
}

func registerMedia(engine *webrtc.MediaEngine, o *offer, more []webrtc.RTCPFeedback) error {
	if o.video != nil {
		feedback := append(append([]webrtc.RTCPFeedback{}, videoFeedback...), more...)
		if err := o.video.register(engine, webrtc.RTPCodecTypeVideo, feedback); err != nil {
			return err
		}
	}
	if o.audio == nil {
		return nil
	}
	feedback := append(append([]webrtc.RTCPFeedback{}, nackFeedback...), more...)
	return o.audio.register(engine, webrtc.RTPCodecTypeAudio, feedback)
}

func registerExtension(engine *webrtc.MediaEngine, uri string) error {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		extension := webrtc.RTPHeaderExtensionCapability{URI: uri}
		if err := engine.RegisterHeaderExtension(extension, kind); err != nil {
			return err
		}
	}
	return nil
}
