// Package cork gives pion UDP sockets that can be corked: the packets of one
// picture, written between Cork and Uncork, leave in one system call. It reads
// and writes by RawSyscall on non-blocking descriptors, because every ordinary
// system call wakes the Go runtime's sysmon thread. It knows nothing of RTP
// beyond the first byte that tells it from STUN and DTLS (RFC 7983). TURN over
// TCP goes by sockets of the standard library.
package cork

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
)

// Net is a transport.Net whose UDP sockets can be corked all at once. Its methods
// may be called concurrently.
type Net struct {
	*stdnet.Net // resolves names and opens TCP connections

	heard func()

	mu      sync.Mutex
	sockets []*socket
}

// NewNet returns a Net without sockets.
func NewNet() *Net { return &Net{Net: &stdnet.Net{}} }

// OnHeard has f called by the reader of each socket that is opened from now on, once,
// when it comes back for its second packet: what came first has been dealt with.
func (n *Net) OnHeard(f func()) { n.heard = f }

// Interfaces returns the network interfaces and addresses as they stand now;
// stdnet's are those of its last update, which nothing may read meanwhile.
func (n *Net) Interfaces() ([]*transport.Interface, error) {
	now, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	return now.Interfaces()
}

// ListenUDP opens a socket that Cork and Uncork reach until it is closed.
func (n *Net) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	s, err := newSocket(conn, n.forget)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open UDP socket on %v: %w", local, err)
	}
	s.heard = n.heard
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sockets = append(n.sockets, s)
	return s, nil
}

// ListenPacket is ListenUDP for UDP: TURN clients open their sockets by it.
func (n *Net) ListenPacket(network, address string) (net.PacketConn, error) {
	if !strings.HasPrefix(network, "udp") {
		return n.Net.ListenPacket(network, address)
	}
	local, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, err
	}
	return n.ListenUDP(network, local)
}

func (n *Net) forget(s *socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sockets = slices.DeleteFunc(n.sockets, func(other *socket) bool { return other == s })
}

// Cork makes media wait for Uncork. Calls do not nest; whoever else writes
// meanwhile has its packets sent along.
func (n *Net) Cork() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sockets {
		s.cork()
	}
}

// Uncork sends what was written since Cork.
func (n *Net) Uncork() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sockets {
		s.uncork()
	}
}

// Stats are sums over all sockets that are open.
type Stats struct {
	Calls   uint64 // system calls that sent
	Dropped uint64 // packets that the kernel did not take
	Refused bool   // where media goes nobody listens: so its host says, by ICMP
}

// Stats returns the counters as they stand.
func (n *Net) Stats() (sum Stats) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sockets {
		one := s.stats()
		sum.Calls += one.Calls
		sum.Dropped += one.Dropped
		sum.Refused = sum.Refused || one.Refused
	}
	return sum
}
