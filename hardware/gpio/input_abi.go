package gpio

import (
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From include/uapi/linux/input.h and input-event-codes.h.
const (
	evKey    = 0x01
	keyMax   = 0x2ff
	keyBytes = keyMax/8 + 1
	nameSize = 256
)

// An ioctl's number: direction, size of its argument, 'E', index
// (include/uapi/asm-generic/ioctl.h; the same on amd64, arm64 and arm).
const (
	iocWrite = 1 << 30
	iocRead  = 2 << 30
	iocE     = 'E' << 8
)

const (
	eviocgName     = iocRead | nameSize<<16 | iocE | 0x06
	eviocgPhys     = iocRead | nameSize<<16 | iocE | 0x07
	eviocgKey      = iocRead | keyBytes<<16 | iocE | 0x18
	eviocgBitKey   = iocRead | keyBytes<<16 | iocE | 0x20 + evKey
	eviocsClockID  = iocWrite | 4<<16 | iocE | 0xa0
	clockMonotonic = unix.CLOCK_MONOTONIC
)

// inputEvent is struct input_event. Its time is two unsigned longs, also on 32
// bits, where it would end in 2038 if it were not on CLOCK_MONOTONIC.
type inputEvent struct {
	Sec, Usec ulong
	Type      uint16
	Code      uint16
	Value     int32
}

var _ [sizeofInputEvent]byte = [unsafe.Sizeof(inputEvent{})]byte{}

func (e *inputEvent) at() time.Duration {
	return time.Duration(e.Sec)*time.Second + time.Duration(e.Usec)*time.Microsecond
}

// keySet has a bit for each key.
type keySet [keyBytes]byte

func (s *keySet) has(code uint16) bool { return int(code) <= keyMax && s[code/8]&(1<<(code%8)) != 0 }

// ask makes an ioctl that fills what arg points to.
func ask(fd int, request uintptr, arg unsafe.Pointer) error {
	return retry(func() error {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		runtime.KeepAlive(arg)
		if errno != 0 {
			return errno
		}
		return nil
	})
}
