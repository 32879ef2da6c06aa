package session

import (
	"context"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// blackFPS is the rate of the black picture: enough for a viewer that joins, and
// for the endpoint to know that we live.
const blackFPS = 5

// timer is a monotonic.Timer, or in tests one on their clock.
type timer interface {
	SleepUntil(ctx context.Context, at time.Duration) error
	Close() error
}

// black is the picture of a pause: made here, of the size of the stream, by an
// encoder of its own, so that it begins with a key frame at once and serves a
// passed-through stream too.
type black struct {
	frame   capture.Frame
	encoder VideoEncoder
	timer   timer
	out     *outlet
	to      Publisher
}

func newBlack(cfg *Config, format capture.VideoFormat, out *outlet, rate encoder.BitRate) (*black, error) {
	pool, err := capture.NewPool(capture.I420, format.Width, format.Height)
	if err != nil {
		return nil, err
	}
	b := &black{frame: pool.Get().WithFree(nil), out: out} // sent again and again, whatever encoders release
	fill(b.frame)
	format.Format, format.FPS = capture.I420, blackFPS
	if b.encoder, err = cfg.NewVideoEncoder(Video{Format: format}, rate, b.sink); err != nil {
		return nil, err
	}
	if b.timer, err = cfg.newTimer(); err != nil {
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
	return pace(ctx, b.timer, time.Second/blackFPS, func(time.Duration) error {
		out, err := b.out.wait(ctx)
		if err != nil {
			return err
		}
		now := monotonic.Now()
		switch {
		case out != b.to: // a new encoder and a new connection begin with one
			b.to = out
			b.encoder.ForceKeyFrame()
			gate.made(now)
		case gate.due(now):
			b.encoder.ForceKeyFrame()
		}
		b.frame.PTS, b.frame.Ready = now, now
		return b.encoder.Encode(b.frame)
	})
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
	timer, err := cfg.newTimer()
	if err != nil {
		return err
	}
	defer timer.Close()
	chunk := capture.Sound{Format: capture.PCM16, Samples: make([]int16, capture.ChunkSamples), Length: capture.ChunkTime}
	return pace(ctx, timer, capture.ChunkTime, func(at time.Duration) error {
		var err error
		if to, err = out.wait(ctx); err != nil {
			return err
		}
		chunk.PTS = at
		return enc.Encode(chunk)
	})
}

// maxLag is how much is made up for after a stall. More, as after a lost
// connection, is left out.
const maxLag = 100 * time.Millisecond

// pace calls each at once and then in every interval, until ctx ends or it fails.
func pace(ctx context.Context, timer timer, interval time.Duration, each func(at time.Duration) error) error {
	for at := monotonic.Now(); ; at = max(at+interval, monotonic.Now()-maxLag) {
		if err := timer.SleepUntil(ctx, at); err != nil {
			return err
		}
		if err := each(at); err != nil {
			return err
		}
	}
}
