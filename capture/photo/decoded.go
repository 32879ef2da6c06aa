package photo

import (
	"context"
	"os"

	"github.com/bril-edge/bril/capture"
)

// TakeOf is Take for a source whose frames are decoded only when a photo is wanted,
// so that they come late: of up to five frames of next it takes the sharpest. It
// calls next once it is this photo's turn, and looks at a frame before the next call
// only. A nil frame is the end of them. An error of next is TakeOf's, and so is
// os.ErrClosed; Close waits for next to return.
func (t *Taker) TakeOf(ctx context.Context, next func(context.Context) (*capture.Frame, error)) (Photo, error) {
	return t.take(ctx, func(ctx context.Context) (choice, error) { return t.chooseOf(ctx, next) })
}

// chooseOf keeps the sharpest frame, which the caller gives back. It copies only
// those that are the best so far.
func (t *Taker) chooseOf(ctx context.Context, next func(context.Context) (*capture.Frame, error)) (c choice, err error) {
	defer func() {
		if err != nil && c.best != nil {
			t.idle <- c.best
		}
	}()
	for c.frames < frames {
		f, err := next(ctx)
		switch {
		case err != nil:
			return c, err
		case t.closed():
			return c, os.ErrClosed
		case f == nil && c.frames == 0:
			return c, &NoFrameError{Waited: patience}
		case f == nil:
			return c, nil
		}
		if err := t.lookAt(f, &c); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (t *Taker) lookAt(f *capture.Frame, c *choice) error {
	luma, err := t.luma.Read(f)
	if err != nil {
		return err
	}
	c.last = sharpness(luma)
	c.frames++
	if c.best != nil && c.last <= c.best.sharpness {
		return nil
	}
	if c.best == nil {
		c.best = <-t.idle // Offer, which is late for another photo, has one at most
	}
	c.best.sharpness = c.last
	return c.best.Take(f)
}

func (t *Taker) closed() bool {
	select {
	case <-t.closing:
		return true
	default:
		return false
	}
}
