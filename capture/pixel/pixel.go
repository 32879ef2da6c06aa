// Package pixel brings a camera's pictures to what encoders take: I420, upright.
// It unpacks YUYV and NV12, decodes MJPEG and turns pictures by quarter turns,
// in memory that is used again and again. For photos it goes the other way too:
// it makes JPEG of raw pictures, and takes out of a JPEG what says more than the
// picture. It neither scales nor crops, and it leaves H.264 alone.
package pixel

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/bril-edge/bril/capture"
)

// What callers decide by.
var (
	// ErrBroken is a single picture that cannot be used; the next one may well be.
	ErrBroken = errors.New("damaged picture")
	// ErrUnsupported is what no picture of this source will get past.
	ErrUnsupported = errors.New("unsupported picture")
)

// Config says what to do with the pictures.
type Config struct {
	Rotation int          // degrees clockwise: 0, 90, 180, 270
	Log      *slog.Logger // nil: nothing is logged
}

// Converter converts the pictures of one source. One goroutine uses it.
type Converter struct {
	rotation int
	upright  *capture.Pool // in the source's size
	rotated  *capture.Pool
	width    int // of the pools' source
	height   int
	jpeg     jpegReader
}

// New makes a converter. Close frees it.
func New(cfg Config) (*Converter, error) {
	switch cfg.Rotation {
	case 0, 90, 180, 270:
	default:
		return nil, fmt.Errorf("rotate by %d degrees: must be 0, 90, 180 or 270", cfg.Rotation)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Converter{rotation: cfg.Rotation, jpeg: jpegReader{log: cfg.Log}}, nil
}

// OutputSize returns the size of the pictures that Convert makes of pictures of
// width x height.
func (c *Converter) OutputSize(width, height int) (int, int) {
	if c.rotation == 90 || c.rotation == 270 {
		return height, width
	}
	return width, height
}

// Close frees the JPEG decoder. Frames that are out stay valid. A second call
// does nothing.
func (c *Converter) Close() error { return c.jpeg.close() }

// Convert takes over in and returns an upright I420 frame with its stamps and
// sequence number; the very same frame when there is nothing to do. When it
// fails, in has been released: with ErrBroken go on with the next picture.
func (c *Converter) Convert(in capture.Frame) (capture.Frame, error) {
	if c.rotation == 0 && (in.Format == capture.I420 || in.Format == capture.H264) {
		return in, nil
	}
	out, err := c.convert(&in)
	out.PTS, out.Ready, out.Sequence = in.PTS, in.Ready, in.Sequence
	in.Release()
	if err != nil {
		return capture.Frame{}, fmt.Errorf("convert %v picture of %dx%d: %w", in.Format, in.Width, in.Height, err)
	}
	return out, nil
}

func (c *Converter) convert(in *capture.Frame) (capture.Frame, error) {
	if in.Format == capture.H264 {
		return capture.Frame{}, fmt.Errorf("%w: H.264 cannot be rotated by %d degrees without decoding it: choose another format or rotation 0",
			ErrUnsupported, c.rotation)
	}
	if err := c.fit(in.Width, in.Height); err != nil {
		return capture.Frame{}, err
	}
	if err := check(in); err != nil {
		return capture.Frame{}, err
	}
	if in.Format == capture.I420 {
		return c.rotate(in), nil
	}
	out := c.upright.Get()
	if err := c.unpack(&out, in); err != nil {
		out.Release()
		return capture.Frame{}, err
	}
	if c.rotation == 0 {
		return out, nil
	}
	defer out.Release()
	return c.rotate(&out), nil
}

// fit makes the pools for another size of picture.
func (c *Converter) fit(width, height int) error {
	if c.upright != nil && c.width == width && c.height == height {
		return nil
	}
	upright, err := capture.NewPool(capture.I420, width, height)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	w, h := c.OutputSize(width, height)
	if c.rotated, err = capture.NewPool(capture.I420, w, h); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	c.upright, c.width, c.height = upright, width, height
	return nil
}

func (c *Converter) unpack(out, in *capture.Frame) error {
	switch in.Format {
	case capture.YUYV:
		fromYUYV(out, in)
	case capture.NV12:
		fromNV12(out, in)
	case capture.MJPEG:
		return c.jpeg.decode(*out, in.Planes[0].Data)
	default:
		return fmt.Errorf("%w: no way to I420", ErrUnsupported)
	}
	return nil
}

func (c *Converter) rotate(in *capture.Frame) capture.Frame {
	out := c.rotated.Get()
	for i := range out.Planes {
		w, h := in.Width, in.Height
		if i > 0 {
			w, h = w/2, h/2
		}
		rotatePlane(out.Planes[i], in.Planes[i], w, h, c.rotation)
	}
	return out
}

// block is what a plane holds: rows of so many bytes.
type block struct{ bytes, rows int }

// layout returns what the planes of f hold, by its format and size.
func layout(f *capture.Frame) (planes [3]block) {
	w, h := f.Width, f.Height
	switch f.Format {
	case capture.I420:
		planes = [3]block{{w, h}, {w / 2, h / 2}, {w / 2, h / 2}}
	case capture.NV12:
		planes = [3]block{{w, h}, {w, h / 2}}
	case capture.YUYV:
		planes = [3]block{{2 * w, h}}
	case capture.MJPEG, capture.H264:
		planes = [3]block{{len(f.Planes[0].Data), 1}}
	}
	return planes
}

// check makes sure that the planes hold what format and size promise, so that
// the loops below need not.
func check(f *capture.Frame) error {
	if f.Width <= 0 || f.Height <= 0 {
		return fmt.Errorf("%w: no pixels", ErrBroken)
	}
	if f.Format == capture.MJPEG || f.Format == capture.H264 {
		return nil
	}
	for i, r := range layout(f) {
		p := f.Planes[i]
		if r.rows > 0 && (p.Stride < r.bytes || len(p.Data) < p.Stride*(r.rows-1)+r.bytes) {
			return fmt.Errorf("%w: plane %d has %d bytes in rows of %d, needs %d rows of %d",
				ErrBroken, i, len(p.Data), p.Stride, r.rows, r.bytes)
		}
	}
	return nil
}
