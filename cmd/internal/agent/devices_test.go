package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder/m2m"
	"github.com/bril-edge/bril/hardware/gpio"
)

// What a profile counts on is found as the agent would find it, and what is
// missing says so.
func TestAssign(t *testing.T) {
	leds := t.TempDir()
	if err := os.Mkdir(filepath.Join(leds, "capture"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := Devices{
		Chips: []gpio.Chip{
			{Name: "gpiochip0", Lines: []gpio.LineInfo{{Offset: 3, Name: "LED1", Consumer: "bril light"}, {Offset: 4, Name: "TWICE"}}},
			{Name: "gpiochip1", Lines: []gpio.LineInfo{{Offset: 0, Name: "TWICE"}, {Offset: 1}}},
		},
		Inputs: []gpio.InputDevice{{Path: "/dev/input/event2", Keys: []uint16{212}}},
	}
	tests := []struct {
		lamp    configs.Lamp
		place   string
		usedBy  string
		problem string
	}{
		{configs.Lamp{Line: "LED1", Wiring: "here"}, "gpiochip0/3", "bril light", ""},
		{configs.Lamp{Line: "gpiochip1/1"}, "gpiochip1/1", "", ""},
		{configs.Lamp{Line: "LED9"}, "", "", "no GPIO chip has a line of this name"},
		{configs.Lamp{Line: "TWICE"}, "gpiochip1/0", "", "2 lines have this name"},
		{configs.Lamp{LED: "capture"}, filepath.Join(leds, "capture"), "", ""},
		{configs.Lamp{LED: "other"}, "", "", "there is no LED of this name"},
	}
	for _, test := range tests {
		got := d.lamp(test.lamp, leds)
		if got.Name != test.lamp.Line+test.lamp.LED || got.Place != test.place || got.UsedBy != test.usedBy || got.Problem != test.problem || got.Wiring != test.lamp.Wiring {
			t.Errorf("%+v: %+v", test.lamp, got)
		}
	}
	if got := d.lamp(configs.Lamp{}, leds); got != nil {
		t.Errorf("no lamp: %+v", got)
	}
	d.Chips = append(d.Chips, gpio.Chip{Name: "gpiochip2", Error: "permission denied"})
	if got := d.line("LED9"); !strings.Contains(got.Problem, "gpiochip2: permission denied") {
		t.Errorf("a chip that cannot be read: %+v", got)
	}
	if got := d.line("LED1"); got.Problem != "" {
		t.Errorf("found beside a chip that cannot be read: %+v", got)
	}
}

func TestAssignButtons(t *testing.T) {
	cfg := configs.Default()
	cfg.Board.Profile = "usb-camera"
	p, err := cfg.BoardProfile(nil)
	if err != nil {
		t.Fatal(err)
	}
	inputs := []gpio.InputDevice{{Path: "/dev/input/event1", Error: "permission denied"}, {Path: "/dev/input/event2", Keys: []uint16{212}}}
	b := Devices{Inputs: inputs}.assign(p, cfg.Board.Buttons, t.TempDir())
	if len(b.Buttons) != 2 || b.Light == nil || b.Light.Problem == "" || b.StatusLight == nil {
		t.Fatalf("got %+v", b)
	}
	if first := b.Buttons[0]; first.Button != "button1" || first.Place != "/dev/input/event2" || first.Problem != "" || first.Short != "photo" || first.Long != "live" {
		t.Errorf("got %+v", first)
	}
	if second := b.Buttons[1]; second.Name != "key 119" || !strings.Contains(second.Problem, "event1: permission denied") || second.Double != "none" {
		t.Errorf("got %+v", second)
	}
}

// The encoders stand in the order in which they are tried.
func TestEncodersOf(t *testing.T) {
	chips := []m2m.Device{{Card: "a"}, {Card: "b"}}
	for allowed, want := range map[string]string{
		configs.EncoderHardware: "a b", configs.EncoderSoftware: softwareName, "auto": "a b " + softwareName,
	} {
		var names []string
		for _, e := range encodersOf(chips, allowed) {
			names = append(names, e.Name)
			if (e.Device == nil) != (e.Name == softwareName) || e.Device != nil && e.Device.Card != e.Name {
				t.Errorf("%s: %+v", allowed, e)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", allowed, got, want)
		}
	}
}

// This machine's devices can be listed, whatever it has; nil is never a list.
func TestListDevices(t *testing.T) {
	d, err := ListDevices(configs.Default())
	if err != nil {
		t.Fatal(err)
	}
	if d.SchemaVersion != DevicesVersion || d.Cameras == nil || d.Encoders == nil || d.Microphones == nil || d.Chips == nil ||
		d.Inputs == nil || d.Batteries == nil || d.Zones == nil || d.Board.Buttons == nil || d.Board.Zones == nil {
		t.Errorf("got %+v", d)
	}
	cfg := configs.Default()
	cfg.Board.Profile = "nothing"
	if _, err := ListDevices(cfg); err == nil {
		t.Error("a profile that is not one is taken")
	}
}
