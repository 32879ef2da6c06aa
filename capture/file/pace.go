package file

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// errWoken says that a wait was cut short by wake.
var errWoken = errors.New("woken")

// pacer maps a file's media time to CLOCK_MONOTONIC and waits for it. base and
// begun belong to the caller of begin, due and move; wait, wake and close may be
// called from different goroutines.
type pacer struct {
	timer *monotonic.Timer
	base  time.Duration // when media time 0 is due
	begun bool

	mu     sync.Mutex
	outer  context.Context // of the latest wait
	inner  context.Context // ends with outer, and by wake
	cancel context.CancelFunc
	wakes  uint64
	closed bool
}

func newPacer() (*pacer, error) {
	timer, err := monotonic.NewTimer()
	if err != nil {
		return nil, err
	}
	return &pacer{timer: timer}, nil
}

// begin makes media time first due at start, or now when that is 0. Later calls
// do nothing.
func (p *pacer) begin(start, first time.Duration) {
	if p.begun {
		return
	}
	if start == 0 {
		start = monotonic.Now()
	}
	p.base, p.begun = start-first, true
}

// due returns when media time is due.
func (p *pacer) due(media time.Duration) time.Duration { return p.base + media }

// ticket is taken before the moment to wait for is worked out, so that a wake in
// between is not lost.
func (p *pacer) ticket() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wakes
}

// wait returns at the moment at, or with errWoken when there was a wake since the
// ticket, ctx's error, or os.ErrClosed.
func (p *pacer) wait(ctx context.Context, at time.Duration, ticket uint64) error {
	inner, err := p.interruptible(ctx, ticket)
	if err != nil {
		return err
	}
	err = p.timer.SleepUntil(inner, at)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case p.isClosed():
		return os.ErrClosed
	case inner.Err() != nil:
		return errWoken
	}
	return err
}

// interruptible returns the context that wake ends, the same as long as ctx is.
func (p *pacer) interruptible(ctx context.Context, ticket uint64) (context.Context, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, os.ErrClosed
	}
	if p.wakes != ticket {
		return nil, errWoken
	}
	if p.outer != ctx || p.inner.Err() != nil {
		p.stop()
		p.outer = ctx
		p.inner, p.cancel = context.WithCancel(ctx)
	}
	return p.inner, nil
}

func (p *pacer) stop() {
	if p.cancel != nil {
		p.cancel()
	}
}

// wake cuts a wait short.
func (p *pacer) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wakes++
	p.stop()
}

func (p *pacer) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *pacer) close() error {
	p.mu.Lock()
	p.closed = true
	p.stop()
	p.mu.Unlock()
	return p.timer.Close()
}
