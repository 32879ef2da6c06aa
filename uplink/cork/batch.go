package cork

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Limits of one batch: what sendmmsg and UDP_SEGMENT take at a time.
const (
	maxPackets = 64
	maxBytes   = 64<<10 - 1500 // of one UDP_SEGMENT burst, below the largest UDP datagram
)

// batch collects packets for one destination.
type batch struct {
	to       netip.AddrPort
	sockaddr sockaddr
	inet6    bool

	bytes []byte // the packets one after another
	sizes []int  // their lengths

	messages []message // scratch for sendmmsg
	iovecs   []unix.Iovec
	noGSO    bool // the kernel or the network card refused UDP_SEGMENT
}

// message is struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
	_      [unsafe.Sizeof(uintptr(0)) - 4]byte
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

// isMedia tells RTP and RTCP from STUN, DTLS and TURN by the first byte, RFC 7983.
func isMedia(b []byte) bool { return len(b) > 0 && b[0] >= 128 && b[0] <= 191 }

// WriteToAddrPort is what pion's ICE agent writes by. A corked packet counts as
// written; one that the kernel then does not take counts as dropped.
func (s *socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if !isMedia(b) || to.Addr().Zone() != "" {
		return s.UDPConn.WriteToUDPAddrPort(b, to)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	if err := s.aim(to); err != nil {
		return 0, err
	}
	s.out.bytes = append(s.out.bytes, b...)
	s.out.sizes = append(s.out.sizes, len(b))
	if !s.corked || len(s.out.sizes) == maxPackets || len(s.out.bytes) > maxBytes-len(b) {
		s.flush()
	}
	return len(b), nil
}

// aim points the batch at a destination, after sending what waits for another.
func (s *socket) aim(to netip.AddrPort) error {
	if s.out.to == to {
		return nil
	}
	s.flush()
	if s.out.messages == nil {
		local, ok := s.LocalAddr().(*net.UDPAddr)
		if !ok {
			return errors.New("socket has no UDP address")
		}
		s.out.inet6 = local.IP.To4() == nil
		s.out.bytes = make([]byte, 0, maxBytes)
		s.out.sizes = make([]int, 0, maxPackets)
		s.out.messages = make([]message, maxPackets)
		s.out.iovecs = make([]unix.Iovec, maxPackets)
	}
	if !s.out.inet6 && !to.Addr().Is4() {
		return &net.AddrError{Err: "an IPv4 socket cannot reach", Addr: to.String()}
	}
	s.out.sockaddr.set(to, s.out.inet6)
	s.out.to = to
	return nil
}

// flush sends the batch and empties it. mu is held.
func (s *socket) flush() {
	sizes, bytes := s.out.sizes, s.out.bytes
	for again := true; len(sizes) > 0 && !s.closed; {
		packets, size, errno := s.sendSome(sizes, bytes)
		if errno == unix.EAGAIN {
			packets, size, errno = s.sendWhenThereIsRoom(sizes, bytes)
		}
		switch {
		case errno == 0:
			again = true
		case again && refusal(errno):
			// It tells of an earlier packet and has kept this one back;
			// reading it has cleared it.
			s.noteRefusal()
			s.drainErrors(uintptr(s.fd))
			again = false
		default:
			s.dropped.Add(1)
			packets, size = 1, sizes[0]
		}
		sizes, bytes = sizes[packets:], bytes[size:]
	}
	s.out.sizes, s.out.bytes = s.out.sizes[:0], s.out.bytes[:0]
}

// sendWhenThereIsRoom is sendSome for a full send buffer: it waits in the poller,
// at most sendWait. It runs only when the network card is slower than the stream.
func (s *socket) sendWhenThereIsRoom(sizes []int, bytes []byte) (packets, size int, errno syscall.Errno) {
	if err := s.SetWriteDeadline(time.Now().Add(sendWait)); err != nil {
		return 0, 0, unix.EBADF
	}
	defer s.SetWriteDeadline(time.Time{}) //nolint:errcheck // fails on a closed socket only
	errno = unix.EAGAIN
	_ = s.raw.Write(func(uintptr) bool { // its error is the deadline's, and errno says so
		packets, size, errno = s.sendSome(sizes, bytes)
		return errno != unix.EAGAIN
	})
	return packets, size, errno
}

// sendSome sends the first packets of a batch in one system call and tells how
// many packets and bytes the kernel took.
func (s *socket) sendSome(sizes []int, bytes []byte) (packets, size int, errno syscall.Errno) {
	s.calls.Add(1)
	if run, length := equalRun(sizes); run > 1 && !s.out.noGSO {
		errno = s.sendSegmented(bytes[:length], sizes[0])
		if errno == unix.EIO || errno == unix.EINVAL || errno == unix.EMSGSIZE || errno == unix.ENOPROTOOPT {
			s.out.noGSO = true // a card without checksum offload, or a kernel before 4.18
			return 0, 0, 0
		}
		if errno != 0 {
			return 0, 0, errno
		}
		return run, length, 0
	}
	return s.sendMany(sizes, bytes)
}

// equalRun returns how many packets one UDP_SEGMENT send takes, and their bytes:
// all of one size, but for a shorter last one.
func equalRun(sizes []int) (packets, length int) {
	for _, size := range sizes {
		if size > sizes[0] {
			break
		}
		packets++
		length += size
		if size < sizes[0] {
			break
		}
	}
	return packets, length
}

// sendSegmented hands the kernel one buffer that it cuts into packets of size
// bytes: generic segmentation offload, udp(7) UDP_SEGMENT.
func (s *socket) sendSegmented(b []byte, size int) syscall.Errno {
	var control [24]byte // CMSG_SPACE(2), rounded up
	header := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	header.Level, header.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	header.SetLen(unix.CmsgLen(2))
	*(*uint16)(unsafe.Pointer(&control[unix.CmsgLen(0)])) = uint16(size)

	iov := unix.Iovec{Base: &b[0]}
	iov.SetLen(len(b))
	msg := unix.Msghdr{Iov: &iov, Control: &control[0]}
	msg.SetIovlen(1)
	msg.SetControllen(unix.CmsgSpace(2))
	msg.Name, msg.Namelen = (*byte)(unsafe.Pointer(&s.out.sockaddr.raw)), s.out.sockaddr.len
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT)
	return errno
}

// sendMany sends packets of any sizes by sendmmsg(2).
func (s *socket) sendMany(sizes []int, bytes []byte) (packets, size int, errno syscall.Errno) {
	at := 0
	for i, n := range sizes {
		s.out.iovecs[i] = unix.Iovec{Base: &bytes[at]}
		s.out.iovecs[i].SetLen(n)
		m := &s.out.messages[i].header
		*m = unix.Msghdr{Iov: &s.out.iovecs[i]}
		m.SetIovlen(1)
		m.Name, m.Namelen = (*byte)(unsafe.Pointer(&s.out.sockaddr.raw)), s.out.sockaddr.len
		at += n
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd),
		uintptr(unsafe.Pointer(&s.out.messages[0])), uintptr(len(sizes)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, 0, errno
	}
	for _, length := range sizes[:n] {
		size += length
	}
	return int(n), size, 0
}
