package cork

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// message is struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
	_      [unsafe.Sizeof(uintptr(0)) - 4]byte
}

// sendWhenThereIsRoom is sendSome for a full send buffer: it waits in the poller
// until the deadline, which the first wait of a batch sets, and then returns
// EAGAIN. It runs only when the network card is slower than the stream.
func (s *socket) sendWhenThereIsRoom(sizes []int, bytes []byte, deadline *time.Time) (packets, size int, errno syscall.Errno) {
	if deadline.IsZero() {
		*deadline = time.Now().Add(sendWait)
		if err := s.SetWriteDeadline(*deadline); err != nil {
			return 0, 0, unix.EBADF
		}
	}
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
	run, length := equalRun(sizes)
	if run < 2 || s.out.noGSO {
		return s.sendMany(sizes, bytes)
	}
	switch errno = s.sendSegmented(bytes[:length], sizes[0]); errno {
	case 0:
		return run, length, 0
	case unix.EIO, unix.EINVAL, unix.EMSGSIZE, unix.ENOPROTOOPT:
		s.out.noGSO = true // a card without checksum offload, or a kernel before 4.18
		return s.sendMany(sizes, bytes)
	}
	return 0, 0, errno
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
	var control [3]uint64 // CMSG_SPACE(2) bytes, aligned for struct cmsghdr
	header := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	header.Level, header.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	header.SetLen(unix.CmsgLen(2))
	*(*uint16)(unsafe.Add(unsafe.Pointer(&control[0]), unix.CmsgLen(0))) = uint16(size)

	iov := unix.Iovec{Base: &b[0]}
	iov.SetLen(len(b))
	msg := unix.Msghdr{Iov: &iov, Control: (*byte)(unsafe.Pointer(&control[0]))}
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
		s.out.iovecs[i] = unix.Iovec{Base: unsafe.SliceData(bytes[at:])}
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
