package photo

import (
	"math"
	"testing"

	"github.com/bril-edge/bril/capture"
)

// sharpnessBy is the variance of the Laplacian in the obvious way.
func sharpnessBy(at func(x, y int) float64, w, h int) float64 {
	var sum, squares, n float64
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			v := 4*at(x, y) - at(x-1, y) - at(x+1, y) - at(x, y-1) - at(x, y+1)
			sum, squares, n = sum+v, squares+v*v, n+1
		}
	}
	return squares/n - sum/n*sum/n
}

func lumaAt(f *capture.Frame) func(x, y int) float64 {
	step := 1
	if f.Format == capture.YUYV {
		step = 2
	}
	return func(x, y int) float64 { return float64(f.Planes[0].Data[y*f.Planes[0].Stride+x*step]) }
}

func TestSharpness(t *testing.T) {
	taker := mustTaker(t, Config{})
	for _, kind := range []capture.PixelFormat{capture.I420, capture.NV12, capture.YUYV} {
		for _, size := range [][2]int{{64, 48}, {50, 34}, {18, 4}, {4, 4}, {2, 2}} {
			last := math.Inf(1)
			for blur := 1; blur <= 3; blur++ {
				f := texture(kind, size[0], size[1], blur)
				l, err := taker.luma.Read(f)
				if err != nil {
					t.Fatal(err)
				}
				got := sharpness(l)
				want := 0.0
				if size[0] > 2 {
					want = sharpnessBy(lumaAt(f), size[0], size[1])
				}
				if math.Abs(got-want) > 1e-6*want {
					t.Errorf("%v of %v blurred over %d: %.3f, want %.3f", kind, size, blur, got, want)
				}
				if size[1] > 4 && got >= last {
					t.Errorf("%v of %v blurred over %d has %.1f, before %.1f", kind, size, blur, got, last)
				}
				last = got
			}
		}
	}
}
