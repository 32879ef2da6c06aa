package gpio

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"github.com/warthog618/go-gpiocdev"
	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// kernel is what the lines need of the operating system; tests script another.
type kernel interface {
	// chips returns the device nodes of all GPIO chips, in order of their numbers.
	chips() []string
	open(path string) (fd int, err error)
	close(fd int) error
	chip(fd int) (uapi.ChipInfo, error)
	line(fd, offset int) (uapi.LineInfoV2, error)
	request(fd int, r *uapi.LineRequest) error
	// values reads lines. Quickly is for those that answer within microseconds: it
	// keeps the thread, and does not wake the Go scheduler.
	values(fd int, v *uapi.LineValues, quickly bool) error
	setValues(fd int, v uapi.LineValues) error
	// file makes a file, in Go's poller, of the descriptor of a line, which it closes
	// when that fails.
	file(fd int, name string) (*os.File, error)
}

// linux is the running kernel, by the GPIO character device, version 2 (Linux
// 5.10; docs.kernel.org userspace-api/gpio/chardev).
type linux struct{}

func (linux) chips() []string {
	names := gpiocdev.Chips()
	for i, name := range names {
		names[i] = filepath.Join("/dev", name)
	}
	return names
}

func (linux) open(path string) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// Close is not retried on EINTR: see close(2), "Dealing with error returns".
func (linux) close(fd int) error {
	if err := unix.Close(fd); err != unix.EINTR {
		return err
	}
	return nil
}

func (linux) chip(fd int) (info uapi.ChipInfo, err error) {
	err = retry(func() error {
		info, err = uapi.GetChipInfo(uintptr(fd))
		return err
	})
	return info, err
}

func (linux) line(fd, offset int) (info uapi.LineInfoV2, err error) {
	err = retry(func() error {
		info, err = uapi.GetLineInfoV2(uintptr(fd), offset)
		return err
	})
	return info, err
}

func (linux) request(fd int, r *uapi.LineRequest) error {
	return retry(func() error { return uapi.GetLine(uintptr(fd), r) })
}

// getValues is GPIO_V2_LINE_GET_VALUES_IOCTL: read and write, 16 bytes, type
// 0xb4, number 14 (include/uapi/linux/gpio.h). The size is checked below.
const getValues = 3<<30 | 16<<16 | 0xb4<<8 | 14

var _ [16]byte = [unsafe.Sizeof(uapi.LineValues{})]byte{}

func (linux) values(fd int, v *uapi.LineValues, quickly bool) error {
	if !quickly {
		return retry(func() error { return uapi.GetLineValuesV2(uintptr(fd), v) })
	}
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), getValues, uintptr(unsafe.Pointer(v)))
		runtime.KeepAlive(v)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

func (linux) setValues(fd int, v uapi.LineValues) error {
	return retry(func() error { return uapi.SetLineValuesV2(uintptr(fd), v) })
}

// file wants the poller: without it a read of a line that is silent would keep a
// thread, and nothing could end it.
func (linux) file(fd int, name string) (*os.File, error) {
	err := os.NewSyscallError("fcntl", unix.SetNonblock(fd, true))
	f := os.NewFile(uintptr(fd), name)
	if err == nil {
		err = f.SetReadDeadline(time.Time{}) // os.ErrNoDeadline: the poller did not take it
	}
	if err != nil {
		_ = f.Close() // the first error is the one to tell
		return nil, err
	}
	return f, nil
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // an errno, bare
			return err
		}
	}
}

// text reads a string of the kernel, which ends with a zero byte or the array.
func text(b []byte) string {
	if i := slices.Index(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
