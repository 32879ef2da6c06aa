package camera

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/blackjack/webcam"

	"github.com/bril-edge/bril/hardware/v4l2"
)

func TestOffers(t *testing.T) {
	for _, test := range []struct {
		name          string
		width, height int
		fps           float64
		missing       string // "" where the camera does it
	}{
		{"what it has", 1280, 720, 30, ""},
		{"slower than it has", 1280, 720, 10, ""},
		{"no such size", 1920, 1080, 30, "does not do 1920x1080: no such size or frame rate; the nearest is 1280x720@30 YUYV"},
		{"no such rate", 1280, 720, 60, "does not do 60 frames a second"},
		{"neither", 1920, 1080, 60, "does not do 1920x1080 at 60 frames a second"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, v4l2.PixFmtYUYV)
			b.webcam.sizes = []webcam.FrameSize{{MinWidth: 1280, MaxWidth: 1280, MinHeight: 720, MaxHeight: 720}}
			b.webcam.rates = []webcam.FrameRate{{MinNumerator: 1, MaxNumerator: 1, MinDenominator: 30, MaxDenominator: 30}}
			err := b.offers(Config{Device: b.path, Width: test.width, Height: test.height, FPS: test.fps})
			if test.missing == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrUnsupportedMode) || !strings.Contains(err.Error(), test.missing) {
				t.Error(err)
			}
		})
	}
	b := newBench(t, v4l2.PixFmtYUYV)
	if err := b.offers(Config{Device: b.path + "0"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the camera: %v", err)
	}
}
