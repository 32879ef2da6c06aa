package gpio

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"

	"github.com/bril-edge/bril/hardware"
)

// LampConfig says what feeds a lamp: a line, or an LED that the board's device
// tree binds, which the kernel then does not give out as a line.
type LampConfig struct {
	Line      string // its name on any chip, or gpiochipN/OFFSET; "" for an LED
	ActiveLow bool   // of the line
	LED       string // its name below /sys/class/leds
	Consumer  string // who uses the line, as others see it
}

// String returns the name of the line or LED.
func (c LampConfig) String() string {
	if c.LED != "" {
		return "LED " + c.LED
	}
	return c.Line
}

// OpenLamp opens a lamp, dark.
//
// Whoever is killed leaves a line to the kernel, which takes it back: most chips
// hold its level until it is claimed again. An LED stays as it is.
func OpenLamp(cfg LampConfig) (hardware.Lamp, error) {
	if cfg.LED != "" {
		return openLED("/sys/class/leds", cfg.LED)
	}
	return lampOn(NewLine(LineConfig{Line: cfg.Line, ActiveLow: cfg.ActiveLow, Consumer: cfg.Consumer}))
}

func lampOn(line *Line) (hardware.Lamp, error) {
	if err := line.Out(periph.Low); err != nil {
		return nil, err
	}
	return NewLamp(line), nil
}

// NewLamp makes a lamp of a pin, which is High when lit.
func NewLamp(pin periph.PinIO) hardware.Lamp { return pinLamp{pin} }

type pinLamp struct{ pin periph.PinIO }

func (p pinLamp) Set(on bool) error { return p.pin.Out(periph.Level(on)) }

// Lit reads the pin as the chip does. A pin of periph's that cannot be read is
// Low; ours says why.
func (p pinLamp) Lit() (bool, error) {
	if line, ok := p.pin.(*Line); ok {
		level, err := line.Level()
		return bool(level), err
	}
	return bool(p.pin.Read()), nil
}

func (p pinLamp) Close() error { return p.pin.Halt() }

// led is an LED class device (docs.kernel.org leds/leds-class).
type led struct {
	name       string
	brightness *os.File
	full       string
	buffer     [16]byte
}

func openLED(dir, name string) (*led, error) {
	if name != filepath.Base(name) || name == "." {
		return nil, fmt.Errorf("LED %q is not a name below %s (%w)", name, dir, os.ErrNotExist)
	}
	at := filepath.Join(dir, name)
	full, err := os.ReadFile(filepath.Join(at, "max_brightness"))
	if err != nil {
		return nil, explainLED(name, err)
	}
	// A trigger would change the brightness behind our back.
	if err := os.WriteFile(filepath.Join(at, "trigger"), []byte("none"), 0); err != nil && !os.IsNotExist(err) {
		return nil, explainLED(name, err)
	}
	f, err := os.OpenFile(filepath.Join(at, "brightness"), os.O_RDWR, 0)
	if err != nil {
		return nil, explainLED(name, err)
	}
	l := &led{name: name, brightness: f, full: strings.TrimSpace(string(full))}
	if err := l.Set(false); err != nil {
		_ = l.Close() // the first error is the one to tell
		return nil, err
	}
	return l, nil
}

func explainLED(name string, err error) error {
	err = fmt.Errorf("LED %s: %w", name, err)
	switch {
	case os.IsNotExist(err):
		return hinted{err, "ls /sys/class/leds lists them; is board.profile the right one?"}
	case os.IsPermission(err):
		return hinted{err, "let the group gpio write its brightness and trigger, or start the program as a service"}
	}
	return err
}

func (l *led) Set(on bool) error {
	text := "0"
	if on {
		text = l.full
	}
	if _, err := l.brightness.WriteAt([]byte(text), 0); err != nil {
		return explainLED(l.name, err)
	}
	return nil
}

// Lit reads the brightness: from the chip where its driver can, and what was set
// last otherwise. At offset 0 sysfs asks the driver anew.
func (l *led) Lit() (bool, error) {
	n, err := unix.Pread(int(l.brightness.Fd()), l.buffer[:], 0)
	if err != nil {
		return false, explainLED(l.name, err)
	}
	value, err := strconv.Atoi(strings.TrimSpace(string(l.buffer[:n])))
	if err != nil {
		return false, fmt.Errorf("LED %s: brightness: %w", l.name, err)
	}
	return value > 0, nil
}

func (l *led) Close() error { return l.brightness.Close() }
