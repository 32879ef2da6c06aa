package pixel

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"log/slog"
	"math"

	"github.com/bril-edge/bril/capture"
)

// jpegEncoder makes a JPEG of an I420 picture in JPEG's range, 4:2:0.
type jpegEncoder interface {
	encode(f *capture.Frame, quality int) ([]byte, error)
	close() error
}

// EncoderConfig says what an Encoder makes.
type EncoderConfig struct {
	Quality  int          // 1 to 100 as libjpeg counts; 0: 90
	Rotation int          // degrees clockwise: 0, 90, 180, 270
	Log      *slog.Logger // nil: nothing is logged
}

// Encoder makes JPEG of raw pictures, upright and with chroma at half width and
// height. One goroutine uses it.
//
// It takes them to have the colours of ITU-R BT.601 and the range of video, as USB
// cameras do: a capture.Frame does not tell, and JFIF knows no others. Of a source
// of BT.709 grey stays grey and saturated colours are off, pure red the most, by 22
// of 255; of one that uses all values from 0 to 255 the darkest and the lightest
// parts lose their detail.
type Encoder struct {
	quality   int
	log       *slog.Logger
	converter *Converter
	jpeg      jpegEncoder // made for the first picture
}

// NewEncoder makes an encoder. Close frees it.
func NewEncoder(cfg EncoderConfig) (*Encoder, error) {
	if cfg.Quality == 0 {
		cfg.Quality = 90
	}
	if cfg.Quality < 1 || cfg.Quality > 100 {
		return nil, fmt.Errorf("encode JPEG of quality %d: must be from 1 to 100", cfg.Quality)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	converter, err := New(Config{Rotation: cfg.Rotation, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return &Encoder{quality: cfg.Quality, log: cfg.Log, converter: converter}, nil
}

// Encode takes over in, pixels and all: they are changed. The JPEG is new memory.
func (e *Encoder) Encode(in capture.Frame) ([]byte, error) {
	f, err := e.converter.Convert(in)
	if err != nil {
		return nil, err
	}
	defer f.Release()
	if f.Format != capture.I420 {
		return nil, fmt.Errorf("encode %v picture of %dx%d: %w: no way to JPEG", f.Format, f.Width, f.Height, ErrUnsupported)
	}
	if err := checkEven(&f); err != nil { // the converter has not looked at what it let through
		return nil, fmt.Errorf("encode %v picture of %dx%d: %w", f.Format, f.Width, f.Height, err)
	}
	toFullRange(&f)
	if e.jpeg == nil {
		e.jpeg = newEncoder(e.log)
	}
	data, err := e.jpeg.encode(&f, e.quality)
	if err != nil {
		return nil, fmt.Errorf("encode picture of %dx%d: %w", f.Width, f.Height, err)
	}
	return data, nil
}

// checkEven refuses what encoders would read more of than there is: of a picture of
// 15 pixels they read eight samples of chroma, and a plane of I420 holds seven.
func checkEven(f *capture.Frame) error {
	if f.Width%2 != 0 || f.Height%2 != 0 {
		return fmt.Errorf("%w: width and height must be even", ErrUnsupported)
	}
	return check(f)
}

// Close frees the JPEG encoder. A second call does nothing.
func (e *Encoder) Close() error {
	if e.jpeg == nil {
		return e.converter.Close()
	}
	err := e.jpeg.close()
	e.jpeg = nil
	if closing := e.converter.Close(); err == nil {
		err = closing
	}
	return err
}

// newEncoder returns libjpeg-turbo where it is installed, else Go's encoder.
func newEncoder(log *slog.Logger) jpegEncoder {
	turbo, err := newTurboEncoder()
	if err != nil {
		log.Info("photos are encoded without libturbojpeg, which is slower", "cause", err)
		return goEncoder{}
	}
	log.Debug("photos are encoded by libturbojpeg", "library", turbo.name)
	return turbo
}

// goEncoder is image/jpeg.
type goEncoder struct{}

func (goEncoder) close() error { return nil }

func (goEncoder) encode(f *capture.Frame, quality int) ([]byte, error) {
	p := &f.Planes
	var b bytes.Buffer
	err := jpeg.Encode(&b, &image.YCbCr{
		Y: p[0].Data, Cb: p[1].Data, Cr: p[2].Data, YStride: p[0].Stride, CStride: p[1].Stride,
		SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, f.Width, f.Height),
	}, &jpeg.Options{Quality: quality})
	return b.Bytes(), err
}

// What limitLuma and limitChroma do, the other way round.
var (
	fullLuma   = stretch(16, 219, 0)
	fullChroma = stretch(128, 224, 128)
)

// stretch tabulates (v-from)*255/span + to.
func stretch(from, span, to float64) (table [256]byte) {
	for v := range table {
		table[v] = byte(math.Round(min(max((float64(v)-from)*255/span+to, 0), 255)))
	}
	return table
}

// toFullRange brings an I420 picture from the range of video to that of JPEG.
func toFullRange(f *capture.Frame) {
	for i := range f.Planes {
		w, h, table := f.Width, f.Height, &fullLuma
		if i > 0 {
			w, h, table = w/2, h/2, &fullChroma
		}
		for y := range h {
			r := row(f.Planes[i], y, w)
			for x, v := range r {
				r[x] = table[v]
			}
		}
	}
}
