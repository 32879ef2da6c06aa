package cork

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxPackets and maxBytes are what sendmmsg and one UDP_SEGMENT burst, which
	// stays below the largest UDP datagram, take at a time.
	maxPackets = 64
	maxBytes   = 64<<10 - 1500

	// sendWait bounds the wait for room in a full send buffer. Past it the rest
	// of the batch is dropped and counted: a picture that late is of no use, and
	// a receiver can still ask for its packets again.
	sendWait = 200 * time.Millisecond
)

// batch collects packets for one destination.
type batch struct {
	to       netip.AddrPort
	sockaddr sockaddr
	media    netip.AddrPort // where media went last

	bytes []byte // the packets one after another
	sizes []int  // their lengths

	messages []message // scratch for sendmmsg
	iovecs   []unix.Iovec
	noGSO    bool // the kernel or the network card refused UDP_SEGMENT
}

func (s *socket) cork() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked = true
}

func (s *socket) uncork() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked = false
	s.flush()
}

// isMedia tells what may wait for the rest of a picture, RTP and RTCP, bare or
// in TURN channels, from STUN and DTLS by the first byte: RFC 7983 section 7.
func isMedia(b []byte) bool {
	return len(b) > 0 && (b[0] >= 128 && b[0] <= 191 || b[0] >= 64 && b[0] <= 79)
}

// WriteToAddrPort is what pion's ICE agent writes by. A packet that may wait
// counts as written; one that the kernel then does not take counts as dropped.
func (s *socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if to.Addr().Zone() != "" || len(b) > maxBytes {
		return s.WriteToUDPAddrPort(b, to) // link-local: rare, and the standard library knows the scope
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	if err := s.aim(to); err != nil {
		return 0, err
	}
	if len(s.out.sizes) == maxPackets || len(s.out.bytes)+len(b) > maxBytes {
		s.flush()
	}
	s.out.bytes = append(s.out.bytes, b...)
	s.out.sizes = append(s.out.sizes, len(b))
	media := isMedia(b)
	if media {
		s.out.media = to
	}
	if !media || !s.corked {
		s.flush()
	}
	return len(b), nil
}

// WriteTo is what TURN clients and STUN queries write by.
func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	udp, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, &net.AddrError{Err: "not a UDP address", Addr: to.String()}
	}
	return s.WriteToUDP(b, udp)
}

// WriteToUDP is WriteToAddrPort with another type of address.
func (s *socket) WriteToUDP(b []byte, to *net.UDPAddr) (int, error) {
	return s.WriteToAddrPort(b, to.AddrPort())
}

// aim points the batch at a destination, after sending what waits for another.
// mu is held.
func (s *socket) aim(to netip.AddrPort) error {
	if s.out.to == to {
		return nil
	}
	if !to.IsValid() || !s.inet6 && !to.Addr().Is4() {
		return &net.AddrError{Err: "not an address that this socket reaches", Addr: to.String()}
	}
	s.flush()
	if s.out.messages == nil {
		s.out.bytes = make([]byte, 0, maxBytes)
		s.out.sizes = make([]int, 0, maxPackets)
		s.out.messages = make([]message, maxPackets)
		s.out.iovecs = make([]unix.Iovec, maxPackets)
	}
	s.out.sockaddr.set(to, s.inet6)
	s.out.to = to
	return nil
}

// flush sends the batch and empties it. mu is held.
func (s *socket) flush() {
	sizes, bytes := s.out.sizes, s.out.bytes
	var deadline time.Time // of waiting for room, all in all
	for again := true; len(sizes) > 0; {
		packets, size, errno := s.sendSome(sizes, bytes)
		if errno == unix.EAGAIN {
			packets, size, errno = s.sendWhenThereIsRoom(sizes, bytes, &deadline)
		}
		switch {
		case errno == 0:
			again = true
		case again && reported(errno): // of an earlier packet, with this one kept back
			s.takeErrors()
			again = false
		case errno == unix.EAGAIN:
			s.dropped.Add(uint64(len(sizes)))
			packets, size = len(sizes), len(bytes)
		default:
			s.dropped.Add(1)
			packets, size = 1, sizes[0]
		}
		sizes, bytes = sizes[packets:], bytes[size:]
	}
	if !deadline.IsZero() {
		s.SetWriteDeadline(time.Time{}) //nolint:errcheck // fails on a closed socket only
	}
	s.out.sizes, s.out.bytes = s.out.sizes[:0], s.out.bytes[:0]
}
