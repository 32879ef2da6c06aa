package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/photo"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/openh264"
	"github.com/bril-edge/bril/encoder/passthrough"
)

const (
	// snapshotTime is how long a camera may take until there is a snapshot of it.
	snapshotTime = 10 * time.Second
	// snapshotSettles is how long it runs before: its first pictures are too dark or
	// too bright.
	snapshotSettles = 500 * time.Millisecond
)

// Snapshot takes one picture of the configured camera, under the board's light, for
// a technician to look at. It is to be called where no daemon runs, which holds the
// light; it keeps nothing.
func Snapshot(ctx context.Context, cfg configs.Config, opts Options) (p photo.Photo, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, snapshotTime, hinted{fmt.Errorf("no picture within %v", snapshotTime), "bril devices shows what the camera delivers"})
	defer cancel()
	a := &Agent{cfg: cfg, opts: opts}
	if err := a.useBoard(); err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, a.board.close()) }()
	source, err := a.videoSource(nil)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	p, err = snapshot(ctx, source, photo.Config{
		Device: cfg.Media.Label, Software: "bril " + opts.Version, Quality: cfg.Photo.Quality, Rotation: cfg.Camera.Rotation, Log: opts.Log,
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return p, err
}

func snapshot(ctx context.Context, source session.VideoSource, cfg photo.Config) (photo.Photo, error) {
	taker, err := photo.New(cfg)
	if err != nil {
		return photo.Photo{}, err
	}
	defer taker.Close()
	v := &viewfinder{source: source}
	defer v.close()
	for {
		f, err := v.next(ctx)
		if err != nil {
			return photo.Photo{}, fmt.Errorf("take a snapshot: %w", err)
		}
		if f.PTS-v.first >= snapshotSettles {
			return taker.TakeOf(ctx, v.next)
		}
	}
}

// viewfinder hands out a source's pictures, each until the next one is asked for.
type viewfinder struct {
	source session.VideoSource
	held   capture.Frame
	holds  bool
	begun  bool
	first  time.Duration // PTS of the first picture

	decoder  *openh264.Decoder    // once the source has delivered H.264
	complete *passthrough.Encoder // gives it the parameter sets with each key frame
	shown    *capture.Frame       // by the decoder last
}

func (v *viewfinder) next(ctx context.Context) (*capture.Frame, error) {
	for {
		v.release()
		f, err := v.source.Next(ctx)
		if err != nil {
			return nil, err
		}
		v.held, v.holds = f, true
		shown := &v.held
		if f.Format == capture.H264 {
			if shown, err = v.decode(f); err != nil {
				return nil, err
			}
		}
		if shown == nil { // nothing to see before a key frame
			continue
		}
		if !v.begun {
			v.begun, v.first = true, shown.PTS
		}
		return shown, nil
	}
}

// decode returns nil for what cannot be shown: until the first key frame that is
// everything.
func (v *viewfinder) decode(f capture.Frame) (shown *capture.Frame, err error) {
	if v.decoder == nil {
		if v.decoder, err = openh264.NewDecoder(); err != nil {
			return nil, err
		}
		v.complete, err = passthrough.New(passthrough.Config{Source: "the camera"}, func(au encoder.AccessUnit) error {
			v.shown, _ = v.decoder.Decode(au) // of a damaged one nothing is shown: the next key frame begins anew
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	v.shown = nil
	err = v.complete.Encode(f)
	return v.shown, err
}

func (v *viewfinder) release() {
	if v.holds {
		v.held.Release()
		v.holds = false
	}
}

func (v *viewfinder) close() {
	v.release()
	if v.decoder != nil {
		_ = v.decoder.Close() // nothing of it is used any more
	}
	if v.complete != nil {
		_ = v.complete.Close() // likewise
	}
}
