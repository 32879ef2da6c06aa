package hardware

import "slices"

// Battery is what the board runs on when nothing feeds it.
type Battery struct {
	Name string // the kernel's
	// Percent is how full it is; -1 when it does not tell.
	Percent int
	// Charging is a battery that is fed: it fills, or it is full.
	Charging bool
	Level    BatteryLevel
}

// BatteryLevel says what is to be thought of a battery. The values are the words
// of `bril status`. A battery that is fed is fine.
type BatteryLevel string

// The levels.
const (
	BatteryFine    BatteryLevel = "fine"
	BatteryLow     BatteryLevel = "low"
	BatteryVeryLow BatteryLevel = "very-low"
	BatteryEmpty   BatteryLevel = "nearly-empty" // the board goes off soon, and whatever runs with it
)

// Worse says whether a battery at this level is emptier than one at another. ""
// is fine.
func (l BatteryLevel) Worse(than BatteryLevel) bool {
	order := []BatteryLevel{BatteryFine, BatteryLow, BatteryVeryLow, BatteryEmpty}
	return slices.Index(order, l) > max(0, slices.Index(order, than))
}
