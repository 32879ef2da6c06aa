package camera

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// configure chooses and sets the format, the frame rate and the controls, and
// takes over what the driver made of them.
func (c *Camera) configure(cfg Config) error {
	cam, err := c.system.ask(c.device, c.kind)
	if err != nil {
		return err
	}
	defer cam.Close()
	m, err := choose(formats(cam, cfg.Width, cfg.Height), cfg)
	if err != nil {
		return err
	}
	if err := c.setFormat(m); err != nil {
		return err
	}
	rate := m.fps
	if rate == 0 {
		rate = cfg.FPS
	}
	if c.format.FPS, err = c.setRate(rate); err != nil {
		return err
	}
	c.warnings, err = cfg.Controls.apply(cam)
	if f := c.format; f.Width != cfg.Width || f.Height != cfg.Height || f.FPS > 0 && f.FPS < cfg.FPS*0.98 {
		c.warnings = append(c.warnings, fmt.Errorf("asked for %dx%d@%g, the nearest that the camera does is %v",
			cfg.Width, cfg.Height, cfg.FPS, f))
	}
	return err
}

func (c *Camera) setFormat(m mode) error {
	f := v4l2.Format{Type: c.kind}
	f.SetPicture(v4l2.Picture{Width: uint32(m.width), Height: uint32(m.height), PixelFormat: m.code})
	if err := c.device.SetFormat(&f); err != nil {
		return err
	}
	got := f.Picture()
	if got.PixelFormat != m.code {
		return fmt.Errorf("%w: asked for %v, the driver made it %v", ErrUnsupportedFormat, m.code, got.PixelFormat)
	}
	c.format = capture.VideoFormat{Format: m.format, Width: int(got.Width), Height: int(got.Height)}
	c.newest = m.format != capture.H264
	return c.layOut(got.BytesPerLine)
}

// layOut checks the picture's layout and sets how many bytes a whole one has.
// Some drivers leave BytesPerLine 0 for rows without padding.
func (c *Camera) layOut(bytesPerLine uint32) error {
	width, height := c.format.Width, c.format.Height
	if width <= 0 || height <= 0 || width > maxSide || height > maxSide || width%2 != 0 || height%2 != 0 {
		return fmt.Errorf("%w: pictures of %dx%d: width and height must be even and at most %d",
			ErrUnsupportedFormat, width, height, maxSide)
	}
	row := width
	switch c.format.Format {
	case capture.MJPEG, capture.H264:
		return nil
	case capture.YUYV:
		row = 2 * width
	}
	c.stride = max(int(bytesPerLine), row)
	c.least = c.stride * height
	if c.format.Format != capture.YUYV {
		c.least += c.stride * height / 2
	}
	return nil
}

// maxSide bounds the sizes that arithmetic here has to deal with.
const maxSide = 16384

// planes lays the picture over a buffer; a compressed one has all of it.
func planes(f capture.VideoFormat, stride int, memory []byte) [3]capture.Plane {
	if f.Format == capture.MJPEG || f.Format == capture.H264 {
		return [3]capture.Plane{{Data: memory}}
	}
	return capture.LayOut(f.Format, stride, f.Height, memory)
}

// setRate sets the frame rate where the driver lets it be set and returns what
// it is, 0 when the driver does not tell.
func (c *Camera) setRate(fps float64) (float64, error) {
	parm, err := c.device.GetParm(c.kind)
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if parm.Capability&v4l2.CapTimePerFrame != 0 {
		parm.TimePerFrame = fract(fps)
		if err := c.device.SetParm(&parm); err != nil {
			return 0, err
		}
	}
	t := parm.TimePerFrame
	if t.Numerator == 0 {
		return 0, nil
	}
	return float64(t.Denominator) / float64(t.Numerator), nil
}

// fract returns the frame interval of a rate: 1/30 of 30, 1001/30000 of 29.97.
func fract(fps float64) v4l2.Fract {
	if whole := math.Round(fps); math.Abs(fps-whole) < 1e-6 {
		return v4l2.Fract{Numerator: 1, Denominator: uint32(whole)}
	}
	if ntsc := fps * 1001; math.Abs(ntsc-1000*math.Round(ntsc/1000)) < 20 {
		return v4l2.Fract{Numerator: 1001, Denominator: uint32(1000 * math.Round(ntsc/1000))}
	}
	return v4l2.Fract{Numerator: 1000, Denominator: uint32(math.Round(1000 * fps))}
}
