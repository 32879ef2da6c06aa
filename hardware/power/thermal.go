package power

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Zone is one thermal zone of the kernel (docs.kernel.org thermal/sysfs-api), for
// people and as JSON.
type Zone struct {
	Name     string   `json:"name"`              // thermal_zone0
	Type     string   `json:"type"`              // what it measures, as its driver calls it
	Celsius  *float64 `json:"celsius,omitempty"` // nil when it cannot be read now
	Critical float64  `json:"critical,omitempty"`
}

// Temperatures outside are a broken sensor's. No board runs at these.
const (
	coldest = -55
	hottest = 150
)

// Zones returns the thermal zones of a sysfs; nil is this machine's.
func Zones(root fs.FS) []Zone {
	root = sysfs(root)
	dirs, _ := fs.Glob(root, "class/thermal/thermal_zone*") // the pattern is well-formed
	zones := []Zone{}
	for _, dir := range dirs {
		d := directory{root, dir}
		if d.text("mode") == "disabled" {
			continue
		}
		z := Zone{Name: path.Base(dir), Type: d.text("type"), Critical: d.critical()}
		z.Type = cmp.Or(z.Type, z.Name)
		if celsius, ok := d.celsius("temp"); ok {
			z.Celsius = &celsius
		}
		zones = append(zones, z)
	}
	slices.SortFunc(zones, func(a, b Zone) int {
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return zones
}

// relevant leaves the zones of these types, or all where there is none of them.
func relevant(zones []Zone, types []string) []Zone {
	var some []Zone
	for _, z := range zones {
		if slices.Contains(types, z.Type) {
			some = append(some, z)
		}
	}
	if len(some) == 0 {
		return zones
	}
	return some
}

// critical returns the least temperature at which the kernel turns the board off
// (critical), or the driver acts on its own (hot); 0 for none.
func (d directory) critical() float64 {
	least := 0.0
	for i := range 32 { // THERMAL_MAX_TRIPS was 12
		kind := d.text(fmt.Sprintf("trip_point_%d_type", i))
		if kind == "" {
			break
		}
		celsius, ok := d.celsius(fmt.Sprintf("trip_point_%d_temp", i))
		if ok && celsius > 0 && (kind == "critical" || kind == "hot") && (least == 0 || celsius < least) {
			least = celsius
		}
	}
	return least
}

// celsius reads a temperature in thousandths of a degree.
func (d directory) celsius(name string) (float64, bool) {
	v, ok := d.number(name)
	celsius := float64(v) / 1000
	return celsius, ok && celsius > coldest && celsius < hottest
}

// directory is one device in sysfs.
type directory struct {
	root fs.FS
	path string
}

// text returns a file's one line; "" where it is not there or cannot be read, as
// any of sysfs may.
func (d directory) text(name string) string {
	data, err := fs.ReadFile(d.root, path.Join(d.path, name))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line)
}

func (d directory) number(name string) (int64, bool) {
	v, err := strconv.ParseInt(d.text(name), 10, 64)
	return v, err == nil
}
