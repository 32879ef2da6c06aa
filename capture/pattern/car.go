package pattern

import "math"

// The car is drawn in units of its length: x from the tail at 0 to the nose at 1,
// y upwards from the ground. It drives to the right.
const (
	carAspect   = 0.36 // height of the sprite, with the shadow below the ground
	shadowShare = 0.12 // of that height

	wheelRadius = 0.066
	wheelSpokes = 5
	wheelPhases = 12 // drawn positions between one spoke and the next
)

var wheelHubs = [2]float64{0.195, 0.800}

// roof is the outline of the car from above, from tail to nose.
var roof = [...]point{
	{0.000, 0.105}, {0.015, 0.165}, {0.060, 0.190}, {0.130, 0.205}, {0.220, 0.258}, {0.330, 0.296},
	{0.450, 0.305}, {0.560, 0.283}, {0.650, 0.236}, {0.720, 0.200}, {0.820, 0.182}, {0.920, 0.155},
	{0.980, 0.118}, {1.000, 0.080},
}

type point struct{ x, y float64 }

// outline returns the height of the roof over x, by Catmull and Rom's spline.
func outline(x float64) float64 {
	last := len(roof) - 1
	i := 0
	for i < last-1 && roof[i+1].x <= x {
		i++
	}
	at := func(k int) float64 { return roof[min(max(k, 0), last)].y }
	t := clamp((x - roof[i].x) / (roof[i+1].x - roof[i].x))
	a, b, c, d := at(i-1), at(i), at(i+1), at(i+2)
	return b + 0.5*t*(c-a+t*(2*a-5*b+4*c-d+t*(3*(b-c)+d-a)))
}

// carShader draws everything but the wheels, for a car of this many pixels.
func carShader(length float64) shader {
	ground := carAspect * (1 - shadowShare)
	return func(px, py float64) rgba {
		x, y := px/length, ground-py/length
		switch {
		case arch(x, y):
			return grey(0.03)
		case body(x, y):
			return paint(x, y)
		}
		return shadow(x, y)
	}
}

// shadow is what the car takes of the floor's light.
func shadow(x, y float64) rgba {
	dx, dy := (x-0.5)/0.54, (y-0.004)/0.036
	return rgba{0.02, 0.02, 0.03, 0.8 * clamp(1.25*(1-dx*dx-dy*dy))}
}

func body(x, y float64) bool {
	if x < 0 || x > 1 || y > outline(x) {
		return false
	}
	sill := 0.050 + 0.03*math.Pow(math.Abs(2*x-1), 6)
	return y >= sill
}

// arch says whether a point is in the dark around a wheel.
func arch(x, y float64) bool {
	for _, hub := range wheelHubs {
		if y > 0.04 && math.Hypot(x-hub, y-wheelRadius) < wheelRadius*1.13 {
			return true
		}
	}
	return false
}

var (
	bodyDark  = rgba{0.36, 0.02, 0.05, 1}
	bodyLight = rgba{0.86, 0.10, 0.11, 1}
	shine     = rgba{1.00, 0.80, 0.76, 1}
	glassLow  = rgba{0.07, 0.10, 0.14, 1}
	glassHigh = rgba{0.36, 0.46, 0.55, 1}
)

// paint is the colour of the body at a point of it.
func paint(x, y float64) rgba {
	switch {
	case math.Hypot((x-0.962)/0.034, (y-0.122)/0.013) < 1:
		return rgba{1, 0.97, 0.85, 1} // headlight
	case x < 0.035 && y > 0.135 && y < 0.163:
		return rgba{0.95, 0.12, 0.10, 1} // tail light
	case window(x, y):
		return glass(x, y)
	case y < 0.072:
		return rgba{0.06, 0.06, 0.07, 1} // sill
	case seam(x, y):
		return bodyDark.scale(0.7)
	case x > 0.50 && x < 0.535 && math.Abs(y-0.172) < 0.004:
		return grey(0.8) // handle
	}
	return lacquer(x, y)
}

// lacquer is the paint: light from above, a bright line along the shoulder.
func lacquer(x, y float64) rgba {
	c := mix(bodyDark, bodyLight, clamp((y-0.06)/0.15))
	shoulder := (y - 0.183 - 0.012*math.Sin(3*x)) / 0.011
	c = mix(c, shine, 0.55*math.Exp(-shoulder*shoulder))
	edge := (outline(x) - y - 0.008) / 0.008
	c = mix(c, shine, 0.5*math.Exp(-edge*edge))
	crease := (y - 0.108 - 0.02*x) / 0.006
	return c.scale(1 - 0.22*math.Exp(-crease*crease))
}

func window(x, y float64) bool {
	if x < 0.205 || x > 0.668 || y < 0.207 || y > outline(x)-0.018 {
		return false
	}
	return math.Abs(x-0.455+0.25*(y-0.2)) > 0.007 // the pillar between the doors
}

// glass mirrors a bright room in two slanting stripes.
func glass(x, y float64) rgba {
	c := mix(glassLow, glassHigh, clamp((y-0.2)/0.1))
	if s := math.Mod(x+0.55*y, 0.23); s < 0.035 || s > 0.055 && s < 0.068 {
		c = mix(c, grey(0.9), 0.3)
	}
	return c
}

func seam(x, y float64) bool {
	if y > 0.2 {
		return false
	}
	return math.Abs(x-0.455) < 0.0018 || math.Abs(x-0.668+0.3*(0.2-y)) < 0.0018 || math.Abs(x-0.275-0.3*(0.2-y)) < 0.0018
}

// wheelShader draws a wheel of this radius in pixels, turned clockwise by a part
// of the angle between two spokes.
func wheelShader(radius, turn float64) shader {
	return func(px, py float64) rgba {
		x, y := (px-radius)/radius, (py-radius)/radius
		r := math.Hypot(x, y)
		angle := math.Atan2(y, x)/(2*math.Pi)*wheelSpokes - turn
		switch {
		case r > 1:
			return rgba{}
		case r > 0.70:
			return grey(0.07 + 0.05*clamp((0.8-r)/0.1))
		case r > 0.62:
			return grey(0.78)
		case r < 0.16:
			return grey(0.55)
		case joint(angle, 0.10+0.07*r):
			return grey(0.74 - 0.18*r)
		}
		return grey(0.16)
	}
}
