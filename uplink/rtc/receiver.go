package rtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/whip"
)

// ReceiverConfig says how a Receiver reaches its endpoint, and who hears it.
type ReceiverConfig struct {
	// Speech is called with each packet, in the order of arrival. The packet is valid
	// during the call only.
	Speech func(Speech)

	Loopback   bool   // as of Config
	Interface  string // likewise
	ICEServers []whip.ICEServer
	Log        *slog.Logger // nil discards
}

// maxStreams bounds how many sources an endpoint can send in one session, each of
// which takes memory until its end. With one more the session ends, for a new one to
// hear that: unread, the customer would be silent for good.
const maxStreams = 16

// Receiver is one connection by which the customer is heard: Opus and nothing
// else. There is no way in its SDP for a picture to come.
type Receiver struct {
	cfg     ReceiverConfig
	peer    *webrtc.PeerConnection
	offer   webrtc.SessionDescription
	session *whip.Session // nil until the endpoint has accepted
	state   state

	running sync.WaitGroup
	life    context.Context
	end     context.CancelFunc

	mu      sync.Mutex // held over Speech: two sources may send at once
	streams int
	closed  bool

	closeOnce sync.Once
	closeErr  error
}

// NewReceiver makes what Connect connects. Close frees it.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Receiver{cfg: cfg, state: newState()}
	r.life, r.end = context.WithCancel(context.Background())
	if err := r.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare WebRTC: %w", err), r.Close(context.Background()))
	}
	return r, nil
}

// prepare makes the offer, of one section that only receives.
func (r *Receiver) prepare() (err error) {
	if r.peer, err = newListeningPeer(r.cfg); err != nil {
		return err
	}
	init := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	if _, err = r.peer.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, init); err != nil {
		return err
	}
	r.offer, err = r.peer.CreateOffer(nil)
	return err
}

func newListeningPeer(cfg ReceiverConfig) (*webrtc.PeerConnection, error) {
	media := &webrtc.MediaEngine{}
	codec := webrtc.RTPCodecParameters{RTPCodecCapability: listeningCodec(), PayloadType: payloadAudio}
	if err := media.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, fmt.Errorf("register Opus: %w", err)
	}
	s := settings(Config{Loopback: cfg.Loopback, Interface: cfg.Interface, Log: cfg.Log}, nil)
	s.SetHandleUndeclaredSSRCWithoutAnswer(true) // an answer need not declare its sources, and they may change
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(&interceptor.Registry{}), webrtc.WithSettingEngine(s))
	return api.NewPeerConnection(webrtc.Configuration{
		BundlePolicy:  webrtc.BundlePolicyMaxBundle,
		RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	})
}

// listeningCodec asks for mono, which is all that an earpiece plays, and for what
// makes up for lost packets (RFC 7587 section 6.1).
func listeningCodec() webrtc.RTPCodecCapability {
	c := audioCodec()
	c.SDPFmtpLine += ";useinbandfec=1;stereo=0"
	return c
}

// Connect asks the endpoint at address, and returns once packets can flow. After
// whip.ErrSilent it may be called again; after any other error, the Receiver is of
// no more use.
func (r *Receiver) Connect(ctx context.Context, client *whip.Client, address string) error {
	session, err := client.Hear(ctx, address, forWHIP(r.offer.SDP))
	if err != nil {
		return err
	}
	r.session = session
	if session.Counter() != "" {
		err = r.accept(ctx, session.Counter())
	} else {
		err = r.begin(session.Answer())
	}
	if err != nil {
		return err
	}
	if err := r.state.await(ctx, connectTime); err != nil {
		return fmt.Errorf("connect to the endpoint: %w", err)
	}
	return nil
}

// begin goes on with the answer to the offer.
func (r *Receiver) begin(sdp string) error {
	answer := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}
	if err := checkSpeech(answer); err != nil {
		return err
	}
	if err := r.listen(); err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(r.peer)
	if err := r.peer.SetLocalDescription(r.offer); err != nil {
		return fmt.Errorf("use own offer: %w", err)
	}
	if err := r.peer.SetRemoteDescription(answer); err != nil {
		return fmt.Errorf("use the endpoint's answer: %w", err)
	}
	r.trickle(gathered)
	return nil
}

// accept answers the endpoint's own offer, with a peer that has made none: its
// sections have names of the endpoint's.
func (r *Receiver) accept(ctx context.Context, sdp string) error {
	offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}
	if err := checkSpeech(offer); err != nil {
		return err
	}
	if err := r.peer.GracefulClose(); err != nil {
		return fmt.Errorf("take back the offer: %w", err)
	}
	var err error
	if r.peer, err = newListeningPeer(r.cfg); err != nil {
		return fmt.Errorf("prepare WebRTC: %w", err)
	}
	if err := r.listen(); err != nil {
		return err
	}
	if err := r.peer.SetRemoteDescription(offer); err != nil {
		return fmt.Errorf("use the endpoint's offer: %w", err)
	}
	answer, err := r.peer.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("make an answer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(r.peer)
	if err := r.peer.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("use own answer: %w", err)
	}
	if err := r.session.Accept(ctx, answer.SDP); err != nil {
		return err
	}
	r.trickle(gathered)
	return nil
}

// listen has the peer tell what happens, and gives it the endpoint's ICE servers.
func (r *Receiver) listen() error {
	r.peer.OnConnectionStateChange(r.state.follow)
	r.peer.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { r.read(t) })
	return useICEServers(r.peer, slices.Concat(r.cfg.ICEServers, r.session.ICEServers()), r.cfg.Log)
}

func (r *Receiver) trickle(gathered <-chan struct{}) {
	peer, session := r.peer, r.session
	r.running.Go(func() { trickle(r.life, peer, session, gathered, r.cfg.Log) })
}

// read hands on what one source sends, until the connection ends. It runs in a
// goroutine of pion's, for which GracefulClose does not wait.
func (r *Receiver) read(t *webrtc.TrackRemote) {
	if !r.enter() {
		return
	}
	defer r.running.Done()
	buf := make([]byte, 1500)
	for {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		speech, ok := parseSpeech(buf[:n])
		if !ok || t.Codec().MimeType != webrtc.MimeTypeOpus {
			continue
		}
		speech.Arrived = monotonic.Now()
		r.tell(speech)
	}
}

// enter counts a source in; false where that is not to be read.
func (r *Receiver) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	if r.streams++; r.streams > maxStreams {
		r.state.lose(fmt.Errorf("more than %d sources in a session: %w", maxStreams, ErrLost))
		return false
	}
	r.running.Add(1)
	return true
}

func (r *Receiver) tell(s Speech) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed && r.cfg.Speech != nil {
		r.cfg.Speech(s)
	}
}

// Lost is closed when the connection has gone; Err then says why.
func (r *Receiver) Lost() <-chan struct{} { return r.state.lost }

// Err returns why the connection was lost, or nil.
func (r *Receiver) Err() error { return r.state.err() }

// Close ends the session at the endpoint, for which it takes 2 s at most, and
// frees everything. No Speech is called once it has returned. It may be called
// twice, and not from Speech.
func (r *Receiver) Close(ctx context.Context) error {
	r.closeOnce.Do(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.state.lose(fmt.Errorf("closed on this side: %w", ErrLost))
		r.end()
		var farewell, closing error
		if r.session != nil {
			ctx, cancel := context.WithTimeout(ctx, deleteTime)
			defer cancel()
			farewell = r.session.Delete(ctx)
		}
		if r.peer != nil {
			closing = r.peer.GracefulClose()
		}
		r.running.Wait()
		r.closeErr = errors.Join(farewell, closing)
	})
	return r.closeErr
}

// Speech is one packet of what the customer says. It is no encoder.Packet, which
// can be recorded.
type Speech struct {
	SSRC      uint32
	Sequence  uint16
	Timestamp uint32 // in units of 1/48000 s
	Payload   []byte // of Opus
	Arrived   time.Duration
}
