package provision

import (
	"errors"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/bril-edge/bril/capture"
)

// ErrFormat says that a picture has no luma to look at.
var ErrFormat = errors.New("pictures without a plane of luma")

// reader finds QR codes in pictures. It keeps a picture's worth of memory between two
// looks, and goes with the mode.
type reader struct {
	luma []byte
}

// read returns the text of the code in a picture; "" where there is none. A code that
// is white on black is found, too.
func (r *reader) read(f capture.Frame) (string, error) {
	if f.Format != capture.I420 && f.Format != capture.NV12 {
		return "", ErrFormat
	}
	r.luma = r.luma[:0]
	for y := range f.Height {
		at := y * f.Planes[0].Stride
		r.luma = append(r.luma, f.Planes[0].Data[at:at+f.Width]...)
	}
	if text := r.find(f.Width, f.Height); text != "" {
		return text, nil
	}
	for i, v := range r.luma {
		r.luma[i] = ^v
	}
	return r.find(f.Width, f.Height), nil
}

// find tries the threshold of each neighbourhood first, which copes with shadows, and
// then one for the whole picture, which copes with large modules.
func (r *reader) find(width, height int) string {
	source, err := gozxing.NewPlanarYUVLuminanceSource(r.luma, width, height, 0, 0, width, height, false)
	if err != nil {
		return ""
	}
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	for _, binarizer := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(source), gozxing.NewGlobalHistgramBinarizer(source)} {
		bitmap, err := gozxing.NewBinaryBitmap(binarizer)
		if err != nil {
			continue
		}
		if result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints); err == nil {
			return result.GetText()
		}
	}
	return ""
}
