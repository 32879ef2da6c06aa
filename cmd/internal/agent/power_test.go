package agent

import (
	"context"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/hardware/power"
)

// sysfs is one that changes while it is read.
type sysfs struct {
	mu    sync.Mutex
	files fstest.MapFS
}

func (s *sysfs) Open(name string) (fs.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files.Open(name)
}

func (s *sysfs) set(percent, temperature string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text + "\n")} }
	s.files = fstest.MapFS{
		"class/power_supply/BAT0/type":           file("Battery"),
		"class/power_supply/BAT0/status":         file("Discharging"),
		"class/power_supply/BAT0/capacity":       file(percent),
		"class/thermal/thermal_zone0/type":       file("cpu-thermal"),
		"class/thermal/thermal_zone0/temp":       file(temperature),
		"class/thermal/thermal_zone1/type":       file("modem"),
		"class/thermal/thermal_zone1/temp":       file("99000"),
		"class/thermal/thermal_zone1/trip_point": file("0"),
	}
}

// What the board says of battery and heat, by the profile's zones, comes to the
// status and to the session, which refuses to go live in the end.
func TestPower(t *testing.T) {
	t.Parallel()
	root := &sysfs{}
	root.set("3", "78360")
	board := newGlasses(t).board()
	board.zones = []string{"cpu-thermal"}
	a, err := New(quiet("http://127.0.0.1:1/whip/a"), Options{StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler), board: board, sysfs: root})
	if err != nil {
		t.Fatal(err)
	}
	r := runAgent(t, a, false)
	s := r.until("the first look", func(s control.Status) bool { return s.Battery != nil && len(s.Warnings) == 2 })
	if *s.Battery.Percent != 3 || s.Battery.State != "very-low" || s.Battery.Charging || *s.Thermal != (control.Thermal{Celsius: 78.4, Zone: "cpu-thermal", State: "hot"}) {
		t.Errorf("battery %+v, thermal %+v", s.Battery, s.Thermal)
	}
	if said := strings.Join(s.Warnings, "\n"); !strings.Contains(said, "battery is very low") || !strings.Contains(said, "too hot") {
		t.Errorf("warnings: %q", said)
	}
	r.until("the second look", func(s control.Status) bool { return s.Battery.State == "nearly-empty" })
	r.until("the refusal", func(control.Status) bool {
		_, err := a.Live(t.Context(), control.On)
		return err != nil && hint(err) != ""
	})
	if s := a.Status(); s.State != "ready" && s.State != "stopping" || !strings.Contains(strings.Join(s.Warnings, "\n"), "nearly empty") {
		t.Errorf("in the end: %s, %q", s.State, s.Warnings)
	}
}

// A board that tells nothing has neither in its status, and a PC's heat is shown
// only.
func TestPowerOfOthers(t *testing.T) {
	a := &Agent{board: &board{}, opts: Options{sysfs: fstest.MapFS{}}}
	a.power = a.newPower()
	var s control.Status
	if a.showPower(&s); s.Battery != nil || s.Thermal != nil {
		t.Errorf("of nothing: %+v, %+v", s.Battery, s.Thermal)
	}
	root := &sysfs{}
	root.set("unknown", "95000")
	synctest.Test(t, func(t *testing.T) {
		pc := &Agent{board: &board{cooled: true}, opts: Options{sysfs: root}}
		pc.power = pc.newPower()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { pc.power.Run(ctx, func(power.Reading) {}) })
		synctest.Wait()
		var s control.Status
		pc.showPower(&s)
		if s.Battery.Percent != nil || s.Battery.State != "fine" || s.Thermal.State != "normal" || s.Thermal.Celsius != 99 {
			t.Errorf("of a PC: %+v, %+v", s.Battery, s.Thermal)
		}
		cancel()
		running.Wait()
	})
}
