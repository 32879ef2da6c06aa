package agent

import (
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
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
