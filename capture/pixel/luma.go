package pixel

import (
	"fmt"
	"log/slog"

	"github.com/bril-edge/bril/capture"
)

// Luma is the brightness of a picture. Its pixels are Step bytes apart, its rows
// Stride.
type Luma struct {
	Data          []byte
	Width, Height int
	Stride, Step  int
}

// LumaReader reads the luma of pictures of any format but H.264. One goroutine
// uses it.
type LumaReader struct {
	jpeg jpegReader
}

// NewLumaReader makes a reader; a nil log means that nothing is logged. Close
// frees it.
func NewLumaReader(log *slog.Logger) *LumaReader {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &LumaReader{jpeg: jpegReader{log: log}}
}

// Read returns the luma of f: the frame's own memory where it lies open there,
// else the reader's, which is valid until the next call. That of MJPEG has the
// range of JPEG.
func (r *LumaReader) Read(f *capture.Frame) (Luma, error) {
	l, err := r.read(f)
	if err != nil {
		return Luma{}, fmt.Errorf("read luma of %v picture of %dx%d: %w", f.Format, f.Width, f.Height, err)
	}
	return l, nil
}

func (r *LumaReader) read(f *capture.Frame) (Luma, error) {
	l := Luma{Width: f.Width, Height: f.Height, Data: f.Planes[0].Data, Stride: f.Planes[0].Stride, Step: 1}
	switch f.Format {
	case capture.I420, capture.NV12:
	case capture.YUYV:
		l.Step = 2
	case capture.MJPEG:
		decoded, err := r.jpeg.luma(f.Width, f.Height, f.Planes[0].Data)
		l.Data, l.Stride = decoded.Data, decoded.Stride
		return l, err
	default:
		return Luma{}, fmt.Errorf("%w: no way to its luma", ErrUnsupported)
	}
	return l, check(f)
}

// Close frees the JPEG decoder. A second call does nothing.
func (r *LumaReader) Close() error { return r.jpeg.close() }
