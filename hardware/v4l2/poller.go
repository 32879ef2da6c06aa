package v4l2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/internal/waiter"
)

// Events is what a Poller waits for.
type Events uint32

// The events of a V4L2 device. An error or the device's removal always counts.
const (
	Readable Events = unix.EPOLLIN  // a capture buffer is finished
	Writable Events = unix.EPOLLOUT // an output buffer is finished
	Priority Events = unix.EPOLLPRI // a V4L2 event is pending
)

// Poller waits until a device has something to say, without a thread and
// without waking the Go runtime's sysmon: the device sits in an epoll set of its
// own, and that set's descriptor sits in Go's poller.
//
// Why not the device itself: before VIDIOC_STREAMON it polls as an error, which
// Go's poller takes for "not pollable"; a stream that breaks does the same, and
// the errno would be lost; and Go's poller never asks for EPOLLPRI. An epoll set
// is merely readable in each of these cases, and the ioctl that follows tells.
// Why not poll(2): as a system call that blocks it wakes sysmon. On Linux 6.1 with
// vivid at 27 frames a second, threads of the process woke 27 times a second
// with a Poller and 314 times with poll(2).
//
// One goroutine waits at a time.
type Poller struct {
	name   string
	waiter *waiter.Waiter
	try    func() bool             // of the wait that runs
	call   func(uintptr) (ok bool) // made once, so that a wait allocates nothing
}

// NewPoller makes a poller of the device. It is to be made after
// StreamOn: polling a capture queue that has no buffers yet makes the kernel
// start its emulation of read(2), which takes the queue (vb2_core_poll in
// drivers/media/common/videobuf2/videobuf2-core.c).
func (d *Device) NewPoller(events Events) (*Poller, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, fmt.Errorf("poll %s: %w", d.path, os.ErrClosed)
	}
	set, err := d.kernel.Epoll(d.fd, uint32(events))
	if err != nil {
		return nil, fmt.Errorf("poll %s: %w", d.path, err)
	}
	p := &Poller{name: d.path}
	p.call = func(uintptr) bool { return p.try() }
	if p.waiter, err = waiter.New(set); err != nil {
		return nil, fmt.Errorf("poll %s: %w", d.path, err)
	}
	return p, nil
}

// Wait calls try, and again after each of the device's events, until it returns
// true. It returns ctx's error when ctx ends first, and os.ErrClosed when the
// poller is closed. try must not block. Calls with the same ctx and a try that is
// made once allocate nothing.
//
// Each event wakes once, however long the device stays ready: try has to go on
// until the device says EAGAIN, or return true.
func (p *Poller) Wait(ctx context.Context, try func() bool) error {
	p.try = try
	if err := p.waiter.Wait(ctx, p.call); err != nil {
		return fmt.Errorf("poll %s: %w", p.name, err)
	}
	return nil
}

// WaitUntil is Wait that ends at a moment too, with os.ErrDeadlineExceeded. That
// error itself is returned, and costs no allocation. A moment that has passed
// ends it without a call of try.
func (p *Poller) WaitUntil(at time.Time, try func() bool) error {
	p.try = try
	err := p.waiter.WaitUntil(at, p.call)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return fmt.Errorf("poll %s: %w", p.name, err)
}

// Close ends a wait and takes the device out of the poller. It may be called
// twice.
func (p *Poller) Close() error {
	if err := p.waiter.Close(); err != nil {
		return fmt.Errorf("poll %s: %w", p.name, err)
	}
	return nil
}
