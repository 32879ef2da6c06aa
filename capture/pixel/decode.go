package pixel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"log/slog"

	"github.com/bril-edge/bril/capture"
)

// jpegDecoder decodes pictures of the size of the frame that they go to, with
// Huffman tables, into the range of video.
type jpegDecoder interface {
	decode(out capture.Frame, data []byte) error
	// luma decodes the luma only, as it is in the JPEG.
	luma(out capture.Plane, width, height int, data []byte) error
	close() error
}

// newDecoder returns libjpeg-turbo where it is installed, else Go's decoder,
// which takes four times as long.
func newDecoder(log *slog.Logger) jpegDecoder {
	turbo, err := newTurbo()
	if err != nil {
		log.Info("MJPEG is decoded without libturbojpeg, which is four times slower", "cause", err)
		return goDecoder{}
	}
	log.Debug("MJPEG is decoded by libturbojpeg", "library", turbo.name)
	return turbo
}

// goDecoder is image/jpeg. It allocates each picture anew.
type goDecoder struct{}

func (goDecoder) close() error { return nil }

func (goDecoder) decode(out capture.Frame, data []byte) error {
	picture, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	switch p := picture.(type) {
	case *image.YCbCr:
		h, v := subsampling(p.SubsampleRatio)
		toI420(out, ycc{h: h, v: v, planes: [3]capture.Plane{
			{Data: p.Y, Stride: p.YStride}, {Data: p.Cb, Stride: p.CStride}, {Data: p.Cr, Stride: p.CStride},
		}})
	case *image.Gray:
		toI420(out, ycc{planes: [3]capture.Plane{{Data: p.Pix, Stride: p.Stride}}})
	default:
		return fmt.Errorf("%w: JPEG in the colours of %T", ErrBroken, picture)
	}
	return nil
}

func (goDecoder) luma(out capture.Plane, width, height int, data []byte) error {
	picture, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	switch p := picture.(type) {
	case *image.YCbCr:
		copyPlane(out, capture.Plane{Data: p.Y, Stride: p.YStride}, width, height)
	case *image.Gray:
		copyPlane(out, capture.Plane{Data: p.Pix, Stride: p.Stride}, width, height)
	default:
		return fmt.Errorf("%w: JPEG in the colours of %T", ErrBroken, picture)
	}
	return nil
}

func subsampling(r image.YCbCrSubsampleRatio) (h, v int) {
	switch r {
	case image.YCbCrSubsampleRatio444:
		return 1, 1
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 2, 2
}

// ycc is a decoded JPEG: luma, and chroma that has one sample for h x v pixels;
// h is 0 for a grey picture.
type ycc struct {
	planes [3]capture.Plane
	h, v   int
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// toI420 brings a picture to 4:2:0 and to the range of video.
func toI420(out capture.Frame, in ycc) {
	w, h := out.Width, out.Height
	for y := range h {
		limitLuma(row(out.Planes[0], y, w), row(in.planes[0], y, w))
	}
	for i := 1; i <= 2; i++ {
		for y := range h / 2 {
			to := row(out.Planes[i], y, w/2)
			if in.h == 0 {
				fill(to, 128)
				continue
			}
			a := in.planes[i].Data[2*y/in.v*in.planes[i].Stride:]
			b := in.planes[i].Data[(2*y+1)/in.v*in.planes[i].Stride:]
			mix(to, a, b, in.h)
			limitChroma(to, to)
		}
	}
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

// mix makes a row of chroma at half the width from two rows, each with one sample
// for h pixels.
func mix(to, a, b []byte, h int) {
	if h != 2 {
		for x := range to {
			l, r := 2*x/h, (2*x+1)/h
			to[x] = byte((uint(a[l]) + uint(a[r]) + uint(b[l]) + uint(b[r]) + 2) / 4)
		}
		return
	}
	a, b = a[:len(to)], b[:len(to)]
	for len(to) >= 8 && len(a) >= 8 && len(b) >= 8 {
		p, q := binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b)
		binary.LittleEndian.PutUint64(to, average(p, q)|average(p>>8, q>>8)<<8)
		to, a, b = to[8:], a[8:], b[8:]
	}
	for x := range to {
		to[x] = mean(a[x], b[x])
	}
}

// JPEG uses all values from 0 to 255 (JFIF 1.02, "Color space"), video those of
// ITU-R BT.601: 16 to 235 for luma, 16 to 240 for chroma. Without this step the
// viewer would see harsh contrast and wrong colours.

// limitLuma brings luma to the range of video: 16 + y*219/255, nearly.
func limitLuma(to, from []byte) { limit(to, from, 220) }

// limitChroma brings chroma to the range of video: 128 + (c-128)*224/255, nearly.
func limitChroma(to, from []byte) { limit(to, from, 224) }

// limit computes 16 + v*factor/256, rounded, of four bytes at a time in 16-bit
// lanes, which 255*224 + 16*256 + 128 does not overflow.
func limit(to, from []byte, factor uint64) {
	const offset = (16*256 + 128) * ones
	for len(to) >= 8 && len(from) >= 8 {
		v := binary.LittleEndian.Uint64(from)
		low := ((v&even8)*factor + offset) >> 8 & even8
		high := ((v>>8&even8)*factor + offset) &^ even8
		binary.LittleEndian.PutUint64(to, low|high)
		to, from = to[8:], from[8:]
	}
	for i := range to {
		to[i] = byte((uint64(from[i])*factor + 16*256 + 128) >> 8)
	}
}
