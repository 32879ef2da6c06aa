package monotonic

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/internal/waiter"
)

// Timer waits for moments on CLOCK_MONOTONIC by a timerfd in Go's network
// poller. A time.Sleep or a ticker for each frame would keep the runtime's sysmon
// thread polling at 20 µs; this leaves it asleep. One goroutine waits at a time.
type Timer struct {
	waiter *waiter.Waiter
	try    func(uintptr) bool // made once, like what follows, so that a wait allocates nothing
	spec   unix.ItimerSpec
	armed  bool
	err    syscall.Errno // of arming
}

// NewTimer makes a timer. Close frees its descriptor.
func NewTimer() (*Timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create timerfd: %w", err)
	}
	t := &Timer{}
	t.try = t.expired
	if t.waiter, err = waiter.New(os.NewFile(uintptr(fd), "timerfd")); err != nil {
		return nil, fmt.Errorf("create timerfd: %w", err)
	}
	return t, nil
}

// SleepUntil returns at the moment at, at once when it has passed. It returns
// ctx's error when ctx ends and os.ErrClosed when the timer is closed. Calls
// with the same ctx allocate nothing.
func (t *Timer) SleepUntil(ctx context.Context, at time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if at <= Now() {
		return nil
	}
	t.spec.Value, t.armed = unix.NsecToTimespec(int64(at)), false
	if err := t.waiter.Wait(ctx, t.try); err != nil {
		return fmt.Errorf("wait for timerfd: %w", err)
	}
	if t.err != 0 {
		return fmt.Errorf("set timerfd: %w", t.err)
	}
	return nil
}

// Close ends a wait and frees the descriptor. It may be called twice.
func (t *Timer) Close() error { return t.waiter.Close() }

// expired arms the timer at its first call, which saves the read that would find
// nothing, and then tells whether it has run out. It uses RawSyscall, because an
// ordinary system call would wake sysmon, and neither of these blocks.
func (t *Timer) expired(fd uintptr) bool {
	if !t.armed {
		_, _, t.err = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, unix.TFD_TIMER_ABSTIME,
			uintptr(unsafe.Pointer(&t.spec)), 0, 0, 0)
		t.armed = true
		return t.err != 0
	}
	var count [8]byte
	_, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&count)), uintptr(len(count)))
	return errno != unix.EAGAIN && errno != unix.EINTR
}
