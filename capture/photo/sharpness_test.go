package photo

import (
	"math"
	"testing"

	"github.com/bril-edge/bril/capture"
)

// sharpnessOf is the variance of the Laplacian of a raw frame in the obvious way.
func sharpnessOf(f *capture.Frame) float64 {
	data, stride, step := f.Planes[0].Data, f.Planes[0].Stride, 1
	if f.Format == capture.YUYV {
		step = 2
	}
	var sum, squares, n float64
	for y := 1; y < f.Height-1; y++ {
		for x := 1; x < f.Width-1; x++ {
			at := y*stride + x*step
			v := 4*float64(data[at]) - float64(data[at-step]) - float64(data[at+step]) - float64(data[at-stride]) - float64(data[at+stride])
			sum, squares, n = sum+v, squares+v*v, n+1
		}
	}
	return squares/n - sum/n*sum/n
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
					want = sharpnessOf(f)
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
