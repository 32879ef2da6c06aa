package pattern

import (
	"math"
	"time"

	"github.com/bril-edge/bril/capture"
)

// The scene is a showroom: a wall with a screen of colour bars, a dial and a
// clock, and a car that drives past, slower in the middle. What stands still is
// drawn once; a frame is a copy of it with the moving parts put on.
//
// All measures are for a picture of 1280x720 and scaled to the real one.
const (
	designWidth, designHeight = 1280, 720

	floorLine = 470 // where the wall meets the floor

	carLength = 560
	carGround = 640             // where the tyres touch the floor
	lap       = 9 * time.Second // of the car

	dialX, dialY, dialRadius = 560, 235, 82
	handPhases               = 60 // drawn positions of the dial's hand
	clockX, clockY           = 774, 190
	digitWidth, digitHeight  = 34, 58
	digitStep                = 38
	dotStep                  = 20

	// flashLength is how long lamp and dial flash at each whole second of the
	// wall clock: as long as the tone beeps.
	flashLength = 60 * time.Millisecond
)

// scene draws the pictures of one size.
type scene struct {
	width, height int
	scale         float64
	left, top     float64 // of the design in the picture, which may have another shape

	still  canvas
	car    *sprite
	wheels [wheelPhases]*sprite // one spoke's turn; each nil until it is seen
	hands  [handPhases]*sprite  // one turn, clockwise from the top; likewise
	flash  *sprite
	digits [10]*sprite
	dots   [2]*sprite // ':' and '.'
}

func newScene(width, height int) *scene {
	s := &scene{width: width, height: height}
	s.scale = min(float64(width)/designWidth, float64(height)/designHeight)
	s.left = (float64(width) - s.scale*designWidth) / 2
	s.top = (float64(height) - s.scale*designHeight) / 2
	s.still = s.drawStill()
	s.car = s.render(carLength, carLength*carAspect, carShader(carLength*s.scale))
	s.flash = s.render(2.6*dialRadius, 2.6*dialRadius, flashShader(1.3*dialRadius*s.scale))
	for i := range s.digits {
		s.digits[i] = s.render(digitWidth, digitHeight, digitShader(i, digitWidth*s.scale, digitHeight*s.scale))
	}
	s.dots[0] = s.render(dotStep, digitHeight, dotShader(dotStep*s.scale, digitHeight*s.scale, 0.32, 0.68))
	s.dots[1] = s.render(dotStep, digitHeight, dotShader(dotStep*s.scale, digitHeight*s.scale, 0.9))
	return s
}

// render draws a sprite whose size is given in the design's measures.
func (s *scene) render(width, height float64, shade shader) *sprite {
	return render(max(int(math.Ceil(width*s.scale)), 2), max(int(math.Ceil(height*s.scale)), 2), 2, shade)
}

// drawStill paints the background: the showroom, and neutral chroma under the
// timecode.
func (s *scene) drawStill() canvas {
	whole := render(s.width, s.height, 1, func(x, y float64) rgba {
		return room((x-s.left)/s.scale, (y-s.top)/s.scale, float64(s.height)/s.scale-s.top/s.scale)
	})
	for y := range (stripHeight(s.width) + 1) / 2 {
		for x := range s.width / 2 {
			whole.u.pix[y*whole.u.stride+x], whole.v.pix[y*whole.v.stride+x] = neutral, neutral
		}
	}
	return canvas{y: whole.y, u: whole.u, v: whole.v}
}

// draw paints the picture of the moment pts, which is wall by the wall clock.
func (s *scene) draw(f *capture.Frame, pts time.Duration, wall time.Time) {
	c := canvas{
		y: plane8{pix: f.Planes[0].Data, stride: f.Planes[0].Stride, width: s.width, height: s.height},
		u: plane8{pix: f.Planes[1].Data, stride: f.Planes[1].Stride, width: s.width / 2, height: s.height / 2},
		v: plane8{pix: f.Planes[2].Data, stride: f.Planes[2].Stride, width: s.width / 2, height: s.height / 2},
	}
	c.copyFrom(&s.still)
	s.drawDial(&c, wall)
	s.drawClock(&c, wall)
	s.drawCar(&c, pts)
	drawTimecode(c.y.pix, c.y.stride, s.width, wall)
}

func (c *canvas) copyFrom(from *canvas) {
	c.y.copyFrom(&from.y)
	c.u.copyFrom(&from.u)
	c.v.copyFrom(&from.v)
}

func (p *plane8) copyFrom(from *plane8) {
	if p.stride == from.stride {
		copy(p.pix, from.pix)
		return
	}
	for y := range p.height {
		copy(p.pix[y*p.stride:], from.pix[y*from.stride:(y+1)*from.stride])
	}
}

// put draws a sprite with its upper left corner at a point of the design.
func (s *scene) put(c *canvas, sp *sprite, x, y float64) {
	c.draw(sp, int(math.Round(s.left+x*s.scale)), int(math.Round(s.top+y*s.scale)))
}

// drawDial turns the hand once a second and flashes at the top of each.
func (s *scene) drawDial(c *canvas, wall time.Time) {
	into := time.Duration(wall.Nanosecond())
	if into < flashLength {
		s.put(c, s.flash, dialX-1.3*dialRadius, dialY-1.3*dialRadius)
	}
	s.put(c, s.hand(int(into*handPhases/time.Second)), dialX-dialRadius, dialY-dialRadius)
}

// hand is drawn when it is first seen: all of them would hold up the start of a
// conversation.
func (s *scene) hand(phase int) *sprite {
	if s.hands[phase] == nil {
		s.hands[phase] = s.render(2*dialRadius, 2*dialRadius, handShader(dialRadius*s.scale, float64(phase)/handPhases))
	}
	return s.hands[phase]
}

// drawClock writes the wall clock as HH:MM:SS.mmm.
func (s *scene) drawClock(c *canvas, wall time.Time) {
	hour, minute, second := wall.Clock()
	x := float64(clockX)
	group := func(value, digits int) {
		for power := pow10(digits - 1); power > 0; power /= 10 {
			s.put(c, s.digits[value/power%10], x, clockY)
			x += digitStep
		}
	}
	dot := func(i int) {
		s.put(c, s.dots[i], x, clockY)
		x += dotStep
	}
	group(hour, 2)
	dot(0)
	group(minute, 2)
	dot(0)
	group(second, 2)
	dot(1)
	group(wall.Nanosecond()/int(time.Millisecond), 3)
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}

// drawCar drives the car from beyond the left edge to beyond the right one.
func (s *scene) drawCar(c *canvas, pts time.Duration) {
	x := carPosition(pts)
	top := float64(carGround - carLength*carAspect*(1-shadowShare))
	s.put(c, s.car, x, top)
	turn := x / (2 * math.Pi * wheelRadius * carLength) * wheelSpokes
	wheel := s.wheel(int((turn-math.Floor(turn))*wheelPhases) % wheelPhases)
	for _, hub := range wheelHubs {
		s.put(c, wheel, x+(hub-wheelRadius)*carLength, carGround-2*wheelRadius*carLength)
	}
}

func (s *scene) wheel(phase int) *sprite {
	if s.wheels[phase] == nil {
		s.wheels[phase] = s.render(2*wheelRadius*carLength, 2*wheelRadius*carLength,
			wheelShader(wheelRadius*carLength*s.scale, float64(phase)/wheelPhases))
	}
	return s.wheels[phase]
}

// carPosition returns where the car's left end is, in pixels of the design. It
// slows to a third of its mean speed while it passes the middle.
func carPosition(pts time.Duration) float64 {
	t := float64(pts%lap) / float64(lap)
	eased := t + 0.66*math.Sin(2*math.Pi*t)/(2*math.Pi)
	return -carLength + eased*(designWidth+carLength)
}
