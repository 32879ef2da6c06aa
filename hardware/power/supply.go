package power

import (
	"io/fs"
	"math"
	"path"
)

// Supply is one battery, as the kernel describes it (docs.kernel.org
// power/power_supply_class), for people and as JSON.
type Supply struct {
	Name   string `json:"name"`             // BAT0
	Model  string `json:"model,omitempty"`  // of its maker
	Status string `json:"status,omitempty"` // the kernel's word
	// Charging is a battery that is fed: it fills, or it is full.
	Charging bool     `json:"charging"`
	Percent  *int     `json:"percent,omitempty"`   // nil when it does not tell
	Guessed  bool     `json:"guessed,omitempty"`   // Percent comes from the voltage
	Volts    *float64 `json:"voltage_v,omitempty"` // nil when it does not tell
}

// Supplies returns the batteries that feed the machine; nil is this machine's
// sysfs. Those of a mouse or a headset are none.
func Supplies(root fs.FS) []Supply {
	root = sysfs(root)
	dirs, _ := fs.Glob(root, "class/power_supply/*") // the pattern is well-formed
	supplies := []Supply{}
	plugged := false
	for _, dir := range dirs {
		d := directory{root, dir}
		kind := d.text("type")
		switch {
		case d.text("scope") == "Device":
		case kind == "Battery" || kind == "UPS":
			if d.text("present") != "0" {
				supplies = append(supplies, d.supply())
			}
		default: // Mains, USB and the like
			online, ok := d.number("online")
			plugged = plugged || ok && online > 0
		}
	}
	for i, s := range supplies {
		// What a battery says of itself counts: a charger may be too weak.
		supplies[i].Charging = s.Charging || plugged && (s.Status == "" || s.Status == "Unknown")
	}
	return supplies
}

func (d directory) supply() Supply {
	s := Supply{Name: path.Base(d.path), Model: d.text("model_name"), Status: d.text("status")}
	// "Not charging" is a battery that is fed and does not fill: it is too warm, or
	// full enough.
	s.Charging = s.Status == "Charging" || s.Status == "Full" || s.Status == "Not charging"
	if uv, ok := d.number("voltage_now"); ok && uv > 0 {
		volts := float64(uv) / 1e6
		s.Volts = &volts
	}
	percent, told := d.percent()
	if !told {
		percent, told = d.guess(s.Volts)
		s.Guessed = told
	}
	if told {
		whole := int(math.Round(min(max(percent, 0), 100)))
		s.Percent = &whole
	}
	return s
}

// percent returns what the battery tells of its charge.
func (d directory) percent() (float64, bool) {
	if v, ok := d.number("capacity"); ok && v >= 0 {
		return float64(v), true
	}
	for _, unit := range []string{"charge", "energy"} { // µAh, µWh
		now, ok := d.number(unit + "_now")
		if !ok || now < 0 {
			continue
		}
		for _, full := range []string{"_full", "_full_design"} {
			if all, ok := d.number(unit + full); ok && all > 0 {
				return 100 * float64(now) / float64(all), true
			}
		}
	}
	// The words of power_supply_class, where a gauge has nothing finer.
	coarse := map[string]float64{"Critical": 3, "Low": 15, "Normal": 60, "High": 90, "Full": 100}
	v, ok := coarse[d.text("capacity_level")]
	return v, ok
}

// cell is how full one lithium cell is at a voltage while it delivers little, as
// data sheets of 18650 cells have it, within some ten percent.
func cell() []struct{ volts, percent float64 } {
	return []struct{ volts, percent float64 }{{3.2, 0}, {3.5, 8}, {3.6, 15}, {3.7, 35}, {3.8, 55}, {4.0, 80}, {4.18, 100}}
}

// guess tells a charge from a voltage: between the limits that the battery has
// by design, or as one lithium cell.
func (d directory) guess(volts *float64) (float64, bool) {
	if volts == nil {
		return 0, false
	}
	low, okLow := d.number("voltage_min_design")
	high, okHigh := d.number("voltage_max_design")
	if okLow && okHigh && 0 < low && low < high {
		return 100 * (*volts*1e6 - float64(low)) / float64(high-low), true
	}
	if *volts < 2.5 || *volts > 4.5 {
		return 0, false // not one cell
	}
	return interpolate(*volts), true
}

func interpolate(volts float64) float64 {
	curve := cell()
	for i, b := range curve[1:] {
		if a := curve[i]; volts < b.volts {
			return a.percent + (volts-a.volts)/(b.volts-a.volts)*(b.percent-a.percent)
		}
	}
	return 100
}

// fullest returns the battery that counts: the board runs as long as one of them
// has something left. It is fed when one of them is.
func fullest(supplies []Supply) (best Supply, ok bool) {
	charging := false
	for _, s := range supplies {
		charging = charging || s.Charging
		if !ok || s.Percent != nil && (best.Percent == nil || *s.Percent > *best.Percent) {
			best, ok = s, true
		}
	}
	best.Charging = charging
	return best, ok
}
