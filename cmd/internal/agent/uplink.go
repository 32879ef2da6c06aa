package agent

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/uplink/rtc"
	"github.com/bril-edge/bril/uplink/whip"
)

func (a *Agent) newClient() (*whip.Client, error) {
	cfg := whip.Config{
		URL:            a.cfg.Uplink.WHIPURL,
		TrustedOrigins: a.cfg.Uplink.TrustedOrigins,
		StateDir:       a.opts.StateDir,
		UserAgent:      "bril/" + a.opts.Version,
		Date:           a.clock.Heard, Time: a.clock.TLSTime, Confirmed: a.clock.Confirmed,
		Identity: a.identity.Origin(),
		Log:      a.opts.Log,
	}
	var err error
	if cfg.Token, err = token(a.cfg.Uplink); err != nil {
		return nil, err
	}
	return whip.New(cfg)
}

// token reads what the cloud knows these glasses by; nothing where it asks for none.
func token(u configs.Uplink) (secret whip.Secret, err error) {
	if u.TokenFile == "" {
		return secret, nil
	}
	read, err := configs.ReadToken(u.TokenFile)
	if err != nil {
		return secret, err
	}
	return whip.NewSecret(read.Reveal()), nil
}

func iceServers(list []configs.ICEServer) (servers []whip.ICEServer, err error) {
	for _, s := range list {
		var credential whip.Secret
		if s.CredentialFile != "" {
			secret, err := configs.ReadToken(s.CredentialFile)
			if err != nil {
				return nil, err
			}
			credential = whip.NewSecret(secret.Reveal())
		}
		for _, u := range s.URLs {
			servers = append(servers, whip.ICEServer{URL: u, Username: s.Username, Credential: credential})
		}
	}
	return servers, nil
}

// dialer connects by WHIP.
type dialer struct {
	client  *whip.Client
	cfg     configs.Uplink
	servers []whip.ICEServer
	yield   func(context.Context)                 // before each call
	called  func(context.Context)                 // after each call, whatever came of it
	stands  func(context.Context, *rtc.Publisher) // after one that was answered
	log     *slog.Logger
}

func (d dialer) connect(ctx context.Context, offer session.Offer) (session.Publisher, error) {
	d.yield(ctx)
	p, err := rtc.Dial(ctx, d.client, rtc.Config{
		Video:      rtc.VideoConfig{ProfileLevelID: offer.ProfileLevelID},
		Audio:      offer.Audio,
		Loopback:   stays(d.cfg),
		Interface:  d.cfg.Interface,
		ICEServers: d.servers,
		KeyFrame:   offer.KeyFrame,
		Estimate:   offer.Estimate,
		Log:        d.log,
	})
	d.called(ctx)
	if err != nil {
		return nil, err // not p: a nil *Publisher is not a nil interface
	}
	d.stands(ctx, p)
	return p, nil
}

// stays says that packets need not leave this machine. An interface that is named
// is meant: what is on loopback may be the near end of a tunnel.
func stays(c configs.Uplink) bool {
	return c.Loopback || c.Interface == "" && onLoopback(c.WHIPURL)
}

// onLoopback says that the endpoint is on this machine, where nothing but the
// loopback interface leads to it.
func onLoopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}
