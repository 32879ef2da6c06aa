package power

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
)

func TestSupplies(t *testing.T) {
	tests := []struct{ name, sysfs, want string }{
		{"none", "", `[]`},
		{"a gauge", `
			power_supply/BAT0/type Battery
			power_supply/BAT0/status Discharging
			power_supply/BAT0/capacity 56
			power_supply/BAT0/model_name MAX17048
			power_supply/BAT0/voltage_now 3812500
		`, `[{"name":"BAT0","model":"MAX17048","status":"Discharging","charging":false,"percent":56,"voltage_v":3.8125}]`},
		{"charge only", `
			power_supply/bq27441-0/type Battery
			power_supply/bq27441-0/status Charging
			power_supply/bq27441-0/charge_now 500000
			power_supply/bq27441-0/charge_full 2000000
		`, `[{"name":"bq27441-0","status":"Charging","charging":true,"percent":25}]`},
		{"energy, and design only", `
			power_supply/b/type Battery
			power_supply/b/energy_now 900
			power_supply/b/energy_full_design 1000
		`, `[{"name":"b","charging":false,"percent":90}]`},
		{"words", `
			power_supply/b/type Battery
			power_supply/b/capacity_level Low
		`, `[{"name":"b","charging":false,"percent":15}]`},
		{"one cell, voltage only", `
			power_supply/b/type Battery
			power_supply/b/voltage_now 3750000
		`, `[{"name":"b","charging":false,"percent":45,"guessed":true,"voltage_v":3.75}]`},
		{"two cells with their limits", `
			power_supply/b/type Battery
			power_supply/b/voltage_now 7200000
			power_supply/b/voltage_min_design 6400000
			power_supply/b/voltage_max_design 8400000
		`, `[{"name":"b","charging":false,"percent":40,"guessed":true,"voltage_v":7.2}]`},
		{"two cells without", `
			power_supply/b/type Battery
			power_supply/b/voltage_now 7200000
		`, `[{"name":"b","charging":false,"voltage_v":7.2}]`},
		{"a UPS with its mains", `
			power_supply/ups/type UPS
			power_supply/ups/capacity 80
			power_supply/AC/type Mains
			power_supply/AC/online 1
		`, `[{"name":"ups","charging":true,"percent":80}]`},
		{"a charger too weak", `
			power_supply/b/type Battery
			power_supply/b/status Discharging
			power_supply/b/capacity 80
			power_supply/usb/type USB
			power_supply/usb/online 1
		`, `[{"name":"b","status":"Discharging","charging":false,"percent":80}]`},
		{"full, and too warm to fill", `
			power_supply/a/type Battery
			power_supply/a/status Full
			power_supply/b/type Battery
			power_supply/b/status Not charging
		`, `[{"name":"a","status":"Full","charging":true},{"name":"b","status":"Not charging","charging":true}]`},
		{"a mouse, an empty bay, mains", `
			power_supply/hidpp_battery_0/type Battery
			power_supply/hidpp_battery_0/scope Device
			power_supply/BAT1/type Battery
			power_supply/BAT1/present 0
			power_supply/AC/type Mains
		`, `[]`},
		{"nonsense", `
			power_supply/b/type Battery
			power_supply/b/capacity -5
			power_supply/b/charge_now 7
			power_supply/b/charge_full 0
			power_supply/b/voltage_now x
			power_supply/c/type Battery
			power_supply/c/capacity 130
		`, `[{"name":"b","charging":false},{"name":"c","charging":false,"percent":100}]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := json.Marshal(Supplies(sysfsOf(test.sysfs)))
			if err != nil || string(got) != test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

// The board lives as long as one battery has something left.
func TestFullest(t *testing.T) {
	percent := func(p int) *int { return &p }
	best, ok := fullest([]Supply{{Name: "a"}, {Name: "b", Percent: percent(5)}, {Name: "c", Percent: percent(60)}, {Name: "d", Charging: true, Percent: percent(2)}})
	if !ok || best.Name != "c" || !best.Charging {
		t.Errorf("%+v, %v", best, ok)
	}
	if _, ok := fullest(nil); ok {
		t.Error("the fullest of none")
	}
}

func TestInterpolate(t *testing.T) {
	last := -1.0
	for volts := 3.2; volts < 4.4; volts += 0.01 {
		p := interpolate(volts)
		if p < last || p < 0 || p > 100 {
			t.Errorf("%.2f V is %.1f %%, after %.1f %%", volts, p, last)
		}
		last = p
	}
}

func FuzzSysfs(f *testing.F) {
	f.Add("Battery", "Discharging", "55", "3700000", "cpu-thermal", "48312", "critical")
	f.Add("UPS", "", "-1", "99999999999999999999", "", "-274000", "hot")
	f.Add("Battery", "Full\n\n", "1e3", "0", "\x00\x1b[2J", "+5", "passive")
	f.Fuzz(func(t *testing.T, kind, status, capacity, voltage, zone, temp, trip string) {
		files := fstest.MapFS{}
		for name, value := range map[string]string{
			"power_supply/b/type": kind, "power_supply/b/status": status, "power_supply/b/capacity": capacity, "power_supply/b/voltage_now": voltage,
			"power_supply/b/charge_now": capacity, "power_supply/b/charge_full": voltage,
			"thermal/thermal_zone0/type": zone, "thermal/thermal_zone0/temp": temp,
			"thermal/thermal_zone0/trip_point_0_type": trip, "thermal/thermal_zone0/trip_point_0_temp": capacity,
		} {
			files["class/"+name] = &fstest.MapFile{Data: []byte(value)}
		}
		for _, s := range Supplies(files) {
			if s.Percent != nil && (*s.Percent < 0 || *s.Percent > 100) || strings.Contains(s.Status, "\n") {
				t.Errorf("%+v", s)
			}
		}
		zones := Zones(files)
		if len(zones) != 1 || zones[0].Celsius != nil && (*zones[0].Celsius <= coldest || *zones[0].Celsius >= hottest) || zones[0].Critical < 0 {
			t.Errorf("%+v", zones)
		}
		m := NewMonitor(Config{Root: files})
		m.look()
		m.look()
	})
}
