// Package hardware holds what the board tells and shows: presses of its buttons,
// and the light that says it is capturing. It knows nothing of sessions; what a
// press does and when something is captured is its caller's business.
package hardware

import "time"

// Gesture says how a button was pressed. The values are the words of the
// configuration.
type Gesture string

// The gestures.
const (
	Short  Gesture = "short"
	Double Gesture = "double"
	Long   Gesture = "long"

	// HeldAtStart is a button that is down when it is read first.
	HeldAtStart Gesture = "held-at-start"
)

// Press is one gesture on one button.
type Press struct {
	Button  string // as the board's profile names it
	Gesture Gesture
	At      time.Duration // when it was complete, on CLOCK_MONOTONIC
}
