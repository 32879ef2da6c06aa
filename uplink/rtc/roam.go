package rtc

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/webrtc/v4"
)

// restartTime bounds an ICE restart, its PATCH included. Calling the endpoint
// anew takes no longer.
const restartTime = 4 * time.Second

// NetworkChanged is to be called after an address has come or gone. If the one
// in use has gone, it looks for a new way to the endpoint by an ICE restart (RFC
// 9725 section 4.3.3). Where the endpoint takes none the connection counts as
// lost, since pion cannot go back to the old way. While there is no address at
// all it waits for the next call. One call at a time.
func (p *Publisher) NetworkChanged(ctx context.Context) error {
	now, err := p.addresses()
	if err != nil {
		return err
	}
	if p.Err() != nil || p.wayStands(now) || !slices.ContainsFunc(now, leadsOut) {
		return nil // where there is no way, silence ends the connection in its own time
	}
	p.cfg.Log.Info("the address in use has gone: restarting ICE")
	ctx, cancel := context.WithTimeout(ctx, restartTime)
	defer cancel()
	if err := p.restartICE(ctx); err != nil {
		err = fmt.Errorf("restart ICE: %w", err)
		p.state.lose(fmt.Errorf("%w: %w", ErrLost, err))
		return err
	}
	p.home = now
	if p.cfg.KeyFrame != nil {
		p.cfg.KeyFrame() // pictures were lost in between
	}
	return nil
}

// leadsOut tells an address that can reach an endpoint elsewhere from one that
// an interface gives itself.
func leadsOut(a netip.Addr) bool { return !a.IsLinkLocalUnicast() }

// wayStands says whether the local address of the pair in use is among now.
func (p *Publisher) wayStands(now []netip.Addr) bool {
	used, ok := p.localAddress()
	if !ok {
		return false
	}
	if !used.IsUnspecified() {
		return slices.Contains(now, used)
	}
	// A socket to a STUN or TURN server may be bound to no address: the kernel
	// chose one when the way was found, and does not say which.
	for _, a := range p.home {
		if !slices.Contains(now, a) {
			return false
		}
	}
	return true
}

// localAddress returns the local address of the pair in use; of a reflexive or
// relayed candidate that is where its socket is.
func (p *Publisher) localAddress() (netip.Addr, bool) {
	senders := p.peer.GetSenders()
	if len(senders) == 0 {
		return netip.Addr{}, false
	}
	pair, err := senders[0].Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Local == nil {
		return netip.Addr{}, false
	}
	text := pair.Local.Address
	if pair.Local.RelatedAddress != "" {
		text = pair.Local.RelatedAddress
	}
	used, err := netip.ParseAddr(text)
	return used.WithZone("").Unmap(), err == nil
}

// addresses returns those that ICE may use now.
func (p *Publisher) addresses() ([]netip.Addr, error) {
	interfaces, err := p.sockets.Interfaces()
	if err != nil {
		return nil, err
	}
	var usable []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || p.cfg.Interface != "" && i.Name != p.cfg.Interface {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // pion's interface has none then
		}
		for _, a := range addrs {
			ip, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			if addr, ok := netip.AddrFromSlice(ip.IP); ok && addr.Unmap().IsLoopback() == p.cfg.Loopback {
				usable = append(usable, addr.Unmap())
			}
		}
	}
	return usable, nil
}

func (p *Publisher) restartICE(ctx context.Context) error {
	select {
	case <-p.state.up: // of the way that has gone
	default:
	}
	offer, err := p.peer.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(p.peer)
	if err := p.peer.SetLocalDescription(offer); err != nil {
		return err
	}
	fragment, err := describe(ctx, p.peer, gathered)
	if err != nil {
		return err
	}
	theirs, err := p.session.RestartICE(ctx, fragment)
	if err != nil {
		return err
	}
	sdp, err := theirs.Apply(p.peer.RemoteDescription().SDP)
	if err != nil {
		return err
	}
	if err := p.useAnswer(sdp); err != nil {
		return err
	}
	return p.state.await(ctx, restartTime)
}
