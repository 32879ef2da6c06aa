package photo

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/capture"
)

// burst is one photo's frames, from Offer's side.
type burst struct {
	began time.Time
	left  atomic.Int32          // frames that are still wanted
	some  atomic.Bool           // a frame that can be used has come
	fault atomic.Pointer[error] // of the last frame that could not
	alien chan *FormatError     // holds one: the source's frames are not for photos
}

// choice is what became of a burst.
type choice struct {
	best   *shot
	last   float64 // the last frame's sharpness
	frames int
}

// Offer shows a frame of the source, in the order they are captured. It costs one
// atomic load while no photo is wanted, else it copies the frame if there is
// memory free. It never waits, and keeps nothing of the frame.
func (t *Taker) Offer(f *capture.Frame) {
	if b := t.want.Load(); b != nil {
		t.offer(b, f)
	}
}

func (t *Taker) offer(b *burst, f *capture.Frame) {
	if f.Format == capture.H264 {
		select {
		case b.alien <- &FormatError{Format: f.Format}:
		default: // said already
		}
		return
	}
	if b.some.Load() && time.Since(b.began) > window {
		return
	}
	if b.left.Add(-1) < 0 {
		b.left.Add(1)
		return
	}
	select {
	case s := <-t.idle:
		if err := s.Take(f); err != nil {
			b.reject(err)
			t.idle <- s
			return
		}
		s.of = b
		t.filled <- s
	default: // Take is behind
		b.left.Add(1)
	}
}

// reject lets another frame take the place of one that cannot be used.
func (b *burst) reject(err error) {
	b.fault.Store(&err)
	b.left.Add(1)
}

// choose waits for the burst and keeps the sharpest of its frames, which the
// caller gives back. The others go back at once, so that Offer has memory.
func (t *Taker) choose(ctx context.Context) (c choice, err error) {
	b := &burst{began: time.Now(), alien: make(chan *FormatError, 1)}
	b.left.Store(frames)
	t.want.Store(b)
	defer t.want.Store(nil)
	defer func() {
		if err != nil && c.best != nil {
			t.idle <- c.best
		}
	}()
	over, late := time.NewTimer(window), time.NewTimer(patience)
	defer over.Stop()
	defer late.Stop()
	for ended := false; c.frames < frames; {
		if ended && c.frames > 0 && len(t.filled) == 0 {
			break
		}
		select {
		case s := <-t.filled:
			t.look(b, s, &c)
		case <-over.C:
			ended = true
		case <-late.C:
			if c.frames == 0 {
				return c, b.noFrame()
			}
		case err := <-b.alien:
			return c, err
		case <-ctx.Done():
			return c, ctx.Err()
		case <-t.closing:
			return c, os.ErrClosed
		}
	}
	return c, nil
}

// look scores a frame and keeps the better one.
func (t *Taker) look(b *burst, s *shot, c *choice) {
	if s.of != b { // came in after its burst had ended
		t.idle <- s
		return
	}
	luma, err := t.luma.Read(&s.Frame)
	if err != nil {
		t.cfg.Log.Debug("a frame is not for a photo", "sequence", s.Frame.Sequence, "cause", err)
		b.reject(err)
		t.idle <- s
		return
	}
	s.sharpness = sharpness(luma)
	b.some.Store(true)
	c.last = s.sharpness
	c.frames++
	if c.best == nil {
		c.best = s
		return
	}
	if s.sharpness > c.best.sharpness {
		s, c.best = c.best, s
	}
	t.idle <- s
}

func (b *burst) noFrame() error {
	e := &NoFrameError{Waited: patience}
	if fault := b.fault.Load(); fault != nil {
		e.Err = *fault
	}
	return e
}

// NoFrameError is a photo for which no frame came that could be used.
type NoFrameError struct {
	Waited time.Duration
	Err    error // what was wrong with the last frame; nil: there was none
}

func (e *NoFrameError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("no usable frame in %v: %v", e.Waited, e.Err)
	}
	return fmt.Sprintf("no frame in %v", e.Waited)
}

func (e *NoFrameError) Unwrap() error { return e.Err }

// Hint says what to look at.
func (e *NoFrameError) Hint() string {
	if e.Err != nil {
		return "the camera delivers damaged pictures: try another camera.format or cable"
	}
	return "the camera delivers no pictures: bril status, bril doctor"
}

// FormatError is a source whose frames are not pictures that can be looked at:
// TakeOf takes photos of what they are decoded to.
type FormatError struct{ Format capture.PixelFormat }

func (e *FormatError) Error() string {
	return fmt.Sprintf("the camera delivers %v, which is to be decoded first", e.Format)
}
