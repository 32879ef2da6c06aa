package pixel

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bril-edge/bril/capture"
)

// decoders returns all that this machine has.
func decoders(t testing.TB) map[string]jpegDecoder {
	t.Helper()
	list := map[string]jpegDecoder{"go": goDecoder{}}
	turbo, err := newTurbo()
	if err != nil {
		t.Log("libturbojpeg is not tested: ", err)
		return list
	}
	t.Cleanup(func() { turbo.close() })
	list[turbo.name] = turbo
	return list
}

// with returns a converter that decodes by d and leaves it open.
func with(t testing.TB, d jpegDecoder) *Converter {
	c := mustConverter(t, 0)
	c.jpeg.decoder = d
	t.Cleanup(func() { c.jpeg.decoder = nil })
	return c
}

func jpegFrame(data []byte, w, h int) capture.Frame {
	return capture.Frame{Format: capture.MJPEG, Width: w, Height: h, Planes: [3]capture.Plane{{Data: data}}}
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// grey encodes a picture without chroma.
func grey(t testing.TB) []byte {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, 64, 48))
	for i := range picture.Pix {
		picture.Pix[i] = byte(i % 64 * 4)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withoutTables leaves the DHT segments out, as many cameras do.
func withoutTables(t testing.TB, data []byte) []byte {
	t.Helper()
	out := append([]byte(nil), data[:2]...)
	for at := 2; ; {
		marker, _, next, err := segment(data, at)
		if err != nil {
			t.Fatal(err)
		}
		if marker == markerSOS {
			return append(out, data[at:]...)
		}
		if marker != markerDHT {
			out = append(out, data[at:next]...)
		}
		at = next
	}
}

// The files were made by ffmpeg's testsrc2 with the standard Huffman tables.
func TestJPEG(t *testing.T) {
	pictures := map[string][]byte{"grey": grey(t)}
	for _, name := range []string{"420", "422", "444"} {
		pictures[name] = file(t, name+".jpg")
		pictures[name+" without tables"] = withoutTables(t, pictures[name])
	}
	pictures["420 with bytes too many"] = append(append([]byte(nil), pictures["420"][:len(pictures["420"])-2]...), 0, 0, 0, 0xff, 0xd9)
	for decoder, d := range decoders(t) {
		for name, data := range pictures {
			t.Run(decoder+"/"+name, func(t *testing.T) {
				out, err := with(t, d).Convert(jpegFrame(data, 64, 48))
				if err != nil {
					t.Fatal(err)
				}
				original, _, _ := strings.Cut(name, " ")
				compare(t, &out, pictures[original])
			})
		}
	}
}

// compare compares with image/jpeg's picture, brought to the range of video in
// the obvious way.
func compare(t *testing.T, got *capture.Frame, data []byte) {
	t.Helper()
	picture, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	at := func(x, y int) (l, u, v float64) {
		switch p := picture.(type) {
		case *image.YCbCr:
			c := p.YCbCrAt(x, y)
			return float64(c.Y), float64(c.Cb), float64(c.Cr)
		case *image.Gray:
			return float64(p.GrayAt(x, y).Y), 128, 128
		}
		t.Fatalf("%T", picture)
		return
	}
	worst := 0.0
	for y := range got.Height {
		for x := range got.Width {
			var u, v float64
			for i := range 4 { // the mean of the block
				_, a, b := at(x&^1+i&1, y&^1+i/2)
				u, v = u+a/4, v+b/4
			}
			l, _, _ := at(x, y)
			gotL, gotU, gotV := pixelOf(got, x, y)
			worst = max(worst, math.Abs(float64(gotL)-(16+l*219/255)),
				math.Abs(float64(gotU)-(128+(u-128)*224/255)), math.Abs(float64(gotV)-(128+(v-128)*224/255)))
		}
	}
	if worst > 3 {
		t.Errorf("off by up to %.1f", worst)
	}
}

func TestBrokenJPEG(t *testing.T) {
	whole := file(t, "422.jpg")
	h, err := scan(whole)
	if err != nil {
		t.Fatal(err)
	}
	sof := bytes.Index(whole, []byte{0xff, markerSOF0})
	change := func(at int, b ...byte) []byte {
		return append(append(append([]byte(nil), whole[:at]...), b...), whole[at+len(b):]...)
	}
	tests := map[string]struct {
		data []byte
		says string
	}{
		"empty":           {nil, "no JPEG"},
		"other file":      {[]byte("GIF89a"), "no JPEG"},
		"header only":     {whole[:h.scan], "marker"},
		"cut in segment":  {whole[:30], "are left"},
		"cut in data":     {whole[:h.scan+300], ""},
		"ends in marker":  {[]byte{0xff, 0xd8, 0xff, 0xff}, "ends in a marker"},
		"ends in length":  {[]byte{0xff, 0xd8, 0xff, 0xe0, 0}, "ends in segment 0xe0"},
		"length of 1":     {[]byte{0xff, 0xd8, 0xff, 0xe0, 0, 1, 0}, "of 1 bytes"},
		"nothing in it":   {[]byte{0xff, 0xd8, 0xff, 0xd9}, "without picture data"},
		"no frame header": {append([]byte{0xff, 0xd8}, whole[h.scan:]...), "without a frame header"},
		"progressive":     {change(sof+1, 0xc2), "SOF2"},
		"lossless":        {change(sof+1, 0xc3), "SOF3"},
		"12 bits":         {change(sof+4, 12), "3 components of 12 bits"},
		"other size":      {change(sof+5, 0, 50), "64x50"},
		"huge":            {change(sof+5, 0xff, 0xff, 0xff, 0xff), "65535x65535"},
		"4 components":    {change(sof+9, 4), "frame header of 15 bytes"},
		"sampling of 0":   {change(sof+11, 0), ""},
		"sampling of 15":  {change(sof+11, 0xff), ""},
		"no such table":   {change(sof+12, 9), ""},
	}
	for decoder, d := range decoders(t) {
		for name, test := range tests {
			t.Run(decoder+"/"+name, func(t *testing.T) {
				c := with(t, d)
				_, err := c.Convert(jpegFrame(test.data, 64, 48))
				if !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v", err)
				}
				// The next picture is none the worse.
				out, err := c.Convert(jpegFrame(whole, 64, 48))
				if err != nil {
					t.Fatal("next picture: ", err)
				}
				compare(t, &out, whole)
			})
		}
	}
}

// 4:4:0 and 4:1:1, which no encoder at hand makes.
func TestChromaSampling(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {2, 1}, {2, 2}, {1, 2}, {4, 1}, {4, 2}} {
		const w, h = 20, 12
		in := ycc{h: s[0], v: s[1]}
		in.planes[0] = capture.Plane{Data: make([]byte, w*h), Stride: w}
		for i := 1; i <= 2; i++ {
			cw, ch := roundUp(w, s[0])/s[0], roundUp(h, s[1])/s[1]
			in.planes[i] = capture.Plane{Data: make([]byte, cw*ch), Stride: cw}
			for x := range cw {
				for y := range ch { // a slope that is the same at each sampling
					in.planes[i].Data[y*cw+x] = byte(40 + 8*(x*s[0]+(s[0]-1)/2) + (y*s[1] + (s[1]-1)/2))
				}
			}
		}
		pool, err := capture.NewPool(capture.I420, w, h)
		if err != nil {
			t.Fatal(err)
		}
		out := pool.Get()
		toI420(out, in)
		for y := range h {
			for x := range w {
				_, u, _ := pixelOf(&out, x, y)
				want := 128 + (float64(40+8*(x&^1)+y&^1)-128)*224/255
				if off := math.Abs(float64(u) - want); off > 16 {
					t.Fatalf("%v at %d,%d: %d, want %.0f", s, x, y, u, want)
				}
			}
		}
	}
}

func TestDecoderSaysWhatItIs(t *testing.T) {
	var b bytes.Buffer
	d := newDecoder(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer d.close()
	if !strings.Contains(b.String(), "libturbojpeg") {
		t.Errorf("logged %q", b.String())
	}
}

// FuzzScan: no input makes the walker fail otherwise than by an error, and what
// it lets pass has its tables after they were put in.
func FuzzScan(f *testing.F) {
	addJPEGs(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := scan(data)
		if err != nil {
			if !errors.Is(err, ErrBroken) {
				t.Errorf("%v is not ErrBroken", err)
			}
			return
		}
		if h.scan < 2 || h.scan >= len(data) {
			t.Fatalf("picture data at %d of %d", h.scan, len(data))
		}
		with, err := scan((&jpegReader{}).withTables(data, h))
		if err != nil || !with.tables || with.width != h.width || with.height != h.height {
			t.Errorf("with tables: %+v, %v; before: %+v", with, err, h)
		}
	})
}

// FuzzJPEG puts any bytes through each decoder.
func FuzzJPEG(f *testing.F) {
	addJPEGs(f)
	list := decoders(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, d := range list {
			out, err := with(t, d).Convert(jpegFrame(data, 64, 48))
			if err != nil && !errors.Is(err, ErrBroken) {
				t.Errorf("%s: %v is not ErrBroken", name, err)
			}
			out.Release()
		}
	})
}

func addJPEGs(f *testing.F) {
	for _, name := range []string{"420.jpg", "422.jpg", "444.jpg"} {
		f.Add(file(f, name))
	}
	f.Add(withoutTables(f, file(f, "422.jpg")))
	f.Add(grey(f))
}

func BenchmarkJPEG720p(b *testing.B) {
	picture := image.NewYCbCr(image.Rect(0, 0, 1280, 720), image.YCbCrSubsampleRatio420)
	noise := frame(capture.I420, 1280, 720, 0)
	for i := range picture.Y {
		picture.Y[i] = byte(i%1280/8+i/1280/8) + noise.Planes[0].Data[i]/16
	}
	for i := range picture.Cb {
		picture.Cb[i], picture.Cr[i] = byte(i%640/4), byte(i/640/2)
	}
	var data bytes.Buffer
	if err := jpeg.Encode(&data, picture, &jpeg.Options{Quality: 85}); err != nil {
		b.Fatal(err)
	}
	for name, d := range decoders(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(data.Len()))
			benchmark(b, jpegFrame(data.Bytes(), 1280, 720), with(b, d))
		})
	}
}
