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
	arm  func(uintptr) // made once, like spec, so that a wait allocates nothing
	spec unix.ItimerSpec
	err  syscall.Errno // of arm

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
	t.arm = t.settime
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
	if err := t.set(at); err != nil {
		return err
	}
	if err := t.conn.Read(expired); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("wait for timerfd: %w", os.ErrClosed)
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

func (t *Timer) set(at time.Duration) error {
	t.spec.Value = unix.NsecToTimespec(int64(at))
	if err := t.conn.Control(t.arm); err != nil {
		return fmt.Errorf("set timerfd: %w", os.ErrClosed)
	}
	if t.err != 0 {
		return fmt.Errorf("set timerfd: %w", t.err)
	}
	return nil
}

// settime uses RawSyscall: an ordinary system call would wake sysmon, and this
// one never blocks.
func (t *Timer) settime(fd uintptr) {
	_, _, t.err = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, unix.TFD_TIMER_ABSTIME,
		uintptr(unsafe.Pointer(&t.spec)), 0, 0, 0)
}

// expired reads the timerfd: false means not yet, wait in the poller.
func expired(fd uintptr) bool {
	var count [8]byte
	_, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&count)), uintptr(len(count)))
	return errno != unix.EAGAIN && errno != unix.EINTR
}
