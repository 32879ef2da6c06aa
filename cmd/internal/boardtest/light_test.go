package boardtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// The numbers of the board's lines (board.dtsi of hardware/virtualboard).
const (
	button1 = "3"
	button2 = "4"
	light   = "5"
)

// Drivers with the board's one device of each.
var (
	chip = [2]string{"gpio-sim", "board-gpio"}
	keys = [2]string{"gpio-keys", "keys"}
	leds = [2]string{"leds-gpio", "leds"}
)

// unboundInUse is what Linux 6.1 complains of when gpio-sim is unbound while an
// interrupt of one of its lines, as a button has it, is claimed.
const unboundInUse = "remove_proc_entry"

// bind binds devices to their drivers, or unbinds them, in order.
func (r *rig) bind(how string, devices ...[2]string) {
	r.Helper()
	for _, d := range devices {
		r.set("/sys/bus/platform/drivers/"+d[0]+"/"+how, d[1])
	}
}

// line returns a file of gpio-sim about a line: pull or value.
func (r *rig) line(number, file string) string {
	r.Helper()
	dir := strings.TrimSpace(r.run("sh", "-c", "ls -d /sys/devices/platform/board-gpio/gpiochip*"))
	return filepath.Join(dir, "sim_gpio"+number, file)
}

func (r *rig) lit() bool {
	r.Helper()
	text, err := r.guest.ReadFile(r.Context(), r.line(light, "value"))
	if err != nil {
		r.Fatal(err)
	}
	return strings.TrimSpace(string(text)) == "1"
}

// press presses a button for a moment: 0.1 s is short, as is anything below 0.8 s
// that a slow machine makes of it.
func (r *rig) press(number string) {
	r.Helper()
	pull := r.line(number, "pull")
	r.run("sh", "-c", "echo pull-up >"+pull+"; sleep 0.1; echo pull-down >"+pull)
}

// build builds for the guest what `go args... -o name pkg` makes.
func (r *rig) build(name, pkg string, args ...string) {
	r.Helper()
	cmd := exec.CommandContext(r.Context(), "go", append(args, "-o", filepath.Join(r.share, "bin", name), pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=arm64")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("build %s: %v\n%s", name, err, out)
	}
}

// lightConfig is a configuration with a camera and a microphone, where button 1
// goes live and ends it.
func (r *rig) lightConfig() string {
	r.Helper()
	const text = `camera: {source: auto, size: 320x180, fps: 10}
microphone: {source: auto}
board: {buttons: {button1: {short: live, double: none}}}
`
	if err := os.WriteFile(filepath.Join(r.share, "light.yaml"), []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
	return "/host/light.yaml"
}

// dark is an agent that captures nothing because of its light.
func dark(s control.Status) bool {
	return s.Light.State == "failed" && s.Camera == "" && s.Microphone == "" &&
		slices.ContainsFunc(s.Errors, func(f control.Fault) bool { return f.Component == "light" && f.Hint != "" })
}

// wantNothing checks for a while that nothing is captured.
func (r *rig) wantNothing() {
	r.Helper()
	before := r.status().Video.Captured
	for range 3 {
		time.Sleep(300 * time.Millisecond)
		if running := r.run("sh", "-c", "cat /proc/[0-9]*/comm | grep ^vivid-000-vid-c; grep -l RUNNING /proc/asound/card*/pcm*c/sub*/status; true"); running != "" {
			r.Errorf("this runs without the light: %s", running)
		}
	}
	if now := r.status().Video.Captured; now != before {
		r.Errorf("%d pictures were captured without the light", now-before)
	}
}

// TestButtonGoesLive presses the button: once to go live, once to end it. The
// kernel says all along whether anything is captured, and whether the light is on.
func TestButtonGoesLive(t *testing.T) {
	r := board(t)
	r.build("lightwatch", "./lightwatch", "build")
	r.agent(r.endpoint(), "--config", r.lightConfig())
	s := r.until("ready", func(s control.Status) bool { return s.State == "ready" && working(s.Buttons) })
	if s.Light != (control.Light{Line: "LED1", State: "off"}) || len(s.Errors) != 0 || r.lit() {
		t.Errorf("ready: %+v, %+v", s.Light, s.Errors)
	}
	watch := r.start("lightwatch", r.line(light, "value"))
	r.press(button1)
	s = r.until("live", func(s control.Status) bool { return live(s) && s.Microphone != "" && s.Light.State == "on" })
	from := s.Video.Captured
	r.until("captured", func(s control.Status) bool { return s.Video.Captured > from+20 })
	r.press(button2)
	r.until("paused", func(s control.Status) bool { return s.State == "paused" && s.Light.State == "off" })
	if r.lit() {
		t.Error("lit in a pause") // the pattern of a pause is on another line
	}
	r.press(button2)
	r.until("live again", func(s control.Status) bool { return live(s) && s.Light.State == "on" })
	r.press(button1)
	r.until("ready again", func(s control.Status) bool { return s.State == "ready" && s.Light.State == "off" })
	if r.lit() {
		t.Error("lit when ready")
	}
	if code := watch.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("lightwatch: exit code %d", code)
	}
	var seen struct{ Looks, Pictures, Sounds, Dark, Lit int }
	if err := json.Unmarshal([]byte(watch.said()), &seen); err != nil {
		t.Fatalf("lightwatch: %v in %q", err, watch.said())
	}
	t.Logf("seen: %+v", seen)
	if seen.Dark != 0 || seen.Pictures < 10 || seen.Sounds < 10 || seen.Lit < seen.Pictures {
		t.Errorf("captured in the dark, or not at all: %+v", seen)
	}
}

func working(buttons []control.Button) bool {
	return len(buttons) == 2 && !slices.ContainsFunc(buttons, func(b control.Button) bool { return b.State != "working" })
}

// TestLightIsTaken starts an agent whose light another process holds, and ends
// that one, and then the agent, by force.
func TestLightIsTaken(t *testing.T) {
	r := board(t)
	at := filepath.Base(filepath.Dir(filepath.Dir(r.line(light, "value"))))
	thief := r.start("gpioset", "--mode=signal", at, light+"=1") // lit, but not by us
	e := r.endpoint()
	agent := r.agent(e, "--config", r.lightConfig(), "--live")
	s := r.until("in the dark", func(s control.Status) bool { return s.State == "fault" && dark(s) })
	if fault := s.Errors[0]; !strings.Contains(fault.Message, `in use by "gpioset"`) || s.Video.Captured != 0 {
		t.Errorf("%d pictures; %+v", s.Video.Captured, fault)
	}
	r.wantNothing()
	thief.stop(syscall.SIGTERM)
	r.until("live", live)
	if !r.lit() {
		t.Error("live and dark")
	}
	// Killed, it captures nothing any more, and the next one has the light again.
	agent.stop(syscall.SIGKILL)
	r.agent(e, "--config", r.lightConfig())
	r.until("ready", func(s control.Status) bool { return s.State == "ready" && s.Light.State == "off" })
	r.wantNothing()
	if r.lit() {
		t.Error("lit when ready")
	}
}

// TestLightGoesWhileLive takes the light's chip away while live, and brings it
// back, over and over.
func TestLightGoesWhileLive(t *testing.T) {
	r := board(t)
	r.excuse = unboundInUse
	r.agent(r.endpoint(), "--config", r.lightConfig(), "--live")
	for range 3 {
		r.until("live", func(s control.Status) bool {
			return live(s) && s.Light.State == "on" && s.Microphone != "" && working(s.Buttons)
		})
		r.bind("unbind", keys, leds, chip) // who uses the chip goes first
		r.until("in the dark", dark)
		r.wantNothing()
		r.bind("bind", chip, keys, leds)
	}
	r.until("live", func(s control.Status) bool { return live(s) && s.Light.State == "on" && !dark(s) })
	if !r.lit() {
		t.Error("live and dark")
	}
}

// TestLines runs the tests of hardware/gpio that need the board's lines.
func TestLines(t *testing.T) {
	r := board(t)
	r.excuse = unboundInUse
	r.build("gpio.test", "github.com/bril-edge/bril/hardware/gpio", "test", "-c")
	if out := r.run("gpio.test", "-test.v", "-test.run", "^TestBoard"); strings.Contains(out, "--- SKIP") {
		t.Errorf("skipped:\n%s", out)
	}
}
