package power

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/hardware"
)

// watch runs a monitor in a bubble, and returns what has changed since it was
// asked last.
func watch(t *testing.T, root *board) (m *Monitor, changes func() []string) {
	m = NewMonitor(Config{Root: root})
	heard := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx, func(r Reading) { heard <- fmt.Sprint(levels(r)) })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return m, func() (all []string) {
		synctest.Wait()
		for len(heard) > 0 {
			all = append(all, <-heard)
		}
		return all
	}
}

func TestMonitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := sysfsOf(`
			power_supply/BAT0/type Battery
			power_supply/BAT0/status Discharging
			power_supply/BAT0/capacity 21
			thermal/thermal_zone0/type cpu-thermal
			thermal/thermal_zone0/temp 60000
		`)
		m, changes := watch(t, root)
		expect := func(what string, want ...string) {
			t.Helper()
			if got := changes(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		expect("the first look", "{fine normal}")
		time.Sleep(10 * every)
		expect("nothing new")
		root.set("power_supply/BAT0/capacity 20\nthermal/thermal_zone0/temp 78000")
		time.Sleep(every)
		expect("both", "{low hot}")
		if r := m.Reading(); *r.Battery != (hardware.Battery{Name: "BAT0", Percent: 20, Level: "low"}) ||
			*r.Temperature != (hardware.Temperature{Zone: "cpu-thermal", Celsius: 78, Level: "hot"}) {
			t.Errorf("reading %+v, %+v", r.Battery, r.Temperature)
		}
		root.set("power_supply/BAT0/capacity 3")
		time.Sleep(every)
		expect("not believed yet", "{very-low hot}")
		time.Sleep(again)
		expect("confirmed", "{nearly-empty hot}")
		root.set("power_supply/BAT0/status Charging")
		time.Sleep(every)
		expect("fed", "{fine hot}")
		root.set("power_supply/BAT0/type\nthermal/thermal_zone0/type\nthermal/thermal_zone0/temp")
		time.Sleep(every)
		expect("the battery is taken out", "{ hot}")
		time.Sleep(lostLooks * every)
		expect("the sensor is gone", "{ }")
	})
}

// A board without battery and sensor is looked at all the same: both can be
// plugged in.
func TestMonitorOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := sysfsOf("")
		m, changes := watch(t, root)
		time.Sleep(4 * every)
		if got := changes(); len(got) != 0 || m.Reading() != (Reading{}) {
			t.Errorf("of nothing: %q, %+v", got, m.Reading())
		}
		root.set("power_supply/b/type Battery")
		time.Sleep(every)
		if got := changes(); len(got) != 1 || m.Reading().Battery.Percent != -1 {
			t.Errorf("plugged in: %q, %+v", got, m.Reading().Battery)
		}
	})
}

// Each look wakes the processor, so there are few.
func TestMonitorSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := &counting{board: sysfsOf("thermal/thermal_zone0/temp 60000")}
		m := NewMonitor(Config{Root: root})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); m.Run(ctx, func(Reading) {}) }()
		time.Sleep(time.Hour + time.Second)
		cancel()
		<-done
		if want := int(time.Hour/every) + 1; root.looks != want {
			t.Errorf("%d looks in an hour, want %d", root.looks, want)
		}
	})
}

// The machine's own sysfs can be read, whatever it holds.
func TestThisMachine(t *testing.T) {
	t.Logf("batteries %+v, zones %+v", Supplies(nil), Zones(nil))
	NewMonitor(Config{}).look()
}
