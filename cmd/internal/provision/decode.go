package provision

import (
	"errors"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/bril-edge/bril/capture"
)

// ErrFormat says that a picture has no luma to look at.
var ErrFormat = errors.New("pictures without a plane of luma")

// reader finds QR codes in pictures. It keeps two pictures' worth of memory between two
// looks, and goes with the mode.
type reader struct {
	luma, turned []byte
	looks        int
}

// angles are how pictures are turned before they are looked at, one after the other, as
// sine and cosine of 2^10: 0, 11 and 23 degrees. In about one of 60 tickets that are
// held upright some modules look like a fourth corner, which no number of such pictures
// helps.
var angles = [...]struct{ sin, cos int }{{0, 1 << 10}, {195, 1005}, {400, 943}}

// read returns the text of the code in a picture; "" where there is none. A code that
// is white on black is found, too. Three pictures that follow each other are turned
// differently.
func (r *reader) read(f capture.Frame) (string, error) {
	if f.Format != capture.I420 && f.Format != capture.NV12 {
		return "", ErrFormat
	}
	r.luma = r.luma[:0]
	for y := range f.Height {
		at := y * f.Planes[0].Stride
		r.luma = append(r.luma, f.Planes[0].Data[at:at+f.Width]...)
	}
	if a := angles[r.looks%len(angles)]; a.sin != 0 {
		r.turn(f.Width, f.Height, a.sin, a.cos)
	}
	r.looks++
	if text := r.find(f.Width, f.Height); text != "" {
		return text, nil
	}
	for i, v := range r.luma {
		r.luma[i] = ^v
	}
	return r.find(f.Width, f.Height), nil
}

// turn turns the picture about its middle. What comes from outside of it is grey.
func (r *reader) turn(width, height, sin, cos int) {
	const unit, grey = 1 << 10, 128
	r.turned = append(r.turned[:0], r.luma...)
	for y := range height {
		for x := range width {
			dx, dy := x-width/2, y-height/2
			fromX, fromY := width/2+(dx*cos+dy*sin)/unit, height/2+(dy*cos-dx*sin)/unit
			v := byte(grey)
			if fromX >= 0 && fromX < width && fromY >= 0 && fromY < height {
				v = r.luma[fromY*width+fromX]
			}
			r.turned[y*width+x] = v
		}
	}
	r.luma, r.turned = r.turned, r.luma
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
