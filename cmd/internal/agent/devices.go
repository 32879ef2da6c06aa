package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder/m2m"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/gpio"
	"github.com/bril-edge/bril/hardware/power"
)

// DevicesVersion counts the incompatible changes of Devices.
const DevicesVersion = 1

// Devices is what there is to capture, encode and show with, as JSON. Board is
// what its profile makes of it.
type Devices struct {
	SchemaVersion int                 `json:"schema_version"`
	Board         Board               `json:"board"`
	Cameras       []camera.Device     `json:"cameras"`
	Encoders      []Encoder           `json:"encoders"` // in the order in which they are tried
	Microphones   []microphone.Device `json:"microphones"`
	Chips         []gpio.Chip         `json:"gpio_chips"`
	Inputs        []gpio.InputDevice  `json:"input_devices"` // with keys that may be buttons
	Batteries     []power.Supply      `json:"batteries"`
	Zones         []power.Zone        `json:"thermal_zones"`
}

// Encoder is an encoder of pictures. Device is nil of one in software.
type Encoder struct {
	Name   string      `json:"name"`
	Device *m2m.Device `json:"device,omitempty"`
}

// Board is the board, and what its profile assigns.
type Board struct {
	Profile string `json:"profile"`
	Title   string `json:"title"`
	// KnownBy is the device tree's word for this board; "" on a machine that is not
	// known.
	KnownBy     string           `json:"known_by,omitempty"`
	Light       *Assigned        `json:"light"`        // null where there is none
	StatusLight *Assigned        `json:"status_light"` // likewise
	Buttons     []AssignedButton `json:"buttons"`
	// Zones are the types of the thermal zones that count; none for all of them.
	Zones []string `json:"thermal_zones"`
}

// Assigned is a line, LED or key that a profile counts on.
type Assigned struct {
	Name    string `json:"name"`
	Wiring  string `json:"wiring,omitempty"`
	Place   string `json:"place,omitempty"`   // where it is; "" when it is not there
	UsedBy  string `json:"used_by,omitempty"` // who has it
	Problem string `json:"problem,omitempty"` // why it cannot be used
}

// AssignedButton is a button with its actions.
type AssignedButton struct {
	Button string `json:"button"`
	Assigned
	Short  string `json:"short"`
	Double string `json:"double"`
	Long   string `json:"long"`
}

// ListDevices looks at the machine. It opens devices to ask them, and captures and
// changes nothing.
func ListDevices(cfg configs.Config) (Devices, error) {
	profile, compatible, err := findBoard(cfg)
	if err != nil {
		return Devices{}, err
	}
	microphones, err := microphone.List()
	if err != nil {
		return Devices{}, err
	}
	d := Devices{
		SchemaVersion: DevicesVersion,
		Cameras:       append([]camera.Device{}, camera.List()...),
		Encoders:      encodersOf(m2m.List(), cfg.Video.Encoder),
		Microphones:   append([]microphone.Device{}, microphones...),
		Chips:         gpio.List(),
		Inputs:        gpio.InputDevices(),
		Batteries:     power.Supplies(nil),
		Zones:         power.Zones(nil),
	}
	d.Board = d.assign(profile, cfg.Board.Buttons, "/sys/class/leds")
	if own, by := configs.DetectBoard(compatible); own.Name == profile.Name {
		d.Board.KnownBy = by
	}
	return d, nil
}

func encodersOf(chips []m2m.Device, allowed string) []Encoder {
	list := []Encoder{}
	if allowed != configs.EncoderSoftware {
		for _, chip := range chips {
			list = append(list, Encoder{Name: chip.Card, Device: &chip})
		}
	}
	if allowed != configs.EncoderHardware {
		list = append(list, Encoder{Name: softwareName})
	}
	return list
}

// assign finds what a profile counts on among what there is.
func (d Devices) assign(p configs.Profile, actions configs.Buttons, leds string) Board {
	b := Board{Profile: p.Name, Title: p.Title, Buttons: []AssignedButton{}, Zones: append([]string{}, p.ThermalZones...)}
	b.Light, b.StatusLight = d.lamp(p.Light, leds), d.lamp(p.Status, leds)
	for _, of := range p.Buttons {
		found := d.line(of.Line)
		if of.Line == "" {
			found = d.key(of.Key)
		}
		found.Wiring = of.Wiring
		does := func(g hardware.Gesture) string { return action(actions, of.Name, g) }
		b.Buttons = append(b.Buttons, AssignedButton{of.Name, found, does(hardware.Short), does(hardware.Double), does(hardware.Long)})
	}
	return b
}

func (d Devices) lamp(l configs.Lamp, leds string) *Assigned {
	if l == (configs.Lamp{}) {
		return nil
	}
	found := Assigned{Name: l.LED}
	if l.LED == "" {
		found = d.line(l.Line)
	} else if _, err := os.Stat(filepath.Join(leds, l.LED)); errors.Is(err, os.ErrNotExist) {
		found.Problem = "there is no LED of this name"
	} else if err != nil {
		found.Problem = err.Error()
	} else {
		found.Place = filepath.Join(leds, l.LED)
	}
	found.Wiring = l.Wiring
	return &found
}

// line finds a GPIO line as gpio.Line does: by a name that only one has, or by its
// place.
func (d Devices) line(name string) Assigned {
	a := Assigned{Name: name}
	found, blind := 0, ""
	for _, chip := range d.Chips {
		if chip.Error != "" {
			blind = chip.Name + ": " + chip.Error
		}
		for _, l := range chip.Lines {
			place := fmt.Sprintf("%s/%d", chip.Name, l.Offset)
			if l.Name != name && place != name {
				continue
			}
			found++
			a.Place, a.UsedBy = place, l.Consumer
		}
	}
	switch {
	case found > 1:
		a.Problem = fmt.Sprintf("%d lines have this name", found)
	case found == 0 && blind != "":
		a.Problem = "it may be on a chip that cannot be read: " + blind
	case found == 0:
		a.Problem = "no GPIO chip has a line of this name"
	}
	return a
}

func (d Devices) key(code uint16) Assigned {
	a := Assigned{Name: fmt.Sprintf("key %d", code), Problem: "no input device but keyboards has it"}
	for _, input := range d.Inputs {
		if slices.Contains(input.Keys, code) {
			a.Place, a.Problem = input.Path, ""
			return a
		}
		if input.Error != "" {
			a.Problem = "it may be on a device that cannot be read: " + input.Path + ": " + input.Error
		}
	}
	return a
}
