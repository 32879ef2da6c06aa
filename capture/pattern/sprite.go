package pattern

import (
	"image"
	"runtime"
	"sync"
)

// rgba is a colour with each part from 0 to 1, not premultiplied.
type rgba struct{ r, g, b, a float64 }

func grey(v float64) rgba { return rgba{v, v, v, 1} }

// mix returns c at 0, d at 1, and what lies between.
func mix(c, d rgba, t float64) rgba {
	return rgba{c.r + (d.r-c.r)*t, c.g + (d.g-c.g)*t, c.b + (d.b-c.b)*t, c.a + (d.a-c.a)*t}
}

// scale returns c with its light multiplied.
func (c rgba) scale(by float64) rgba { return rgba{c.r * by, c.g * by, c.b * by, c.a} }

// yuv returns c in limited range by ITU-R BT.601, which decoders assume of a
// stream that does not say.
func (c rgba) yuv() (y, u, v float64) {
	r, g, b := clamp(c.r), clamp(c.g), clamp(c.b)
	luma := 0.299*r + 0.587*g + 0.114*b
	return 16 + 219*luma, 128 + 224*(b-luma)/1.772, 128 + 224*(r-luma)/1.402
}

func clamp(v float64) float64 { return min(max(v, 0), 1) }

// shader gives the colour at a point in pixels.
type shader func(x, y float64) rgba

// plane8 is one plane of a picture or sprite.
type plane8 struct {
	pix           []byte
	stride        int
	width, height int
}

func newPlane8(width, height int) plane8 {
	return plane8{pix: make([]byte, width*height), stride: width, width: width, height: height}
}

// sprite is a small I420 picture with a mask for luma and one for chroma. Its
// size is even both ways.
type sprite struct {
	y, u, v    plane8
	alpha      plane8 // for y
	alphaSmall plane8 // for u and v
}

// render draws a sprite of width x height pixels, rounded up to even. A pixel's
// colour is the average of samples points each way, which smooths edges.
func render(width, height, samples int, shade shader) *sprite {
	width, height = even(width), even(height)
	s := &sprite{
		y: newPlane8(width, height), alpha: newPlane8(width, height),
		u: newPlane8(width/2, height/2), v: newPlane8(width/2, height/2), alphaSmall: newPlane8(width/2, height/2),
	}
	var wait sync.WaitGroup
	workers := runtime.GOMAXPROCS(0) // a board with four slow cores is in a hurry to show the first picture
	for first := range workers {
		wait.Go(func() {
			for y := 2 * first; y < height; y += 2 * workers {
				for x := 0; x < width; x += 2 {
					s.renderBlock(x, y, samples, shade)
				}
			}
		})
	}
	wait.Wait()
	return s
}

func even(n int) int { return (n + 1) &^ 1 }

// renderBlock draws 2x2 pixels of luma and the one of chroma that they share.
func (s *sprite) renderBlock(x, y, samples int, shade shader) {
	var block rgba
	for i := range 4 {
		px, py := x+i%2, y+i/2
		c := average(float64(px), float64(py), samples, shade)
		luma, _, _ := c.yuv()
		s.y.pix[py*s.y.stride+px] = byte(luma + 0.5)
		s.alpha.pix[py*s.alpha.stride+px] = byte(255*clamp(c.a) + 0.5)
		block = accumulate(block, c)
	}
	block = settle(block, 4)
	_, u, v := block.yuv()
	i := y/2*s.u.stride + x/2
	s.u.pix[i], s.v.pix[i] = byte(u+0.5), byte(v+0.5)
	s.alphaSmall.pix[i] = byte(255*clamp(block.a) + 0.5)
}

// average returns the mean colour of the pixel whose corner is (x, y).
func average(x, y float64, samples int, shade shader) rgba {
	step := 1 / float64(samples)
	var sum rgba
	for i := range samples * samples {
		sum = accumulate(sum, shade(x+(float64(i%samples)+0.5)*step, y+(float64(i/samples)+0.5)*step))
	}
	return settle(sum, float64(samples*samples))
}

// accumulate adds a colour weighed by its opacity, so that what is transparent
// does not bleed its colour into an edge.
func accumulate(sum, c rgba) rgba {
	return rgba{sum.r + c.r*c.a, sum.g + c.g*c.a, sum.b + c.b*c.a, sum.a + c.a}
}

func settle(sum rgba, n float64) rgba {
	if sum.a == 0 {
		return rgba{}
	}
	return rgba{sum.r / sum.a, sum.g / sum.a, sum.b / sum.a, sum.a / n}
}

// canvas is the picture that sprites are put on.
type canvas struct{ y, u, v plane8 }

// draw puts s with its upper left corner at (x, y), clipped to the picture. The
// position is rounded down to even, so that luma and chroma stay together.
func (c *canvas) draw(s *sprite, x, y int) {
	x, y = x&^1, y&^1
	blend(&c.y, &s.y, &s.alpha, x, y)
	blend(&c.u, &s.u, &s.alphaSmall, x/2, y/2)
	blend(&c.v, &s.v, &s.alphaSmall, x/2, y/2)
}

func blend(dst, src, alpha *plane8, x, y int) {
	at := image.Pt(x, y)
	r := image.Rect(0, 0, dst.width, dst.height).Intersect(image.Rect(0, 0, src.width, src.height).Add(at)).Sub(at)
	for row := r.Min.Y; row < r.Max.Y; row++ {
		from := src.pix[row*src.stride+r.Min.X : row*src.stride+r.Max.X]
		mask := alpha.pix[row*alpha.stride+r.Min.X : row*alpha.stride+r.Max.X]
		to := dst.pix[(row+y)*dst.stride+r.Min.X+x:]
		blendRow(to[:len(from)], from, mask[:len(from)])
	}
}

func blendRow(dst, src, mask []byte) {
	src, mask = src[:len(dst)], mask[:len(dst)]
	for i, a := range mask {
		switch a {
		case 0:
		case 255:
			dst[i] = src[i]
		default:
			d := int32(dst[i])
			dst[i] = byte(d + ((int32(src[i])-d)*int32(a)*257+1<<15)>>16)
		}
	}
}
