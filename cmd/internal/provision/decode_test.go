package provision

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/skip2/go-qrcode"

	"github.com/bril-edge/bril/capture"
)

// code is a payload of the greatest length.
func code() string { return payload(1, 300) }

// payload has the length in characters; each seed has its own.
func payload(seed uint64, length int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
	random := rand.New(rand.NewPCG(seed, 2))
	var b strings.Builder
	b.WriteString("BRIL1:")
	for b.Len() < length {
		b.WriteByte(alphabet[random.IntN(len(alphabet))])
	}
	return b.String()
}

// scene is how a code is held in front of the camera.
type scene struct {
	module float64 // size in pixels
	quiet  float64 // width of the white around it, in modules
	turn   float64 // degrees
	blur   int     // radius in pixels
	noise  float64 // standard deviation, of 255
	dim    float64 // contrast that is left, 0 for all
	shade  bool    // a shadow over a half
	invert bool
}

// picture draws a code of text as a camera of 640x480 would see it.
func (s scene) picture(t testing.TB, text string) capture.Frame {
	const w, h = 640, 480
	q, err := qrcode.New(text, qrcode.Low)
	if err != nil {
		t.Fatal(err)
	}
	q.DisableBorder = true
	modules := q.Bitmap()
	n := float64(len(modules))
	sin, cos := math.Sincos(s.turn * math.Pi / 180)
	random := rand.New(rand.NewPCG(3, 4))
	at := func(x, y float64) float64 { // 0 is black, 1 is white, around it grey
		x, y = x-w/2, y-h/2
		u, v := (x*cos+y*sin)/s.module+n/2, (y*cos-x*sin)/s.module+n/2
		switch {
		case u < -s.quiet || v < -s.quiet || u >= n+s.quiet || v >= n+s.quiet:
			return 0.4
		case u < 0 || v < 0 || u >= n || v >= n || !modules[int(v)][int(u)]:
			return 1
		}
		return 0
	}
	luma := make([]float64, w*h)
	for y := range h {
		for x := range w {
			sum := 0.0
			for _, d := range [][2]float64{{.125, .375}, {.375, .875}, {.625, .125}, {.875, .625}} { // a pixel has an area
				sum += at(float64(x)+d[0], float64(y)+d[1])
			}
			luma[y*w+x] = sum / 4
		}
	}
	luma = blur(luma, w, h, s.blur)
	memory := make([]byte, w*h*3/2)
	for i, v := range luma {
		if s.invert {
			v = 1 - v
		}
		if s.dim > 0 {
			v = 0.5 + (v-0.5)*s.dim
		}
		if s.shade && i%w > w/2 {
			v *= 0.45
		}
		memory[i] = byte(min(max(16+219*v+s.noise*random.NormFloat64(), 0), 255))
	}
	return capture.Frame{Format: capture.I420, Width: w, Height: h, Planes: capture.LayOut(capture.I420, w, h, memory)}
}

// blur averages in both directions.
func blur(in []float64, w, h, r int) []float64 {
	for _, step := range []int{1, w} {
		out := make([]float64, len(in))
		for i := range in {
			sum, count := 0.0, 0.0
			for d := -r; d <= r; d++ {
				if j := i + d*step; j >= 0 && j < len(in) {
					sum, count = sum+in[j], count+1
				}
			}
			out[i] = sum / count
		}
		in = out
	}
	return in
}

// smallest is the module size that the documentation names: 3 pixels, so that a code
// of 53 modules has to fill a third of the height of the picture.
const smallest = 3

func TestRead(t *testing.T) {
	for name, s := range map[string]scene{
		"near":               {module: 7.5, quiet: 4},
		"smallest":           {module: smallest, quiet: 4, noise: 4},
		"smallest, turned":   {module: smallest, quiet: 4, turn: 10, noise: 4},
		"half a quiet zone":  {module: 5, quiet: 2},
		"turned a little":    {module: 5, quiet: 4, turn: 7},
		"turned 45 degrees":  {module: 5, quiet: 4, turn: 45},
		"on its side":        {module: 5, quiet: 4, turn: 90},
		"on its head":        {module: 5, quiet: 4, turn: 183},
		"blurred":            {module: 6, quiet: 4, blur: 2},
		"noise of the dark":  {module: 5, quiet: 4, noise: 20},
		"little contrast":    {module: 5, quiet: 4, dim: 0.25, noise: 2},
		"half in the shadow": {module: 5, quiet: 4, shade: true},
		"white on black":     {module: 5, quiet: 4, invert: true},
	} {
		t.Run(name, func(t *testing.T) {
			want := code()
			if got, err := (&reader{}).read(s.picture(t, want)); err != nil || got != want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestReadSteady: a code that cannot be read upright is read once the picture is turned,
// though every picture is the same.
func TestReadSteady(t *testing.T) {
	upright := scene{module: 5, quiet: 4}
	for _, want := range []string{payload(152, 210), payload(199, 270)} {
		r, f := &reader{}, upright.picture(t, want)
		if got, _ := r.read(f); got != "" {
			t.Fatal("it is read upright, and shows nothing here")
		}
		for range angles[1:] {
			if got, err := r.read(f); err != nil || got != want {
				t.Errorf("%q, %v", got, err)
			}
		}
	}
}

func TestReadNothing(t *testing.T) {
	for name, s := range map[string]scene{"too far": {module: 1, quiet: 4}, "out of focus": {module: 3, quiet: 4, blur: 6}} {
		if got, err := (&reader{}).read(s.picture(t, code())); err != nil || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := (&reader{}).read(capture.Frame{Format: capture.MJPEG}); err == nil {
		t.Error("a compressed picture was looked at")
	}
}

// TestSmallest prints what each module size comes to, for the documentation.
func TestSmallest(t *testing.T) {
	for _, module := range []float64{1.5, 2, 2.25, 2.5, 2.75, 3, 3.5, 4} {
		read, of := 0, 0
		for turn := range 12 {
			want := code()
			got, _ := (&reader{}).read(scene{module: module, quiet: 4, turn: float64(turn) * 3.5, noise: 4}.picture(t, want))
			of++
			if got == want {
				read++
			}
		}
		t.Logf("modules of %.2f pixels: read %d of %d", module, read, of)
	}
}

func BenchmarkRead(b *testing.B) {
	for name, s := range map[string]scene{"code": {module: 5, quiet: 4}, "none": {module: 1, quiet: 4, noise: 10}} {
		b.Run(name, func(b *testing.B) {
			f, r := s.picture(b, code()), &reader{}
			for b.Loop() {
				_, _ = r.read(f)
			}
		})
	}
}
