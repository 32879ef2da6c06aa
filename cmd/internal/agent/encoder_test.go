package agent

import (
	"log/slog"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder"
)

// Encoders of what is recorded make key frames so often that the session, which
// looks three pictures ahead, forces none; all others as configured.
func TestGOP(t *testing.T) {
	at := func(fps float64, source session.VideoSource) session.Video {
		return session.Video{Source: source, Format: capture.VideoFormat{Format: capture.I420, FPS: fps}}
	}
	var cfg configs.Config
	source := kept{}
	cfg.Video.GOP = configs.Duration(10 * time.Second)
	plain := &Agent{cfg: cfg}
	tapped := &Agent{cfg: cfg, tap: deaf{}}
	for _, fps := range []float64{0, 5, 10, 15, 24, 25, 29.97, 30, 50, 60} {
		picture := time.Second / 30
		if fps != 0 {
			picture = time.Duration(float64(time.Second) / fps)
		}
		if got := plain.gop(at(fps, source)); got != 10*time.Second {
			t.Errorf("%g a second, not recorded: %v", fps, got)
		}
		if got := tapped.gop(at(fps, nil)); got != 10*time.Second {
			t.Errorf("%g a second, black: %v", fps, got)
		}
		if got := tapped.gop(at(fps, source)); got < time.Second || got+3*picture > keyFrameEvery {
			t.Errorf("%g a second, recorded: %v", fps, got)
		}
	}
	tapped.cfg.Video.GOP = configs.Duration(time.Second)
	if got := tapped.gop(at(30, source)); got != time.Second {
		t.Errorf("configured to be a second, recorded: %v", got)
	}
}

// deaf is a Tap.
type deaf struct{ session.Tap }

// The software encoder keeps that distance by itself.
func TestGOPOfSoftware(t *testing.T) {
	cfg := configs.Default()
	cfg.Video.Encoder = configs.EncoderSoftware
	a := &Agent{cfg: cfg, opts: Options{Log: slog.New(slog.DiscardHandler)}, tap: deaf{}}
	v := session.Video{Source: kept{}, Format: capture.VideoFormat{Format: capture.I420, Width: 64, Height: 64, FPS: 30}}
	var keys []time.Duration
	enc, err := a.newVideoEncoder(v, 200_000, func(au encoder.AccessUnit) error {
		if au.Key {
			keys = append(keys, au.PTS)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	pool, err := capture.NewPool(capture.I420, 64, 64)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		f := pool.Get()
		f.PTS = time.Second + time.Duration(i)*time.Second/30
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	if len(keys) != 4 {
		t.Fatalf("key frames at %v", keys)
	}
	for i := 1; i < len(keys); i++ {
		if d := keys[i] - keys[i-1]; d < time.Second || d > keyFrameEvery-time.Second/10 {
			t.Errorf("%v between two key frames", d)
		}
	}
}
