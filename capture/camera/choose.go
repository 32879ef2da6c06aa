package camera

import (
	"fmt"
	"math"
	"slices"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// enough of a frame rate will do: 29.97 for 30.
const enough = 0.98

// mode is one way in which a camera can be run.
type mode struct {
	code          v4l2.FourCC
	format        capture.PixelFormat
	width, height int
	fps           float64 // 0: not told
}

// choose returns the mode that comes nearest to the wish. Size and frame rate
// count before the format: a USB camera does 720p at 10 frames a second in YUYV
// and at 30 in MJPEG.
func choose(formats []Format, cfg Config) (mode, error) {
	var best mode
	least := math.Inf(1)
	for _, want := range cfg.Formats {
		for _, f := range formats {
			if !f.Usable || f.kind != want {
				continue
			}
			for _, m := range f.modes(cfg) {
				// The margin keeps the preferred format when another is hardly nearer.
				if cost := m.cost(cfg); cost < least-0.02 {
					best, least = m, cost
				}
			}
		}
	}
	if math.IsInf(least, 1) {
		return mode{}, fmt.Errorf("%w: wanted one of %v, it has %v", ErrUnsupportedFormat, cfg.Formats, names(formats))
	}
	return best, nil
}

func (f Format) modes(cfg Config) []mode {
	m := mode{code: v4l2.FourCC(f.code), format: f.kind, width: cfg.Width, height: cfg.Height}
	if len(f.Sizes) == 0 {
		return []mode{m} // the driver will say what it makes of it
	}
	var modes []mode
	for _, s := range f.Sizes {
		m.width, m.height = s.nearest(cfg.Width, cfg.Height)
		m.fps = s.rate(cfg.FPS)
		modes = append(modes, m)
	}
	return modes
}

// cost is 0 for a perfect mode and grows by the parts of size and rate missed.
// Size weighs more: 720p at 12.5 frames a second rather than 360p at 30, but
// 480p at 30 rather than 720p at 5.
func (m mode) cost(cfg Config) float64 {
	size := math.Abs(float64(m.width-cfg.Width)) + math.Abs(float64(m.height-cfg.Height))
	cost := 1.5 * size / float64(cfg.Width+cfg.Height)
	switch {
	case m.fps == 0:
		cost += 0.05
	case m.fps < cfg.FPS:
		cost += 1 - m.fps/cfg.FPS
	}
	return cost
}

// nearest returns the size of the range that comes nearest to width x height.
func (s Size) nearest(width, height int) (int, int) {
	if s.MaxWidth == 0 {
		return s.Width, s.Height
	}
	return clamp(width, s.Width, s.MaxWidth, s.StepWidth), clamp(height, s.Height, s.MaxHeight, s.StepHeight)
}

func clamp(v, low, high, step int) int {
	v = min(max(v, low), high)
	if step > 1 {
		v -= (v - low) % step
	}
	return v
}

// rate returns the lowest rate that is enough for fps, or the highest there is;
// 0 when the camera tells none.
func (s Size) rate(fps float64) float64 {
	if len(s.FPS) == 0 {
		return 0
	}
	highest, lowest := s.FPS[0], s.FPS[len(s.FPS)-1]
	if s.FPSRange {
		return min(max(fps, lowest), highest)
	}
	for _, rate := range slices.Backward(s.FPS) {
		if rate > fps*enough {
			return rate
		}
	}
	return highest
}

func names(formats []Format) []string {
	var list []string
	for _, f := range formats {
		list = append(list, f.Format)
	}
	return list
}

// pixelFormat returns what the agent calls a V4L2 format, and whether it knows it.
func pixelFormat(code v4l2.FourCC) (capture.PixelFormat, bool) {
	switch code {
	case v4l2.PixFmtYUV420:
		return capture.I420, true
	case v4l2.PixFmtNV12:
		return capture.NV12, true
	case v4l2.PixFmtYUYV:
		return capture.YUYV, true
	case v4l2.PixFmtMJPEG, v4l2.PixFmtJPEG:
		return capture.MJPEG, true
	case v4l2.PixFmtH264:
		return capture.H264, true
	}
	return 0, false
}
