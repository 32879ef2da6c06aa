// Package rtc publishes encoded picture and sound over WebRTC: it is the only
// package of the agent that imports pion/webrtc. It packetises and retransmits
// by itself, with capture times, and leaves ICE, DTLS and SRTP to pion. It
// receives nothing but feedback: its SDP is sendonly. The customer's voice comes
// over a connection of its own, a Receiver, whose SDP has room for nothing else.
package rtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
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
	Log      *slog.Logger // nil discards

	relayOnly bool // of tests: reach the endpoint by TURN only
}

// VideoConfig describes the picture that is offered.
type VideoConfig struct {
	ProfileLevelID string
}

// Estimate is what the far end reports about the path.
type Estimate struct {
	Lost      float64         // fraction of packets lost since the last report, 0 to 1; negative where this one does not say
	RTT       time.Duration   // 0 when unknown
	Available encoder.BitRate // as the receiver estimates (REMB); 0 when it does not
}

// Publisher is one connection to an endpoint, from its POST to its DELETE. Its
// methods may be called from several goroutines.
type Publisher struct {
	cfg     Config
	sockets *cork.Net
	peer    *webrtc.PeerConnection
	session *whip.Session // nil until the endpoint has accepted
	video   *track        // nil when not offered
	audio   *track
	cname   string
	home    []netip.Addr // usable when the way was found
	state   state

	running sync.WaitGroup  // readers of feedback, the trickle, and who nominates
	life    context.Context // ends with Close, for what runs in the background
	end     context.CancelFunc

	closeOnce sync.Once
	closeErr  error
	stats     counters
	leaves    throughput
}

// counters are written by the sending and the RTCP goroutines.
type counters struct {
	keyFrames atomic.Uint64 // PLI and FIR received
	rtt       atomic.Int64
	available atomic.Uint64
}

// Dial publishes by WHIP and returns once packets can flow. It returns the
// endpoint's refusal as whip's error, or ErrRefused when its answer is of no use.
func Dial(ctx context.Context, client *whip.Client, cfg Config) (*Publisher, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Publisher{cfg: cfg, sockets: cork.NewNet(), state: newState()}
	var err error
	if p.peer, err = newPeer(cfg, p.sockets); err != nil {
		return nil, fmt.Errorf("prepare WebRTC: %w", err)
	}
	p.life, p.end = context.WithCancel(context.WithoutCancel(ctx))
	heard := make(chan struct{}, maxNominations)
	p.sockets.OnHeard(func() { // the reader of a socket must not wait for the connection's lock
		select {
		case heard <- struct{}{}:
		default:
		}
	})
	p.running.Go(func() { nominateWhenHeard(p.life, p.peer, heard) })
	if err := p.connect(ctx, client); err != nil {
		if farewell := p.Close(context.WithoutCancel(ctx)); farewell != nil {
			cfg.Log.Debug("farewell to the endpoint", "error", farewell)
		}
		return nil, err
	}
	return p, nil
}

func (p *Publisher) connect(ctx context.Context, client *whip.Client) error {
	p.peer.OnConnectionStateChange(p.state.follow)
	if err := p.addTracks(); err != nil {
		return err
	}
	if err := p.negotiate(ctx, client); err != nil {
		return err
	}
	if err := p.state.await(ctx, connectTime); err != nil {
		return fmt.Errorf("connect to the endpoint: %w", err)
	}
	var err error
	p.home, err = p.addresses()
	return err
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
	p.running.Go(func() { p.readFeedback(transceiver.Sender(), t) })
	return nil
}

// readFeedback ends when the connection closes.
func (p *Publisher) readFeedback(sender *webrtc.RTPSender, t *track) {
	buf := make([]byte, 1500)
	heard := listener{publisher: p, track: t}
	for {
		n, _, err := sender.Read(buf)
		if err != nil && !errors.Is(err, io.ErrShortBuffer) { // of which the beginning is as good
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
	return p.sent(len(au.Data), err)
}

// WriteAudio sends one packet of sound. It returns ErrLost once the connection
// has gone.
func (p *Publisher) WriteAudio(packet encoder.Packet) error {
	if p.audio == nil {
		return nil
	}
	err := p.audio.writePacket(packet.Data, packet.PTS, packet.Length)
	p.report(p.audio)
	return p.sent(len(packet.Data), err)
}

// sent notices, on the sender's own wakeups, what the sockets have heard.
func (p *Publisher) sent(bytes int, err error) error {
	if p.sockets.Stats().Refused {
		p.state.lose(fmt.Errorf("the endpoint's host refuses packets: %w", ErrLost))
	}
	if lost := p.Err(); lost != nil {
		return lost
	}
	if err == nil {
		p.leaves.add(bytes, monotonic.Now())
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

// Close ends the session at the endpoint, for which it takes 2 s at most, and
// frees everything. It may be called twice, and not from a callback.
func (p *Publisher) Close(ctx context.Context) error {
	p.closeOnce.Do(func() {
		p.state.lose(fmt.Errorf("closed on this side: %w", ErrLost))
		p.end()
		var farewell error
		if p.session != nil {
			ctx, cancel := context.WithTimeout(ctx, deleteTime)
			defer cancel()
			farewell = p.session.Delete(ctx)
		}
		p.closeErr = errors.Join(farewell, p.peer.GracefulClose())
		p.running.Wait()
	})
	return p.closeErr
}
