package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder/h264"
	"github.com/bril-edge/bril/hardware/monotonic"
)

type opener func(path string, opts Options) (*H264, error)

// The same 25 pictures at 50 a second, a key frame every ten.
var h264Files = []struct {
	path string
	open opener
}{
	{"testdata/stream.h264", OpenH264},
	{"testdata/progressive.mp4", OpenMP4},
	{"testdata/fragmented.mp4", OpenMP4},
}

func TestH264PlaysOnce(t *testing.T) {
	want := splitFile(t, "testdata/stream.h264")
	for _, c := range h264Files {
		t.Run(c.path, func(t *testing.T) {
			v := mustOpen(t, c.open, c.path, Options{Start: monotonic.Now()})
			if got := v.Format(); got != (capture.VideoFormat{Format: capture.H264, Width: 160, Height: 90, FPS: 50}) {
				t.Errorf("format %v", got)
			}
			for i := range want {
				f := next(t, v)
				if !bytes.Equal(slicesOf(f.Planes[0].Data), slicesOf(want[i])) {
					t.Fatalf("frame %d: the slices differ", i)
				}
				if f.Sequence != uint64(i) || f.PTS != v.pacer.base+time.Duration(i)*20*time.Millisecond || f.Ready < f.PTS {
					t.Errorf("frame %d: sequence %d, PTS %v, ready %v", i, f.Sequence, f.PTS-v.pacer.base, f.Ready-f.PTS)
				}
				if c := h264.Inspect(f.Planes[0].Data); c.IDR != (i%10 == 0) || c.IDR && !(c.SPS && c.PPS) {
					t.Errorf("frame %d: %+v", i, c)
				}
				f.Release()
			}
			for range 2 {
				if _, err := v.Next(t.Context()); err != io.EOF {
					t.Errorf("at the end: %v, want io.EOF", err)
				}
			}
			if v.SkipToKey() {
				t.Error("a key frame behind the end")
			}
		})
	}
}

func TestH264Loops(t *testing.T) {
	for _, c := range h264Files {
		t.Run(c.path, func(t *testing.T) {
			v := mustOpen(t, c.open, c.path, Options{Loop: true})
			var last time.Duration
			for i := range 35 {
				f := next(t, v)
				if i > 0 && (f.PTS-last != 20*time.Millisecond || f.Sequence != uint64(i)) {
					t.Fatalf("frame %d: %v after the one before, sequence %d", i, f.PTS-last, f.Sequence)
				}
				if key := h264.Inspect(f.Planes[0].Data).IDR; key != (i%25%10 == 0) {
					t.Fatalf("frame %d: key frame %v", i, key)
				}
				last = f.PTS
				f.Release()
			}
		})
	}
}

func TestH264SkipToKey(t *testing.T) {
	for _, c := range h264Files {
		t.Run(c.path, func(t *testing.T) {
			want := splitFile(t, "testdata/stream.h264")
			v := mustOpen(t, c.open, c.path, Options{})
			if !v.SkipToKey() {
				t.Error("before the first frame: no key frame")
			}
			for _, step := range []struct {
				skip bool
				want int // index of the next frame
			}{{false, 0}, {false, 1}, {true, 10}, {false, 11}, {true, 20}, {false, 21}} {
				at := monotonic.Now()
				if step.skip && !v.SkipToKey() {
					t.Fatalf("no key frame %d", step.want)
				}
				f := next(t, v)
				if !bytes.Equal(slicesOf(f.Planes[0].Data), slicesOf(want[step.want])) {
					t.Fatalf("got another frame than %d", step.want)
				}
				if step.skip && (f.PTS < at || f.PTS > f.Ready) {
					t.Errorf("key frame %d is due %v after SkipToKey", step.want, f.PTS-at)
				}
				f.Release()
			}
			if v.SkipToKey() {
				t.Error("a key frame behind the last")
			}
			f := next(t, v)
			if !bytes.Equal(slicesOf(f.Planes[0].Data), slicesOf(want[22])) || f.Sequence != 6 {
				t.Errorf("a refused skip changed the place: sequence %d", f.Sequence)
			}
		})
	}
}

func TestH264SkipToKeyWraps(t *testing.T) {
	for _, c := range h264Files {
		v := mustOpen(t, c.open, c.path, Options{Loop: true})
		last := next(t, v).PTS
		for i, key := range []uint64{10, 20, 0, 10} {
			if !v.SkipToKey() {
				t.Fatalf("%s: no key frame %d", c.path, key)
			}
			f := next(t, v)
			if !h264.Inspect(f.Planes[0].Data).IDR || f.PTS <= last || f.Sequence != uint64(i+1) {
				t.Errorf("%s: skip %d: sequence %d, %v after the one before", c.path, i, f.Sequence, f.PTS-last)
			}
			last = f.PTS
		}
	}
}

// SkipToKey cuts a wait short, here of half a minute.
func TestH264SkipToKeyWakes(t *testing.T) {
	v := mustOpen(t, OpenH264, "testdata/stream.h264", Options{FPS: 1})
	next(t, v)
	v.pacer.base += 30 * time.Second
	got := make(chan capture.Frame, 1)
	go func() {
		f, err := v.Next(t.Context())
		if err != nil {
			t.Error(err)
		}
		got <- f
	}()
	waitUntilPending(v)
	if !v.SkipToKey() {
		t.Fatal("no key frame")
	}
	if f := <-got; !h264.Inspect(f.Planes[0].Data).IDR {
		t.Error("not a key frame")
	}
}

// waitUntilPending returns once Next has read the frame that it waits for.
func waitUntilPending(v *H264) {
	for {
		v.mu.Lock()
		there := v.pending.buf != nil
		v.mu.Unlock()
		if there {
			return
		}
		runtime.Gosched()
	}
}

func TestH264Close(t *testing.T) {
	for _, c := range h264Files {
		v := mustOpen(t, c.open, c.path, Options{})
		first := next(t, v)
		data := bytes.Clone(first.Planes[0].Data)
		v.pacer.base += time.Hour
		done := make(chan error)
		go func() {
			_, err := v.Next(context.Background())
			done <- err
		}()
		waitUntilPending(v)
		for range 2 {
			if err := v.Close(); err != nil {
				t.Errorf("%s: close: %v", c.path, err)
			}
		}
		if err := <-done; !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: a blocked Next: %v, want os.ErrClosed", c.path, err)
		}
		if _, err := v.Next(t.Context()); !errors.Is(err, os.ErrClosed) || v.SkipToKey() {
			t.Errorf("%s: Next after Close: %v, want os.ErrClosed", c.path, err)
		}
		if !bytes.Equal(first.Planes[0].Data, data) {
			t.Errorf("%s: a frame that was delivered changed", c.path)
		}
		first.Release()
	}
}

func TestH264EndsWithItsContext(t *testing.T) {
	v := mustOpen(t, OpenMP4, "testdata/progressive.mp4", Options{})
	next(t, v)
	v.pacer.base += time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := v.Next(ctx)
		done <- err
	}()
	waitUntilPending(v)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// A consumer that was away for long finds the file where it left it.
func TestH264MovesItsClock(t *testing.T) {
	v := mustOpen(t, OpenMP4, "testdata/progressive.mp4", Options{})
	a := next(t, v)
	v.pacer.base -= time.Hour
	b, c := next(t, v), next(t, v)
	if b.Sequence != 1 || b.PTS < a.PTS || c.PTS-b.PTS != 20*time.Millisecond {
		t.Errorf("sequence %d, then %v apart", b.Sequence, c.PTS-b.PTS)
	}
}

func TestH264FrameRate(t *testing.T) {
	v := mustOpen(t, OpenH264, "testdata/stream.h264", Options{FPS: 100})
	if a, b := next(t, v), next(t, v); b.PTS-a.PTS != 10*time.Millisecond || v.Format().FPS != 100 {
		t.Errorf("%v apart, format %v", b.PTS-a.PTS, v.Format())
	}
}

// Real footage, as a phone and an editor write it, against ffmpeg's own copy.
func TestMP4RealFootage(t *testing.T) {
	for _, path := range []string{
		"/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4",
		"/usr/share/forensics-samples/original-files/movie1/VID_20191220_170832.mp4",
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := os.Stat(path); err != nil {
				t.Skipf("%v (Debian: apt install forensics-samples-files)", err)
			}
			copied := filepath.Join(t.TempDir(), "copy.h264")
			ffmpeg(t, "-i", path, "-c", "copy", "-an", copied)
			want := splitFile(t, copied)
			v := mustOpen(t, OpenMP4, path, Options{})
			for i := range want {
				au, err := v.demuxer.next(nil, false)
				if err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
				if !bytes.Equal(slicesOf(au.data), slicesOf(want[i])) {
					t.Fatalf("frame %d: the slices differ from ffmpeg's", i)
				}
			}
			if _, err := v.demuxer.next(nil, false); err != io.EOF {
				t.Errorf("after %d frames: %v, want io.EOF", len(want), err)
			}
		})
	}
}

func ffmpeg(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skipf("%v (Debian: apt install ffmpeg)", err)
	}
	if out, err := exec.Command("ffmpeg", append([]string{"-v", "error", "-y"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
}

func TestH264AllocatesNothing(t *testing.T) {
	for _, c := range h264Files {
		v := mustOpen(t, c.open, c.path, Options{Loop: true})
		ctx := t.Context()
		step := func() {
			v.pacer.base -= 20 * time.Millisecond // no need to wait
			f, err := v.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			f.Release()
		}
		for range 50 {
			step()
		}
		if n := testing.AllocsPerRun(100, step); n >= 1 {
			t.Errorf("%s: %v allocations a frame", c.path, n)
		}
	}
}

func BenchmarkH264Next(b *testing.B) {
	for _, c := range h264Files {
		b.Run(filepath.Base(c.path), func(b *testing.B) {
			v := mustOpen(b, c.open, c.path, Options{Loop: true})
			b.ReportAllocs()
			for b.Loop() {
				v.pacer.base -= 20 * time.Millisecond
				f := next(b, v)
				f.Release()
			}
		})
	}
}

func mustOpen(tb testing.TB, open opener, path string, opts Options) *H264 {
	tb.Helper()
	v, err := open(path, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { v.Close() })
	return v
}

func next(tb testing.TB, v interface {
	Next(context.Context) (capture.Frame, error)
}) capture.Frame {
	tb.Helper()
	f, err := v.Next(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func splitFile(t *testing.T, path string) (units [][]byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := h264.NewSplitter(bytes.NewReader(data), 0, 0)
	for {
		au, err := s.Next()
		if err == io.EOF {
			return units
		}
		if err != nil {
			t.Fatal(err)
		}
		units = append(units, slices.Clone(au))
	}
}

// slicesOf returns the slices of an access unit alone.
func slicesOf(au []byte) (out []byte) {
	for nal := range h264.NALs(au) {
		if t := nal.Type(); t == h264.TypeSlice || t == h264.TypeIDR {
			out = h264.AppendNAL(out, nal)
		}
	}
	return out
}
