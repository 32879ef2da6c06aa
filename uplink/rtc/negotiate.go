package rtc

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/uplink/whip"
)

// newStreamID is both the msid and the CNAME: random, so that two conversations
// cannot be told to come from one pair of glasses (RFC 7022).
func newStreamID() string { return rand.Text() }

// negotiate posts an offer without candidates, so that the endpoint's ICE
// servers are known before anything is gathered, and sends the candidates
// afterwards (RFC 9725 sections 4.2, 4.3 and 4.6).
func (p *Publisher) negotiate(ctx context.Context, client *whip.Client) error {
	offer, err := p.peer.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("make an offer: %w", err)
	}
	if p.session, err = client.Publish(ctx, forWHIP(offer.SDP)); err != nil {
		return err
	}
	if err := useICEServers(p.peer, slices.Concat(p.cfg.ICEServers, p.session.ICEServers()), p.cfg.Log); err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(p.peer)
	if err := p.peer.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("use own offer: %w", err)
	}
	if err := p.useAnswer(p.session.Answer()); err != nil {
		return err
	}
	p.running.Go(func() { trickle(p.life, p.peer, p.session, gathered, p.cfg.Log) })
	return nil
}

func (p *Publisher) useAnswer(sdp string) error {
	answer := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}
	if err := p.checkAnswer(answer); err != nil {
		return err
	}
	if err := p.peer.SetRemoteDescription(answer); err != nil {
		return fmt.Errorf("use the endpoint's answer: %w", err)
	}
	return nil
}

// forWHIP adds what RFC 9725 section 4.4.1 asks of an offer and pion leaves out.
func forWHIP(offer string) string {
	return strings.ReplaceAll(offer, "a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-mux-only\r\n")
}

// useICEServers takes those that can be used; one TURN server without
// credentials would make pion refuse them all.
func useICEServers(peer *webrtc.PeerConnection, servers []whip.ICEServer, log *slog.Logger) error {
	cfg := peer.GetConfiguration()
	cfg.ICEServers = nil
	for _, s := range servers {
		if isTURN(s.URL) && (s.Username == "" || s.Credential.IsZero()) {
			log.Warn("TURN server left out: it comes without username or credential", "server", s.URL)
			continue
		}
		cfg.ICEServers = append(cfg.ICEServers, webrtc.ICEServer{URLs: []string{s.URL}, Username: s.Username, Credential: s.Credential.Reveal()})
	}
	if err := peer.SetConfiguration(cfg); err != nil {
		return fmt.Errorf("use ICE servers: %w", err)
	}
	return nil
}

func isTURN(url string) bool {
	return strings.HasPrefix(url, "turn:") || strings.HasPrefix(url, "turns:")
}

// trickle sends the candidates in one PATCH, while ICE is looking already. An
// endpoint that takes none still sees them in ICE's own checks, so its refusal
// is not the end.
func trickle(ctx context.Context, peer *webrtc.PeerConnection, session *whip.Session, gathered <-chan struct{}, log *slog.Logger) {
	fragment, err := describe(ctx, peer, gathered)
	if err == nil {
		warnOfTURN(peer, log)
		err = session.Trickle(ctx, fragment)
	}
	if err != nil && ctx.Err() == nil {
		log.Debug("endpoint did not take ICE candidates", "error", err)
	}
}

// warnOfTURN says what else shows only in that nothing connects: that no TURN
// server has given an address.
func warnOfTURN(peer *webrtc.PeerConnection, log *slog.Logger) {
	var servers []string
	for _, s := range peer.GetConfiguration().ICEServers {
		if isTURN(s.URLs[0]) {
			servers = append(servers, s.URLs[0])
		}
	}
	if len(servers) > 0 && !strings.Contains(peer.LocalDescription().SDP, " typ relay") {
		log.Warn("no TURN server gave a relay address in time: are its address, username and credential right?", "servers", servers)
	}
}

// describe describes our end of the bundle with the candidates that are there
// once gathering has ended or gatherTime has passed.
func describe(ctx context.Context, peer *webrtc.PeerConnection, gathered <-chan struct{}) (whip.Fragment, error) {
	ctx, cancel := context.WithTimeout(ctx, gatherTime)
	defer cancel()
	complete := false
	select {
	case <-gathered:
		complete = true
	case <-ctx.Done():
	}
	fragment, err := whip.FragmentOf(peer.LocalDescription().SDP)
	if err != nil {
		return whip.Fragment{}, fmt.Errorf("describe ICE candidates: %w", err)
	}
	fragment.End = complete
	return fragment, nil
}
