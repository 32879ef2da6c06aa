package cork

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// sendBuffer holds the largest picture that one burst may be: an IDR of 500 kB
// with the kernel's overhead a packet. The kernel gives what wmem_max allows.
const sendBuffer = 1 << 20

// socket is a UDP socket that one goroutine reads and several may write to.
type socket struct {
	*net.UDPConn
	raw    syscall.RawConn
	fd     int  // for RawSyscall while UDPConn is open
	inet6  bool // its address family
	forget func(*socket)

	in    input  // of the reading goroutine, as the next two
	read  bool   // a packet came
	heard func() // to be called after it; nil when it was, or nobody asks

	mu     sync.Mutex
	closed bool
	corked bool
	out    batch

	refused atomic.Int64 // CLOCK_MONOTONIC ns of the first refusal of media since a packet came in; 0 when none
	calls   atomic.Uint64
	dropped atomic.Uint64
}

func newSocket(conn *net.UDPConn, forget func(*socket)) (*socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{UDPConn: conn, raw: raw, forget: forget}
	s.in.receive = s.receive
	if err := conn.SetWriteBuffer(sendBuffer); err != nil {
		return nil, fmt.Errorf("set send buffer: %w", err)
	}
	var optErr error
	err = raw.Control(func(fd uintptr) {
		s.fd = int(fd)
		optErr = s.askForErrors()
	})
	return s, errors.Join(err, optErr)
}

// Close closes the socket; what is corked is lost. It may be called twice.
func (s *socket) Close() error {
	s.forget(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.UDPConn.Close()
}

func (s *socket) stats() Stats {
	since := s.refused.Load()
	return Stats{
		Calls:   s.calls.Load(),
		Dropped: s.dropped.Load(),
		Refused: since != 0 && monotonic.Now()-time.Duration(since) > refusedAfter,
	}
}

// input is the state of one read, kept here so that a read allocates nothing.
type input struct {
	receive func(uintptr) bool
	buf     []byte
	n       int
	err     syscall.Errno
	from    sockaddr
	fromLen uint32
}

// ReadFromAddrPort is what pion's ICE agent reads by.
func (s *socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	if len(b) == 0 {
		return 0, netip.AddrPort{}, nil
	}
	if s.read && s.heard != nil {
		s.heard()
		s.heard = nil
	}
	s.in.buf = b
	for {
		if err := s.raw.Read(s.in.receive); err != nil {
			return 0, netip.AddrPort{}, s.endOfReading(err)
		}
		if s.in.err == 0 {
			s.refused.Store(0)
			s.read = true
			return s.in.n, s.in.from.addrPort(), nil
		}
		if !reported(s.in.err) {
			return 0, netip.AddrPort{}, fmt.Errorf("receive on %v: %w", s.LocalAddr(), s.in.err)
		}
		s.readErrors() // of packets sent; the socket is as good as before
	}
}

// endOfReading tells a deadline from the socket's end: STUN queries set one.
func (s *socket) endOfReading(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return net.ErrClosed
}

// ReadFrom is what TURN clients and STUN queries read by.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.ReadFromUDP(b)
	if err != nil {
		return 0, nil, err
	}
	return n, from, nil
}

// ReadFromUDP is ReadFromAddrPort with another type of address.
func (s *socket) ReadFromUDP(b []byte) (int, *net.UDPAddr, error) {
	n, from, err := s.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// receive reads one packet: false means wait in the poller for the next.
func (s *socket) receive(fd uintptr) bool {
	s.in.fromLen = uint32(unsafe.Sizeof(s.in.from.raw))
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd,
		uintptr(unsafe.Pointer(&s.in.buf[0])), uintptr(len(s.in.buf)), unix.MSG_DONTWAIT,
		uintptr(unsafe.Pointer(&s.in.from.raw)), uintptr(unsafe.Pointer(&s.in.fromLen)))
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return false
	}
	s.in.n, s.in.err = int(n), errno
	return true
}
