package upload

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/uplink/origin"
)

const (
	continueTimeout = time.Second // for an endpoint that knows no 100 Continue
	maxUnsent       = 64 << 10    // bytes
)

func newTransport(roots *x509.CertPool, now func() time.Time) *http.Transport {
	t := origin.NewTransport(roots, now)
	t.ExpectContinueTimeout = continueTimeout
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil {
			boundUnsent(conn)
		}
		return conn, err
	}
	return t
}

// boundUnsent keeps the kernel from taking megabytes that have yet to be sent:
// they would go out beside a conversation that has begun meanwhile, whatever the
// limit is then. Where the socket has no such option nothing else changes.
func boundUnsent(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}
