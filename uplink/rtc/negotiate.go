package rtc

import (
	"context"
	"crypto/rand"
	"fmt"
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
	if err := p.useICEServers(slices.Concat(p.cfg.ICEServers, p.session.ICEServers())); err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(p.peer)
	if err := p.peer.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("use own offer: %w", err)
	}
	if err := p.useAnswer(p.session.Answer()); err != nil {
		return err
	}
	p.running.Go(func() { p.trickle(p.life, gathered) })
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
func (p *Publisher) useICEServers(servers []whip.ICEServer) error {
	cfg := p.peer.GetConfiguration()
	cfg.ICEServers = nil
	for _, s := range servers {
		if isTURN(s.URL) && (s.Username == "" || s.Credential.IsZero()) {
			p.cfg.Log.Warn("TURN server left out: it comes without username or credential", "server", s.URL)
			continue
		}
		cfg.ICEServers = append(cfg.ICEServers, webrtc.ICEServer{URLs: []string{s.URL}, Username: s.Username, Credential: s.Credential.Reveal()})
	}
	if err := p.peer.SetConfiguration(cfg); err != nil {
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
func (p *Publisher) trickle(ctx context.Context, gathered <-chan struct{}) {
	fragment, err := p.fragment(ctx, gathered)
	if err == nil {
		p.warnOfTURN()
		err = p.session.Trickle(ctx, fragment)
	}
	if err != nil && ctx.Err() == nil {
		p.cfg.Log.Debug("endpoint did not take ICE candidates", "error", err)
	}
}

// warnOfTURN says what else shows only in that nothing connects: that no TURN
// server has given an address.
func (p *Publisher) warnOfTURN() {
	var servers []string
	for _, s := range p.peer.GetConfiguration().ICEServers {
		if isTURN(s.URLs[0]) {
			servers = append(servers, s.URLs[0])
		}
	}
	if len(servers) > 0 && !strings.Contains(p.peer.LocalDescription().SDP, " typ relay") {
		p.cfg.Log.Warn("no TURN server gave a relay address in time: are its address, username and credential right?", "servers", servers)
	}
}

// fragment describes our end of the bundle with the candidates that are there
// once gathering has ended or gatherTime has passed.
func (p *Publisher) fragment(ctx context.Context, gathered <-chan struct{}) (whip.Fragment, error) {
	ctx, cancel := context.WithTimeout(ctx, gatherTime)
	defer cancel()
	complete := false
	select {
	case <-gathered:
		complete = true
	case <-ctx.Done():
	}
	fragment, err := whip.FragmentOf(p.peer.LocalDescription().SDP)
	if err != nil {
		return whip.Fragment{}, fmt.Errorf("describe ICE candidates: %w", err)
	}
	fragment.End = complete
	return fragment, nil
}
