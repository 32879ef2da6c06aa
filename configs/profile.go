package configs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
	Name  string
	Title string // of the board, for people
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
	// ThermalZones are the types of the kernel's zones that tell how hot the board
	// is (docs.kernel.org, thermal/sysfs-api); none for all of them.
	ThermalZones []string
}

// Lamp is what feeds a light: a line, or an LED that the device tree binds. The
// zero Lamp is none.
type Lamp struct {
	Line      string // its name on any GPIO chip, or gpiochipN/OFFSET
	ActiveLow bool   // of the line
	LED       string // its name below /sys/class/leds
	Wiring    string // where the line is on the board, for people
}

// Button is wired to a line, or is a key of an input device.
type Button struct {
	Name      string // button1 or button2, as in Buttons
	Line      string // its name on any GPIO chip, or gpiochipN/OFFSET
	ActiveLow bool   // of the line
	Pull      string // of the line: up, down, none; "" leaves it as it is
	Key       uint16 // a code of linux/input-event-codes.h, when there is no line
	Wiring    string // as that of a Lamp
}

func profileNames() []string {
	names := []string{ProfileAuto}
	for _, p := range Profiles() {
		names = append(names, p.Name)
	}
	return names
}

// DeviceTree returns the compatible strings of this machine's device tree, the
// most specific first; none on a machine without one. Where a sandbox hides it,
// that is an error: a known board would pass for one without a light.
func DeviceTree() ([]string, error) { return deviceTree("/") }

func deviceTree(root string) ([]string, error) {
	proc := filepath.Join(root, "proc")
	tree := filepath.Join(proc, "device-tree")
	data, err := os.ReadFile(filepath.Join(tree, "compatible"))
	switch {
	case err == nil:
		return strings.Split(strings.TrimRight(string(data), "\x00"), "\x00"), nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	// The kernel has an empty tree where a PC's firmware has none (since Linux
	// 6.10), and a link to nowhere is one to a /sys that is hidden.
	if _, err := os.Lstat(tree); err == nil {
		_, err = os.Stat(tree)
		return nil, err
	}
	_, err = os.Stat(filepath.Join(proc, "version")) // all of /proc but processes may be hidden (proc(5), subset)
	return nil, err
}

// DetectBoard returns the profile of the board whose device tree has one of the
// compatible strings at its root, and the string that tells. On any other machine
// that is "", and the profile generic.
func DetectBoard(compatible []string) (p Profile, by string) {
	for _, p := range Profiles() {
		for _, s := range p.Compatible {
			if slices.Contains(compatible, s) {
				return p, s
			}
		}
	}
	return generic(), ""
}

// BoardProfile returns the profile of a machine whose device tree's root has the
// compatible strings. A board that is known has its own profile only: with
// another one it could capture without its light. Its error is Problems.
func (c Config) BoardProfile(compatible []string) (Profile, error) {
	known, by := DetectBoard(compatible)
	asked := c.Board.Profile
	if asked == ProfileAuto || asked == known.Name {
		return known, nil
	}
	if by != "" {
		return Profile{}, Problems{{Key: "board.profile",
			Message: asked + " is refused: the device tree says that this board is " + known.Name + " (" + by + "), whose capture light has to work",
			Hint:    "write auto"}}
	}
	for _, p := range Profiles() {
		if p.Name == asked {
			return p, nil
		}
	}
	return Profile{}, Problems{{Key: "board.profile", Message: asked + " is not known"}}
}
