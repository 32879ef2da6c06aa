package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// A source that fails, as a camera whose cable is pulled, is opened again after
// a while, or at once when a device comes. Meanwhile something else is sent: of
// the sound silence, so that a viewer's clock goes on; of the picture nothing at
// first, so that viewers keep the last one, then a notice.

// coverUp sends what cover returns from now on, unless something is sent already.
// A pause has its own.
func (s *stage) coverUp(ctx context.Context, cover func() func(context.Context) error) {
	if s.cover != nil || s.isMuted() {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	send := cover()
	var sending sync.WaitGroup
	sending.Go(func() {
		if err := send(ctx); err != nil && ctx.Err() == nil {
			s.faults.log.Warn("nothing is sent in place of the "+s.name, "error", err)
		}
	})
	s.cover = func() {
		cancel()
		sending.Wait()
	}
}

// uncover ends that, and lets leave only what is captured from then on: the times
// of what is sent must not go back.
func (s *stage) uncover() {
	if s.cover == nil {
		return
	}
	s.cover()
	s.cover = nil
	raise(&s.resumed, int64(monotonic.Now()+s.length))
}

// raise sets v unless it is above that; 0 is below all.
func raise(v *atomic.Int64, to int64) {
	for old := v.Load(); old == 0 || old < to; old = v.Load() {
		if v.CompareAndSwap(old, to) {
			return
		}
	}
}

// plugged says that a device has come that may be the stage's.
func (s *stage) plugged() {
	select {
	case s.came <- struct{}{}:
	default: // it knows
	}
}

// rest waits until the source is to be tried again.
func (s *stage) rest(ctx context.Context) {
	s.pulse.rest()
	timer := time.NewTimer(s.wait.next())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.came:
		s.wait = retry{}
	case <-ctx.Done():
	}
}

// look is to be called before a source is opened. What has come so far, it sees.
func (s *stage) look() {
	select {
	case <-s.came:
		s.wait = retry{}
	default:
	}
}

// nextTry is how long to wait after a source did not open: not at all when a
// device has come meanwhile.
func (s *stage) nextTry() time.Duration {
	select {
	case <-s.came:
		s.wait = retry{}
		return 0
	default:
		return s.wait.next()
	}
}

// retry doubles the wait between tries to open a device, from 0.2 s to 10 s: two
// that fail leave room for a third within 2 s.
type retry struct{ last time.Duration }

func (r *retry) next() time.Duration {
	r.last = min(max(2*r.last, 200*time.Millisecond), 10*time.Second)
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

// watchDevices has sources opened as soon as they may be there.
func (l *loop) watchDevices() {
	if l.cfg.Devices == nil {
		return
	}
	came := func(camera, microphone bool) { l.tell(l.ctx, message{event: Came{camera, microphone}}) }
	l.background.Go(func() {
		if err := l.cfg.Devices(l.ctx, came); err != nil && l.ctx.Err() == nil {
			l.cfg.Log.Warn("devices that come are not seen, and opened later", "error", err)
		}
	})
}
