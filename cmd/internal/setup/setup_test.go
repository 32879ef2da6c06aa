package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder/m2m"
	"github.com/bril-edge/bril/hardware/gpio"
)

// bench is a board with everything around it.
type bench struct {
	devices agent.Devices
	listed  error

	name, server string // enrolled as, at
	refuses      error  // to enrol
	enrolments   int

	status control.Status // of the daemon
	down   bool           // there is none

	units []string // calls of systemctl
	state map[string]string

	checks   []Check
	examined [][]string
	input    []bool

	told []string
}

func newBench() *bench {
	return &bench{
		devices: agent.Devices{
			Board: agent.Board{
				Title: "Raspberry Pi 4", KnownBy: "raspberrypi,4-model-b",
				Light:   &agent.Assigned{Name: "GPIO17", Place: "gpiochip0/17"},
				Buttons: []agent.AssignedButton{{Button: "button1"}},
			},
			Cameras:     []camera.Device{{Path: "/dev/video0", Name: "Module  3"}},
			Encoders:    []agent.Encoder{{Name: "bcm2835-codec", Device: &m2m.Device{}}, {Name: "openh264 (software)"}},
			Microphones: []microphone.Device{{Name: "hw:1,0", Description: "USB Audio"}},
		},
		down:   true,
		state:  map[string]string{"is-enabled": "disabled", "is-active": "inactive"},
		checks: []Check{{ID: "camera", Status: "ok"}, {ID: "light", Status: "ok"}},
	}
}

func (b *bench) List(configs.Config) (agent.Devices, error) { return b.devices, b.listed }

func (b *bench) Snapshot(context.Context, configs.Config) ([]byte, error) {
	if !b.down {
		return nil, errors.New("the daemon has the light")
	}
	return []byte("a picture"), nil
}

func (b *bench) Enrolled(context.Context) (name, server string, err error) {
	return b.name, b.server, nil
}

func (b *bench) Enrol(_ context.Context, server string) (string, error) {
	b.enrolments++
	if b.refuses != nil {
		return "", b.refuses
	}
	b.name, b.server = "anna", server
	return b.name, nil
}

func (b *bench) Check(_ context.Context, only []string, input bool) ([]Check, error) {
	b.examined, b.input = append(b.examined, only), append(b.input, input)
	return b.checks, nil
}

func (b *bench) systemctl(_ context.Context, args ...string) (string, error) {
	b.units = append(b.units, strings.Join(args, " "))
	switch args[0] {
	case "enable":
		b.state = map[string]string{"is-enabled": "enabled", "is-active": "active"}
		b.down, b.status.State = false, "ready"
	case "stop":
		b.down = true
	case "start":
		b.down = false
	case "is-active", "is-enabled":
		if word := b.state[args[0]]; word != "enabled" && word != "active" {
			return word, errors.New("exit status 1")
		}
	}
	return b.state[args[0]], nil
}

func (b *bench) config(t *testing.T, path string) Config {
	return Config{
		Version: "1.2.3", Path: path, Service: true,
		Tell:  func(s Step) { b.told = append(b.told, s.ID+" "+string(s.Status)) },
		Board: b, Enrol: b, Doctor: b,
		Manager: Systemd{
			Config: UnitConfig, booted: t.TempDir(), run: b.systemctl,
			Status: func(context.Context) (control.Status, error) {
				if b.down {
					return control.Status{}, control.ErrNotRunning
				}
				return b.status, nil
			},
		},
	}
}

// run goes through setup, which has to end in an error only where that is wanted.
func (b *bench) run(t *testing.T, cfg Config, want string) Report {
	t.Helper()
	b.told = nil
	report, err := Run(t.Context(), cfg)
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Fatalf("ended with %v, want %q; told %q", err, want, b.told)
	}
	return report
}

func (b *bench) want(t *testing.T, r Report, changed bool, steps ...string) {
	t.Helper()
	if !slices.Equal(b.told, steps) || r.Changed != changed {
		t.Errorf("told %q, changed %t; want %q, %t", b.told, r.Changed, steps, changed)
	}
}

// A bare board is set up without a question; the second time nothing is to be done.
func TestSetUpTwice(t *testing.T) {
	b := newBench()
	cfg := b.config(t, filepath.Join(t.TempDir(), "etc", "bril.yaml"))
	cfg.Server, cfg.Picture = "https://showroom.example", filepath.Join(t.TempDir(), "s.jpg")
	r := b.run(t, cfg, "")
	b.want(t, r, true, "hardware ok", "configuration changed", "snapshot ok", "test ok", "enrolment changed", "service changed", "doctor ok")
	if r.Result != OK || !slices.EqualFunc(b.examined, [][]string{{"buttons", "light"}, nil}, slices.Equal) || slices.Contains(b.input, true) {
		t.Errorf("result %s, examined %q with input %t", r.Result, b.examined, b.input)
	}
	file, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"  # the only one is Module 3 (/dev/video0)\n  source: auto\n",
		"  # the device tree says that it is Raspberry Pi 4 (raspberrypi,4-model-b)\n  profile: auto\n",
	} {
		if !strings.Contains(string(file), line) {
			t.Errorf("no %q in\n%s", line, file)
		}
	}
	if data, err := os.ReadFile(cfg.Picture); err != nil || string(data) != "a picture" {
		t.Errorf("the picture: %q, %v", data, err)
	}

	b.units = nil
	cfg.Picture = ""
	r = b.run(t, cfg, "")
	b.want(t, r, false, "hardware ok", "configuration ok", "snapshot skipped", "test ok", "enrolment ok", "service ok", "doctor ok")
	if again, err := os.ReadFile(cfg.Path); err != nil || string(again) != string(file) {
		t.Errorf("the file is another: %v\n%s", err, again)
	}
	if _, err := os.Stat(cfg.Path + Old); !errors.Is(err, fs.ErrNotExist) || b.enrolments != 1 || slices.Contains(b.units, "restart bril.service") {
		t.Errorf("old file %v, %d enrolments, %q", err, b.enrolments, b.units)
	}
}

// What the file has set stays, the file of before is kept, and the service is told.
func TestNewChoice(t *testing.T) {
	b := newBench()
	b.state = map[string]string{"is-enabled": "enabled", "is-active": "active"}
	b.down, b.status.State = false, "ready"
	path := filepath.Join(t.TempDir(), "bril.yaml")
	const before = "# mine\ncamera: {source: /dev/video2, fps: 15}\nspool: {quota: 1G}\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := b.config(t, path)
	cfg.Choices.Language, cfg.Picture = "nl", filepath.Join(t.TempDir(), "s.jpg")
	b.want(t, b.run(t, cfg, ""), true, "hardware ok", "configuration changed", "snapshot ok", "test ok", "enrolment skipped", "service changed", "doctor ok")
	if old, err := os.ReadFile(path + Old); err != nil || string(old) != before {
		t.Errorf("the old file: %q, %v", old, err)
	}
	got, err := configs.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Camera.Source.Path != "/dev/video2" || got.Camera.FPS != 15 || got.Spool.Quota != 1_000_000_000 || got.Cues.Language != "nl" {
		t.Errorf("%+v", got)
	}
	if !slices.Equal(b.units, []string{"is-active bril.service", "stop bril.service", "start bril.service", "is-enabled bril.service", "is-active bril.service", "restart bril.service"}) {
		t.Errorf("systemctl %q", b.units)
	}
}

// A technician who answers, and answers wrongly at first.
func TestAsked(t *testing.T) {
	b := newBench()
	cfg := b.config(t, filepath.Join(t.TempDir(), "bril.yaml"))
	picture := filepath.Join(t.TempDir(), "s.jpg")
	var out strings.Builder
	answers := []string{"", "fax", "/dev/video1", "", "ear", "in-ear", "fr", "nl", picture, "maybe", "yes", "http://showroom.example", "https://showroom.example", "y"}
	cfg.Ask = &Asker{In: strings.NewReader(strings.Join(answers, "\n") + "\n"), Out: &out}
	r := b.run(t, cfg, "")
	b.want(t, r, true, "hardware ok", "configuration changed", "snapshot ok", "test ok", "enrolment changed", "service changed", "doctor ok")
	for _, said := range []string{
		"Camera? auto, /dev/videoN or none [auto]: ", `  camera source "fax" is not known: it may be auto, none`,
		`  talkback.output: "ear" is not one of in-ear, open`, `  cues.language: "fr" is not one of none, nl, de, en`,
		`  "maybe" is neither yes nor no`, `  "http://showroom.example" is no address: write https://HOST`,
	} {
		if !strings.Contains(out.String(), said) {
			t.Errorf("no %q in\n%s", said, out.String())
		}
	}
	if !slices.Equal(b.input, []bool{true, false}) {
		t.Errorf("asked for presses: %t", b.input)
	}
	if line := (Line{"camera.source", "/dev/video1", "as chosen"}); !slices.Contains(r.Steps[1].Lines, line) {
		t.Errorf("lines %+v", r.Steps[1].Lines)
	}

	cfg.Ask.In = strings.NewReader("auto\n")
	b.run(t, cfg, "the answers ended before the questions did")
}

// What is proposed is shown, and nothing is touched.
func TestPrint(t *testing.T) {
	b := newBench()
	b.down, b.status.State = false, "live"
	cfg := b.config(t, filepath.Join(t.TempDir(), "bril.yaml"))
	cfg.Print = true
	r := b.run(t, cfg, "")
	b.want(t, r, false, "hardware ok", "configuration ok")
	if _, err := configs.Parse([]byte(r.Text), "printed"); err != nil || !strings.Contains(r.Text, "source: auto") {
		t.Errorf("%v in\n%s", err, r.Text)
	}
	if _, err := os.Stat(cfg.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// liveAfter has a conversation begin once a step is done.
func (b *bench) liveAfter(c *Config, id string) {
	b.down, b.status.State = false, "ready"
	tell := c.Tell
	c.Tell = func(s Step) {
		if tell(s); s.ID == id {
			b.status.State = "live"
		}
	}
}

func TestEnds(t *testing.T) {
	refused := errors.New("the token is not known")
	for _, c := range []struct {
		name, want string
		with       func(*bench, *Config)
		last       string
	}{
		{"live", "the daemon is live", func(b *bench, _ *Config) { b.down, b.status.State = false, "live" }, ""},
		{"called", "the daemon is in a call", func(b *bench, _ *Config) {
			b.down, b.status = false, control.Status{State: "ready", Call: &control.Call{State: "ringing"}}
		}, ""},
		{"live before the picture", "the daemon is live", func(b *bench, c *Config) { c.Picture = "no.jpg"; b.liveAfter(c, StepConfiguration) }, "snapshot failed"},
		{"live before the restart", "the daemon is live", func(b *bench, c *Config) { b.liveAfter(c, StepEnrolment) }, "service failed"},
		{"hidden board", "no /proc", func(b *bench, _ *Config) { b.listed = errors.New("no /proc") }, "hardware failed"},
		{"no such profile", "board.profile", func(_ *bench, c *Config) { c.Choices.Profile = "bogus" }, "hardware failed"},
		{"a refused token", "the token is not known", func(b *bench, c *Config) { b.refuses, c.Server = refused, "https://a.example" }, "enrolment failed"},
		{"enrolled elsewhere", "enrolled at https://b.example already", func(b *bench, c *Config) { b.server, c.Server = "https://b.example", "https://a.example" }, "enrolment failed"},
		{"the doctor", "camera: nothing comes", func(b *bench, _ *Config) {
			b.devices.Board.Light, b.devices.Board.Buttons = nil, nil
			b.checks = []Check{{ID: "dns", Status: "warn", Message: "slow"}, {ID: "camera", Status: "fail", Message: "nothing comes"}, {ID: "microphone", Status: "fail"}}
		}, "doctor failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench()
			cfg := b.config(t, filepath.Join(t.TempDir(), "bril.yaml"))
			c.with(b, &cfg)
			r := b.run(t, cfg, c.want)
			if last := b.told; c.last == "" && len(last) > 0 || c.last != "" && last[len(last)-1] != c.last {
				t.Errorf("told %q, want %q last", last, c.last)
			}
			if r.Result != Failed {
				t.Errorf("result %s", r.Result)
			}
		})
	}
}

// The picture shows somebody: it is for who asked, whatever stood in its place.
func TestPicture(t *testing.T) {
	dir := t.TempDir()
	other, file := filepath.Join(dir, "other"), filepath.Join(dir, "look.jpg")
	if err := errors.Join(os.WriteFile(other, []byte("somebody's"), 0o644), os.Symlink(other, file)); err != nil {
		t.Fatal(err)
	}
	b := newBench()
	cfg := b.config(t, filepath.Join(dir, "bril.yaml"))
	cfg.Picture = file
	b.run(t, cfg, "")
	if info, err := os.Lstat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if data, err := os.ReadFile(other); err != nil || string(data) != "somebody's" {
		t.Errorf("what a link led to holds %q, %v", data, err)
	}
}

func TestBadFile(t *testing.T) {
	b := newBench()
	cfg := b.config(t, filepath.Join(t.TempDir(), "bril.yaml"))
	if err := os.WriteFile(cfg.Path, []byte("camra: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Run(t.Context(), cfg)
	if h := (interface{ Hint() string })(nil); !errors.Is(err, configs.ErrInvalid) || !errors.As(err, &h) || !strings.Contains(h.Hint(), "move it away") {
		t.Error(err)
	}
}

// The proposal for boards that are not as TestSetUpTwice has them.
func TestPropose(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*agent.Devices)
		want Line
	}{
		{"a named line", func(d *agent.Devices) {
			d.Board.KnownBy = ""
			d.Chips = []gpio.Chip{{Lines: []gpio.LineInfo{{Name: "bril-light"}}}}
		}, Line{"board.profile", "usb-camera", "the board is not a known one, and has a line bril-light for the capture light"}},
		{"a PC", func(d *agent.Devices) { d.Board.KnownBy = "" },
			Line{"board.profile", "auto", "the board is not a known one: it has no capture light and no buttons"}},
		{"no chip", func(d *agent.Devices) { d.Encoders = d.Encoders[1:] },
			Line{"camera.size", "640x480", "no encoder of the board was found: software has a third of the pixels of 1280x720 to encode"}},
		{"two cameras, one of which is busy", func(d *agent.Devices) {
			d.Cameras = []camera.Device{{Path: "/dev/video0", Error: "busy"}, {Path: "/dev/video1"}, {Path: "/dev/video2", Name: "b"}}
		}, Line{"camera.source", "auto", "the first of 2 that works: a camera (/dev/video1)"}},
		{"nothing to hear with", func(d *agent.Devices) { d.Microphones = nil },
			Line{"microphone.source", "auto", "no microphone was found: the first that is connected is taken"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench()
			c.with(&b.devices)
			cfg := b.config(t, filepath.Join(t.TempDir(), "bril.yaml"))
			cfg.Print = true
			if r := b.run(t, cfg, ""); !slices.Contains(r.Steps[1].Lines, c.want) {
				t.Errorf("no %v in %v", c.want, r.Steps[1].Lines)
			}
		})
	}
}

func TestSystemd(t *testing.T) {
	for _, c := range []struct {
		enabled, active string
		again           bool
		booted, config  string
		want            Status
		call            string
	}{
		{"disabled", "inactive", false, "", UnitConfig, Changed, "enable --now bril.service"},
		{"enabled", "failed", false, "", UnitConfig, Changed, "enable --now bril.service"},
		{"enabled", "active", false, "", UnitConfig, OK, "is-active bril.service"},
		{"enabled", "active", true, "", UnitConfig, Changed, "restart bril.service"},
		{"Failed to get unit file state", "", true, "", UnitConfig, Skipped, "is-enabled bril.service"},
		{"not-found", "", true, "", UnitConfig, Skipped, "is-enabled bril.service"},
		{"enabled", "active", true, "/nowhere", UnitConfig, Skipped, ""},
		{"enabled", "active", true, "", "bril.yaml", Skipped, ""},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			b := newBench()
			b.state = map[string]string{"is-enabled": c.enabled, "is-active": c.active}
			m := b.config(t, "").Manager.(Systemd)
			m.Config = c.config
			if c.booted != "" {
				m.booted = c.booted
			}
			step, err := m.Start(t.Context(), c.again)
			if err != nil || step.Status != c.want {
				t.Errorf("%+v, %v", step, err)
			}
			last := ""
			if n := len(b.units); n > 0 {
				last = b.units[n-1]
			}
			if last != c.call {
				t.Errorf("systemctl %q", b.units)
			}
		})
	}
}
