package pixel

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
)

// frame returns a picture of noise whose rows have pad bytes too many.
func frame(format capture.PixelFormat, w, h, pad int) capture.Frame {
	noise := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	plane := func(n, rows int) capture.Plane {
		p := capture.Plane{Data: make([]byte, (n+pad)*rows), Stride: n + pad}
		for i := range p.Data {
			p.Data[i] = byte(noise.Uint32())
		}
		return p
	}
	f := capture.Frame{Format: format, Width: w, Height: h, PTS: 3 * time.Second, Ready: 4 * time.Second, Sequence: 5}
	switch format {
	case capture.I420:
		f.Planes = [3]capture.Plane{plane(w, h), plane(w/2, h/2), plane(w/2, h/2)}
	case capture.NV12:
		f.Planes = [3]capture.Plane{plane(w, h), plane(w, h/2)}
	case capture.YUYV:
		f.Planes = [3]capture.Plane{plane(2*w, h)}
	}
	return f
}

// pixelOf is the obvious way to the components of a 2x2 block's chroma and of a
// pixel's luma.
func pixelOf(f *capture.Frame, x, y int) (luma, u, v byte) {
	at := func(i, x, y int) byte { return f.Planes[i].Data[y*f.Planes[i].Stride+x] }
	both := func(x int) byte { // the mean of the two rows of a block
		return byte((int(at(0, x, y&^1)) + int(at(0, x, y|1)) + 1) / 2)
	}
	switch f.Format {
	case capture.NV12:
		return at(0, x, y), at(1, x&^1, y/2), at(1, x|1, y/2)
	case capture.YUYV:
		return at(0, 2*x, y), both(4*(x/2) + 1), both(4*(x/2) + 3)
	}
	return at(0, x, y), at(1, x/2, y/2), at(2, x/2, y/2)
}

// turned returns where the pixel that is shown at x, y was before a turn of a
// picture of w x h.
func turned(x, y, w, h, degrees int) (int, int) {
	switch degrees {
	case 90:
		return y, h - 1 - x
	case 180:
		return w - 1 - x, h - 1 - y
	case 270:
		return w - 1 - y, x
	}
	return x, y
}

func mustConverter(t testing.TB, rotation int) *Converter {
	t.Helper()
	c, err := New(Config{Rotation: rotation})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

func TestConvert(t *testing.T) {
	sizes := [][2]int{{2, 2}, {6, 4}, {8, 8}, {16, 16}, {18, 10}, {64, 48}, {66, 34}, {146, 270}}
	for _, format := range []capture.PixelFormat{capture.I420, capture.NV12, capture.YUYV} {
		for _, rotation := range []int{0, 90, 180, 270} {
			for _, size := range sizes {
				for _, pad := range []int{0, 6} {
					t.Run(fmt.Sprintf("%v by %d, %v, padding %d", format, rotation, size, pad), func(t *testing.T) {
						testConvert(t, frame(format, size[0], size[1], pad), rotation)
					})
				}
			}
		}
	}
}

func testConvert(t *testing.T, in capture.Frame, rotation int) {
	c := mustConverter(t, rotation)
	released := 0
	out, err := c.Convert(in.WithFree(func() { released++ }))
	if err != nil {
		t.Fatal(err)
	}
	w, h := c.OutputSize(in.Width, in.Height)
	if out.Format != capture.I420 || out.Width != w || out.Height != h {
		t.Fatalf("%v of %dx%d", out.Format, out.Width, out.Height)
	}
	if out.PTS != in.PTS || out.Ready != in.Ready || out.Sequence != in.Sequence {
		t.Error("stamps were not kept")
	}
	for y := range h {
		for x := range w {
			fromX, fromY := turned(x, y, in.Width, in.Height, rotation)
			l, u, v := pixelOf(&out, x, y)
			wantL, wantU, wantV := pixelOf(&in, fromX, fromY)
			if l != wantL || u != wantU || v != wantV {
				t.Fatalf("at %d,%d: %d %d %d, want %d %d %d", x, y, l, u, v, wantL, wantU, wantV)
			}
		}
	}
	out.Release()
	if released != 1 {
		t.Errorf("the source's frame was released %d times", released)
	}
}

func TestNothingToDoIsNothingDone(t *testing.T) {
	for _, format := range []capture.PixelFormat{capture.I420, capture.H264} {
		in := frame(format, 16, 16, 0)
		in.Planes[0].Data = []byte{1, 2, 3}
		released := 0
		out, err := mustConverter(t, 0).Convert(in.WithFree(func() { released++ }))
		if err != nil || released != 0 || &out.Planes[0].Data[0] != &in.Planes[0].Data[0] {
			t.Errorf("%v: %v, released %d times", format, err, released)
		}
		if out.Release(); released != 1 {
			t.Errorf("%v: released %d times", format, released)
		}
	}
}

func TestBadPicturesAreErrors(t *testing.T) {
	short := frame(capture.NV12, 16, 16, 0)
	short.Planes[1].Data = short.Planes[1].Data[:127]
	narrow := frame(capture.YUYV, 16, 16, 0)
	narrow.Planes[0].Stride = 31
	tests := []struct {
		name     string
		in       capture.Frame
		rotation int
		want     error
		says     string
	}{
		{"short", short, 0, ErrBroken, "plane 1 has 127 bytes in rows of 16, needs 8 rows of 16"},
		{"narrow", narrow, 0, ErrBroken, "needs 16 rows of 32"},
		{"odd", frame(capture.YUYV, 15, 16, 0), 0, ErrUnsupported, "must be even"},
		{"H.264 sideways", frame(capture.H264, 16, 16, 0), 90, ErrUnsupported, "rotation 0"},
		{"unknown", frame(99, 16, 16, 0), 0, ErrUnsupported, "PixelFormat(99)"},
		{"no JPEG", frame(capture.MJPEG, 16, 16, 0), 0, ErrBroken, "no JPEG"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			released := 0
			_, err := mustConverter(t, test.rotation).Convert(test.in.WithFree(func() { released++ }))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			if released != 1 {
				t.Errorf("released %d times", released)
			}
		})
	}
	if _, err := New(Config{Rotation: 45}); err == nil || !strings.Contains(err.Error(), "45") {
		t.Errorf("rotation by 45: %v", err)
	}
}

func TestSizeMayChange(t *testing.T) {
	c := mustConverter(t, 90)
	for _, size := range []int{16, 32, 16} {
		out, err := c.Convert(frame(capture.YUYV, size, 16, 0))
		if err != nil || out.Height != size {
			t.Fatalf("%d: %v, %v", size, out.Height, err)
		}
		out.Release()
	}
}

func TestConvertAllocatesNothing(t *testing.T) {
	for _, format := range []capture.PixelFormat{capture.I420, capture.NV12, capture.YUYV} {
		c := mustConverter(t, 90)
		in := frame(format, 64, 48, 0)
		if allocs := testing.AllocsPerRun(50, func() {
			out, err := c.Convert(in)
			if err != nil {
				t.Fatal(err)
			}
			out.Release()
		}); allocs > 0 {
			t.Errorf("%v: %v allocations a picture", format, allocs)
		}
	}
}

func BenchmarkConvert720p(b *testing.B) {
	for _, format := range []capture.PixelFormat{capture.I420, capture.NV12, capture.YUYV} {
		for _, rotation := range []int{0, 90, 180, 270} {
			if format == capture.I420 && rotation == 0 {
				continue
			}
			b.Run(fmt.Sprintf("%v/%d", format, rotation), func(b *testing.B) {
				benchmark(b, frame(format, 1280, 720, 0), mustConverter(b, rotation))
			})
		}
	}
}

func benchmark(b *testing.B, in capture.Frame, c *Converter) {
	b.ReportAllocs()
	for b.Loop() {
		out, err := c.Convert(in)
		if err != nil {
			b.Fatal(err)
		}
		out.Release()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/picture")
}
