package configs

import (
	"errors"
	"reflect"
	"slices"
	"testing"
)

func TestBoardProfile(t *testing.T) {
	virtual, pc := []string{"bril,virtual-board", "linux,dummy-virt"}, []string(nil)
	tests := []struct {
		name       string
		asked      string
		compatible []string
		want       string // "" is refused
	}{
		{"auto, known", ProfileAuto, virtual, "virtual"},
		{"named, known", "virtual", virtual, "virtual"},
		{"auto, no device tree", ProfileAuto, pc, ProfileGeneric},
		{"auto, unknown board", ProfileAuto, []string{"acme,board"}, ProfileGeneric},
		{"generic where it is right", ProfileGeneric, pc, ProfileGeneric},
		{"generic on a known board", ProfileGeneric, virtual, ""},
		{"named on an unknown board", "virtual", pc, "virtual"},
		{"not a profile", "nothing", pc, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := Default()
			cfg.Board.Profile = test.asked
			got, err := cfg.BoardProfile(test.compatible)
			if got.Name != test.want || (err == nil) != (test.want != "") || err != nil && !errors.Is(err, ErrInvalid) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// Only a board that is not known has no capture light, and what a profile names
// is what the configuration has keys for.
func TestProfiles(t *testing.T) {
	buttons := keys(reflect.TypeFor[Buttons]())
	names := map[string]bool{ProfileAuto: true}
	for _, p := range Profiles() {
		if names[p.Name] {
			t.Errorf("%s: there are two", p.Name)
		}
		names[p.Name] = true
		if generic := p.Name == ProfileGeneric; generic != (p.Light == Lamp{}) || generic && len(p.Compatible) > 0 {
			t.Errorf("%s: light %+v", p.Name, p.Light)
		}
		for _, lamp := range []Lamp{p.Light, p.Status} {
			if lamp.Line != "" && lamp.LED != "" {
				t.Errorf("%s: a lamp is a line or an LED: %+v", p.Name, lamp)
			}
		}
		if p.Status != (Lamp{}) && p.Status == p.Light {
			t.Errorf("%s: the status light is the capture light", p.Name)
		}
		for _, b := range p.Buttons {
			if !slices.Contains(buttons, b.Name) || (b.Line == "") == (b.Key == 0) || !slices.Contains([]string{"", "none", "up", "down"}, b.Pull) {
				t.Errorf("%s: button %+v", p.Name, b)
			}
		}
	}
}
