package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// y4mFile makes pictures of one colour each: picture i has the luma i, and
// chroma 100+i and 200+i.
func y4mFile(width, height, pictures int, params string) []byte {
	b := fmt.Appendf(nil, "YUV4MPEG2 W%d H%d %s\n", width, height, params)
	for i := range pictures {
		b = append(b, "FRAME\n"...)
		b = append(b, bytes.Repeat([]byte{byte(i)}, width*height)...)
		b = append(b, bytes.Repeat([]byte{byte(100 + i)}, width*height/4)...)
		b = append(b, bytes.Repeat([]byte{byte(200 + i)}, width*height/4)...)
	}
	return b
}

// number returns i of a picture of y4mFile, after a look at all its pixels.
func number(t *testing.T, f capture.Frame) int {
	t.Helper()
	i := f.Planes[0].Data[0]
	for p, want := range []byte{i, 100 + i, 200 + i} {
		width, height := f.Width, f.Height
		if p > 0 {
			width, height = width/2, height/2
		}
		for y := range height {
			for x := range width {
				if got := f.Planes[p].Data[y*f.Planes[p].Stride+x]; got != want {
					t.Fatalf("plane %d at %d, %d is %d, want %d", p, x, y, got, want)
				}
			}
		}
	}
	return int(i)
}

func TestY4MPlaysOnce(t *testing.T) {
	for _, c := range []struct {
		width, height int
		params        string
		fps           float64
	}{
		{64, 32, "F10:1 Ip A1:1 C420jpeg XYSCSS=420JPEG", 10}, // rows without a gap
		{36, 34, "F10:1", 10}, // rows with one
		{32, 16, "F10000:1001 C420mpeg2 I?", 10000.0 / 1001},
		{32, 16, "F10:1 C420paldv", 10},
		{32, 16, "F10:1 C420", 10},
	} {
		t.Run(c.params, func(t *testing.T) {
			y := openY4M(t, write(t, "a.y4m", y4mFile(c.width, c.height, 3, c.params)), Options{Start: monotonic.Now() + 20*time.Millisecond})
			if got := y.Format(); got != (capture.VideoFormat{Format: capture.I420, Width: c.width, Height: c.height, FPS: c.fps}) {
				t.Errorf("format %v", got)
			}
			for i := range 3 {
				f := next(t, y)
				want := y.pacer.base + time.Duration(float64(i)*1e9/c.fps)
				if number(t, f) != i || f.Sequence != uint64(i) || f.PTS != want || f.Ready < f.PTS {
					t.Errorf("picture %d: number %d, sequence %d, PTS %v, ready %v", i, number(t, f), f.Sequence, f.PTS-want, f.Ready-want)
				}
				f.Release()
			}
			if _, err := y.Next(t.Context()); err != io.EOF {
				t.Errorf("at the end: %v, want io.EOF", err)
			}
		})
	}
}

func TestY4MLoops(t *testing.T) {
	y := openY4M(t, write(t, "a.y4m", y4mFile(32, 16, 3, "F1000:1")), Options{Loop: true})
	for i := range 10 {
		f := next(t, y)
		if number(t, f) != int(f.Sequence%3) || f.Sequence < uint64(i) {
			t.Errorf("picture %d with sequence %d", number(t, f), f.Sequence)
		}
		f.Release()
	}
}

// A slow consumer gets the newest picture that is due, and the gap shows.
func TestY4MSkipsWhatIsPast(t *testing.T) {
	y := openY4M(t, write(t, "a.y4m", y4mFile(32, 16, 5, "F1:1")), Options{Loop: true})
	next(t, y)
	y.pacer.base -= 8500 * time.Millisecond
	f := next(t, y)
	if f.Sequence != 8 || number(t, f) != 8%5 {
		t.Errorf("8.5 s later: sequence %d, picture %d", f.Sequence, number(t, f))
	}
	y.pacer.base -= time.Hour // the file's clock moves instead
	if f := next(t, y); f.Sequence != 9 || f.Ready-f.PTS > time.Second {
		t.Errorf("an hour later: sequence %d, %v late", f.Sequence, f.Ready-f.PTS)
	}
}

func TestY4MParameters(t *testing.T) {
	data := bytes.ReplaceAll(y4mFile(32, 16, 3, "F1:1"), []byte("FRAME\n"), []byte("FRAME Ip XA=1\n"))
	y := openY4M(t, write(t, "a.y4m", data), Options{})
	if f := next(t, y); number(t, f) != int(f.Sequence) {
		t.Errorf("picture %d with sequence %d", number(t, f), f.Sequence)
	}
}

func TestY4MClose(t *testing.T) {
	y := openY4M(t, write(t, "a.y4m", y4mFile(32, 16, 3, "F1:1")), Options{Start: monotonic.Now() + time.Hour})
	done := make(chan error)
	go func() {
		_, err := y.Next(context.Background())
		done <- err
	}()
	for range 2 {
		if err := y.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("a blocked Next: %v, want os.ErrClosed", err)
	}
	if _, err := y.Next(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Next after Close: %v, want os.ErrClosed", err)
	}
}

// A wait that was cut short delivers the same picture the next time.
func TestY4MKeepsThePictureOfACancelledWait(t *testing.T) {
	y := openY4M(t, write(t, "a.y4m", y4mFile(32, 16, 3, "F1:1")), Options{Start: monotonic.Now() + time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := y.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	y.pacer.base -= time.Hour
	if f := next(t, y); number(t, f) != int(f.Sequence) {
		t.Errorf("picture %d with sequence %d", number(t, f), f.Sequence)
	}
}

func TestY4MRealFootage(t *testing.T) {
	const movie = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"
	if _, err := os.Stat(movie); err != nil {
		t.Skipf("%v (Debian: apt install forensics-samples-files)", err)
	}
	path := filepath.Join(t.TempDir(), "a.y4m")
	ffmpeg(t, "-i", movie, "-t", "0.3", "-pix_fmt", "yuv420p", path)
	y := openY4M(t, path, Options{})
	if f := y.Format(); f.Width != 1280 || f.Height != 720 {
		t.Errorf("format %v", f)
	}
	f := next(t, y)
	f.Release()
}

func BenchmarkY4MNext(b *testing.B) {
	y, err := OpenY4M(write(b, "a.y4m", y4mFile(1280, 720, 3, "F30:1")), Options{Loop: true})
	if err != nil {
		b.Fatal(err)
	}
	defer y.Close()
	b.SetBytes(1280 * 720 * 3 / 2)
	b.ReportAllocs()
	for b.Loop() {
		y.pacer.base -= time.Duration(y.interval)
		f := next(b, y)
		f.Release()
	}
}

func openY4M(t *testing.T, path string, opts Options) *Y4M {
	t.Helper()
	y, err := OpenY4M(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { y.Close() })
	return y
}
