package recorder

import (
	"context"
	"sync/atomic"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/photo"
	"github.com/bril-edge/bril/cmd/internal/session"
)

const (
	// firstTime is how long a camera that has been opened for a photo may take to its
	// first picture: it measures the light.
	firstTime = 5 * time.Second
	// settleTime is how long it then goes on with that: its first pictures are too
	// dark or too bright.
	settleTime = 500 * time.Millisecond
)

// take is what is shown between a Begin and its End.
type take struct {
	first chan struct{} // closed with the first frame
	at    time.Time     // when that came; to be read once first is closed
	over  chan struct{} // closed at the end

	encoded atomic.Bool // the source delivers H.264
}

func newTake() *take { return &take{first: make(chan struct{}), over: make(chan struct{})} }

// seen is to be called with each frame.
func (t *take) seen(f *capture.Frame) {
	if f.Format == capture.H264 {
		t.encoded.Store(true)
	}
	if t.at.IsZero() {
		t.at = time.Now()
		close(t.first)
	}
}

// settle waits for a camera that may have just begun.
func (t *take) settle(ctx context.Context) error {
	timer := time.NewTimer(firstTime)
	defer timer.Stop()
	select {
	case <-t.first:
	case <-timer.C:
		return &photo.NoFrameError{Waited: firstTime}
	case <-t.over:
		return errEnded{}
	case <-ctx.Done():
		return ctx.Err()
	}
	timer.Reset(settleTime - time.Since(t.at))
	select {
	case <-timer.C:
		return nil
	case <-t.over:
		return errEnded{}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ready returns whom photos and clips are for and a claim to what is captured, with
// sound or without: no camera runs for what cannot be kept.
func (r *Recorder) ready(ctx context.Context, sound bool) (age.Recipient, session.Claim, error) {
	if err := r.cfg.Recordable(); err != nil {
		return nil, session.Claim{}, err
	}
	to, err := r.cfg.Recipient(ctx)
	if err != nil {
		return nil, session.Claim{}, err
	}
	claim, err := r.cfg.Keep(ctx, sound)
	return to, claim, err
}
