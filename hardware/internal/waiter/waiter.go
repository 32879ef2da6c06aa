// Package waiter waits for a descriptor in Go's network poller, where a waiting
// goroutine costs no thread and does not wake the runtime's sysmon.
package waiter

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// Waiter owns a descriptor that can be polled, in non-blocking mode. One
// goroutine waits at a time.
type Waiter struct {
	file *os.File
	conn syscall.RawConn

	mu   sync.Mutex
	ctx  context.Context // the context whose end interrupts the wait
	stop func() bool
}

// New makes a waiter of file, which it closes when that fails.
func New(file *os.File) (*Waiter, error) {
	conn, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Waiter{file: file, conn: conn}, nil
}

// Wait calls try, and again whenever the descriptor has become ready, until it
// returns true. The first call comes when the poller has made ready, so that
// nothing that happens in it is missed; try must not block. Wait returns ctx's
// error, or os.ErrClosed. With the same ctx and a try that is made once it
// allocates nothing.
func (w *Waiter) Wait(ctx context.Context, try func(fd uintptr) bool) error {
	if err := w.watch(ctx); err != nil {
		return err
	}
	if err := w.conn.Read(try); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return os.ErrClosed // the only other cause, in the words of a package of its own
	}
	return nil
}

// WaitUntil is Wait that nothing but a moment ends: os.ErrDeadlineExceeded.
func (w *Waiter) WaitUntil(at time.Time, try func(fd uintptr) bool) error {
	if err := w.setDeadline(at); err != nil {
		return err
	}
	err := w.conn.Read(try)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	return os.ErrClosed
}

func (w *Waiter) setDeadline(at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget() // the context of a wait before
	if err := w.file.SetReadDeadline(at); err != nil {
		return os.ErrClosed
	}
	return nil
}

// Close ends a wait and closes the descriptor. It may be called twice.
func (w *Waiter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget()
	if err := w.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// watch makes the end of ctx interrupt the wait: a deadline in the past wakes
// the poller without a Go timer.
func (w *Waiter) watch(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == ctx {
		return nil
	}
	w.forget()
	if err := w.file.SetReadDeadline(time.Time{}); err != nil {
		return os.ErrClosed
	}
	w.ctx = ctx
	w.stop = context.AfterFunc(ctx, func() { w.interrupt(ctx) })
	return nil
}

func (w *Waiter) forget() {
	if w.stop != nil {
		w.stop()
		w.ctx, w.stop = nil, nil
	}
}

func (w *Waiter) interrupt(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == ctx {
		_ = w.file.SetReadDeadline(time.Unix(1, 0)) // fails only once closed, which wakes the waiter too
	}
}
