package rtc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
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
		return listenFor(ctx, address)
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

// listenFor opens a UDP socket for a server, and returns its address. Unlike
// net.ResolveUDPAddr it looks the name up no longer than ctx lasts.
func listenFor(ctx context.Context, address string) (conn net.PacketConn, to string, err error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, "", err
	}
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, "", err
	}
	// An IPv4 one first, as ResolveUDPAddr has it: more networks have that.
	at, network := list[0].Unmap(), "udp6"
	for _, ip := range list {
		if ip.Unmap().Is4() {
			at, network = ip.Unmap(), "udp4"
			break
		}
	}
	conn, err = new(net.ListenConfig).ListenPacket(ctx, network, "")
	return conn, netip.AddrPortFrom(at, uint16(port)).String(), err
}
