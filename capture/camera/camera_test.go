package camera

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/hardware/v4l2"
)

func TestFramesReferToTheDriversBuffers(t *testing.T) {
	tests := []struct {
		code    v4l2.FourCC
		format  capture.PixelFormat
		strides [3]int
		lengths [3]int
	}{
		{v4l2.PixFmtYUYV, capture.YUYV, [3]int{48}, [3]int{48 * 8}},
		{v4l2.PixFmtNV12, capture.NV12, [3]int{48, 48}, [3]int{48 * 8, 48 * 4}},
		{v4l2.PixFmtYUV420, capture.I420, [3]int{48, 24, 24}, [3]int{48 * 8, 24 * 4, 24 * 4}},
		{v4l2.PixFmtMJPEG, capture.MJPEG, [3]int{}, [3]int{100}},
		{v4l2.PixFmtH264, capture.H264, [3]int{}, [3]int{100}},
	}
	for _, test := range tests {
		t.Run(test.format.String(), func(t *testing.T) {
			b := newBench(t, test.code)
			c := b.start(t)
			if got := c.Format(); got != (capture.VideoFormat{Format: test.format, Width: 16, Height: 8, FPS: 30}) {
				t.Errorf("format %v", got)
			}
			b.camera.Deliver(whole(c, 7))
			f := next(t, c)
			for i, plane := range f.Planes {
				if plane.Stride != test.strides[i] || len(plane.Data) != test.lengths[i] {
					t.Errorf("plane %d: stride %d, %d bytes", i, plane.Stride, len(plane.Data))
				}
				for _, v := range plane.Data {
					if v != 7 {
						t.Fatalf("plane %d holds %d", i, v)
					}
				}
			}
			f.Release()
			f.Release()
			if got := b.camera.Queued(); got != c.queue.Len() {
				t.Errorf("%d of %d buffers queued after Release", got, c.queue.Len())
			}
		})
	}
}

func TestStampsAndSequence(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	b.camera.SetSequence(1<<32 - 2) // the number wraps on the way
	c := b.start(t)
	taken := monotonic.Now().Truncate(time.Microsecond)
	for i, want := range []uint64{0, 1, 5, 6} {
		p := whole(c, 1)
		p.Time = taken + time.Duration(i)*time.Microsecond
		if want == 5 {
			p.Skip = 3
		}
		b.camera.Deliver(p)
		f := next(t, c)
		if missed := map[bool]uint64{true: 3}[want >= 5]; f.Missed != missed {
			t.Errorf("%d missed at %d, want %d", f.Missed, want, missed)
		}
		if f.Sequence != want || f.PTS != p.Time || f.Ready < f.PTS {
			t.Errorf("sequence %d (want %d), PTS %v (want %v), ready %v", f.Sequence, want, f.PTS, p.Time, f.Ready)
		}
		f.Release()
	}
}

func TestTheConsumerThatIsLateGetsTheLastTwo(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	c := b.start(t)
	for i := range 4 {
		b.camera.Deliver(whole(c, byte(i)))
	}
	for _, want := range []uint64{2, 3} {
		f := next(t, c)
		if f.Sequence != want || f.Planes[0].Data[0] != byte(want) {
			t.Errorf("sequence %d, content %d, want %d", f.Sequence, f.Planes[0].Data[0], want)
		}
		f.Release()
	}
	if got := c.Counts(); got.Dropped != 2 {
		t.Errorf("%+v", got)
	}
	if b.camera.Queued() != 4 {
		t.Errorf("%d buffers queued", b.camera.Queued())
	}
}

// A camera without a buffer to fill has missed nothing: the path holds them all.
func TestWhoMissesAPicture(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	c := b.start(t)
	for range c.queue.Len() + 2 { // two too many
		b.camera.Deliver(whole(c, 0))
	}
	for range 2 {
		f := next(t, c)
		f.Release()
	}
	b.camera.Deliver(whole(c, 0))
	f := next(t, c)
	if f.Sequence != uint64(c.queue.Len())+2 || f.Missed != 0 {
		t.Errorf("sequence %d, %d missed", f.Sequence, f.Missed)
	}
	f.Release()
	p := whole(c, 0)
	p.Skip = 2
	b.camera.Deliver(p)
	if f = next(t, c); f.Missed != 2 {
		t.Errorf("%d missed, want 2", f.Missed)
	}
	f.Release()
}

func TestTheConsumerThatStaysBehindGetsTheNewest(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	c := b.start(t)
	b.camera.Deliver(whole(c, 0))
	last := uint64(0)
	for range 2 * patience {
		b.camera.Deliver(whole(c, 0))
		f := next(t, c)
		last = f.Sequence
		f.Release()
	}
	if newest := uint64(2 * patience); last != newest || c.Counts().Dropped != 1 {
		t.Errorf("got number %d of %d, %+v", last, newest, c.Counts())
	}
	if f := c.late; f > patience {
		t.Errorf("late %d times", f)
	}
}

func TestH264IsNeverDropped(t *testing.T) {
	b := newBench(t, v4l2.PixFmtH264)
	c := b.start(t)
	for i := range 3 {
		b.camera.Deliver(whole(c, byte(i)))
	}
	for i := range 3 {
		f := next(t, c)
		if f.Planes[0].Data[0] != byte(i) {
			t.Errorf("access unit %d is %d", i, f.Planes[0].Data[0])
		}
		f.Release()
	}
}

func TestDamagedPicturesAreSkippedAndCounted(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	c := b.start(t)
	damaged, short := whole(c, 1), whole(c, 2)
	damaged.Flags = v4l2.BufError
	short.Unfilled = 1
	b.camera.Deliver(damaged)
	b.camera.Deliver(short)
	go b.camera.Deliver(whole(c, 3))
	f := next(t, c)
	if f.Planes[0].Data[0] != 3 || f.Sequence != 2 || c.Counts().Damaged != 2 {
		t.Errorf("content %d, sequence %d, %+v", f.Planes[0].Data[0], f.Sequence, c.Counts())
	}
	f.Release()
	if b.camera.Queued() != 4 {
		t.Errorf("%d buffers queued", b.camera.Queued())
	}
}

func TestCloseWithFramesOut(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	c := b.start(t)
	b.camera.Deliver(whole(c, 9))
	f := next(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if b.camera.Streaming() {
		t.Error("the camera still runs")
	}
	if f.Planes[0].Data[0] != 9 { // would fault if it were unmapped
		t.Error("the frame changed")
	}
	f.Release()
	if leaks := b.kernel.Leaks(); leaks != "" {
		t.Errorf("left behind: %s", leaks)
	}
	if _, err := c.Next(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
}

func TestNextEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(c *Camera, cancel func(), b *bench)
		want error
	}{
		{"context", func(_ *Camera, cancel func(), _ *bench) { cancel() }, context.Canceled},
		{"close", func(c *Camera, _ func(), _ *bench) { c.Close() }, os.ErrClosed},
		{"unplugged", func(_ *Camera, _ func(), b *bench) { b.camera.Unplug() }, ErrGone},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, v4l2.PixFmtYUYV)
			c := b.start(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error)
			go func() {
				_, err := c.Next(ctx)
				result <- err
			}()
			test.end(c, cancel, b)
			if err := <-result; !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestEveryFailureLeavesNothingBehind(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	b.kernel.FailStep(0, 0)
	b.start(t).Close()
	for i, step := range b.kernel.Steps() {
		for _, errno := range errnos {
			b.kernel.FailStep(i+1, errno)
			_, err := b.open(b.config())
			if !errors.Is(err, errno) || !strings.Contains(err.Error(), b.path) {
				t.Errorf("%s (step %d) fails: %v", step, i+1, err)
			}
			if leaks := b.kernel.Leaks(); leaks != "" {
				t.Errorf("%s (step %d) fails: left behind: %s", step, i+1, leaks)
			}
		}
	}
	if opened, closed := len(b.kernel.Steps()), b.webcam.closed; opened == 0 || closed == 0 {
		t.Errorf("%d steps, the camera was closed %d times", opened, closed)
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestOpenExplains(t *testing.T) {
	tests := []struct {
		name   string
		change func(b *bench, cfg *Config)
		want   error
		says   []string
	}{
		{"missing", func(_ *bench, cfg *Config) { cfg.Device = "/dev/video99" }, os.ErrNotExist,
			[]string{"/dev/video99", "bril devices"}},
		{"forbidden", func(b *bench, _ *Config) { b.kernel.FailStep(1, unix.EACCES) }, os.ErrPermission,
			[]string{"group video"}},
		{"busy", func(b *bench, _ *Config) { b.kernel.FailStep(3, unix.EBUSY) }, ErrBusy,
			[]string{"by another process"}},
		{"bad cable", func(b *bench, _ *Config) { b.kernel.FailStep(3, unix.EIO) }, unix.EIO,
			[]string{"another cable or socket"}},
		{"terminal", func(b *bench, _ *Config) { b.camera.NotVideo = true }, ErrNotCamera,
			[]string{"does not answer as a V4L2 device"}},
		{"metadata node", func(b *bench, _ *Config) { b.camera.Caps = v4l2.CapMetaCapture | v4l2.CapStreaming }, ErrNotCamera,
			[]string{"takes no pictures", "0x4800000"}},
		{"no streaming", func(b *bench, _ *Config) { b.camera.Caps = v4l2.CapVideoCapture }, ErrNotCamera,
			[]string{"cannot stream"}},
		{"other format", func(_ *bench, cfg *Config) { cfg.Formats = []capture.PixelFormat{capture.H264} },
			ErrUnsupportedFormat, []string{"wanted one of [H264], it has [YUYV]"}},
		{"driver's own format", func(b *bench, _ *Config) { b.camera.Format = v4l2.PixFmtNV12 },
			ErrUnsupportedFormat, []string{"asked for YUYV, the driver made it NV12"}},
		{"odd size", func(b *bench, _ *Config) { b.camera.Width = 15 }, ErrUnsupportedFormat, []string{"15x8"}},
		{"small buffers", func(b *bench, _ *Config) { b.camera.Height, b.camera.SizeImage = 1024, 100 },
			ErrUnsupportedFormat, []string{"4096 bytes", "needs 49152"}},
		{"unplugged", func(b *bench, _ *Config) { b.camera.Unplug() }, os.ErrNotExist, []string{"bril devices"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, v4l2.PixFmtYUYV)
			cfg := b.config()
			test.change(b, &cfg)
			_, err := b.open(cfg)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			said := err.Error() + "\n" + hintOf(err)
			for _, part := range append(test.says, cfg.Device) {
				if !strings.Contains(said, part) {
					t.Errorf("%q does not say %q", said, part)
				}
			}
			if leaks := b.kernel.Leaks(); leaks != "" {
				t.Errorf("left behind: %s", leaks)
			}
		})
	}
}

func TestBusyNamesTheProcess(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	fds := filepath.Join(b.proc, "4711", "fd")
	if err := os.MkdirAll(fds, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(b.path, filepath.Join(fds, "3")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.proc, "4711", "comm"), []byte("guvcview\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.kernel.FailStep(3, unix.EBUSY)
	_, err := b.open(b.config())
	if err == nil || !strings.Contains(err.Error(), "device in use by guvcview (process 4711)") {
		t.Errorf("got %v", err)
	}
}

func TestAutoFindsTheCamera(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	cfg := b.config()
	cfg.Device = "auto"
	c, err := b.open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if c.Path() != b.path {
		t.Errorf("found %s", c.Path())
	}
	c.Close()

	b.camera.Caps = v4l2.CapMetaCapture | v4l2.CapStreaming
	if _, err := b.open(cfg); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "no capture device") {
		t.Errorf("with a metadata node only: %v", err)
	}
}

func TestFrameAllocatesNothing(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	c := b.start(t)
	ctx := t.Context()
	p := whole(c, 1)
	allocs := testing.AllocsPerRun(100, func() {
		b.camera.Deliver(p)
		f, err := c.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		f.Release()
	})
	if allocs > 0 {
		t.Errorf("%v allocations a frame", allocs)
	}
}
