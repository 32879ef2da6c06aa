package pattern

import "math"

// The clock's digits are seven strokes each, as on a car's display:
//
//	 --0--
//	5     1
//	 --6--
//	4     2
//	 --3--
var strokes = [10]uint8{
	0b0111111, 0b0000110, 0b1011011, 0b1001111, 0b1100110,
	0b1101101, 0b1111101, 0b0000111, 0b1111111, 0b1101111,
}

// strokeEnds are the corners that each stroke joins, as parts of the box that
// the middles of the strokes span.
var strokeEnds = [7][2]point{
	{{0, 0}, {1, 0}},
	{{1, 0}, {1, 0.5}},
	{{1, 0.5}, {1, 1}},
	{{0, 1}, {1, 1}},
	{{0, 0.5}, {0, 1}},
	{{0, 0}, {0, 0.5}},
	{{0, 0.5}, {1, 0.5}},
}

var ink = rgba{0.55, 0.95, 1, 1}

// digitShader draws a digit, filling width x height pixels.
func digitShader(digit int, width, height float64) shader {
	thick := 0.085 * height // half the width of a stroke
	return func(x, y float64) rgba {
		for i, ends := range strokeEnds {
			if strokes[digit]>>i&1 == 1 && distance(x, y, place(ends[0], width, height, thick), place(ends[1], width, height, thick)) < 0.8*thick {
				return ink
			}
		}
		return rgba{}
	}
}

// place returns where a corner of a digit lies, in pixels.
func place(p point, width, height, margin float64) point {
	return point{margin + p.x*(width-2*margin), margin + p.y*(height-2*margin)}
}

// distance returns how far (x, y) is from the line between a and b, whose ends
// are a little apart from the corners so that strokes stay distinct.
func distance(x, y float64, a, b point) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	t := ((x-a.x)*dx + (y-a.y)*dy) / (dx*dx + dy*dy)
	t = min(max(t, 0.06), 0.94)
	return math.Hypot(x-a.x-t*dx, y-a.y-t*dy)
}

// dotShader draws round dots at these parts of the height.
func dotShader(width, height float64, at ...float64) shader {
	return func(x, y float64) rgba {
		for _, part := range at {
			if math.Hypot(x-width/2, y-part*height) < 0.09*height {
				return ink
			}
		}
		return rgba{}
	}
}
