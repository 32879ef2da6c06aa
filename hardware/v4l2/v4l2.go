// Package v4l2 speaks the kernel's Video4Linux2 ABI: its structs, its ioctls,
// its mapped buffers and the wait for them. It decides nothing: which device,
// which format, what to do with a picture is its callers' business. It is pure
// Go and knows nothing of frames or encoders.
//
// One Go struct stands for one C struct and one method for one ioctl; the names
// are those of the kernel's documentation without V4L2_ and VIDIOC_. Both
// single- and multi-planar queues have their place: a Queue belongs to a
// BufType, a Device may have several, and Format has a view for each union
// member. Source: https://docs.kernel.org/userspace-api/media/v4l/v4l2.html
package v4l2

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Device is one open V4L2 device node. It owns the descriptor: whatever maps or
// waits goes through it. Its methods may be called from several goroutines.
type Device struct {
	path   string
	kernel Kernel

	// mu lets ioctls run side by side and makes Close wait for them, so that a
	// descriptor number is never used after it has been closed.
	mu     sync.RWMutex
	fd     int
	closed bool
}

// Open opens the node for reading and writing without blocking. The errno is
// kept: errors.Is finds os.ErrNotExist, os.ErrPermission, unix.EBUSY.
func Open(path string) (*Device, error) { return OpenOn(Linux(), path) }

// OpenOn is Open on another kernel than the running one.
func OpenOn(kernel Kernel, path string) (*Device, error) {
	fd, err := kernel.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &Device{path: path, kernel: kernel, fd: fd}, nil
}

// Path returns the path that the device was opened by.
func (d *Device) Path() string { return d.path }

// Close closes the descriptor. Queues and pollers are to be closed before. A
// second call does nothing.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.kernel.Close(d.fd); err != nil {
		return fmt.Errorf("close %s: %w", d.path, err)
	}
	return nil
}

// do makes one ioctl and names it in the error.
func (d *Device) do(name string, request uintptr, arg unsafe.Pointer) error {
	if err := d.ioctl(request, arg); err != nil {
		return wrap(name, d.path, err)
	}
	return nil
}

// Unsupported says that the driver does not know what it was asked for, as
// against that it failed: ENOTTY of an ioctl, EINVAL of its argument.
func Unsupported(err error) bool {
	return errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL)
}

func wrap(ioctl, path string, err error) error { return fmt.Errorf("%s on %s: %w", ioctl, path, err) }

func (d *Device) ioctl(request uintptr, arg unsafe.Pointer) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return os.ErrClosed
	}
	for {
		errno := d.kernel.Ioctl(d.fd, request, arg)
		switch errno {
		case 0:
			return nil
		case unix.EINTR: // a signal came, as the Go runtime's own do
		default:
			return errno
		}
	}
}
