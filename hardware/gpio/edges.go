package gpio

import (
	"context"
	"os"
	"time"

	periph "periph.io/x/conn/v3/gpio"

	"github.com/bril-edge/bril/hardware/internal/waiter"
)

// Edge is a change of a level.
type Edge struct {
	Level periph.Level
	At    time.Duration // on CLOCK_MONOTONIC, by the kernel
}

// edges waits for what a descriptor, which it owns, reports.
type edges struct {
	waiter *waiter.Waiter
	halted context.Context
	halt   context.CancelFunc
}

// newEdges closes file when it fails.
func newEdges(file *os.File) (*edges, error) {
	w, err := waiter.New(file)
	if err != nil {
		return nil, err
	}
	e := &edges{waiter: w}
	e.halted, e.halt = context.WithCancel(context.Background())
	return e, nil
}

// wait calls take until it is done, and returns whether that was well. What has
// come within the timeout is taken, however late this is woken: a release is not
// to look like a button that is still held. A negative timeout is none.
func (e *edges) wait(timeout time.Duration, take func(fd int) (done, ok bool)) bool {
	ok := false
	try := func(fd uintptr) (done bool) {
		done, ok = take(int(fd))
		return done
	}
	if timeout < 0 {
		return e.waiter.Wait(e.halted, try) == nil && ok
	}
	ctx, cancel := context.WithTimeout(e.halted, timeout)
	defer cancel()
	if e.waiter.Wait(ctx, try) == nil {
		return ok
	}
	e.now(func(fd int) { _, ok = take(fd) })
	return ok
}

// now calls do without waiting, unless the descriptor is closed.
func (e *edges) now(do func(fd int)) bool {
	return e.waiter.Wait(e.halted, func(fd uintptr) bool {
		do(int(fd))
		return true
	}) == nil
}

func (e *edges) close() {
	e.halt()
	_ = e.waiter.Close() // it was only read
}
