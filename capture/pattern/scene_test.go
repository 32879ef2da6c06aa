package pattern

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
)

// shapes are the pictures' sizes that the scene has to fit: wide, upright, small.
var shapes = [][2]int{{1280, 720}, {720, 1280}, {320, 240}, {160, 90}}

// TestSceneFitsAndMoves draws at moments that put the car on both edges. With
// BRIL_PATTERN_DIR set it leaves the pictures there to be looked at.
func TestSceneFitsAndMoves(t *testing.T) {
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for _, shape := range shapes {
		s := newScene(shape[0], shape[1])
		var last []byte
		for i, at := range []time.Duration{0, 400 * time.Millisecond, lap / 2, lap - time.Millisecond, lap} {
			f := frame(t, shape)
			s.draw(&f, at, midnight.Add(-time.Second+at))
			if got, ok := ReadTimecode(f.Planes[0].Data, f.Planes[0].Stride, f.Width, f.Height); !ok || !got.Equal(midnight.Add(-time.Second+at)) {
				t.Errorf("%v: the timecode says %v (%v)", shape, got, ok)
			}
			below := f.Planes[0].Data[f.Planes[0].Stride*stripHeight(f.Width):]
			if string(below) == string(last) {
				t.Errorf("%v: picture %d is the same as the one before", shape, i)
			}
			last = below
			save(t, f, i)
		}
	}
}

func TestFlashLastsAsLongAsTheBeep(t *testing.T) {
	s := newScene(320, 240)
	second := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	x := int(s.left + s.scale*(dialX+dialRadius*1.03))
	y := int(s.top + s.scale*dialY)
	colour := func(at time.Duration) byte {
		f := frame(t, [2]int{320, 240})
		s.draw(&f, 0, second.Add(at))
		return f.Planes[1].Data[y/2*f.Planes[1].Stride+x/2]
	}
	dark := colour(500 * time.Millisecond)
	for at, want := range map[time.Duration]bool{
		-time.Millisecond: false, 0: true, 30 * time.Millisecond: true, 59 * time.Millisecond: true, 60 * time.Millisecond: false,
	} {
		if lit := colour(at) != dark; lit != want {
			t.Errorf("%v from the second: flash is %v, want %v", at, lit, want)
		}
	}
}

func TestCarSlowsInTheMiddleAndLeaves(t *testing.T) {
	if at := carPosition(0); at != -carLength {
		t.Errorf("begins at %v, want just out of sight", at)
	}
	if at := carPosition(lap - 1); at < designWidth-1 {
		t.Errorf("ends at %v, want out of sight", at)
	}
	step := func(at time.Duration) float64 { return carPosition(at+10*time.Millisecond) - carPosition(at) }
	if edge, middle := step(0), step(lap/2); middle <= 0 || middle > edge/3 {
		t.Errorf("moves by %v at the edge and %v in the middle", edge, middle)
	}
}

func BenchmarkNewScene(b *testing.B) {
	for b.Loop() {
		newScene(1280, 720)
	}
}

func BenchmarkDraw720p(b *testing.B) {
	pool, err := capture.NewPool(capture.I420, 1280, 720)
	if err != nil {
		b.Fatal(err)
	}
	s := newScene(1280, 720)
	b.ReportAllocs()
	at := time.Duration(0)
	for b.Loop() {
		f := pool.Get()
		s.draw(&f, at, time.Unix(1_700_000_000, int64(at)))
		f.Release()
		at += time.Second / 30
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	p := open(t, Config{Width: 320, Height: 240, FPS: 120})
	next(t, p)
	for phase := range handPhases { // which are drawn when they are first seen
		p.scene.hand(phase)
	}
	for phase := range wheelPhases {
		p.scene.wheel(phase)
	}
	ctx := t.Context()
	if n := testing.AllocsPerRun(20, func() {
		f, err := p.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		f.Release()
	}); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func frame(t testing.TB, shape [2]int) capture.Frame {
	t.Helper()
	pool, err := capture.NewPool(capture.I420, shape[0], shape[1])
	if err != nil {
		t.Fatal(err)
	}
	return pool.Get()
}

func save(t *testing.T, f capture.Frame, n int) {
	dir := os.Getenv("BRIL_PATTERN_DIR")
	if dir == "" {
		return
	}
	out, err := os.Create(filepath.Join(dir, fmt.Sprintf("%dx%d-%d.png", f.Width, f.Height, n)))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := png.Encode(out, &image.YCbCr{
		Y: f.Planes[0].Data, Cb: f.Planes[1].Data, Cr: f.Planes[2].Data, YStride: f.Planes[0].Stride, CStride: f.Planes[1].Stride,
		SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, f.Width, f.Height),
	}); err != nil {
		t.Fatal(err)
	}
}
