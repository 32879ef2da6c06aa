// Package notice draws the picture that stands in for a camera's while there is
// none: black, a camera that is struck through, and a few words. It knows nothing
// of what has happened to the camera.
package notice

import (
	"image"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/bril-edge/bril/capture"
)

// Luma and chroma of the colours, ITU-R BT.601, limited range. Grey is bright
// enough to read and does not dazzle.
const (
	black   = 16
	grey    = 170
	neutral = 128
)

// Black makes all of f, which is I420, black.
func Black(f capture.Frame) {
	for i, value := range []byte{black, neutral, neutral} {
		for j := range f.Planes[i].Data {
			f.Planes[i].Data[j] = value
		}
	}
}

// Draw makes a notice of f, which is I420. The text is in ASCII; one that is too
// long for the picture is left out.
func Draw(f capture.Frame, text string) {
	Black(f)
	side := 0.4 * float64(min(f.Width, f.Height))
	drawCamera(f, float64(f.Width)/2, 0.42*float64(f.Height), side)
	drawText(f, text, int(0.42*float64(f.Height)+0.75*side))
}

// drawCamera draws a struck-through camera around (cx, cy). Its parts are shapes
// of which each tells how far a point is from its edge, in parts of side.
func drawCamera(f capture.Frame, cx, cy, side float64) {
	reach := side / 2
	for y := max(0, int(cy-reach)); y < min(f.Height, int(cy+reach)+1); y++ {
		row := f.Planes[0].Data[y*f.Planes[0].Stride:]
		for x := max(0, int(cx-reach)); x < min(f.Width, int(cx+reach)+1); x++ {
			d := camera((float64(x)+0.5-cx)/side, (float64(y)+0.5-cy)/side)
			cover := min(max(0.5-d*side, 0), 1) // of the pixel
			row[x] = byte(black + cover*(grey-black))
		}
	}
}

// camera returns the distance to a camera's edge, below zero inside: a body with a
// finder on it and a lens in it, and a stroke through all, with a gap around.
func camera(x, y float64) float64 {
	body := min(box(x, y-0.04, 0.42, 0.27, 0.06), box(x, y+0.26, 0.15, 0.09, 0.04))
	lens := math.Abs(math.Hypot(x, y-0.04)-0.15) - 0.035
	stroke := line(x, y, -0.42, 0.42, 0.42, -0.42)
	d := max(body, -lens)
	d = max(d, 0.07-stroke)
	return min(d, stroke-0.03)
}

// box is a rectangle of half these sizes with round corners.
func box(x, y, width, height, corner float64) float64 {
	dx, dy := math.Abs(x)-width+corner, math.Abs(y)-height+corner
	return math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - corner
}

// line is the distance to the line between two points.
func line(x, y, ax, ay, bx, by float64) float64 {
	dx, dy := bx-ax, by-ay
	t := min(max(((x-ax)*dx+(y-ay)*dy)/(dx*dx+dy*dy), 0), 1)
	return math.Hypot(x-ax-t*dx, y-ay-t*dy)
}

// drawText writes text in the middle of a line that begins at row top.
func drawText(f capture.Frame, text string, top int) {
	face := basicfont.Face7x13
	width, height := font.MeasureString(face, text).Ceil(), face.Height
	scale := max(1, min(f.Height/(14*height), 9*f.Width/(10*max(width, 1))))
	left := (f.Width - scale*width) / 2
	if left < 0 || top+scale*height > f.Height {
		return
	}
	small := image.NewAlpha(image.Rect(0, 0, width, height))
	drawer := font.Drawer{Dst: small, Src: image.Opaque, Face: face, Dot: fixed.P(0, face.Ascent)}
	drawer.DrawString(text)
	for y := range scale * height {
		row := f.Planes[0].Data[(top+y)*f.Planes[0].Stride+left:]
		for x := range scale * width {
			if small.AlphaAt(x/scale, y/scale).A > 127 {
				row[x] = grey
			}
		}
	}
}
