package session

import (
	"context"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// stillFPS is the rate of a picture that stands still: enough for a viewer that
// joins, and for the endpoint to know that we live.
const stillFPS = 5

// timer is a monotonic.Timer, or in tests one on their clock.
type timer interface {
	SleepUntil(ctx context.Context, at time.Duration) error
	Close() error
}

// still is a picture that is sent in place of the camera's: made here, of the
// size of the stream, by an encoder of its own, so that it begins with a key
// frame at once and serves a passed-through stream too.
type still struct {
	frame   capture.Frame
	encoder VideoEncoder
	timer   timer
	out     *outlet
	to      Publisher
}

func newStill(cfg *Config, format capture.VideoFormat, draw func(capture.Frame), out *outlet, rate encoder.BitRate) (*still, error) {
	pool, err := capture.NewPool(capture.I420, format.Width, format.Height)
	if err != nil {
		return nil, err
	}
	s := &still{frame: pool.Get().WithFree(nil), out: out} // sent again and again, whatever encoders release
	draw(s.frame)
	format.Format, format.FPS = capture.I420, stillFPS
	if s.encoder, err = cfg.NewVideoEncoder(Video{Format: format}, rate, s.sink); err != nil {
		return nil, err
	}
	if s.timer, err = cfg.newTimer(); err != nil {
		s.encoder.Close()
		return nil, err
	}
	return s, nil
}

func (s *still) run(ctx context.Context, gate *keyGate, p *pulse) error {
	return pace(ctx, s.timer, time.Second/stillFPS, func(time.Duration) error {
		p.rest()
		out, err := s.out.wait(ctx)
		if err != nil {
			return err
		}
		p.step()
		now := monotonic.Now()
		switch {
		case out != s.to: // a new encoder and a new connection begin with one
			s.to = out
			s.encoder.ForceKeyFrame()
			gate.made(now)
		case gate.due(now):
			s.encoder.ForceKeyFrame()
		}
		s.frame.PTS, s.frame.Ready = now, now
		return s.encoder.Encode(s.frame)
	})
}

func (s *still) sink(au encoder.AccessUnit) error {
	_ = s.to.WriteVideo(au) // the session hears of a lost connection by itself
	return nil
}

func (s *still) close() {
	s.encoder.Close()
	s.timer.Close()
}

// silence sends silent packets until ctx ends, so that a viewer's clock goes on.
func silence(ctx context.Context, cfg *Config, out *outlet, p *pulse) error {
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
		p.rest()
		if to, err = out.wait(ctx); err != nil {
			return err
		}
		p.step()
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
