// Package rtctest holds a scripted publisher and viewer on loopback, for tests of
// the endpoint.
package rtctest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Timeout is how long any step of a test may take before it fails.
const Timeout = 10 * time.Second

// ConstrainedBaseline is what the project's own encoder makes.
const ConstrainedBaseline = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"

// Client is a WHIP or WHEP client.
type Client struct {
	PC       *webrtc.PeerConnection
	Location string // of the session, absolute
	ETag     string
	Answer   string
	Response *http.Response

	t         *testing.T
	tls       *tls.Config
	connected chan struct{}
}

// Options of a client. Zero is the ordinary one.
type Options struct {
	Token  string
	FMTP   string // of H.264; default ConstrainedBaseline
	NoRTX  bool
	Extras []string // URIs of header extensions

	SoundOnly bool // no picture is offered

	Roots       *x509.CertPool   // authorities of an endpoint over TLS; default: the system's
	Certificate *tls.Certificate // of an enrolled device; default: none
}

// NewAPI returns pion with H.264 and Opus, loopback only, without interceptors: a
// test sends and sees every packet itself.
func NewAPI(t testing.TB, o Options) *webrtc.API {
	t.Helper()
	engine := &webrtc.MediaEngine{}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if o.FMTP == "" {
		o.FMTP = ConstrainedBaseline
	}
	must(engine.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 102, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: o.FMTP,
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "transport-cc"}},
	}}, webrtc.RTPCodecTypeVideo))
	if !o.NoRTX {
		must(engine.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 103, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=102",
		}}, webrtc.RTPCodecTypeVideo))
	}
	must(engine.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}}, webrtc.RTPCodecTypeAudio))
	for _, uri := range o.Extras {
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			must(engine.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind))
		}
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	s.SetIPFilter(func(ip net.IP) bool { return ip.To4() != nil })
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetFireOnTrackBeforeFirstRTP(true)
	return webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(s),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
}

// NewClient makes a client that is not connected yet. It is closed with the test.
func NewClient(t *testing.T, o Options) *Client {
	t.Helper()
	pc, err := NewAPI(t, o).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{PC: pc, t: t, tls: &tls.Config{RootCAs: o.Roots}, connected: make(chan struct{})}
	if o.Certificate != nil {
		c.tls.Certificates = []tls.Certificate{*o.Certificate}
	}
	var once sync.Once
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(c.connected) })
		}
	})
	t.Cleanup(func() { _ = c.PC.GracefulClose() })
	return c
}

// Offer makes an offer with all candidates.
func (c *Client) Offer() string {
	c.t.Helper()
	offer, err := c.PC.CreateOffer(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.PC)
	if err := c.PC.SetLocalDescription(offer); err != nil {
		c.t.Fatal(err)
	}
	<-gathered
	return c.PC.LocalDescription().SDP
}

// Post sends an offer to an endpoint. It reads Location, ETag and the body.
func (c *Client) Post(endpoint, token, offer string) (status int, body string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, endpoint, strings.NewReader(offer))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/sdp")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: Timeout, Transport: &http.Transport{TLSClientConfig: c.tls.Clone()}}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Response, c.ETag, c.Answer = answer, answer.Header.Get("ETag"), string(text)
	if base, err := url.Parse(endpoint); err == nil {
		if location, err := base.Parse(answer.Header.Get("Location")); err == nil {
			c.Location = location.String()
		}
	}
	return answer.StatusCode, string(text)
}

// Connect posts an offer, which must be taken, and waits for the connection.
func (c *Client) Connect(endpoint, token string) {
	c.t.Helper()
	if status, body := c.Post(endpoint, token, c.Offer()); status != http.StatusCreated {
		c.t.Fatalf("POST %s: %d %s", endpoint, status, body)
	}
	c.SetAnswer()
	Wait(c.t, "connection to "+endpoint, c.connected)
}

// SetAnswer applies the answer of Post.
func (c *Client) SetAnswer() {
	c.t.Helper()
	err := c.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: c.Answer})
	if err != nil {
		c.t.Fatalf("set the answer: %v\n%s", err, c.Answer)
	}
}

// Connected is closed once DTLS is up.
func (c *Client) Connected() <-chan struct{} { return c.connected }

// Publisher sends packets that the test makes.
type Publisher struct {
	*Client
	Video, Audio *webrtc.TrackLocalStaticRTP
	VideoSender  *webrtc.RTPSender
	AudioSender  *webrtc.RTPSender
	RTCP         chan rtcp.Packet // what the endpoint sends about the video
}

// NewPublisher makes a publisher with picture, unless SoundOnly, and sound.
func NewPublisher(t *testing.T, o Options) *Publisher {
	t.Helper()
	p := &Publisher{Client: NewClient(t, o), RTCP: make(chan rtcp.Packet, 1024)}
	if !o.SoundOnly {
		p.Video, p.VideoSender = p.add(webrtc.MimeTypeH264, 90000, "video")
		go p.readRTCP(p.VideoSender)
	}
	p.Audio, p.AudioSender = p.add(webrtc.MimeTypeOpus, 48000, "audio")
	for _, transceiver := range p.PC.GetTransceivers() {
		p.onlySend(transceiver)
	}
	return p
}

func (p *Publisher) onlySend(transceiver *webrtc.RTPTransceiver) {
	p.t.Helper()
	if transceiver.Direction() != webrtc.RTPTransceiverDirectionSendonly {
		p.t.Fatalf("transceiver is %v", transceiver.Direction())
	}
}

func (p *Publisher) add(mime string, clockRate uint32, id string) (*webrtc.TrackLocalStaticRTP, *webrtc.RTPSender) {
	p.t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime, ClockRate: clockRate}, id, "agent")
	if err != nil {
		p.t.Fatal(err)
	}
	transceiver, err := p.PC.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		p.t.Fatal(err)
	}
	return track, transceiver.Sender()
}

func (p *Publisher) readRTCP(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			select {
			case p.RTCP <- packet:
			default:
			}
		}
	}
}

// The payloads that tests send: a key frame's only slice and another picture's.
var (
	KeyFrame   = []byte{0x65, 0x88, 0x84, 0x00}
	OtherFrame = []byte{0x41, 0x9a, 0x00, 0x01}
)

// SendVideo sends one packet.
func (p *Publisher) SendVideo(seq uint16, timestamp uint32, payload []byte, extensions ...Extension) {
	p.t.Helper()
	p.send(p.Video, seq, timestamp, payload, extensions)
}

// SendAudio sends one packet.
func (p *Publisher) SendAudio(seq uint16, timestamp uint32, payload []byte) {
	p.t.Helper()
	p.send(p.Audio, seq, timestamp, payload, nil)
}

// Extension is one RTP header extension.
type Extension struct {
	ID    uint8
	Value []byte
}

func (p *Publisher) send(track *webrtc.TrackLocalStaticRTP, seq uint16, timestamp uint32, payload []byte, extensions []Extension) {
	p.t.Helper()
	packet := &rtp.Packet{Header: rtp.Header{Version: 2, Marker: true, SequenceNumber: seq, Timestamp: timestamp}, Payload: payload}
	for _, e := range extensions {
		if err := packet.SetExtension(e.ID, e.Value); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := track.WriteRTP(packet); err != nil {
		p.t.Fatal(err)
	}
}

// Report sends a sender report for the video or the audio.
func (p *Publisher) Report(sender *webrtc.RTPSender, ntp uint64, timestamp uint32) {
	p.t.Helper()
	ssrc := uint32(sender.GetParameters().Encodings[0].SSRC)
	if err := p.PC.WriteRTCP([]rtcp.Packet{&rtcp.SenderReport{SSRC: ssrc, NTPTime: ntp, RTPTime: timestamp}}); err != nil {
		p.t.Fatal(err)
	}
}

// Viewer receives.
type Viewer struct {
	*Client
	Video, Audio       chan *rtp.Packet
	VideoRTCP          chan rtcp.Packet
	AudioRTCP          chan rtcp.Packet
	VideoIDs, AudioIDs chan map[string]int // header extensions by URI, once known
	videoSSRC          chan webrtc.SSRC
}

// NewViewer makes a viewer of picture, unless SoundOnly, and sound.
func NewViewer(t *testing.T, o Options) *Viewer {
	t.Helper()
	v := &Viewer{
		Client: NewClient(t, o), Video: make(chan *rtp.Packet, 4096), Audio: make(chan *rtp.Packet, 4096),
		VideoRTCP: make(chan rtcp.Packet, 1024), AudioRTCP: make(chan rtcp.Packet, 1024),
		VideoIDs: make(chan map[string]int, 1), AudioIDs: make(chan map[string]int, 1), videoSSRC: make(chan webrtc.SSRC, 1),
	}
	kinds := []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio}
	if o.SoundOnly {
		kinds = kinds[1:]
	}
	for _, kind := range kinds {
		_, err := v.PC.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			t.Fatal(err)
		}
	}
	v.PC.OnTrack(v.track)
	return v
}

func (v *Viewer) track(t *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	packets, reports, ids := v.Video, v.VideoRTCP, v.VideoIDs
	if t.Kind() == webrtc.RTPCodecTypeAudio {
		packets, reports, ids = v.Audio, v.AudioRTCP, v.AudioIDs
	} else {
		v.videoSSRC <- t.SSRC()
	}
	byURI := map[string]int{}
	for _, e := range receiver.GetParameters().HeaderExtensions {
		byURI[e.URI] = e.ID
	}
	ids <- byURI
	go func() {
		for {
			list, _, err := receiver.ReadRTCP()
			if err != nil {
				return
			}
			for _, packet := range list {
				offer(reports, packet)
			}
		}
	}()
	for {
		packet, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		offer(packets, packet)
	}
}

func offer[T any](c chan T, value T) {
	select {
	case c <- value:
	default:
	}
}

// AskKeyFrame sends a PLI for the video.
func (v *Viewer) AskKeyFrame() {
	v.t.Helper()
	ssrc := Next(v.t, "the video track", v.videoSSRC)
	v.videoSSRC <- ssrc
	if err := v.PC.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(ssrc)}}); err != nil {
		v.t.Fatal(err)
	}
}

// Wait fails the test when the channel is not closed in time.
func Wait(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(Timeout):
		t.Fatalf("no %s within %v", what, Timeout)
	}
}

// Next returns the next value of a channel.
func Next[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case value := <-c:
		return value
	case <-time.After(Timeout):
		t.Fatalf("no %s within %v", what, Timeout)
		panic("unreachable")
	}
}
