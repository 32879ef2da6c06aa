package notice

import (
	"testing"

	"github.com/bril-edge/bril/capture"
)

func draw(t *testing.T, width, height int, text string) capture.Frame {
	t.Helper()
	pool, err := capture.NewPool(capture.I420, width, height)
	if err != nil {
		t.Fatal(err)
	}
	f := pool.Get()
	Draw(f, text)
	return f
}

// bright returns which part of some rows is not black.
func bright(f capture.Frame, from, to int) float64 {
	n := 0
	for y := from; y < to; y++ {
		for _, v := range f.Planes[0].Data[y*f.Planes[0].Stride:][:f.Width] {
			if v != black {
				n++
			}
		}
	}
	return float64(n) / float64(max(1, (to-from)*f.Width))
}

func TestDraw(t *testing.T) {
	for _, size := range [][2]int{{1280, 720}, {720, 1280}, {640, 480}, {320, 180}, {64, 64}, {1920, 1080}} {
		f := draw(t, size[0], size[1], "no camera picture")
		_, h := size[0], size[1]
		if got := bright(f, h/5, 3*h/5); got < 0.03 || got > 0.5 {
			t.Errorf("%v: %.2f of the middle is bright", size, got)
		}
		below := bright(f, 42*h/100+min(size[0], h)/4, h)
		if wide := size[0] >= 320; wide != (below > 0.005) {
			t.Errorf("%v: %.3f of what is below is bright", size, below)
		}
		if got := bright(f, 0, h/8); got != 0 {
			t.Errorf("%v: something is at the top", size)
		}
		for _, p := range f.Planes[1:] {
			for _, v := range p.Data {
				if v != neutral {
					t.Fatalf("%v: it has a colour", size)
				}
			}
		}
	}
}

func TestBlack(t *testing.T) {
	f := draw(t, 64, 64, "")
	Black(f)
	if bright(f, 0, 64) != 0 {
		t.Error("not black")
	}
}
