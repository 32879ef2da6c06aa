package v4l2

import (
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kernel is what this package asks of the operating system. Linux returns the
// real one; a test scripts another (see v4l2test).
type Kernel interface {
	// Open opens a node read-write, non-blocking, closed on exec.
	Open(path string) (fd int, err error)
	// Close closes what Open returned.
	Close(fd int) error
	// Ioctl makes one ioctl; it need not retry EINTR. It must not block.
	Ioctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno
	// Mmap maps length bytes of the buffer at offset, shared, read-write.
	Mmap(fd int, offset int64, length int) ([]byte, error)
	Munmap(b []byte) error
	// Epoll returns a new epoll descriptor that waits for events (EPOLLIN and the
	// like) of fd, itself in Go's poller.
	Epoll(fd int, events uint32) (*os.File, error)
}

// Linux returns the running kernel.
func Linux() Kernel { return linux{} }

type linux struct{}

func (linux) Open(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// Close is not retried on EINTR: Linux has freed the number by then, and another
// goroutine may own it already (close(2), "Dealing with error returns").
func (linux) Close(fd int) error {
	if err := unix.Close(fd); err != unix.EINTR {
		return err
	}
	return nil
}

// Ioctl is a raw system call: on a non-blocking descriptor no ioctl of the
// streaming path sleeps, and an ordinary call would wake the runtime's sysmon
// thread for every frame.
func (linux) Ioctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	if slow(request) {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		return errno
	}
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno
}

// slow says that the ioctl may talk to the hardware or allocate, for
// milliseconds: it must not keep a processor of the Go scheduler.
func slow(request uintptr) bool {
	return request != vidiocQBuf && request != vidiocDQBuf && request != vidiocDQEvent
}

func (linux) Mmap(fd int, offset int64, length int) ([]byte, error) {
	return unix.Mmap(fd, offset, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (linux) Munmap(b []byte) error { return unix.Munmap(b) }

func (linux) Epoll(fd int, events uint32) (*os.File, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// os.NewFile puts a descriptor into Go's poller if it says that it does not block.
	err = os.NewSyscallError("fcntl", unix.SetNonblock(epfd, true))
	if err == nil {
		err = register(epfd, fd, events)
	}
	file := os.NewFile(uintptr(epfd), "epoll")
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // os.ErrNoDeadline: the poller did not take it
	}
	if err != nil {
		_ = file.Close() // the first error is the one to tell
		return nil, err
	}
	return file, nil
}

// register puts fd into the epoll set while its thread takes no signals. A driver
// whose poll waits for its lock and is interrupted reports an error and has not
// registered the wait (vb2_fop_poll in videobuf2-v4l2.c): no event would ever
// come. Go's own preemption signal is enough; seen with vivid, which holds the
// lock while it draws, about once in 50 starts with unix.EpollCtl, a raw call.
func register(epfd, fd int, events uint32) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return os.NewSyscallError("rt_sigprocmask", err)
	}
	event := unix.EpollEvent{Events: events}
	_, _, errno := unix.Syscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), unix.EPOLL_CTL_ADD, uintptr(fd),
		uintptr(unsafe.Pointer(&event)), 0, 0)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err != nil {
		return os.NewSyscallError("rt_sigprocmask", err)
	}
	if errno != 0 {
		return os.NewSyscallError("epoll_ctl", errno)
	}
	return nil
}
