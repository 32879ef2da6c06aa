package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/pion/ice/v4"
	"golang.org/x/sys/unix"
)

// socketBuffer holds a key frame for each of a few dozen viewers, in bytes.
const socketBuffer = 4 << 20

// socket is the UDP socket that all sessions share. Writing to it never waits:
// when the network takes no more, the packet is dropped and counted, so that no
// viewer can hold up the publisher's reading.
type socket struct {
	*net.UDPConn
	raw     syscall.RawConn
	dropped *atomic.Uint64

	mu   sync.Mutex
	send func(uintptr) bool // made once, so that a packet allocates nothing
	data []byte
	to   unix.Sockaddr
	in4  unix.SockaddrInet4
	in6  unix.SockaddrInet6
	err  error
}

func listenUDP(at netip.AddrPort, dropped *atomic.Uint64) (*socket, error) {
	network := "udp4"
	if at.Addr().Is6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	s := &socket{UDPConn: conn, dropped: dropped}
	s.send = s.sendto
	if s.raw, err = conn.SyscallConn(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen on udp %v: %w", at, err)
	}
	// The kernel caps both at its own maximum; less only means earlier drops.
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	return s, nil
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (s *socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return s.ReadFromUDPAddrPort(b)
}

// WriteTo implements net.PacketConn.
func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("write to %v: not a UDP address", to)
	}
	return s.WriteToAddrPort(b, addr.AddrPort())
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (s *socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address(to)
	s.data = b
	if err := s.raw.Write(s.send); err != nil {
		return 0, err
	}
	s.data = nil
	if errors.Is(s.err, unix.EAGAIN) || errors.Is(s.err, unix.ENOBUFS) {
		s.dropped.Add(1)
		return len(b), nil
	}
	return len(b), s.err
}

func (s *socket) address(to netip.AddrPort) {
	if addr := to.Addr().Unmap(); addr.Is4() {
		s.in4 = unix.SockaddrInet4{Port: int(to.Port()), Addr: addr.As4()}
		s.to = &s.in4
		return
	}
	s.in6 = unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	s.to = &s.in6
}

func (s *socket) sendto(fd uintptr) bool {
	for {
		s.err = unix.Sendto(int(fd), s.data, unix.MSG_DONTWAIT, s.to)
		if !errors.Is(s.err, unix.EINTR) {
			return true
		}
	}
}

// listenMux opens a socket on the address, or on each address of this machine
// when it is the unspecified one, and lets all sessions share it. The port is
// that of the address when it is free, any otherwise.
func listenMux(at netip.AddrPort, dropped *atomic.Uint64) (ice.UDPMux, error) {
	addrs, err := localAddrs(at.Addr())
	if err != nil {
		return nil, err
	}
	var muxes []ice.UDPMux
	for _, addr := range addrs {
		s, err := listenUDP(netip.AddrPortFrom(addr, at.Port()), dropped)
		if errors.Is(err, unix.EADDRINUSE) {
			s, err = listenUDP(netip.AddrPortFrom(addr, 0), dropped)
		}
		if err != nil {
			for _, mux := range muxes {
				mux.Close()
			}
			return nil, fmt.Errorf("listen for media on %v: %w", addr, err)
		}
		muxes = append(muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: s, Logger: quiet{}}))
	}
	if len(muxes) == 1 {
		return muxes[0], nil
	}
	return ice.NewMultiUDPMuxDefault(muxes...), nil
}

// localAddrs returns addr, or what it stands for when it is unspecified. Link-local
// addresses are left out: a candidate cannot carry their zone.
func localAddrs(addr netip.Addr) ([]netip.Addr, error) {
	if !addr.IsUnspecified() {
		return []netip.Addr{addr.Unmap().WithZone("")}, nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list this machine's addresses: %w", err)
	}
	var addrs []netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		own := prefix.Addr().Unmap()
		if own.IsLinkLocalUnicast() || own.Is6() && addr.Is4() {
			continue
		}
		addrs = append(addrs, own)
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("no usable address for media on %v", addr)
	}
	return addrs, nil
}
