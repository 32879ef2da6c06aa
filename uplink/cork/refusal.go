package cork

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// refusedAfter is how long ICMP may say "nobody listens there", with nothing
// heard in between, before it is believed.
const refusedAfter = 250 * time.Millisecond

// askForErrors makes what ICMP says of a packet an error of the next call, and
// keeps it in the socket's error queue together with the packet's destination:
// an unconnected UDP socket hears of it only so, ip(7).
func (s *socket) askForErrors() error {
	domain, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return err
	}
	s.inet6 = domain == unix.AF_INET6
	if s.inet6 {
		return unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	}
	return unix.SetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
}

// reported tells the errors by which the kernel reports what ICMP said of an
// earlier packet (Linux, icmp_err_convert and icmpv6_err_convert). The call that
// brings one has done nothing else, and clears it.
func reported(errno syscall.Errno) bool {
	switch errno {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENONET,
		unix.EMSGSIZE, unix.EPROTO, unix.EACCES, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
		return true
	}
	return false
}

// readErrors is takeErrors for the reading goroutine.
func (s *socket) readErrors() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed { // else the descriptor may be another's by now
		s.takeErrors()
	}
}

// takeErrors empties the error queue, which counts against the receive buffer,
// and notes when nobody listens where media goes. What else ICE tries, on its
// way there, may well be refused. mu is held.
func (s *socket) takeErrors() {
	for {
		errno, to, ok := nextError(s.fd)
		if !ok {
			return
		}
		if errno == unix.ECONNREFUSED && to.addrPort() == s.out.media {
			s.refused.CompareAndSwap(0, int64(monotonic.Now()))
		}
	}
}

// nextError reads one entry of the error queue: recvmsg(2), MSG_ERRQUEUE.
func nextError(fd int) (errno syscall.Errno, to sockaddr, ok bool) {
	var scrap [64]byte
	var control [16]uint64 // bytes, aligned for struct cmsghdr
	iov := unix.Iovec{Base: &scrap[0]}
	iov.SetLen(len(scrap))
	msg := unix.Msghdr{Iov: &iov, Control: (*byte)(unsafe.Pointer(&control[0]))}
	msg.SetIovlen(1)
	msg.SetControllen(int(unsafe.Sizeof(control)))
	msg.Name, msg.Namelen = (*byte)(unsafe.Pointer(&to.raw)), uint32(unsafe.Sizeof(to.raw))
	_, _, failed := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if failed != 0 {
		return 0, to, false
	}
	header := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	if header.Type != unix.IP_RECVERR && header.Type != unix.IPV6_RECVERR {
		return 0, to, true
	}
	told := (*unix.SockExtendedErr)(unsafe.Add(unsafe.Pointer(&control[0]), unix.CmsgLen(0)))
	return syscall.Errno(told.Errno), to, true
}
