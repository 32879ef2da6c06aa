package boardtest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/hardware/gpio"
)

// TestListsDevices asks for everything that the board has.
func TestListsDevices(t *testing.T) {
	r := board(t)
	text := r.run("bril", "devices")
	t.Logf("bril devices says\n%s", text)
	for line := range strings.Lines(text) {
		if len([]rune(strings.TrimRight(line, "\n"))) > 80 {
			t.Errorf("wider than a terminal: %s", line)
		}
	}
	var d agent.Devices
	out := r.run("bril", "devices", "--json")
	if err := json.Unmarshal([]byte(out), &d); err != nil || d.SchemaVersion != agent.DevicesVersion {
		t.Fatalf("%v in %s", err, out)
	}
	checkAssigned(t, d.Board)
	if !slices.ContainsFunc(d.Cameras, isVivid) {
		t.Errorf("no vivid with 640x480 at 25: %+v", d.Cameras)
	}
	if len(d.Encoders) != 2 || d.Encoders[0].Device == nil || d.Encoders[0].Device.Driver != "bril-venc" || !slices.Contains(d.Encoders[0].Device.Formats, "NV12") {
		t.Errorf("encoders: %+v, the first %+v", d.Encoders, d.Encoders[0].Device)
	}
	if !slices.ContainsFunc(d.Microphones, func(m microphone.Device) bool {
		return strings.HasPrefix(m.Name, "hw:") && strings.Contains(m.Description, "Loopback")
	}) {
		t.Errorf("no loopback microphone: %+v", d.Microphones)
	}
	var names []string
	for _, chip := range d.Chips {
		for _, l := range chip.Lines {
			names = append(names, l.Name)
		}
	}
	for _, name := range []string{"BTN1", "BTN2", "LED1", "LED2"} {
		if !slices.Contains(names, name) {
			t.Errorf("no line %s: %q", name, names)
		}
	}
	if !slices.ContainsFunc(d.Inputs, func(i gpio.InputDevice) bool { return i.Name == "keys" && slices.Equal(i.Keys, []uint16{212}) }) {
		t.Errorf("no key: %+v", d.Inputs)
	}
}

func checkAssigned(t *testing.T, b agent.Board) {
	t.Helper()
	if b.Profile != "virtual" || b.KnownBy != "bril,virtual-board" || len(b.Buttons) != 2 {
		t.Errorf("board: %+v", b)
	}
	for name, a := range map[string]*agent.Assigned{"LED1": b.Light, "LED2": b.StatusLight, "BTN1": &b.Buttons[0].Assigned, "BTN2": &b.Buttons[1].Assigned} {
		if a == nil || a.Name != name || !strings.HasPrefix(a.Place, "gpiochip") || a.Problem != "" {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func isVivid(c camera.Device) bool {
	return c.Driver == "vivid" && slices.ContainsFunc(c.Formats, func(f camera.Format) bool {
		return f.Usable && slices.ContainsFunc(f.Sizes, func(s camera.Size) bool {
			return s.Width == 640 && s.Height == 480 && slices.Contains(s.FPS, 25)
		})
	})
}
