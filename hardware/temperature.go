package hardware

import "slices"

// Temperature is how hot the board is where it is hottest.
type Temperature struct {
	Zone    string // the kernel's word for where that is
	Celsius float64
	Level   HeatLevel
}

// HeatLevel says what is to be thought of a temperature. The values are the words
// of `bril status`.
type HeatLevel string

// The levels.
const (
	HeatNormal  HeatLevel = "normal"
	HeatWarm    HeatLevel = "warm"     // worth telling
	HeatHot     HeatLevel = "hot"      // there has to be less work
	HeatVeryHot HeatLevel = "very-hot" // far less
)

// Worse says whether this level is hotter than another. "" is normal.
func (l HeatLevel) Worse(than HeatLevel) bool {
	order := []HeatLevel{HeatNormal, HeatWarm, HeatHot, HeatVeryHot}
	return slices.Index(order, l) > max(0, slices.Index(order, than))
}
