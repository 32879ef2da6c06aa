package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/encoder/m2m"
	"github.com/bril-edge/bril/hardware/gpio"
	"github.com/bril-edge/bril/hardware/power"
)

// glasses is what a board has whose second button is not wired.
func glasses() agent.Devices {
	percent, volts, celsius := 56, 3.8125, 48.312
	light := agent.Assigned{Name: "GPIO17", Place: "gpiochip0/17", UsedBy: "bril light", Wiring: "pin 11; LED with resistor to ground, pin 9"}
	button := agent.Assigned{Name: "GPIO22", Place: "gpiochip0/22", Wiring: "pin 15; button to ground, pin 14"}
	missing := func(name, wiring string) agent.Assigned {
		return agent.Assigned{Name: name, Wiring: wiring, Problem: "no GPIO chip has a line of this name"}
	}
	status := missing("GPIO27", "pin 13; LED with resistor to ground, pin 14")
	return agent.Devices{
		Board: agent.Board{
			Profile: "raspberry-pi-4", Title: "Raspberry Pi 4", KnownBy: "raspberrypi,4-model-b", Light: &light, StatusLight: &status,
			Buttons: []agent.AssignedButton{
				{Button: "button1", Assigned: button, Short: "photo", Double: "photo-show", Long: "live"},
				{Button: "button2", Assigned: missing("GPIO23", "pin 16; button to ground, pin 14"), Short: "pause", Double: "none", Long: "clip"},
			},
		},
		Cameras: []camera.Device{{Path: "/dev/video0", Name: "Wide\x1b[2J camera", Formats: []camera.Format{
			{Format: "YUYV", Usable: true, Sizes: []camera.Size{{Width: 640, Height: 480, FPS: []float64{30, 15}}, {Width: 1280, Height: 720, FPS: []float64{10}}}},
			{Format: "RGB3"},
		}}},
		Encoders: []agent.Encoder{
			{Name: "bcm2835-codec-encode", Device: &m2m.Device{Path: "/dev/video11", Card: "bcm2835-codec-encode", Driver: "bcm2835-codec", Formats: []string{"NV12", "YU12"}, MaxWidth: 1920, MaxHeight: 1920}},
			{Name: "openh264 (software)"},
		},
		Microphones: []microphone.Device{{Name: "hw:1,0", Description: "USB microphone, USB Audio"}},
		Chips: []gpio.Chip{
			{Name: "gpiochip0", Label: "pinctrl-bcm2711", Lines: []gpio.LineInfo{{Name: "ID_SDA"}, {Offset: 17, Name: "GPIO17", Consumer: "bril light"}, {Offset: 22, Name: "GPIO22"}, {Offset: 28}}},
			{Name: "gpiochip1", Label: "expander", Lines: []gpio.LineInfo{{}, {Offset: 1}}},
			{Name: "gpiochip2", Error: "permission denied"},
		},
		Inputs: []gpio.InputDevice{
			{Path: "/dev/input/event0", Name: "gpio-keys", Keys: []uint16{119, 212}},
			{Path: "/dev/input/event1", Error: "permission denied"}, {Path: "/dev/input/event2", Error: "permission denied"},
		},
		Batteries: []power.Supply{{Name: "BAT0", Model: "MAX17048", Status: "Discharging", Percent: &percent, Volts: &volts}},
		Zones:     []power.Zone{{Name: "thermal_zone0", Type: "cpu-thermal", Celsius: &celsius, Critical: 90}, {Name: "thermal_zone1", Type: "modem"}},
	}
}

func TestWriteDevices(t *testing.T) {
	const want = `board       Raspberry Pi 4 (profile raspberry-pi-4)
            as its device tree says: raspberrypi,4-model-b
light       GPIO17, gpiochip0/17, in use by bril light
            pin 11; LED with resistor to ground, pin 9
status      none: GPIO27: no GPIO chip has a line of this name; nothing blinks
            without it
            hint: it should be pin 13; LED with resistor to ground, pin 14; is
            board.profile the right one?
button1     GPIO22, gpiochip0/22
            short photo, double photo-show, long live
            pin 15; button to ground, pin 14
button2     none: GPIO23: no GPIO chip has a line of this name
            hint: it should be pin 16; button to ground, pin 14; is
            board.profile the right one?

camera      /dev/video0
            Wide [2J camera
            YUYV 640x480@30 1280x720@10
encoder     /dev/video11, bcm2835-codec-encode (bcm2835-codec)
            takes NV12 YU12 up to 1920x1920
encoder     openh264 (software)
microphone  hw:1,0
            USB microphone, USB Audio

lines       gpiochip0 (pinctrl-bcm2711): ID_SDA, GPIO17 (in use by bril light),
            GPIO22, and 1 without a name
lines       gpiochip1 (expander): 2 without a name
lines       gpiochip2: permission denied
            hint: add the user to the group gpio
keys        /dev/input/event0 (gpio-keys): 119 212
keys        2 not readable, such as /dev/input/event2: permission denied
            hint: add the user to the group input
battery     BAT0 (MAX17048): 56 %, discharging, 3.81 V
heat        48 °C at cpu-thermal; the kernel turns the board off at 90 °C
heat        modem cannot be read
`
	var b strings.Builder
	if err := writeDevices(&b, glasses()); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	for line := range strings.Lines(b.String()) {
		if utf8.RuneCountInString(line) > columns+1 {
			t.Errorf("wider than a terminal: %s", line)
		}
	}
}

func TestLinesOfDevices(t *testing.T) {
	percent := 45
	for want, s := range map[string]power.Supply{
		"BAT0: charge unknown":                           {Name: "BAT0"},
		"BAT0: about 45 %, by its voltage, not charging": {Name: "BAT0", Percent: &percent, Guessed: true, Status: "Not charging"},
	} {
		if got := supplyLine(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := keyCodes([]uint16{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}); got != "1 2 3 4 5 6 7 8 9 10 11 12 and 2 more" {
		t.Errorf("got %q", got)
	}
}
