package monotonic

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Timer waits for moments on CLOCK_MONOTONIC by a timerfd in Go's network
// poller. A time.Sleep or a ticker for each frame would keep the runtime's sysmon
// thread polling at 20 µs; this leaves it asleep. One goroutine waits at a time.
type Timer struct {
	file *os.File
	conn syscall.RawConn
	wait func(uintptr) bool // made once, like what follows, so that a wait allocates nothing
	spec unix.ItimerSpec
	set  bool          // spec is armed
	err  syscall.Errno // of arming it

	mu   sync.Mutex
	ctx  context.Context // the context whose end interrupts the wait
	stop func() bool
}

// A raw connection and a poller deadline fail on a closed file only, with an
// error of their own package; the methods below report that as os.ErrClosed.

// NewTimer makes a timer. Close frees its descriptor.
func NewTimer() (*Timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create timerfd: %w", err)
	}
	t := &Timer{file: os.NewFile(uintptr(fd), "timerfd")}
	t.wait = t.expired
	if t.conn, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return nil, fmt.Errorf("create timerfd: %w", err)
	}
	return t, nil
}

// SleepUntil returns at the moment at, at once when it has passed. It returns
// ctx's error when ctx ends and os.ErrClosed when the timer is closed. Calls
// with the same ctx allocate nothing.
func (t *Timer) SleepUntil(ctx context.Context, at time.Duration) error {
	if err := t.watch(ctx); err != nil {
		return err
	}
	if at <= Now() {
		return nil
	}
	t.spec.Value, t.set = unix.NsecToTimespec(int64(at)), false
	if err := t.conn.Read(t.wait); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("wait for timerfd: %w", os.ErrClosed)
	}
	if t.err != 0 {
		return fmt.Errorf("set timerfd: %w", t.err)
	}
	return nil
}

// Close ends a wait and frees the descriptor. It may be called twice.
func (t *Timer) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stop != nil {
		t.stop()
		t.ctx, t.stop = nil, nil
	}
	if err := t.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// watch makes the end of ctx interrupt the wait: a read deadline in the past
// wakes the poller without starting a Go timer.
func (t *Timer) watch(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx == ctx {
		return nil
	}
	if t.stop != nil {
		t.stop()
	}
	if err := t.file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("wait for timerfd: %w", os.ErrClosed)
	}
	t.ctx = ctx
	t.stop = context.AfterFunc(ctx, func() { t.interrupt(ctx) })
	return nil
}

func (t *Timer) interrupt(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx == ctx {
		_ = t.file.SetReadDeadline(time.Unix(1, 0)) // fails only once closed, which wakes the reader too
	}
}

// expired is called by the poller: at first, when it has made ready to wait, and
// whenever the descriptor becomes readable. False means wait. Arming it only here
// saves the read that would find nothing. RawSyscall, because an ordinary system
// call would wake sysmon, and neither of these blocks.
func (t *Timer) expired(fd uintptr) bool {
	if !t.set {
		_, _, t.err = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, unix.TFD_TIMER_ABSTIME,
			uintptr(unsafe.Pointer(&t.spec)), 0, 0, 0)
		t.set = true
		return t.err != 0
	}
	var count [8]byte
	_, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&count)), uintptr(len(count)))
	return errno != unix.EAGAIN && errno != unix.EINTR
}
