package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/pixel"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
)

const (
	// snapshotTime is how long a camera may take until there is a snapshot of it.
	snapshotTime = 10 * time.Second
	// snapshotSettles is how long it runs before: its first pictures are too dark or
	// too bright.
	snapshotSettles = 500 * time.Millisecond
)

// Snapshot returns a picture of the configured camera as JPEG, taken under the
// board's light, for a technician to look at. It is no photo of a conversation: those
// are the recorder's. It is to be called where no daemon runs, which holds the light;
// it keeps nothing.
func Snapshot(ctx context.Context, cfg configs.Config, opts Options) (jpeg []byte, err error) {
	late := hinted{fmt.Errorf("no picture within %v", snapshotTime), "bril devices shows what the camera delivers"}
	ctx, cancel := context.WithTimeoutCause(ctx, snapshotTime, late)
	defer cancel()
	cfg.Video.Encoder = configs.EncoderHardware // so that the camera is asked for pictures, not for its own H.264
	a := &Agent{cfg: cfg, opts: opts}
	if err := a.useBoard(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.board.close()) }()
	source, err := a.videoSource(nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if jpeg, err = snapshot(ctx, source, cfg, opts); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("take a snapshot: %w", err)
	}
	return jpeg, nil
}

func snapshot(ctx context.Context, source session.VideoSource, cfg configs.Config, opts Options) ([]byte, error) {
	if source.Format().Format == capture.H264 {
		return nil, hinted{errors.New("its pictures come encoded as H.264"), "set camera.format to one that bril devices lists beside H264"}
	}
	upright, err := pixel.New(pixel.Config{Rotation: cfg.Camera.Rotation, Log: opts.Log})
	if err != nil {
		return nil, err
	}
	defer upright.Close()
	encoder, err := pixel.NewEncoder(pixel.EncoderConfig{Quality: cfg.Photo.Quality, Log: opts.Log})
	if err != nil {
		return nil, err
	}
	defer encoder.Close()
	frame, err := settled(ctx, source, upright)
	if err != nil {
		return nil, err
	}
	return encoder.Encode(frame)
}

// settled returns the first whole picture of a camera that has run for a while.
func settled(ctx context.Context, source session.VideoSource, upright *pixel.Converter) (capture.Frame, error) {
	begun, first := false, time.Duration(0)
	for {
		f, err := source.Next(ctx)
		if err != nil {
			return f, err
		}
		if !begun {
			begun, first = true, f.PTS
		}
		if f.PTS-first < snapshotSettles {
			f.Release()
			continue
		}
		if f, err = upright.Convert(f); !errors.Is(err, pixel.ErrBroken) {
			return f, err
		}
	}
}
