// Package v4l2test is a scripted kernel for tests of what stands on
// hardware/v4l2: cameras that deliver the pictures a test gives them, can be
// unplugged, and fail one system call at any step; encoders with the quirks of
// real ones. It emulates no more of V4L2 than that needs.
//
// A descriptor of it is a real eventfd, readable while something waits, and its
// memory is really mapped: a lost wakeup, a leak or a use after unmapping shows
// as it would on a real device.
package v4l2test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
)

// Kernel is a v4l2.Kernel. The zero value has no devices.
type Kernel struct {
	mu       sync.Mutex
	devices  map[string]Device
	open     map[int]Device
	exported map[int]memory // by descriptor
	mappings int
	counting bool
	steps    []string
	failAt   int // counts from 1
	failWith unix.Errno
}

// Device is a Camera or an Encoder.
type Device interface {
	core() *node
	ioctl(number uintptr, arg unsafe.Pointer) unix.Errno
	streams() []*stream
}

// node is what all devices have.
type node struct {
	kernel *Kernel
	fd     int
	gone   bool
	word   [8]byte // what the eventfd is written and read with
}

func (n *node) core() *node { return n }

// signal makes the descriptor readable.
func (n *node) signal() {
	if n.kernel.open[n.fd] != nil {
		n.word = [8]byte{0: 1}
		_, _ = unix.Write(n.fd, n.word[:]) // fails only when 2^64-2 pictures wait
	}
}

// quiet makes it unreadable.
func (n *node) quiet() { _, _ = unix.Read(n.fd, n.word[:]) } // EAGAIN: it was not readable

// Unplug removes the device: everything answers ENODEV from now on.
func (n *node) Unplug() {
	n.kernel.mu.Lock()
	defer n.kernel.mu.Unlock()
	n.gone = true
	n.signal()
}

// Add makes the device appear at path.
func (k *Kernel) Add(path string, d Device) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.devices == nil {
		k.devices, k.open, k.exported = map[string]Device{}, map[int]Device{}, map[int]memory{}
	}
	d.core().kernel = k
	k.devices[path] = d
}

// FailStep makes system call number n, counted from 1 from now on, fail with
// errno. Steps that undo something (munmap, close, REQBUFS of 0) always work and
// do not count.
func (k *Kernel) FailStep(n int, errno unix.Errno) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counting, k.steps, k.failAt, k.failWith = true, nil, n, errno
}

// Steps returns the names of the system calls since FailStep.
func (k *Kernel) Steps() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.steps)
}

// Leaks says what is still open, mapped, exported, allocated or streaming; "" is
// nothing.
func (k *Kernel) Leaks() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var leaks string
	if len(k.open) > 0 || k.mappings > 0 || len(k.exported) > 0 {
		leaks = fmt.Sprintf("%d descriptors, %d mappings, %d DMA buffers", len(k.open), k.mappings, len(k.exported))
	}
	for path, d := range k.devices {
		for _, s := range d.streams() {
			if !d.core().gone && (s.on || len(s.buffers) > 0) {
				leaks += fmt.Sprintf(" %s: %d buffers, streaming %v", path, len(s.buffers), s.on)
			}
		}
	}
	return leaks
}

func (k *Kernel) step(name string) unix.Errno {
	if !k.counting {
		return 0
	}
	k.steps = append(k.steps, name)
	if k.failAt == len(k.steps) {
		return k.failWith
	}
	return 0
}

// Open implements v4l2.Kernel.
func (k *Kernel) Open(path string) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if errno := k.step("open"); errno != 0 {
		return -1, errno
	}
	d := k.devices[path]
	if d == nil || d.core().gone {
		return -1, unix.ENOENT
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	d.core().fd = fd
	k.open[fd] = d
	return fd, nil
}

// Close implements v4l2.Kernel, for devices and DMA buffers.
func (k *Kernel) Close(fd int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.exported[fd]; ok {
		delete(k.exported, fd)
		return unix.Close(fd)
	}
	if k.open[fd] == nil {
		return unix.EBADF
	}
	delete(k.open, fd)
	return unix.Close(fd)
}

// Mmap implements v4l2.Kernel.
func (k *Kernel) Mmap(fd int, offset int64, length int) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if errno := k.step("mmap"); errno != 0 {
		return nil, errno
	}
	data, err := unix.Mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	k.mappings++
	for _, s := range k.open[fd].streams() {
		s.mapped(int(offset), data)
	}
	return data, nil
}

// Munmap implements v4l2.Kernel.
func (k *Kernel) Munmap(b []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mappings--
	for _, d := range k.devices {
		for _, s := range d.streams() {
			s.forget(b)
		}
	}
	return unix.Munmap(b)
}

// Epoll implements v4l2.Kernel. An eventfd is readable for whatever reason.
func (k *Kernel) Epoll(fd int, events uint32) (*os.File, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if errno := k.step("epoll"); errno != 0 {
		return nil, errno
	}
	return v4l2.Linux().Epoll(fd, unix.EPOLLIN)
}

// Ioctl implements v4l2.Kernel.
func (k *Kernel) Ioctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.open[fd]
	if d == nil {
		return unix.EBADF
	}
	number := request & 0xff
	if !undoes(number, arg) {
		if errno := k.step(names[number]); errno != 0 {
			return errno
		}
	}
	if d.core().gone {
		return unix.ENODEV
	}
	return d.ioctl(number, arg)
}

// undoes says that the ioctl frees something.
func undoes(number uintptr, arg unsafe.Pointer) bool {
	return number == streamOff || number == reqBufs && (*v4l2.RequestBuffers)(arg).Count == 0
}

// The ioctls, by their index (include/uapi/linux/videodev2.h).
const (
	queryCap       = 0
	enumFmt        = 2
	gFmt           = 4
	sFmt           = 5
	reqBufs        = 8
	queryBuf       = 9
	qBuf           = 15
	expBuf         = 16
	dqBuf          = 17
	streamOn       = 18
	streamOff      = 19
	gParm          = 21
	sParm          = 22
	gCtrl          = 27
	sCtrl          = 28
	queryCtrl      = 36
	enumFrameSizes = 74
	enumIntervals  = 75
	encoderCmd     = 77
	dqEvent        = 89
	subscribe      = 90
	sSelection     = 95
)

var names = [256]string{
	queryCap: "QUERYCAP", enumFmt: "ENUM_FMT", gFmt: "G_FMT", sFmt: "S_FMT", reqBufs: "REQBUFS", queryBuf: "QUERYBUF",
	qBuf: "QBUF", expBuf: "EXPBUF", dqBuf: "DQBUF", streamOn: "STREAMON", streamOff: "STREAMOFF", gParm: "G_PARM",
	sParm: "S_PARM", gCtrl: "G_CTRL", sCtrl: "S_CTRL", queryCtrl: "QUERYCTRL", enumFrameSizes: "ENUM_FRAMESIZES",
	enumIntervals: "ENUM_FRAMEINTERVALS", encoderCmd: "ENCODER_CMD", dqEvent: "DQEVENT", subscribe: "SUBSCRIBE_EVENT",
	sSelection: "S_SELECTION",
}
