package boardtest

import (
	"context"
	"path"
	"strings"
	"testing"
)

// TestBatteryAndHeat goes live on a hot board, whose battery then is emptied and
// charged. The kernel's package has neither a test battery nor a thermal zone to
// emulate, so files stand in for them where sysfs has the real ones.
func TestBatteryAndHeat(t *testing.T) {
	r := board(t)
	const battery, zone = "/sys/class/power_supply/BAT0", "/sys/class/thermal/thermal_zone0"
	for _, dir := range []string{battery, zone} {
		class := path.Dir(dir)
		r.run("mount", "-t", "tmpfs", "none", class)
		t.Cleanup(func() { // when the agent has ended, and the test's context with it
			if result, err := r.guest.Run(context.Background(), "umount", class); err != nil || result.Code != 0 {
				t.Errorf("umount %s: %v, %s", class, err, result.Stderr)
			}
		})
		r.run("mkdir", dir)
	}
	r.set(battery+"/type", "Battery\n")
	r.set(battery+"/status", "Discharging\n")
	r.set(battery+"/capacity", "18\n")
	r.set(zone+"/type", "soc-thermal\n")
	r.set(zone+"/temp", "90500\n")
	r.agent(r.endpoint(), "--camera", "pattern:160x90@10", "--microphone", "none", "--live")

	s := r.until("live and hot", func(s status) bool { return live(s) && s.Video.Dropped["heat"] > 5 })
	if *s.Battery.Percent != 18 || s.Battery.State != "low" || s.Thermal.Zone != "soc-thermal" || s.Thermal.State != "very-hot" || len(s.Warnings) < 2 {
		t.Errorf("battery %+v, heat %+v, warnings %q", s.Battery, s.Thermal, s.Warnings)
	}
	t.Logf("bril status says\n%s", r.run("bril", "status", "--control", socket))

	r.set(battery+"/capacity", "3\n")
	r.until("ready", func(s status) bool { return s.State == "ready" && s.Battery.State == "nearly-empty" })
	refused := r.try("bril", "live", "on", "--control", socket)
	if said := string(refused.Stderr); refused.Code != 1 || !strings.Contains(said, "nearly empty") || !strings.Contains(said, "hint: charge it") {
		t.Errorf("live on: exit code %d\n%s", refused.Code, said)
	}
	if text := r.run("bril", "devices"); !strings.Contains(text, "BAT0: 3 %, discharging") || !strings.Contains(text, "°C at soc-thermal") {
		t.Errorf("bril devices says\n%s", text)
	}

	r.set(battery+"/status", "Charging\n")
	r.until("fed", func(s status) bool { return s.Battery.Charging && s.Battery.State == "fine" })
	r.run("bril", "live", "on", "--control", socket)
	r.until("live again", live)
}
