package origin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	maxHeader   = 64 << 10 // bytes

	// IdleTimeout is how long a connection is kept for the next request.
	IdleTimeout = 5 * time.Second
)

// NewTransport makes a transport that leaves nothing running while live:
// HTTP/1.1 without background frames, idle connections closed within seconds.
// The authorities are the system's where roots is nil, and certificates are judged
// by the machine's clock where now is nil.
func NewTransport(roots *x509.CertPool, now func() time.Time) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: dial,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            roots,
			Time:               now,
			ClientSessionCache: tls.NewLRUClientSessionCache(4), // a reconnect saves a round trip
		},
		TLSHandshakeTimeout:    dialTimeout,
		DisableCompression:     true,
		MaxIdleConns:           2,
		IdleConnTimeout:        IdleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              &protocols,
	}
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if host, _, err := net.SplitHostPort(address); err == nil && strings.EqualFold(host, "localhost") {
		// Plain http is allowed to localhost, so localhost has to be here,
		// whatever the resolver says (RFC 6761, section 6.3).
		d.Control = loopbackOnly
	}
	return d.DialContext(ctx, network, address)
}

func loopbackOnly(_, address string, _ syscall.RawConn) error {
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().Unmap().IsLoopback() {
		return errors.New("localhost resolves to " + address + ", which is not loopback")
	}
	return nil
}
