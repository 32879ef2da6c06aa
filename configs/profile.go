package configs

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// ProfileAuto leaves it to the device tree which board this is, and
// ProfileGeneric is any board that is not known.
const (
	ProfileAuto    = "auto"
	ProfileGeneric = "generic"
)

// Profile says what a board has. A profile is built in: what it says of the
// capture light no configuration can change.
type Profile struct {
	Name string
	// Compatible holds strings of the device tree's root, one of which tells the
	// board (devicetree.org, section 2.3.1).
	Compatible []string
	// Light is the capture light: without it nothing is captured. Only a board
	// that is not known has none.
	Light Lamp
	// Status is a second lamp, for patterns; where it is missing, they are shown
	// with the first one while nothing is captured.
	Status  Lamp
	Buttons []Button
}

// Lamp is what feeds a light: a line, or an LED that the device tree binds. The
// zero Lamp is none.
type Lamp struct {
	Line      string // its name on any GPIO chip, or gpiochipN/OFFSET
	ActiveLow bool   // of the line
	LED       string // its name below /sys/class/leds
}

// Button is wired to a line, or is a key of an input device.
type Button struct {
	Name      string // button1 or button2, as in Buttons
	Line      string // its name on any GPIO chip, or gpiochipN/OFFSET
	ActiveLow bool   // of the line
	Pull      string // of the line: up, down, none; "" leaves it as it is
	Key       uint16 // a code of linux/input-event-codes.h, when there is no line
}

// Profiles returns the boards that are known. Of two that a device tree fits,
// the first counts.
func Profiles() []Profile {
	return []Profile{
		{
			Name:       "virtual",
			Compatible: []string{"bril,virtual-board"},
			Light:      Lamp{Line: "LED1"},
			Status:     Lamp{Line: "LED2"},
			Buttons:    []Button{{Name: "button1", Line: "BTN1"}, {Name: "button2", Line: "BTN2"}},
		},
		{Name: ProfileGeneric},
	}
}

func profileNames() []string {
	names := []string{ProfileAuto}
	for _, p := range Profiles() {
		names = append(names, p.Name)
	}
	return names
}

// DeviceTree returns the compatible strings of this machine's device tree, the
// most specific first; none on a machine without one.
func DeviceTree() ([]string, error) {
	data, err := os.ReadFile("/proc/device-tree/compatible")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(string(data), "\x00"), "\x00"), nil
}

// BoardProfile returns the profile of a machine whose device tree's root has the
// compatible strings. A board that is known has its own profile only: with
// another one it could capture without its light. Its error is Problems.
func (c Config) BoardProfile(compatible []string) (Profile, error) {
	known := Profile{Name: ProfileGeneric}
	for _, p := range Profiles() {
		if slices.ContainsFunc(p.Compatible, func(s string) bool { return slices.Contains(compatible, s) }) {
			known = p
			break
		}
	}
	asked := c.Board.Profile
	if asked == ProfileAuto || asked == known.Name {
		return known, nil
	}
	if known.Name != ProfileGeneric {
		return Profile{}, Problems{{Key: "board.profile",
			Message: asked + " is refused: the device tree says that this board is " + known.Name + ", whose capture light has to work",
			Hint:    "write auto"}}
	}
	for _, p := range Profiles() {
		if p.Name == asked {
			return p, nil
		}
	}
	return Profile{}, Problems{{Key: "board.profile", Message: asked + " is not known"}}
}
