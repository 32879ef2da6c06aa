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

// modes are what a stage sends, each until ctx ends.
type modes struct {
	captured func(ctx context.Context) error
	blank    func(ctx context.Context) error // while muted: black or silence
	// cover is called when captured has failed, and returns what is sent until
	// captured has its source again: a notice or silence.
	cover func() func(ctx context.Context) error
}

// stage runs one medium.
type stage struct {
	name   string        // as `bril status` shows it
	length time.Duration // of one thing that it sends; 0 for a picture
	faults *faults
	pulse  *pulse

	// Of the stage's own goroutine.
	wait  retry
	cover func()        // ends what is sent in place of a failed source; nil for nothing
	ill   bool          // it has failed, and was not steady since
	works time.Duration // when it began to work after that; 0 while it does not

	guard watchdog      // of the source's reads
	came  chan struct{} // holds one value once a device has come that may be this one

	// What was captured from resumed on and before muted may leave; either is on
	// CLOCK_MONOTONIC, or 0 for no limit.
	resumed, muted atomic.Int64

	mu   sync.Mutex
	turn context.CancelFunc // ends the mode that runs
}

func newStage(name string, length time.Duration, f *faults, p *pulse) stage {
	return stage{name: name, length: length, faults: f, pulse: p, came: make(chan struct{}, 1)}
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
// and tried again after a while, or when a device comes; io.EOF ends the stage.
func (s *stage) run(ctx context.Context, m modes) error {
	defer s.pulse.rest()
	defer s.uncover()
	for ctx.Err() == nil {
		if err := s.runMode(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// runMode returns when mute changes the mode, when ctx ends, and when the mode
// has failed and the wait after it is over; only io.EOF is an error.
func (s *stage) runMode(ctx context.Context, m modes) error {
	mode, end := s.begin(ctx)
	defer end()
	s.pulse.step()
	body := m.captured
	if s.isMuted() {
		s.uncover()
		body = m.blank
	}
	switch err := body(mode); {
	case mode.Err() != nil:
	case errors.Is(err, io.EOF):
		return io.EOF
	default:
		s.fail(err)
		s.coverUp(ctx, m.cover)
		s.rest(mode)
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
