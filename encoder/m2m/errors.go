package m2m

import (
	"errors"
	"fmt"
	"time"
)

// What callers decide by. A device that is missing or may not be opened is
// os.ErrNotExist or os.ErrPermission, a closed encoder os.ErrClosed.
var (
	// ErrStalled says that pictures went in and nothing comes out any more. The
	// device may well work when it is opened again.
	ErrStalled = errors.New("the encoder has stalled")
	// ErrUnsupported is what no picture of this stream will get past.
	ErrUnsupported = errors.New("unsupported picture")
)

type stalled struct {
	pictures int
	silent   time.Duration
}

func (s *stalled) Error() string {
	return fmt.Sprintf("%v: %d pictures are in it, and nothing came out for %v", ErrStalled, s.pictures, s.silent.Round(time.Millisecond))
}

func (s *stalled) Unwrap() error { return ErrStalled }

// Hint returns what the user can do, as one line.
func (s *stalled) Hint() string {
	return "it is opened again by itself; if it happens often, set video.encoder to software"
}
