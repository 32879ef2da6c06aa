package openh264

import (
	"testing"

	"github.com/bril-edge/bril/encoder"
)

func TestLevel(t *testing.T) {
	tests := []struct {
		width, height int
		fps           float64
		rate          encoder.BitRate
		want          int
	}{
		{320, 240, 15, 300_000, 31}, // never below what the answer to an offer of 3.1 takes anyway
		{1280, 720, 30, 2_500_000, 31},
		{720, 1280, 30, 2_500_000, 31},
		{1280, 720, 30.5, 2_500_000, 32},
		{1280, 720, 60, 2_500_000, 32},
		{1280, 720, 30, 16_000_000, 32},
		{1920, 1080, 30, 6_000_000, 40},
		{1920, 1080, 60, 6_000_000, 42},
		{3840, 2160, 30, 20_000_000, 51},
		{3840, 2160, 60, 20_000_000, 52},
	}
	for _, test := range tests {
		c := Config{Width: test.width, Height: test.height, FPS: test.fps, BitRate: test.rate}
		if got := level(c); got != test.want {
			t.Errorf("%dx%d@%g at %d b/s: level %d, want %d", test.width, test.height, test.fps, test.rate, got, test.want)
		}
	}
}
