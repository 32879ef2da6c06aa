package openh264

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

// units makes pictures that move, and of each an access unit.
func units(t testing.TB, width, height, count int, rate encoder.BitRate, gop time.Duration) (units []encoder.AccessUnit) {
	t.Helper()
	e := open(t, Config{Width: width, Height: height, GOP: gop, BitRate: rate}, &units)
	f := newFrame(t, width, height)
	for i := range count {
		f.PTS = time.Duration(i) * time.Second / 30
		texture(f, i)
		encode(t, e, f)
	}
	return units
}

func newDecoder(t testing.TB) *Decoder {
	t.Helper()
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := d.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	})
	return d
}

// packed appends the visible picture without what lies between its rows.
func packed(to []byte, f *capture.Frame) []byte {
	for i, p := range f.Planes {
		w, h := f.Width, f.Height
		if i > 0 {
			w, h = w/2, h/2
		}
		for y := range h {
			to = append(to, p.Data[y*p.Stride:][:w]...)
		}
	}
	return to
}

// Decoding is exact: ffmpeg's decoder makes the same pictures, bit by bit, of the
// profiles that cameras have.
func TestDecodesAsFFmpegDoes(t *testing.T) {
	ffmpeg := needs(t, "ffmpeg")
	for name, profile := range map[string][]string{
		"baseline, three slices": {"-profile:v", "baseline", "-slices", "3"},
		"main":                   {"-profile:v", "main", "-refs", "3"},
		"high":                   {"-profile:v", "high", "-refs", "3", "-preset", "slow"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "film.h264")
			args := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=642x362:rate=30:duration=1.5", "-pix_fmt", "yuv420p", "-c:v", "libx264"}
			args = append(append(args, profile...), "-bf", "0", "-g", "20", "-b:v", "2M", path)
			if out, err := exec.CommandContext(t.Context(), ffmpeg, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			want, err := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-").Output()
			if err != nil {
				t.Fatal(err)
			}
			checkDecoded(t, path, want, 642, 362)
		})
	}
}

func checkDecoded(t *testing.T, path string, want []byte, width, height int) {
	t.Helper()
	film, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, s := newDecoder(t), h264.NewSplitter(bytes.NewReader(film), 0, 0)
	size, n := width*height*3/2, 0
	for ; ; n++ {
		au, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		pts := time.Duration(n) * time.Second / 30
		f, err := d.Decode(encoder.AccessUnit{Data: au, Key: h264.Inspect(au).IDR, PTS: pts})
		if err != nil || f == nil {
			t.Fatalf("picture %d: %v, %v", n, f, err)
		}
		if f.Width != width || f.Height != height || f.PTS != pts {
			t.Fatalf("picture %d is %dx%d at %v", n, f.Width, f.Height, f.PTS)
		}
		if !bytes.Equal(packed(nil, f), want[n*size:][:size]) {
			t.Fatalf("picture %d is another than ffmpeg's", n)
		}
	}
	if n != len(want)/size || n != 45 {
		t.Errorf("%d pictures, ffmpeg made %d", n, len(want)/size)
	}
}

// Without the picture that it refers to there is none, up to the next key frame.
func TestDecoderConcealsNothing(t *testing.T) {
	film := units(t, 320, 240, 30, 8_000_000, 500*time.Millisecond)
	clean := newDecoder(t)
	var want [][]byte
	for _, au := range film {
		f, err := clean.Decode(au)
		if err != nil || f == nil {
			t.Fatalf("%v, %v", f, err)
		}
		want = append(want, packed(nil, f))
	}
	keys := 0
	for _, au := range film {
		if au.Key {
			keys++
		}
	}
	if keys != 2 || !film[15].Key {
		t.Fatalf("%d key frames", keys)
	}
	damaged := map[string]func([]encoder.AccessUnit) []encoder.AccessUnit{
		"one is missing": func(u []encoder.AccessUnit) []encoder.AccessUnit { return slices.Delete(u, 5, 6) },
		"one is cut": func(u []encoder.AccessUnit) []encoder.AccessUnit {
			u[5].Data = u[5].Data[:len(u[5].Data)/2]
			return u
		},
		"the key frame is cut": func(u []encoder.AccessUnit) []encoder.AccessUnit {
			u[0].Data = u[0].Data[:len(u[0].Data)/2]
			return u
		},
		"it begins late": func(u []encoder.AccessUnit) []encoder.AccessUnit { return u[3:] },
	}
	for name, damage := range damaged {
		t.Run(name, func(t *testing.T) {
			d, failed, after := newDecoder(t), 0, 0
			for _, au := range damage(slices.Clone(film)) {
				f, err := d.Decode(au)
				if err != nil {
					failed++
				}
				if f == nil {
					continue
				}
				n := int((f.PTS + time.Second/60) * 30 / time.Second)
				if !bytes.Equal(packed(nil, f), want[n]) {
					t.Errorf("picture %d is not as it should be", n)
				}
				if n >= 15 {
					after++
				}
			}
			if after != 15 || (failed != 1 && name != "it begins late") {
				t.Errorf("%d pictures after the next key frame, %d errors", after, failed)
			}
		})
	}
}

func TestDecoderRefuses(t *testing.T) {
	small, large := units(t, 320, 240, 2, 8_000_000, time.Second), units(t, 640, 480, 1, 8_000_000, time.Second)
	d := newDecoder(t)
	if f, err := d.Decode(small[1]); f != nil || err != nil {
		t.Errorf("before a key frame: %v, %v", f, err)
	}
	if _, err := d.Decode(small[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decode(large[0]); err == nil {
		t.Error("another size: no error")
	}
	if _, err := d.Decode(encoder.AccessUnit{Data: make([]byte, maxUnit+1), Key: true}); err == nil {
		t.Error("a giant: no error")
	}
	if f, err := d.Decode(small[0]); f == nil || err != nil {
		t.Errorf("the stream again: %v, %v", f, err)
	}
	d.Close()
	if _, err := d.Decode(small[0]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// What is damaged in any way ends in an error or in a picture, never in a crash.
func TestDecoderSurvives(t *testing.T) {
	film := units(t, 160, 128, 24, 8_000_000, 300*time.Millisecond)
	random := rand.New(rand.NewPCG(1, 2))
	pictures, failed := 0, 0
	for range 150 {
		d := newDecoder(t)
		for _, au := range film {
			if random.IntN(3) == 0 {
				au.Data = garble(random, au.Data)
			}
			f, err := d.Decode(au)
			if err != nil {
				failed++
			}
			if f != nil {
				pictures += min(1, len(packed(nil, f)))
			}
		}
		d.Close()
	}
	if pictures < 100 || failed < 100 {
		t.Errorf("%d pictures, %d errors", pictures, failed)
	}
}

// garble cuts an access unit, turns bits of it, or puts a piece of it elsewhere.
func garble(random *rand.Rand, data []byte) []byte {
	data = slices.Clone(data)
	switch at := random.IntN(len(data)); random.IntN(4) {
	case 0:
		return data[:at]
	case 1:
		for range 1 + random.IntN(20) {
			data[random.IntN(len(data))] ^= 1 << random.IntN(8)
		}
	case 2:
		copy(data[random.IntN(len(data)):], data[at:])
	case 3:
		for i := range data[at:] {
			data[at+i] = byte(random.Uint32())
		}
	}
	return data
}

func FuzzDecoder(f *testing.F) {
	film := units(f, 64, 48, 4, 8_000_000, time.Second)
	for _, au := range film {
		f.Add(au.Data, au.Key)
	}
	f.Fuzz(func(t *testing.T, data []byte, key bool) {
		d := newDecoder(t)
		_, _ = d.Decode(film[0])
		_, _ = d.Decode(encoder.AccessUnit{Data: data, Key: key})
		_, _ = d.Decode(film[1])
	})
}

// BenchmarkDecodeGOP decodes what a photo may have to: 2 s of 720p at 2.5 Mb/s.
func BenchmarkDecodeGOP(b *testing.B) {
	film := units(b, 1280, 720, 60, 2_500_000, 10*time.Second)
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		d, err := NewDecoder()
		if err != nil {
			b.Fatal(err)
		}
		for _, au := range film {
			if f, err := d.Decode(au); f == nil || err != nil {
				b.Fatal(f, err)
			}
		}
		d.Close()
	}
	used := processorTime(b) - before
	b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(len(film)), "pictures/op")
}

// processorTime is what the process has used, whatever else the machine does.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
