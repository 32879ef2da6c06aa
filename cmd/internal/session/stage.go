package session

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// steady is how long a stage must work until its fault is taken back: one that
// fails again and again is not well in between.
const steady = 3 * time.Second

// stage runs one medium: what is captured, or, while muted, black or silence.
type stage struct {
	name   string // as `bril status` shows it
	faults *faults

	// Of the stage's own goroutine.
	wait  retry
	ill   bool          // it has failed, and was not steady since
	works time.Duration // when it began to work after that; 0 while it does not

	// What was captured from resumed on and before muted may leave; either is on
	// CLOCK_MONOTONIC, or 0 for no limit.
	resumed, muted atomic.Int64

	mu   sync.Mutex
	turn context.CancelFunc // ends the mode that runs
}

// mute takes effect before it returns: nothing that is captured between a call
// with true and one with false leaves.
func (s *stage) mute(on bool) {
	now := int64(monotonic.Now())
	if on {
		s.muted.Store(now)
	} else {
		s.resumed.Store(now) // first: see mayLeave
		s.muted.Store(0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn != nil {
		s.turn()
	}
}

func (s *stage) isMuted() bool { return s.muted.Load() != 0 }

// mayLeave says whether what was captured between the two moments may be sent.
// It reads muted first: who sees that a pause is over sees also when it ended.
func (s *stage) mayLeave(from, to time.Duration) bool {
	muted := time.Duration(s.muted.Load())
	resumed := time.Duration(s.resumed.Load())
	return (resumed == 0 || from >= resumed) && (muted == 0 || to < muted)
}

// run alternates between capture and blank until ctx ends. A failure is shown
// and tried again after a while; io.EOF ends the stage.
func (s *stage) run(ctx context.Context, captured, blank func(context.Context) error) error {
	for ctx.Err() == nil {
		if err := s.runMode(ctx, captured, blank); err != nil {
			return err
		}
	}
	return nil
}

// runMode returns when mute changes the mode, when ctx ends, and when the mode
// has failed and the wait after it is over; only io.EOF is an error.
func (s *stage) runMode(ctx context.Context, captured, blank func(context.Context) error) error {
	mode, end := s.begin(ctx)
	defer end()
	body := captured
	if s.isMuted() {
		body = blank
	}
	switch err := body(mode); {
	case mode.Err() != nil:
	case errors.Is(err, io.EOF):
		return io.EOF
	default:
		s.fail(err)
		sleep(mode, s.wait.next())
	}
	return nil
}

// begin returns the context of a mode, which mute ends. A press between a look at
// muted and here would be missed, so the look comes after.
func (s *stage) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	mode, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn = cancel
	return mode, cancel
}

// fail shows why the stage does not work.
func (s *stage) fail(err error) {
	s.ill, s.works = true, 0
	s.faults.report(s.name, err)
}

// passed is to be called with the moment of each thing that passed the stage.
func (s *stage) passed(now time.Duration) {
	switch {
	case !s.ill:
	case s.works == 0:
		s.works = now
	case now-s.works >= steady:
		s.faults.clear(s.name)
		s.ill, s.works, s.wait = false, 0, retry{}
	}
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
