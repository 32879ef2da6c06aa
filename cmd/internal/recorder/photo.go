package recorder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/capture/photo"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/spool"
)

// Photo takes a photo and returns once it is safe on the disk; only then the
// advisor hears so. With show the customer sees it as soon as the cloud has it.
func (r *Recorder) Photo(ctx context.Context, show bool) (control.Photo, error) {
	to, claim, err := r.ready(ctx, false)
	if err != nil {
		return control.Photo{}, err
	}
	p, item, taken, err := r.shoot(ctx, claim, to, show)
	if err != nil {
		return control.Photo{}, err
	}
	if _, err := item.Write(p.JPEG); err != nil {
		return control.Photo{}, errors.Join(fmt.Errorf("store the photo: %w", err), item.Abort())
	}
	if err := item.Finish(); err != nil {
		return control.Photo{}, fmt.Errorf("store the photo: %w", err)
	}
	stored := monotonic.Now() - taken
	r.cfg.Cue(session.CuePhoto)
	r.cfg.Stored()
	r.times.add(p.Choose, p.Encode, stored)
	r.cfg.Log.Info("photo taken", "item", item.ID(), "of", p.Frames, "choose", p.Choose, "encode", p.Encode, "store", stored)
	return control.Photo{
		ID: item.ID(), Frames: p.Frames, ChooseMS: milliseconds(p.Choose), EncodeMS: milliseconds(p.Encode), StoreMS: milliseconds(stored),
	}, nil
}

// shoot makes the item's folder while the frames come: on a slow disk that takes as
// long, and longer than taken, which is when the photo was made. Once it has the
// frames it gives back the claim.
func (r *Recorder) shoot(ctx context.Context, claim session.Claim, to age.Recipient, show bool) (
	p photo.Photo, item *spool.Item, taken time.Duration, err error,
) {
	var making sync.WaitGroup
	var failed error
	making.Go(func() { item, failed = r.create(to, spool.Photo, "image/jpeg", show) })
	p, err = r.shot(ctx, claim)
	taken = monotonic.Now()
	making.Wait()
	switch {
	case failed != nil:
		return p, nil, taken, fmt.Errorf("store the photo: %w", failed)
	case err != nil:
		return p, nil, taken, errors.Join(err, item.Abort())
	}
	return p, item, taken, nil
}

func (r *Recorder) shot(ctx context.Context, claim session.Claim) (photo.Photo, error) {
	defer claim.Release()
	taker, of, err := r.taker()
	if err == nil && claim.Alone {
		err = of.settle(ctx)
	}
	if err != nil {
		return photo.Photo{}, fmt.Errorf("take the photo: %w", err)
	}
	p, err := r.pick(ctx, taker, of)
	if errors.Is(err, os.ErrClosed) {
		err = fmt.Errorf("take the photo: %w", errEnded{})
	}
	return p, err // of its own says what was tried
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
