package camera

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
)

func TestMultiplanarCamera(t *testing.T) {
	b := newBench(t, v4l2.PixFmtNV12)
	b.camera.Multiplanar = true
	c := b.start(t)
	if list := b.list(16, 8); len(list) != 1 || len(list[0].Formats) != 1 || list[0].Formats[0].Sizes[0].Width != 16 {
		t.Errorf("listed as %+v", list)
	}
	p := whole(c, 7)
	p.Offset = 64
	p.Data[0] = 9
	b.camera.Deliver(p)
	f := next(t, c)
	if f.Planes[0].Data[0] != 9 || f.Planes[1].Data[0] != 7 || f.Planes[0].Stride != 48 {
		t.Errorf("the picture begins with %d, its chroma with %d, stride %d", f.Planes[0].Data[0], f.Planes[1].Data[0], f.Planes[0].Stride)
	}
	f.Release()
}

func TestSharedFrames(t *testing.T) {
	for _, multiplanar := range []bool{false, true} {
		b := newBench(t, v4l2.PixFmtNV12)
		b.camera.Multiplanar = multiplanar
		cfg := b.config()
		cfg.Share = true
		c, err := b.open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		slots := map[int]int{} // descriptor by slot
		for range 3 * c.queue.Len() {
			b.camera.Deliver(whole(c, 1))
			f := next(t, c)
			s := f.Shared
			if s == nil || s.Slots != 6 || len(s.Planes) != 1 || s.Planes[0].Length < c.least {
				t.Fatalf("shared as %+v", s)
			}
			if fd, known := slots[s.Slot]; known && fd != s.Planes[0].FD {
				t.Errorf("slot %d is descriptor %d, and was %d", s.Slot, s.Planes[0].FD, fd)
			}
			slots[s.Slot] = s.Planes[0].FD
			f.Release()
			if f.Shared != nil {
				t.Error("shared after Release")
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if leaks := b.kernel.Leaks(); leaks != "" {
			t.Errorf("left behind: %s", leaks)
		}
	}
}

func TestCameraThatCannotShare(t *testing.T) {
	b := newBench(t, v4l2.PixFmtNV12)
	b.camera.NoExport = true
	cfg := b.config()
	cfg.Share = true
	c, err := b.open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b.camera.Deliver(whole(c, 1))
	f := next(t, c)
	if f.Shared != nil {
		t.Errorf("shared as %+v", f.Shared)
	}
	f.Release()
}

// Any failure of the export itself is only that: the camera works without.
func TestEveryFailureWhileSharing(t *testing.T) {
	b := newBench(t, v4l2.PixFmtNV12)
	b.camera.Multiplanar, b.camera.Cable = true, true
	cfg := b.config()
	cfg.Share = true
	b.kernel.FailStep(0, 0)
	c, err := b.open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	for i, step := range b.kernel.Steps() {
		b.kernel.FailStep(i+1, unix.EIO)
		c, err := b.open(cfg)
		switch {
		case err == nil && (step == "EXPBUF" || strings.HasPrefix(step, "ENUM") || step == "QUERYCTRL"):
			c.Close()
		case !errors.Is(err, unix.EIO) && !errors.Is(err, ErrUnsupportedFormat):
			t.Errorf("%s (step %d) fails: %v", step, i+1, err)
		}
		if leaks := b.kernel.Leaks(); leaks != "" {
			t.Errorf("%s (step %d) fails: left behind: %s", step, i+1, leaks)
		}
	}
}

func TestSourceChanges(t *testing.T) {
	b := newBench(t, v4l2.PixFmtNV12)
	b.camera.Cable = true
	c := b.start(t)
	b.camera.Deliver(whole(c, 1))
	f := next(t, c)
	f.Release()
	go b.camera.ChangeSource()
	if _, err := c.Next(t.Context()); !errors.Is(err, ErrSourceChanged) {
		t.Errorf("got %v", err)
	}
}
