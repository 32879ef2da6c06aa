package photo

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
)

// fiveOf returns a next that gives these frames in the same memory, as a decoder does.
func fiveOf(sizes ...int) func(context.Context) (*capture.Frame, error) {
	var n int
	return func(context.Context) (*capture.Frame, error) {
		if n == len(sizes) {
			return nil, nil
		}
		f := texture(capture.I420, 64, 48, sizes[n])
		n++
		f.PTS = time.Duration(n)
		return f, nil
	}
}

func TestTakeOf(t *testing.T) {
	taker := mustTaker(t, Config{})
	for _, test := range []struct {
		sizes  []int
		pts    time.Duration
		frames int
	}{
		{[]int{8, 4, 1, 4, 8}, 3, 5},
		{[]int{4, 8, 8, 8, 8, 1}, 1, 5}, // the sixth is not asked for
		{[]int{8, 1}, 2, 2},
		{[]int{2}, 1, 1},
	} {
		p, err := taker.TakeOf(t.Context(), fiveOf(test.sizes...))
		if err != nil || p.PTS != test.pts || p.Frames != test.frames || len(p.JPEG) == 0 || p.Width != 64 || p.Height != 48 {
			t.Errorf("of %v: frame %d of %d, %v", test.sizes, p.PTS, p.Frames, err)
		}
	}
}

func TestTakeOfRefuses(t *testing.T) {
	taker := mustTaker(t, Config{})
	var none *NoFrameError
	if _, err := taker.TakeOf(t.Context(), fiveOf()); !errors.As(err, &none) {
		t.Errorf("without a frame: %v", err)
	}
	broken := errors.New("broken")
	after := fiveOf(4, 2)
	_, err := taker.TakeOf(t.Context(), func(ctx context.Context) (*capture.Frame, error) {
		f, _ := after(ctx)
		if f == nil {
			return nil, broken
		}
		return f, nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("next fails: %v", err)
	}
	if p, err := taker.TakeOf(t.Context(), fiveOf(4, 2)); err != nil || p.Frames != 2 {
		t.Errorf("after that: %+v, %v", p, err)
	}
	closing := make(chan struct{})
	_, err = taker.TakeOf(t.Context(), func(ctx context.Context) (*capture.Frame, error) {
		go func() { taker.Close(); close(closing) }()
		<-taker.closing
		return texture(capture.I420, 64, 48, 2), nil
	})
	<-closing
	if !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed meanwhile: %v", err)
	}
	if _, err := taker.TakeOf(t.Context(), fiveOf(1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
