package gpio

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"

	"github.com/bril-edge/bril/hardware"
)

// simulated is the chip of the virtual board (gpio-sim), whose lines a test can
// pull and read from outside.
type simulated struct {
	t   *testing.T
	dir string
}

// Drivers with the board's one device of each. Who uses the chip goes first.
const (
	simDriver  = "/sys/bus/platform/drivers/gpio-sim"
	keysDriver = "/sys/bus/platform/drivers/gpio-keys"
	ledsDriver = "/sys/bus/platform/drivers/leds-gpio"
)

func virtualBoard(t *testing.T) simulated {
	t.Helper()
	dirs, _ := filepath.Glob("/sys/devices/platform/board-gpio/gpiochip*") // the pattern is well-formed
	if len(dirs) == 0 {
		t.Skip("no simulated GPIO chip: this runs on the virtual board")
	}
	return simulated{t, dirs[0]}
}

func (s simulated) write(file, text string) {
	s.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0); err != nil {
		s.t.Fatal(err)
	}
}

// pull moves a line that is an input.
func (s simulated) pull(line string, up bool) {
	s.t.Helper()
	text := "pull-down"
	if up {
		text = "pull-up"
	}
	s.write(filepath.Join(s.dir, "sim_gpio"+line, "pull"), text)
}

// level is what an output is driven to.
func (s simulated) level(line string) bool {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "sim_gpio"+line, "value"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(text)) == "1"
}

// The numbers of the lines (board.dtsi of hardware/virtualboard).
const (
	btn1, btn2, led1, led2, key1, led3 = "3", "4", "5", "6", "7", "8"
)

func TestBoardLines(t *testing.T) {
	virtualBoard(t)
	var found []string
	for _, chip := range List() {
		if chip.Error != "" {
			t.Errorf("%s: %s", chip.Name, chip.Error)
		}
		for _, line := range chip.Lines {
			found = append(found, line.Name)
			if line.Name == "KEY1" && (!line.Used || line.Consumer != "key1") {
				t.Errorf("the key's line: %+v", line)
			}
		}
	}
	for _, want := range []string{"BTN1", "BTN2", "LED1", "LED2", "KEY1", "LED3"} {
		if !slices.Contains(found, want) {
			t.Errorf("no line %s", want)
		}
	}
	devices := InputDevices()
	if !slices.ContainsFunc(devices, func(d InputDevice) bool { return slices.Equal(d.Keys, []uint16{212}) }) {
		t.Errorf("no key in %+v", devices)
	}
}

func TestBoardLamp(t *testing.T) {
	board := virtualBoard(t)
	for _, cfg := range []struct {
		LampConfig
		number string
	}{{LampConfig{Line: "LED1"}, led1}, {LampConfig{Line: "LED2", ActiveLow: true}, led2}, {LampConfig{LED: "board:red:capture"}, led3}} {
		lamp, err := OpenLamp(cfg.LampConfig)
		if err != nil {
			t.Errorf("%v: %v", cfg, err)
			continue
		}
		for _, on := range []bool{true, false, true} {
			if err := lamp.Set(on); err != nil {
				t.Errorf("%v: %v", cfg, err)
			}
			if lit, err := lamp.Lit(); lit != on || err != nil || board.level(cfg.number) != (on != cfg.ActiveLow) {
				t.Errorf("%v: set to %v, reads %v, %v, the line is %v", cfg, on, lit, err, board.level(cfg.number))
			}
		}
		if cfg.Line != "" {
			if _, err := OpenLamp(cfg.LampConfig); !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), `in use by "bril"`) {
				t.Errorf("%v: opened twice: %v", cfg, err)
			}
		}
		if err := errors.Join(lamp.Set(false), lamp.Close()); err != nil {
			t.Errorf("%v: %v", cfg, err)
		}
	}
}

// A light that is held on a line, whose chip goes and comes back; a button and a
// key of the same chip do, too.
func TestBoardChipGoes(t *testing.T) {
	board := virtualBoard(t)
	lamp := LampConfig{Line: "LED1"}
	light := hardware.NewLight("capture light", "LED1", func() (hardware.Lamp, error) { return OpenLamp(lamp) })
	defer light.Close()
	hold, err := light.Hold()
	if err != nil {
		t.Fatal(err)
	}
	if err := hold.Check(); err != nil || !board.level(led1) {
		t.Errorf("held: %v", err)
	}
	button := run(t, NewButton(ButtonConfig{Name: "button1", Line: "BTN1"}, nil))
	button.until(works)
	key := run(t, NewButton(ButtonConfig{Name: "key", Key: 212}, nil))
	key.until(works)
	board.write(keysDriver+"/unbind", "keys")
	key.until(func(s ButtonStatus) bool { return s.Err != nil })
	board.write(ledsDriver+"/unbind", "leds")
	board.write(simDriver+"/unbind", "board-gpio")
	if err := hold.Check(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("chip gone: %v", err)
	}
	hold.Release()
	if _, err := light.Hold(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("held without its chip: %v", err)
	}
	button.until(func(s ButtonStatus) bool { return s.Err != nil })
	board.write(simDriver+"/bind", "board-gpio")
	board.write(keysDriver+"/bind", "keys")
	board.write(ledsDriver+"/bind", "leds")
	board = virtualBoard(t)
	hold, err = light.Hold()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Release()
	if err := hold.Check(); err != nil || !board.level(led1) {
		t.Errorf("held again: %v", err)
	}
	button.until(works)
	key.until(works)
	button.gesture(hardware.Short, longTime, func() { board.press(btn1, 100*ms) })
	key.gesture(hardware.Short, longTime, func() { board.press(key1, 100*ms) })
}

func (s simulated) press(line string, long time.Duration) {
	s.t.Helper()
	s.pull(line, true)
	time.Sleep(long)
	s.pull(line, false)
}

func TestBoardGestures(t *testing.T) {
	board := virtualBoard(t)
	for _, test := range []struct {
		cfg    ButtonConfig
		number string
	}{
		{ButtonConfig{Name: "line", Line: "BTN2", Double: true, Pull: periph.PullDown}, btn2},
		{ButtonConfig{Name: "key", Key: 212, Double: true}, key1},
	} {
		b := run(t, NewButton(test.cfg, nil))
		b.until(works)
		press := func(long time.Duration) func() { return func() { board.press(test.number, long) } }
		b.gesture(hardware.Short, longTime, press(100*ms))
		b.gesture(hardware.Long, time.Minute, press(longTime+200*ms))
		b.gesture(hardware.Double, doubleTime, press(60*ms), func() { time.Sleep(60 * ms) }, press(60*ms))
		b.stop()
	}
}

// gesture makes one of moves. Where the machine is so slow that they take longer
// than limit, or that the kernel debounces a press away, they mean something
// else: they are made again, and have to come through once.
func (r *running) gesture(want hardware.Gesture, limit time.Duration, moves ...func()) {
	r.t.Helper()
	for range 10 {
		began := time.Now()
		for _, move := range moves {
			move()
		}
		took := time.Since(began)
		got := r.all()
		if slices.Equal(got, []hardware.Gesture{want}) && took <= limit {
			return
		}
		r.t.Logf("%s: %s took %v and was told as %v", r.cfg.Name, want, took, got)
	}
	r.t.Errorf("%s: %s does not come", r.cfg.Name, want)
}

// all returns what has been told, once nothing more comes.
func (r *running) all() (got []hardware.Gesture) {
	for {
		select {
		case p := <-r.presses:
			got = append(got, p.Gesture)
		case <-time.After(time.Second):
			return got
		}
	}
}

// How long a look at the light takes, which each picture and sound pays for.
func BenchmarkBoardLit(b *testing.B) {
	if _, err := os.Stat("/sys/devices/platform/board-gpio"); err != nil {
		b.Skip("no simulated GPIO chip: this runs on the virtual board")
	}
	for _, cfg := range []LampConfig{{Line: "LED1"}, {LED: "board:red:capture"}} {
		b.Run(cfg.String(), func(b *testing.B) {
			lamp, err := OpenLamp(cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer lamp.Close()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := lamp.Lit(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
