package rtc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
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
	answer := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: p.session.Answer()}
	if err := p.checkAnswer(answer); err != nil {
		return err
	}
	if err := p.peer.SetRemoteDescription(answer); err != nil {
		return fmt.Errorf("use the endpoint's answer: %w", err)
	}
	return p.trickle(ctx, gathered)
}

// forWHIP adds what RFC 9725 section 4.4.1 asks of an offer and pion leaves out.
func forWHIP(offer string) string {
	return strings.ReplaceAll(offer, "a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-mux-only\r\n")
}

func (p *Publisher) useICEServers(servers []whip.ICEServer) error {
	if len(servers) == 0 {
		return nil
	}
	cfg := p.peer.GetConfiguration()
	cfg.ICEServers = nil
	for _, s := range servers {
		cfg.ICEServers = append(cfg.ICEServers, webrtc.ICEServer{URLs: []string{s.URL}, Username: s.Username, Credential: s.Credential.Reveal()})
	}
	if err := p.peer.SetConfiguration(cfg); err != nil {
		return fmt.Errorf("use ICE servers: %w", err)
	}
	return nil
}

// trickle sends the candidates in one PATCH. An endpoint that takes none still
// sees them in ICE's own checks, so its refusal is not the end.
func (p *Publisher) trickle(ctx context.Context, gathered <-chan struct{}) error {
	fragment, err := p.fragment(ctx, gathered)
	if err != nil {
		return err
	}
	if err := p.session.Trickle(ctx, fragment); err != nil {
		p.cfg.Log.Debug("endpoint did not take ICE candidates", "error", err)
	}
	return nil
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

// NetworkChanged is to be called after an address or route has come or gone. If
// the address in use is among them, it looks for a new way to the endpoint by an
// ICE restart (RFC 9725 section 4.3.3). Where the endpoint takes none the
// connection counts as lost, since pion cannot go back to the old way. One call
// at a time.
func (p *Publisher) NetworkChanged(ctx context.Context) error {
	if err := p.sockets.UpdateInterfaces(); err != nil {
		return fmt.Errorf("list network interfaces: %w", err)
	}
	if p.wayStands() {
		return nil
	}
	if err := p.restartICE(ctx); err != nil {
		err = fmt.Errorf("restart ICE: %w", err)
		p.lose(errors.Join(err, ErrLost))
		return err
	}
	return nil
}

// wayStands says whether the local address of the pair in use is still there.
func (p *Publisher) wayStands() bool {
	senders := p.peer.GetSenders()
	if len(senders) == 0 {
		return true
	}
	pair, err := senders[0].Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Local == nil {
		return false
	}
	used := net.ParseIP(pair.Local.Address)
	if pair.Local.RelatedAddress != "" { // of a reflexive or relayed candidate: where it is sent from
		used = net.ParseIP(pair.Local.RelatedAddress)
	}
	interfaces, err := p.sockets.Interfaces()
	if err != nil {
		return true
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok && i.Flags&net.FlagUp != 0 && ip.IP.Equal(used) {
				return true
			}
		}
	}
	return false
}

func (p *Publisher) restartICE(ctx context.Context) error {
	offer, err := p.peer.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(p.peer)
	if err := p.peer.SetLocalDescription(offer); err != nil {
		return err
	}
	fragment, err := p.fragment(ctx, gathered)
	if err != nil {
		return err
	}
	theirs, err := p.session.RestartICE(ctx, fragment)
	if err != nil {
		return err
	}
	answer, err := theirs.Apply(p.peer.RemoteDescription().SDP)
	if err != nil {
		return err
	}
	return p.peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}
