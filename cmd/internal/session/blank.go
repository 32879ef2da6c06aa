package session

import (
	"context"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// black is the picture of a pause: made here, of the size of the stream, by an
// encoder of its own, so that it begins with a key frame at once and serves a
// passed-through stream too.
type black struct {
	frame   capture.Frame
	encoder VideoEncoder
	timer   *monotonic.Timer
	out     *outlet
	to      Publisher
}

func newBlack(cfg *Config, format capture.VideoFormat, out *outlet, rate int64) (*black, error) {
	pool, err := capture.NewPool(capture.I420, format.Width, format.Height)
	if err != nil {
		return nil, err
	}
	b := &black{frame: pool.Get(), out: out}
	fill(b.frame)
	format.Format, format.FPS = capture.I420, blackFPS
	if b.encoder, err = cfg.NewVideoEncoder(Video{Format: format}, encoder.BitRate(rate), b.sink); err != nil {
		return nil, err
	}
	if b.timer, err = monotonic.NewTimer(); err != nil {
		b.encoder.Close()
		return nil, err
	}
	return b, nil
}

// fill makes a frame black: Y 16, U and V 128 (ITU-R BT.601, limited range).
func fill(f capture.Frame) {
	for i, value := range []byte{16, 128, 128} {
		for j := range f.Planes[i].Data {
			f.Planes[i].Data[j] = value
		}
	}
}

func (b *black) run(ctx context.Context, gate *keyGate) error {
	for at := monotonic.Now(); ; at += time.Second / blackFPS {
		if err := b.timer.SleepUntil(ctx, at); err != nil {
			return err
		}
		out, err := b.out.wait(ctx)
		if err != nil {
			return err
		}
		at = max(at, monotonic.Now()-time.Second)
		if gate.due(at) || out != b.to {
			b.encoder.ForceKeyFrame()
		}
		b.to = out
		b.frame.PTS = monotonic.Now()
		if err := b.encoder.Encode(b.frame); err != nil {
			return err
		}
	}
}

func (b *black) sink(au encoder.AccessUnit) error {
	_ = b.to.WriteVideo(au) // the session hears of a lost connection by itself
	return nil
}

func (b *black) close() {
	b.encoder.Close()
	b.timer.Close()
}

// silence sends silent packets until ctx ends, so that a viewer's clock goes on.
func silence(ctx context.Context, cfg *Config, out *outlet) error {
	var to Publisher
	enc, err := cfg.NewAudioEncoder(func(p encoder.Packet) error {
		_ = to.WriteAudio(p) // as above
		return nil
	})
	if err != nil {
		return err
	}
	defer enc.Close()
	timer, err := monotonic.NewTimer()
	if err != nil {
		return err
	}
	defer timer.Close()
	chunk := capture.Sound{Format: capture.PCM16, Samples: make([]int16, capture.ChunkSamples), Length: capture.ChunkTime}
	for at := monotonic.Now(); ; at += capture.ChunkTime {
		if err := timer.SleepUntil(ctx, at); err != nil {
			return err
		}
		if to, err = out.wait(ctx); err != nil {
			return err
		}
		at = max(at, monotonic.Now()-time.Second)
		chunk.PTS = at
		if err := enc.Encode(chunk); err != nil {
			return err
		}
	}
}
