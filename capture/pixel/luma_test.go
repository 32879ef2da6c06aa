package pixel

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"testing"

	"github.com/bril-edge/bril/capture"
)

func lumaOf(t *testing.T, d jpegDecoder, f capture.Frame) (Luma, error) {
	t.Helper()
	r := NewLumaReader(nil)
	r.jpeg.decoder = d
	t.Cleanup(func() {
		r.jpeg.decoder = nil
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return r.Read(&f)
}

func TestLumaOfRawPictures(t *testing.T) {
	for _, format := range []capture.PixelFormat{capture.I420, capture.NV12, capture.YUYV} {
		f := frame(format, 18, 10, 6)
		l, err := lumaOf(t, goDecoder{}, f)
		if err != nil {
			t.Fatal(err)
		}
		for y := range f.Height {
			for x := range f.Width {
				want, _, _ := pixelOf(&f, x, y)
				if got := l.Data[y*l.Stride+x*l.Step]; got != want {
					t.Fatalf("%v at %d,%d: %d, want %d", format, x, y, got, want)
				}
			}
		}
	}
}

func TestLumaOfJPEG(t *testing.T) {
	pictures := map[string][]byte{"grey": grey(t), "no tables": withoutTables(t, file(t, "422.jpg"))}
	for _, name := range []string{"420.jpg", "422.jpg", "444.jpg"} {
		pictures[name] = file(t, name)
	}
	for decoder, d := range decoders(t) {
		for name, data := range pictures {
			l, err := lumaOf(t, d, jpegFrame(data, 64, 48))
			if err != nil {
				t.Fatalf("%s, %s: %v", decoder, name, err)
			}
			original := data
			if name == "no tables" {
				original = pictures["422.jpg"]
			}
			decoded, err := jpeg.Decode(bytes.NewReader(original))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 64 * 48 {
				x, y := i%64, i/64
				want := decodedLuma(decoded, x, y)
				if got := int(l.Data[y*l.Stride+x*l.Step]); got < want-3 || got > want+3 {
					t.Fatalf("%s, %s at %d,%d: %d, want %d", decoder, name, x, y, got, want)
				}
			}
		}
	}
}

func decodedLuma(p image.Image, x, y int) int {
	if p, ok := p.(*image.YCbCr); ok {
		return int(p.YCbCrAt(x, y).Y)
	}
	return int(p.(*image.Gray).GrayAt(x, y).Y)
}

func TestLumaRefuses(t *testing.T) {
	short := frame(capture.NV12, 16, 16, 0)
	short.Planes[0].Data = short.Planes[0].Data[:255]
	whole := file(t, "422.jpg")
	tests := map[string]struct {
		in   capture.Frame
		want error
	}{
		"short":      {short, ErrBroken},
		"other size": {jpegFrame(whole, 1<<20, 1<<20), ErrBroken},
		"cut":        {jpegFrame(whole[:len(whole)/2], 64, 48), ErrBroken},
		"no JPEG":    {jpegFrame([]byte("no"), 64, 48), ErrBroken},
		"H.264":      {frame(capture.H264, 16, 16, 0), ErrUnsupported},
	}
	for decoder, d := range decoders(t) {
		for name, test := range tests {
			if _, err := lumaOf(t, d, test.in); !errors.Is(err, test.want) {
				t.Errorf("%s, %s: %v", decoder, name, err)
			}
		}
	}
}

func TestCopy(t *testing.T) {
	var c Copy
	for _, in := range []capture.Frame{
		frame(capture.I420, 64, 48, 6), frame(capture.NV12, 18, 10, 0), frame(capture.YUYV, 64, 48, 2),
		jpegFrame([]byte("a JPEG"), 64, 48), frame(capture.I420, 16, 16, 0),
	} {
		in.PTS, in.Sequence = 7, 9
		if err := c.Take(&in); err != nil {
			t.Fatal(err)
		}
		f := c.Frame
		if f.Format != in.Format || f.Width != in.Width || f.Height != in.Height || f.PTS != 7 || f.Sequence != 9 {
			t.Errorf("the copy is %+v", f)
		}
		if in.Format == capture.MJPEG {
			if got := string(f.Planes[0].Data); got != "a JPEG" || f.Planes[0].Stride != 0 {
				t.Errorf("%q", got)
			}
			continue
		}
		for y := range f.Height {
			for x := range f.Width {
				l, u, v := pixelOf(&f, x, y)
				if wantL, wantU, wantV := pixelOf(&in, x, y); l != wantL || u != wantU || v != wantV {
					t.Fatalf("%v differs at %d,%d", in.Format, x, y)
				}
			}
		}
	}
	short := frame(capture.I420, 16, 16, 0)
	short.Planes[1].Data = nil
	for _, in := range []capture.Frame{short, {Format: capture.I420, Width: -1, Height: 4}} {
		if err := c.Take(&in); !errors.Is(err, ErrBroken) {
			t.Errorf("got %v", err)
		}
	}
	for range 2 {
		c.Free()
	}
	if c.Reserve(5000); c.Size() < 5000 {
		t.Errorf("%d bytes were reserved", c.Size())
	}
	if in := frame(capture.I420, 64, 48, 6); c.Take(&in) != nil || c.Frame.Width != 64 {
		t.Errorf("after Free the copy is %+v", c.Frame)
	}
	c.Free()
}

func TestCopyAllocatesNothing(t *testing.T) {
	in := frame(capture.YUYV, 64, 48, 2)
	var c Copy
	defer c.Free()
	if allocs := testing.AllocsPerRun(20, func() {
		if err := c.Take(&in); err != nil {
			t.Fatal(err)
		}
	}); allocs > 0 {
		t.Errorf("%v allocations a picture", allocs)
	}
}
