package session

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// stage runs one medium: what is captured, or, while muted, black or silence.
type stage struct {
	component string // as `bril status` names it
	faults    *faults
	backoff   retry

	mutedAt atomic.Int64 // CLOCK_MONOTONIC of the press; 0 while not muted

	mu   sync.Mutex
	turn context.CancelFunc // ends the mode that runs
}

// mute takes effect before it returns: nothing captured at or after now leaves.
func (s *stage) mute(on bool) {
	at := int64(0)
	if on {
		at = int64(monotonic.Now())
	}
	s.mutedAt.Store(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn != nil {
		s.turn()
	}
}

func (s *stage) muted() bool { return s.mutedAt.Load() != 0 }

// mayLeave says whether what was captured at pts may be sent.
func (s *stage) mayLeave(pts time.Duration) bool {
	at := s.mutedAt.Load()
	return at == 0 || pts < time.Duration(at)
}

// run alternates between capture and blank until ctx ends. A failure is shown
// and tried again after a while; io.EOF ends the stage.
func (s *stage) run(ctx context.Context, captured, blank func(context.Context) error) error {
	for ctx.Err() == nil {
		mode, end := s.begin(ctx)
		body := captured
		if s.muted() {
			body = blank
		}
		err := body(mode)
		changed := mode.Err() != nil
		end()
		switch {
		case changed || err == nil:
		case errors.Is(err, io.EOF):
			return io.EOF
		default:
			s.faults.report(s.component, err)
			sleep(ctx, s.backoff.next())
		}
	}
	return nil
}

// begin returns the context of a mode, which mute ends. A press between the look
// at muted and here would be missed, so the look comes after.
func (s *stage) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	mode, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn = cancel
	return mode, cancel
}

// well is to be called when the stage works: it takes back the fault.
func (s *stage) well() {
	s.faults.clear(s.component)
	s.backoff = retry{}
}

// retry doubles the wait between tries to open a device, from 0.5 s to 10 s.
type retry struct{ last time.Duration }

func (r *retry) next() time.Duration {
	r.last = min(max(2*r.last, 500*time.Millisecond), 10*time.Second)
	return r.last
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// ended says that a source stopped because it was told to.
func ended(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, os.ErrClosed)
}
