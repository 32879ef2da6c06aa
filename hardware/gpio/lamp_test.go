package gpio

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"github.com/bril-edge/bril/hardware"
)

func TestLampOfAnyPin(t *testing.T) {
	pin := &gpiotest.Pin{N: "LED"}
	lamp := NewLamp(pin)
	for _, on := range []bool{true, false, true} {
		if err := lamp.Set(on); err != nil {
			t.Error(err)
		}
		if lit, err := lamp.Lit(); lit != on || err != nil || bool(pin.L) != on {
			t.Errorf("set to %v: lit %v, %v", on, lit, err)
		}
	}
	if err := pin.Out(periph.Low); err != nil { // someone else pulls it
		t.Error(err)
	}
	if lit, _ := lamp.Lit(); lit {
		t.Error("a dark pin reads as lit")
	}
	if err := lamp.Close(); err != nil {
		t.Error(err)
	}
}

// A light on a line of a chip: held, seen dark when the chip goes, and lit again
// when it is back.
func TestLightOnALine(t *testing.T) {
	b := newBoard()
	light := hardware.NewLight("capture light", "LED1", func() (hardware.Lamp, error) { return lampOn(newLine(b, LineConfig{Line: "LED1"})) })
	hold, err := light.Hold()
	if err != nil {
		t.Fatal(err)
	}
	if level, claimed := b.level("LED1"); !level || !claimed || hold.Check() != nil {
		t.Error("held, and not lit")
	}
	b.damage("values", unix.ENODEV)
	if err := hold.Check(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("chip gone: %v", err)
	}
	hold.Release()
	if _, claimed := b.level("LED1"); claimed {
		t.Error("a line that has failed is still claimed")
	}
	if _, err := light.Hold(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("held without its chip: %v", err)
	}
	b.damage("values", 0)
	hold, err = light.Hold()
	if err != nil {
		t.Fatal(err)
	}
	hold.Release()
	if level, claimed := b.level("LED1"); level || !claimed {
		t.Errorf("after the last release: level %v, claimed %v", level, claimed)
	}
	if err := light.Close(); err != nil {
		t.Error(err)
	}
	b.hangUp(t)
}

// ledDir is /sys/class/leds with one LED.
func ledDir(t *testing.T) string {
	dir := t.TempDir()
	at := filepath.Join(dir, "board:red:capture")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"max_brightness": "255\n", "brightness": "17\n", "trigger": "none [heartbeat]\n"} {
		if err := os.WriteFile(filepath.Join(at, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLED(t *testing.T) {
	dir := ledDir(t)
	file := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, "board:red:capture", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	l, err := openLED(dir, "board:red:capture")
	if err != nil {
		t.Fatal(err)
	}
	if file("trigger") != "none" || !strings.HasPrefix(file("brightness"), "0") {
		t.Errorf("opened with trigger %q, brightness %q", file("trigger"), file("brightness"))
	}
	if err := l.Set(true); err != nil || !strings.HasPrefix(file("brightness"), "255") {
		t.Errorf("lit: %v, brightness %q", err, file("brightness"))
	}
	if lit, err := l.Lit(); !lit || err != nil {
		t.Errorf("lit: %v, %v", lit, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "board:red:capture", "brightness"), []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if lit, err := l.Lit(); lit || err != nil {
		t.Errorf("dimmed by another: %v, %v", lit, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "board:red:capture", "brightness"), []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if lit, err := l.Lit(); lit || err == nil {
		t.Errorf("nonsense: %v, %v", lit, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if lit, err := l.Lit(); lit || err == nil {
		t.Errorf("closed: %v, %v", lit, err)
	}
	if err := l.Set(true); err == nil {
		t.Error("set when closed")
	}
}

func TestNoSuchLED(t *testing.T) {
	dir := ledDir(t)
	for _, name := range []string{"missing", "../leds", ""} {
		_, err := openLED(dir, name)
		if err == nil || !strings.Contains(err.Error(), "LED") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if got := (LampConfig{LED: "a"}).String(); got != "LED a" {
		t.Errorf("got %s", got)
	}
}
