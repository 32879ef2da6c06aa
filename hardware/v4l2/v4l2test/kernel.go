// Package v4l2test is a scripted kernel for tests of what stands on
// hardware/v4l2: cameras that deliver the pictures a test gives them, can be
// unplugged, and fail one system call at any step. It emulates no more of V4L2
// than that needs.
//
// A descriptor of it is a real eventfd, readable while a picture waits, and its
// memory is really mapped: a lost wakeup, a leak or a use after unmapping shows
// as it would on a real device.
package v4l2test

import (
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
)

// Kernel is a v4l2.Kernel. The zero value has no devices.
type Kernel struct {
	mu       sync.Mutex
	devices  map[string]*Camera
	open     map[int]*Camera
	mappings int
	counting bool
	steps    []string
	failAt   int // counts from 1
	failWith unix.Errno
}

// Add makes the camera appear at path.
func (k *Kernel) Add(path string, c *Camera) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.devices == nil {
		k.devices, k.open = map[string]*Camera{}, map[int]*Camera{}
	}
	c.kernel = k
	k.devices[path] = c
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
	return append([]string(nil), k.steps...)
}

// Leaks says what is still open, mapped, allocated or streaming; "" is nothing.
func (k *Kernel) Leaks() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var leaks string
	if len(k.open) > 0 || k.mappings > 0 {
		leaks = fmt.Sprintf("%d descriptors, %d mappings", len(k.open), k.mappings)
	}
	for path, c := range k.devices {
		if !c.gone && (c.streaming || len(c.buffers) > 0) {
			leaks += fmt.Sprintf(" %s: %d buffers, streaming %v", path, len(c.buffers), c.streaming)
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
	c := k.devices[path]
	if c == nil || c.gone {
		return -1, unix.ENOENT
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	c.fd = fd
	k.open[fd] = c
	return fd, nil
}

// Close implements v4l2.Kernel.
func (k *Kernel) Close(fd int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
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
	memory, err := unix.Mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	k.mappings++
	k.open[fd].buffers[offset/pageSize].memory = memory
	return memory, nil
}

// Munmap implements v4l2.Kernel.
func (k *Kernel) Munmap(b []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mappings--
	for _, c := range k.devices {
		c.forget(b)
	}
	return unix.Munmap(b)
}

// Epoll implements v4l2.Kernel.
func (k *Kernel) Epoll(fd int, events uint32) (*os.File, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if errno := k.step("epoll"); errno != 0 {
		return nil, errno
	}
	return v4l2.Linux().Epoll(fd, events)
}

// Ioctl implements v4l2.Kernel.
func (k *Kernel) Ioctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.open[fd]
	if c == nil {
		return unix.EBADF
	}
	number := request & 0xff
	if undoes(number, arg) {
		return c.ioctl(number, arg)
	}
	if errno := k.step(names[number]); errno != 0 {
		return errno
	}
	return c.ioctl(number, arg)
}

// undoes says that the ioctl frees something.
func undoes(number uintptr, arg unsafe.Pointer) bool {
	return number == streamOff || number == reqBufs && (*v4l2.RequestBuffers)(arg).Count == 0
}
