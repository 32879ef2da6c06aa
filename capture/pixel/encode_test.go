package pixel

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/bril-edge/bril/capture"
)

// encoders returns all that this machine has.
func encoders(t testing.TB) map[string]jpegEncoder {
	t.Helper()
	list := map[string]jpegEncoder{"go": goEncoder{}}
	turbo, err := newTurboEncoder()
	if err != nil {
		t.Log("libturbojpeg is not tested: ", err)
		return list
	}
	t.Cleanup(func() { turbo.close() })
	list[turbo.name] = turbo
	return list
}

// encoderWith returns an encoder that encodes by j and leaves it open.
func encoderWith(t testing.TB, j jpegEncoder, cfg EncoderConfig) *Encoder {
	t.Helper()
	e, err := NewEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.jpeg = j
	t.Cleanup(func() {
		e.jpeg = nil
		for range 2 {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return e
}

// slope returns a picture that JPEG keeps nearly as it is, different everywhere.
func slope(format capture.PixelFormat, w, h, pad int) capture.Frame {
	f := frame(format, w, h, pad)
	at := func(i, x, y int) *byte { return &f.Planes[i].Data[y*f.Planes[i].Stride+x] }
	for y := range h {
		for x := range w {
			luma, u, v := byte(16+219*x/w), byte(60+120*y/h), byte(180-120*x/w)
			switch format {
			case capture.I420:
				*at(0, x, y), *at(1, x/2, y/2), *at(2, x/2, y/2) = luma, u, v
			case capture.NV12:
				*at(0, x, y), *at(1, x&^1, y/2), *at(1, x|1, y/2) = luma, u, v
			case capture.YUYV:
				*at(0, 2*x, y), *at(0, 4*(x/2)+1, y), *at(0, 4*(x/2)+3, y) = luma, u, v
			}
		}
	}
	return f
}

func TestEncode(t *testing.T) {
	for name, j := range encoders(t) {
		for _, format := range []capture.PixelFormat{capture.I420, capture.NV12, capture.YUYV} {
			for _, rotation := range []int{0, 90, 180, 270} {
				for _, size := range [][2]int{{64, 48}, {50, 34}} {
					in := slope(format, size[0], size[1], 6)
					want := slope(format, size[0], size[1], 0)
					data, err := encoderWith(t, j, EncoderConfig{Rotation: rotation}).Encode(in)
					if err != nil {
						t.Fatalf("%s, %v by %d: %v", name, format, rotation, err)
					}
					if off := distance(t, data, &want, rotation); off > 6 {
						t.Errorf("%s, %v of %v by %d is off by up to %.1f", name, format, size, rotation, off)
					}
				}
			}
		}
	}
}

// distance returns the largest difference between a JPEG and the picture it was
// made of, in the range of video.
func distance(t *testing.T, data []byte, want *capture.Frame, rotation int) (worst float64) {
	t.Helper()
	decoded, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := decoded.(*image.YCbCr)
	if !ok || p.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		t.Fatalf("%T is not 4:2:0", decoded)
	}
	w, h := (&Converter{rotation: rotation}).OutputSize(want.Width, want.Height)
	if p.Rect.Dx() != w || p.Rect.Dy() != h {
		t.Fatalf("the JPEG has %v", p.Rect)
	}
	for y := range h {
		for x := range w {
			fromX, fromY := turned(x, y, want.Width, want.Height, rotation)
			l, u, v := pixelOf(want, fromX, fromY)
			got := p.YCbCrAt(x, y)
			worst = max(worst, math.Abs(16+float64(got.Y)*219/255-float64(l)),
				math.Abs(128+(float64(got.Cb)-128)*224/255-float64(u)),
				math.Abs(128+(float64(got.Cr)-128)*224/255-float64(v)))
		}
	}
	return worst
}

// What is blacker than black and whiter than white in video stays that.
func TestFullRange(t *testing.T) {
	for _, row := range [][2]byte{{0, 0}, {16, 0}, {17, 1}, {126, 128}, {235, 255}, {255, 255}} {
		if got := fullLuma[row[0]]; got != row[1] {
			t.Errorf("luma %d becomes %d, want %d", row[0], got, row[1])
		}
	}
	for _, row := range [][2]byte{{0, 0}, {16, 1}, {127, 127}, {128, 128}, {240, 255}, {255, 255}} {
		if got := fullChroma[row[0]]; got != row[1] {
			t.Errorf("chroma %d becomes %d, want %d", row[0], got, row[1])
		}
	}
}

func TestEncodeQuality(t *testing.T) {
	for name, j := range encoders(t) {
		sizes := map[int]int{}
		for _, quality := range []int{1, 50, 90, 0, 100} {
			data, err := encoderWith(t, j, EncoderConfig{Quality: quality}).Encode(frame(capture.I420, 64, 48, 0))
			if err != nil {
				t.Fatal(err)
			}
			sizes[quality] = len(data)
		}
		if sizes[0] != sizes[90] || sizes[1] >= sizes[50] || sizes[50] >= sizes[90] || sizes[90] >= sizes[100] {
			t.Errorf("%s: sizes by quality %v, 0 must be 90", name, sizes)
		}
	}
	for _, quality := range []int{-1, 101} {
		if _, err := NewEncoder(EncoderConfig{Quality: quality}); err == nil || !strings.Contains(err.Error(), "from 1 to 100") {
			t.Errorf("quality %d: %v", quality, err)
		}
	}
	if _, err := NewEncoder(EncoderConfig{Rotation: 45}); err == nil {
		t.Error("rotation 45 is taken")
	}
}

func TestEncodeRefuses(t *testing.T) {
	short := frame(capture.I420, 16, 16, 0)
	short.Planes[2].Data = short.Planes[2].Data[:63]
	tests := map[string]struct {
		in   capture.Frame
		want error
	}{
		"short": {short, ErrBroken},
		"H.264": {frame(capture.H264, 16, 16, 0), ErrUnsupported},
		"odd":   {frame(capture.YUYV, 15, 16, 0), ErrUnsupported},
		"wide":  {frame(capture.I420, 15, 16, 0), ErrUnsupported},
		"high":  {frame(capture.I420, 16, 15, 0), ErrUnsupported},
		"empty": {capture.Frame{Format: capture.I420}, ErrBroken},
	}
	for name, test := range tests {
		released := 0
		_, err := encoderWith(t, goEncoder{}, EncoderConfig{}).Encode(test.in.WithFree(func() { released++ }))
		if !errors.Is(err, test.want) || released != 1 {
			t.Errorf("%s: %v, released %d times", name, err, released)
		}
	}
}

func TestEncoderSaysWhatItIs(t *testing.T) {
	var b bytes.Buffer
	e := newEncoder(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer e.close()
	if !strings.Contains(b.String(), "libturbojpeg") {
		t.Errorf("logged %q", b.String())
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range [][2]int{{1280, 720}, {1920, 1080}} {
		for name, j := range encoders(b) {
			for _, format := range []capture.PixelFormat{capture.I420, capture.NV12, capture.YUYV} {
				b.Run(name+"/"+capture.VideoFormat{Format: format, Width: size[0], Height: size[1]}.String(), func(b *testing.B) {
					e := encoderWith(b, j, EncoderConfig{})
					original, in := photograph(size[0], size[1]), frame(format, size[0], size[1], 0)
					var picture Copy
					defer picture.Free()
					if format != capture.I420 {
						original = in
					}
					b.ReportAllocs()
					for b.Loop() {
						if err := picture.Take(&original); err != nil {
							b.Fatal(err)
						}
						if _, err := e.Encode(picture.Frame); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/picture")
				})
			}
		}
	}
}

// photograph returns a picture with soft parts, edges and a little noise.
func photograph(w, h int) capture.Frame {
	f := frame(capture.I420, w, h, 0)
	for i, noise := range f.Planes[0].Data {
		x, y := i%w, i/w
		f.Planes[0].Data[i] = 60 + byte(x/16) + noise/64 + byte((x/40+y/30)%2*40)
	}
	for p := 1; p <= 2; p++ {
		for i := range f.Planes[p].Data {
			f.Planes[p].Data[i] = byte(100 + i%(w/2)/16)
		}
	}
	return f
}
