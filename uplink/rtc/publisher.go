// Package rtc publishes encoded picture and sound over WebRTC: it is the only
// package of the agent that imports pion/webrtc. It packetises and retransmits
// by itself, with capture times, and leaves ICE, DTLS and SRTP to pion. It
// receives nothing but feedback: its SDP is sendonly.
package rtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/cork"
	"github.com/bril-edge/bril/uplink/whip"
)

const (
	// connectTime bounds ICE and DTLS after the answer.
	connectTime = 10 * time.Second
	// gatherTime is how long candidates are collected before those that are
	// there are sent in one PATCH.
	gatherTime = 1500 * time.Millisecond
	// deleteTime bounds the farewell to the endpoint.
	deleteTime = 2 * time.Second
)

// ErrLost says that the connection has gone: nothing was heard for too long, the
// peer closed it, or its host says that nobody listens.
var ErrLost = errors.New("connection to the endpoint lost")

// Config says what is published and how.
type Config struct {
	// Video.ProfileLevelID is the H.264 profile-level-id to offer (RFC 6184
	// section 8.1); empty means no picture.
	Video VideoConfig
	// Audio offers Opus.
	Audio bool

	// Loopback limits ICE to the loopback interface, Interface to one by name.
	Loopback  bool
	Interface string
	// ICEServers are used beside those that the endpoint names.
	ICEServers []whip.ICEServer

	// KeyFrame is called, from another goroutine, when a viewer needs an IDR.
	KeyFrame func()
	// Estimate is called, from another goroutine, with what the receiver reports.
	Estimate func(Estimate)
	Log      *slog.Logger
}

// VideoConfig describes the picture that is offered.
type VideoConfig struct {
	ProfileLevelID string
}

// Estimate is what the far end reports about the path.
type Estimate struct {
	Lost      float64         // fraction of packets lost since the last report, 0 to 1
	RTT       time.Duration   // 0 when unknown
	Available encoder.BitRate // as the receiver estimates (REMB); 0 when it does not
}

// Publisher is one connection to an endpoint, from its POST to its DELETE. Its
// methods may be called from several goroutines.
type Publisher struct {
	cfg     Config
	sockets *cork.Net
	peer    *webrtc.PeerConnection
	session *whip.Session
	video   *track // nil when not offered
	audio   *track
	cname   string

	readers sync.WaitGroup
	lost    chan struct{}
	once    sync.Once // of lost
	reason  error     // read after lost is closed

	closeOnce sync.Once
	closeErr  error
	stats     counters
}

// counters are written by the sending and the RTCP goroutines.
type counters struct {
	bytes     atomic.Uint64
	keyFrames atomic.Uint64 // PLI and FIR received
	rtt       atomic.Int64
	available atomic.Uint64
}

// Dial publishes by WHIP and returns once packets can flow. It returns the
// endpoint's refusal as whip's error.
func Dial(ctx context.Context, client *whip.Client, cfg Config) (*Publisher, error) {
	sockets, err := cork.NewNet()
	if err != nil {
		return nil, err
	}
	p := &Publisher{cfg: cfg, sockets: sockets, lost: make(chan struct{})}
	if p.peer, err = newPeer(cfg, sockets); err != nil {
		return nil, fmt.Errorf("prepare WebRTC: %w", err)
	}
	if err := p.connect(ctx, client); err != nil {
		return nil, errors.Join(err, p.Close(context.WithoutCancel(ctx)))
	}
	return p, nil
}

func (p *Publisher) connect(ctx context.Context, client *whip.Client) error {
	connected := p.watchState()
	if err := p.addTracks(); err != nil {
		return err
	}
	if err := p.negotiate(ctx, client); err != nil {
		return err
	}
	timeout := time.NewTimer(connectTime)
	defer timeout.Stop()
	select {
	case <-connected:
		return nil
	case <-p.lost:
		return fmt.Errorf("connect to the endpoint: %w", p.reason)
	case <-timeout.C:
		return fmt.Errorf("connect to the endpoint: no ICE or DTLS within %v: is UDP blocked?", connectTime)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watchState follows pion's connection state and returns a channel that closes
// at the first connected.
func (p *Publisher) watchState() <-chan struct{} {
	connected := make(chan struct{})
	var once sync.Once
	p.peer.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			once.Do(func() { close(connected) })
		case webrtc.PeerConnectionStateDisconnected:
			p.lose(fmt.Errorf("nothing heard for %v: %w", silence, ErrLost))
		case webrtc.PeerConnectionStateFailed:
			p.lose(fmt.Errorf("ICE found no way or DTLS failed: %w", ErrLost))
		case webrtc.PeerConnectionStateClosed:
			p.lose(fmt.Errorf("closed by the endpoint: %w", ErrLost))
		}
	})
	return connected
}

func (p *Publisher) lose(reason error) {
	p.once.Do(func() {
		p.reason = reason
		close(p.lost)
	})
}

// Lost is closed when the connection has gone; Err then says why.
func (p *Publisher) Lost() <-chan struct{} { return p.lost }

// Err returns why the connection was lost, or nil.
func (p *Publisher) Err() error {
	select {
	case <-p.lost:
		return p.reason
	default:
		return nil
	}
}

func (p *Publisher) addTracks() error {
	p.cname = newStreamID()
	if p.cfg.Video.ProfileLevelID != "" {
		p.video = newTrack(webrtc.RTPCodecTypeVideo, videoCodec(p.cfg.Video.ProfileLevelID), p.cname)
		if err := p.addTrack(p.video); err != nil {
			return err
		}
	}
	if p.cfg.Audio {
		p.audio = newTrack(webrtc.RTPCodecTypeAudio, audioCodec(), p.cname)
		return p.addTrack(p.audio)
	}
	return nil
}

func (p *Publisher) addTrack(t *track) error {
	transceiver, err := p.peer.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return fmt.Errorf("offer %v: %w", t.kind, err)
	}
	p.readers.Go(func() { p.readFeedback(transceiver.Sender(), t) })
	return nil
}

// readFeedback ends when the connection closes.
func (p *Publisher) readFeedback(sender *webrtc.RTPSender, t *track) {
	buf := make([]byte, 1500)
	heard := listener{publisher: p, track: t}
	for {
		n, _, err := sender.Read(buf)
		if err != nil {
			return
		}
		parseFeedback(buf[:n], ntp(time.Now()), &heard)
	}
}

// WriteVideo sends one picture; its packets leave in one burst. It returns
// ErrLost once the connection has gone.
func (p *Publisher) WriteVideo(au encoder.AccessUnit) error {
	if p.video == nil {
		return nil
	}
	p.sockets.Cork()
	err := p.video.writeAccessUnit(au.Data, au.PTS)
	p.report(p.video)
	p.sockets.Uncork()
	p.stats.bytes.Add(uint64(len(au.Data)))
	return p.sent(err)
}

// WriteAudio sends one packet of sound. It returns ErrLost once the connection
// has gone.
func (p *Publisher) WriteAudio(packet encoder.Packet) error {
	if p.audio == nil {
		return nil
	}
	err := p.audio.writePacket(packet.Data, packet.PTS, packet.Length)
	p.report(p.audio)
	p.stats.bytes.Add(uint64(len(packet.Data)))
	return p.sent(err)
}

// sent notices, on the sender's own wakeups, what the sockets have heard.
func (p *Publisher) sent(err error) error {
	if p.sockets.Stats().Refused {
		p.lose(fmt.Errorf("the endpoint's host refuses packets: %w", ErrLost))
	}
	if lost := p.Err(); lost != nil {
		return lost
	}
	return err
}

// report sends a sender report when one is due: on the sender's own wakeups, so
// that it needs no timer.
func (p *Publisher) report(t *track) {
	sr := t.report(monotonic.Now())
	if sr == nil {
		return
	}
	// A failing path shows in the media. RFC 3550 section 6.1: an SDES with the
	// CNAME goes with each report.
	_ = p.peer.WriteRTCP([]rtcp.Packet{sr, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: sr.SSRC,
		Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: p.cname}},
	}}}})
}

// Close ends the session at the endpoint and frees everything. It may be called
// twice, and not from a callback.
func (p *Publisher) Close(ctx context.Context) error {
	p.closeOnce.Do(func() {
		var farewell error
		if p.session != nil {
			ctx, cancel := context.WithTimeout(ctx, deleteTime)
			defer cancel()
			farewell = p.session.Delete(ctx)
		}
		p.closeErr = errors.Join(farewell, p.peer.GracefulClose())
		p.readers.Wait()
		p.lose(ErrLost)
	})
	return p.closeErr
}
