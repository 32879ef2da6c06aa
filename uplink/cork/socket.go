package cork

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/monotonic"
)

const (
	// sendBuffer holds the largest picture that one burst may be: an IDR of
	// 500 kB with the kernel's overhead a packet.
	sendBuffer = 1 << 20
	// sendWait bounds the wait for room in a full send buffer. Past it the rest
	// of the burst is dropped and counted: a picture that late is of no use.
	sendWait = 200 * time.Millisecond
	// refusedAfter is how long ICMP may say "nobody listens there", with nothing
	// heard in between, before it is believed.
	refusedAfter = 250 * time.Millisecond
)

// socket is a UDP socket that pion's ICE agent reads with one goroutine and
// that several may write to.
type socket struct {
	*net.UDPConn
	raw    syscall.RawConn
	fd     int // for RawSyscall while UDPConn is open
	forget func(*socket)

	in input // of the reading goroutine

	mu     sync.Mutex
	closed bool
	corked bool
	out    batch

	refused atomic.Int64 // CLOCK_MONOTONIC ns of the first refusal since a packet came in; 0 when none
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
		optErr = reportRefusal(s.fd)
	})
	return s, errors.Join(err, optErr)
}

// reportRefusal makes an ICMP port unreachable an error of the next call: an
// unconnected UDP socket hears of it only with this option, ip(7).
func reportRefusal(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return err
	}
	if domain == unix.AF_INET6 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
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
	s.in.buf = b
	for {
		if err := s.raw.Read(s.in.receive); err != nil {
			return 0, netip.AddrPort{}, net.ErrClosed
		}
		if s.in.err == 0 {
			s.refused.Store(0)
			return s.in.n, s.in.from.addrPort(), nil
		}
		if !refusal(s.in.err) {
			return 0, netip.AddrPort{}, fmt.Errorf("receive on %v: %w", s.LocalAddr(), s.in.err)
		}
		s.noteRefusal() // of one packet sent; the socket is as good as before
		s.drainErrors(uintptr(s.fd))
	}
}

// receive reads one packet: false means wait in the poller for the next.
func (s *socket) receive(fd uintptr) bool {
	s.in.fromLen = uint32(unsafe.Sizeof(s.in.from))
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd,
		uintptr(unsafe.Pointer(&s.in.buf[0])), uintptr(len(s.in.buf)), unix.MSG_DONTWAIT,
		uintptr(unsafe.Pointer(&s.in.from)), uintptr(unsafe.Pointer(&s.in.fromLen)))
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return false
	}
	s.in.n, s.in.err = int(n), errno
	return true
}

// refusal tells the errors by which the kernel reports that an earlier packet
// found nobody or no way, ip(7).
func refusal(errno syscall.Errno) bool {
	return errno == unix.ECONNREFUSED || errno == unix.EHOSTUNREACH || errno == unix.ENETUNREACH
}

func (s *socket) noteRefusal() {
	s.refused.CompareAndSwap(0, int64(monotonic.Now()))
}

// drainErrors empties the socket's error queue (ip(7), MSG_ERRQUEUE), where
// RECVERR keeps each refusal until it is read: they count against the receive
// buffer.
func (s *socket) drainErrors(fd uintptr) {
	var scrap [64]byte
	var control [128]byte
	iov := unix.Iovec{Base: &scrap[0]}
	iov.SetLen(len(scrap))
	for {
		msg := unix.Msghdr{Iov: &iov, Control: &control[0]}
		msg.SetIovlen(1)
		msg.SetControllen(len(control))
		_, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&msg)), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if errno != 0 {
			return
		}
	}
}
