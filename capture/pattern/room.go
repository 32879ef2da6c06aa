package pattern

import "math"

// room is the colour of the showroom at a point of the design. bottom is where
// the picture ends, which is below the design in an upright picture.
func room(x, y, bottom float64) rgba {
	if y >= floorLine {
		return floor(x, y, bottom)
	}
	c := wall(x, y)
	if s, ok := screen(x, y); ok {
		c = s
	}
	if p, ok := clockPanel(x, y); ok {
		c = p
	}
	return dial(c, x, y)
}

var (
	wallTop    = rgba{0.16, 0.19, 0.26, 1}
	wallBottom = rgba{0.46, 0.48, 0.52, 1}
	slat       = rgba{0.46, 0.31, 0.20, 1}
	floorFar   = rgba{0.52, 0.52, 0.54, 1}
	floorNear  = rgba{0.20, 0.20, 0.23, 1}
)

// wall is plaster lit by four lamps, with wooden slats on the right.
func wall(x, y float64) rgba {
	down := clamp(y / floorLine)
	c := mix(wallTop, wallBottom, down*(0.7+0.3*down))
	if x > 1040 {
		c = wood(x, y)
	}
	light := 0.80 + 0.55*lamps(x, y)
	return c.scale(light + 0.05*(noise(x, y)-0.5))
}

func wood(x, y float64) rgba {
	along := math.Mod(x+2000, 22)
	c := slat.scale(0.75 + 0.3*noise(math.Floor((x+2000)/22), 7))
	c = c.scale(0.9 + 0.2*grain(x*0.6, y*0.03))
	if along < 3 {
		return c.scale(0.25)
	}
	return c.scale(1.12 - 0.25*along/22)
}

// lampsAt are where the ceiling lamps hang.
var lampsAt = [...]float64{170, 480, 800, 1120}

// bell is a bell curve, cut off where it is too low to be seen.
func bell(d float64) float64 {
	if d*d > 7 {
		return 0
	}
	return math.Exp(-d * d)
}

// lamps is the light of the ceiling lamps on the wall, from 0 to about 1.
func lamps(x, y float64) float64 {
	sum := 0.0
	y = max(y, 0)
	for _, at := range lampsAt {
		sum += bell((x - at) / (60 + 0.32*y))
	}
	return sum * 140 / (140 + 0.6*y)
}

// floor is polished tiles in perspective, with the lamps' reflections.
func floor(x, y, bottom float64) rgba {
	depth := (y - floorLine) / math.Max(bottom-floorLine, 1) // 0 at the wall, 1 at the near edge
	c := mix(floorFar, floorNear, math.Sqrt(clamp(depth)))
	z := 1 / (depth + 0.16) // distance of the point, in tiles
	across := (x - designWidth/2) / 170 * z / 2.4
	if joint(across, 0.012*z) || joint(z*1.6, 0.016*z) {
		c = c.scale(0.72)
	}
	for _, at := range lampsAt {
		if light := bell((x - at) / (34 + 50*depth)); light > 0 {
			c = mix(c, rgba{0.95, 0.93, 0.88, 1}, 0.42*light*math.Exp(-2.2*depth))
		}
	}
	return c.scale(0.97 + 0.06*noise(x, y))
}

// joint says whether v is within width of a whole number.
func joint(v, width float64) bool { return math.Abs(v-math.Round(v)) < width }

// bars are SMPTE's, at 75 %.
var bars = [7]rgba{
	{.75, .75, .75, 1}, {.75, .75, 0, 1}, {0, .75, .75, 1}, {0, .75, 0, 1},
	{.75, 0, .75, 1}, {.75, 0, 0, 1}, {0, 0, .75, 1},
}

// screen is a framed screen with colour bars above a grey ramp and a zone plate,
// which shows at a glance what compression does to detail.
func screen(x, y float64) (rgba, bool) {
	const left, top, width, height, frame = 70, 110, 340, 250, 10
	x, y = x-left, y-top
	if x < -frame || y < -frame || x >= width+frame || y >= height+frame {
		return rgba{}, false
	}
	if x < 0 || y < 0 || x >= width || y >= height {
		return grey(0.05), true
	}
	switch {
	case y < 0.62*height:
		return bars[int(x*7/width)], true
	case y < 0.72*height:
		return grey(math.Floor(x*16/width) / 15), true
	}
	dx, dy := x-width/2, y-0.86*height
	return grey(0.5 + 0.45*math.Cos((dx*dx+dy*dy)/150)), true
}

// clockPanel is the dark glass behind the clock's digits.
func clockPanel(x, y float64) (rgba, bool) {
	d := roundedBox(x-974, y-219, 228, 52, 16)
	if d > 0 {
		return rgba{}, false
	}
	if d > -3 {
		return grey(0.42), true
	}
	return mix(rgba{0.07, 0.08, 0.11, 1}, rgba{0.03, 0.03, 0.05, 1}, clamp((y-167)/104)), true
}

// dial is a round face with twelve marks.
func dial(c rgba, x, y float64) rgba {
	const rim = dialRadius + 8
	dx, dy := x-dialX, y-dialY
	if max(dx, -dx, dy, -dy) > rim {
		return c
	}
	r := math.Hypot(dx, dy)
	switch {
	case r > rim:
		return c
	case r > dialRadius:
		return mix(grey(0.75), grey(0.35), clamp((dy+dialRadius)/(2*dialRadius)))
	case r > 0.8*dialRadius && r < 0.93*dialRadius && onMark(dx, dy):
		return grey(0.15)
	}
	return mix(grey(0.93), grey(0.80), r/dialRadius)
}

func onMark(dx, dy float64) bool {
	angle := math.Atan2(dy, dx) / (2 * math.Pi) * 12
	return joint(angle, 0.09)
}

// handShader draws the dial's hand at a turn from 0 to 1, clockwise from the top.
func handShader(radius, turn float64) shader {
	sin, cos := math.Sincos(2 * math.Pi * turn)
	return func(x, y float64) rgba {
		dx, dy := (x-radius)/radius, (y-radius)/radius
		along, across := dx*sin-dy*cos, math.Abs(dx*cos+dy*sin)
		if dx*dx+dy*dy < 0.008 || (along > -0.2 && along < 0.76 && across < 0.045-0.03*clamp(along)) {
			return rgba{0.80, 0.10, 0.12, 1}
		}
		return rgba{}
	}
}

// flashShader draws the glow over the dial at each whole second.
func flashShader(radius float64) shader {
	return func(x, y float64) rgba {
		r := math.Hypot(x-radius, y-radius) / radius
		glow := rgba{1, 0.86, 0.25, 1}
		if r > 0.78 {
			glow.a = clamp((1 - r) / 0.22)
		}
		return glow
	}
}

// roundedBox is the signed distance from a box with round corners, its centre at
// the origin; below 0 inside.
func roundedBox(x, y, halfWidth, halfHeight, corner float64) float64 {
	qx, qy := math.Abs(x)-halfWidth+corner, math.Abs(y)-halfHeight+corner
	return math.Hypot(math.Max(qx, 0), math.Max(qy, 0)) + math.Min(math.Max(qx, qy), 0) - corner
}

// noise is a number from 0 to 1 that looks random, the same for the same pixel.
func noise(x, y float64) float64 {
	h := uint32(int32(math.Floor(x)))*0x9e3779b1 ^ uint32(int32(math.Floor(y)))*0x85ebca77
	h = (h ^ h>>15) * 0x2c1b3c6d
	h = (h ^ h>>12) * 0x297a2d39
	return float64(h^h>>15) / math.MaxUint32
}

// grain is noise with smooth steps between its points.
func grain(x, y float64) float64 {
	fx, fy := x-math.Floor(x), y-math.Floor(y)
	upper := noise(x, y)*(1-fx) + noise(x+1, y)*fx
	lower := noise(x, y+1)*(1-fx) + noise(x+1, y+1)*fx
	return upper*(1-fy) + lower*fy
}
