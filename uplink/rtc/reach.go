package rtc

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/pion/turn/v5"

	"github.com/bril-edge/bril/uplink/whip"
)

// reachTime bounds one STUN or TURN server.
const reachTime = 4 * time.Second

// Reach asks a STUN server for the address that it sees (RFC 8489), or a TURN server
// for one of its own (RFC 8656), which is given back at once: whether it works, and
// how long that took.
func Reach(ctx context.Context, server whip.ICEServer) (took time.Duration, err error) {
	begun := time.Now()
	late := fmt.Errorf("no answer within %v", reachTime)
	ctx, cancel := context.WithTimeoutCause(ctx, reachTime, late)
	defer cancel()
	if err = reach(ctx, server); ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", server.URL, err)
	}
	return time.Since(begun), nil
}

func reach(ctx context.Context, server whip.ICEServer) error {
	scheme, rest, _ := strings.Cut(server.URL, ":")
	address, query, _ := strings.Cut(rest, "?")
	secure := scheme == "stuns" || scheme == "turns"
	stream := secure || strings.Contains(query, "transport=tcp")
	conn, to, err := dialICE(ctx, address, secure, stream)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: to, TURNServerAddr: to, Conn: conn,
		Username: server.Username, Password: server.Credential.Reveal(),
		LoggerFactory: pionLog{slog.New(slog.DiscardHandler)},
	})
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Listen(); err != nil {
		return err
	}
	if !isTURN(server.URL) {
		_, err := client.SendBindingRequest()
		return err
	}
	if server.Username == "" || server.Credential.IsZero() {
		return errors.New("it comes without username or credential")
	}
	relay, err := client.Allocate()
	if err != nil {
		return err
	}
	return relay.Close()
}

// dialICE opens what STUN messages go over, and returns whom they go to.
func dialICE(ctx context.Context, address string, secure, stream bool) (conn net.PacketConn, to string, err error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), map[bool]string{true: "5349", false: "3478"}[secure])
	}
	if !stream {
		to, err := net.ResolveUDPAddr("udp", address)
		if err != nil {
			return nil, "", err
		}
		conn, err := new(net.ListenConfig).ListenPacket(ctx, cmp.Or(map[bool]string{true: "udp4"}[to.IP.To4() != nil], "udp6"), "")
		return conn, to.String(), err
	}
	var d interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = &net.Dialer{}
	if secure {
		d = &tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12}}
	}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, "", err
	}
	return turn.NewSTUNConn(c), c.RemoteAddr().String(), nil
}
