package pattern

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
)

func TestNextSaysWhenItWasDrawn(t *testing.T) {
	p := open(t, Config{Width: 320, Height: 240, FPS: 100})
	var last capture.Frame
	for i := range 5 {
		f, err := p.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at, ok := ReadTimecode(f.Planes[0].Data, f.Planes[0].Stride, f.Width, f.Height)
		if !ok {
			t.Fatal("the timecode is not readable")
		}
		if off := monotonic.Wall(f.PTS).Sub(at); off < -time.Millisecond || off > 2*time.Millisecond {
			t.Errorf("the timecode differs by %v from the PTS", off)
		}
		if f.Ready != f.PTS || f.Format != capture.I420 {
			t.Errorf("got %+v", f)
		}
		if i > 0 && (f.PTS <= last.PTS || f.Sequence <= last.Sequence) {
			t.Errorf("frame %d at %v follows %d at %v", f.Sequence, f.PTS, last.Sequence, last.PTS)
		}
		last = f
		f.Release()
	}
}

func TestFormat(t *testing.T) {
	if got := open(t, Config{}).Format().String(); got != "1280x720@30 YU12" {
		t.Errorf("the default is %s", got)
	}
	if got := open(t, Config{Width: 640, Height: 480, FPS: 15}).Format().String(); got != "640x480@15 YU12" {
		t.Errorf("got %s", got)
	}
}

func TestPacer(t *testing.T) {
	const ms = time.Millisecond
	p := pacer{interval: 10 * ms}
	steps := []struct {
		now  time.Duration // when the frame is made
		due  time.Duration
		slot uint64
	}{
		{1000 * ms, 1000 * ms, 0},
		{1010 * ms, 1010 * ms, 1},
		{1029 * ms, 1020 * ms, 2}, // late, within its slot
		{1030 * ms, 1030 * ms, 3},
		{1077 * ms, 1040 * ms, 7}, // 4, 5 and 6 have passed
		{1080 * ms, 1080 * ms, 8}, // no burst
		{1085 * ms, 1090 * ms, 9}, // early: a slot is used once only
		{1100 * ms, 1100 * ms, 10},
	}
	for i, s := range steps {
		if due := p.due(s.now); due != s.due {
			t.Errorf("step %d: due at %v, want %v", i, due, s.due)
		}
		if slot := p.take(s.now); slot != s.slot {
			t.Errorf("step %d: slot %d, want %d", i, slot, s.slot)
		}
	}
}

func TestLateConsumerGetsNoBurst(t *testing.T) {
	p := open(t, Config{Width: 160, Height: 90, FPS: 100})
	first := next(t, p)
	p.pace.start -= 55 * time.Millisecond // as if the consumer had been away for so long
	late, after := next(t, p), next(t, p)
	if late.Sequence < first.Sequence+5 {
		t.Errorf("55 ms late, frame %d follows %d, want a gap", late.Sequence, first.Sequence)
	}
	if due := p.pace.start + time.Duration(after.Sequence)*p.pace.interval; after.Sequence <= late.Sequence || after.PTS < due {
		t.Errorf("frame %d follows %d, %v before its moment", after.Sequence, late.Sequence, due-after.PTS)
	}
}

func TestPatternEnds(t *testing.T) {
	p := open(t, Config{Width: 160, Height: 90, FPS: 1})
	next(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: got %v, want context.Canceled", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := p.Next(context.Background())
		done <- err
	}()
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed while waiting: got %v, want os.ErrClosed", err)
	}
	if _, err := p.Next(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after close: got %v, want os.ErrClosed", err)
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	tests := []struct {
		config Config
		want   string
	}{
		{Config{Width: 1281, Height: 720}, "pattern of 1281x720: width and height must be even"},
		{Config{Width: 1280}, "pattern of 1280x0: must be from 160x90"},
		{Config{Width: 100, Height: 100}, "pattern of 100x100: must be from"},
		{Config{Width: 8000, Height: 4000}, "to 3840x2160"},
		{Config{FPS: 1000}, "pattern at 1000 frames a second: must be from 1 to 120"},
		{Config{FPS: -1}, "pattern at -1 frames"},
		{Config{FPS: math.NaN()}, "pattern at NaN frames"},
	}
	for _, test := range tests {
		if _, err := New(test.config); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %q", test.config, err, test.want)
		}
	}
}

func open(t testing.TB, config Config) *Pattern {
	t.Helper()
	p, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func next(t testing.TB, p *Pattern) capture.Frame {
	t.Helper()
	f, err := p.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.Release()
	return f
}
