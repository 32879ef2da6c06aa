package power

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/bril-edge/bril/hardware"
)

func TestGauge(t *testing.T) {
	const fine, low, veryLow, empty = hardware.BatteryFine, hardware.BatteryLow, hardware.BatteryVeryLow, hardware.BatteryEmpty
	type look struct {
		percent  int
		charging bool
		want     hardware.BatteryLevel
	}
	tests := []struct {
		name  string
		looks []look
	}{
		{"down", []look{{100, false, fine}, {21, false, fine}, {20, false, low}, {11, false, low}, {10, false, veryLow}, {5, false, veryLow}, {4, false, veryLow}, {4, false, empty}, {0, false, empty}}},
		{"a step at once", []look{{50, false, fine}, {8, false, veryLow}}},
		{"wavering", []look{{20, false, low}, {21, false, low}, {23, false, low}, {20, false, low}, {24, false, fine}, {20, false, low}}},
		{"up by itself", []look{{4, false, veryLow}, {4, false, empty}, {7, false, empty}, {8, false, veryLow}, {13, false, veryLow}, {14, false, low}, {24, false, fine}}},
		{"a gauge that loses its bus", []look{{60, false, fine}, {0, false, veryLow}, {60, false, fine}, {0, false, veryLow}}},
		{"fed", []look{{3, true, fine}, {3, false, veryLow}, {3, false, empty}, {3, true, fine}, {3, false, veryLow}}},
		{"it does not tell", []look{{-1, false, fine}, {9, false, veryLow}, {-1, false, fine}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var g gauge
			for i, l := range test.looks {
				if got := g.next(l.percent, l.charging, Limits{}.filled()); got != l.want {
					t.Errorf("look %d at %d %%: %s, want %s", i, l.percent, got, l.want)
				}
			}
		})
	}
}

func zone(name string, celsius, critical float64) Zone {
	return Zone{Name: name, Type: "of " + name, Celsius: &celsius, Critical: critical}
}

func TestHeat(t *testing.T) {
	const normal, warm, hot, veryHot = hardware.HeatNormal, hardware.HeatWarm, hardware.HeatHot, hardware.HeatVeryHot
	tests := []struct {
		name     string
		critical float64
		celsius  []float64
		want     []hardware.HeatLevel
	}{
		{"up at once", 0, []float64{40, 69.9, 70, 84}, []hardware.HeatLevel{normal, normal, warm, veryHot}},
		{"back level by level, after a minute each", 0,
			[]float64{84, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60},
			[]hardware.HeatLevel{veryHot, veryHot, veryHot, veryHot, hot, hot, hot, hot, warm, warm, warm, warm, normal}},
		{"a little cooler is not cool", 0,
			[]float64{78, 73, 73, 73, 73, 73}, []hardware.HeatLevel{hot, hot, hot, hot, hot, hot}},
		{"cool, but not in a row", 0,
			[]float64{78, 70, 70, 70, 73, 70, 70, 70, 70}, []hardware.HeatLevel{hot, hot, hot, hot, hot, hot, hot, hot, warm}},
		{"a board that goes off at 85", 85, []float64{66, 67, 74, 80}, []hardware.HeatLevel{normal, warm, hot, veryHot}},
		{"a board that goes off at 125", 125, []float64{69, 70, 77, 83}, []hardware.HeatLevel{normal, warm, hot, veryHot}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := heat{}
			for i, c := range test.celsius {
				got, ok := h.next([]Zone{zone("z", c, test.critical)}, Limits{}.filled())
				if want := (hardware.Temperature{Zone: "of z", Celsius: c, Level: test.want[i]}); !ok || got != want {
					t.Errorf("look %d: %+v, want %+v", i, got, want)
				}
			}
		})
	}
}

// Of several zones the worst counts, which need not be the one with the most
// degrees. One that is not read for a moment keeps its level.
func TestHeatOfSeveralZones(t *testing.T) {
	h, l := heat{}, Limits{}.filled()
	look := func(want string, zones ...Zone) {
		t.Helper()
		got, ok := h.next(zones, l)
		if text := fmt.Sprint(got.Zone, " ", got.Level); !ok || text != want {
			t.Errorf("got %s, want %s", text, want)
		}
	}
	a, b := zone("a", 60, 0), zone("b", 50, 0)
	look("of a normal", a, b)
	look("of a normal", b, a)
	look("of b very-hot", a, zone("b", 58, 60))
	for range lostLooks - 1 {
		look("of b very-hot", a, Zone{Name: "b"})
	}
	look("of a normal", a, Zone{Name: "b"})
	for range lostLooks - 1 {
		look("of a normal")
	}
	if got, ok := h.next(nil, l); ok {
		t.Errorf("all are gone: %+v", got)
	}
}

func TestZones(t *testing.T) {
	root := sysfsOf(`
		thermal/thermal_zone10/type soc-thermal
		thermal/thermal_zone10/temp 55000
		thermal/thermal_zone0/type cpu-thermal
		thermal/thermal_zone0/temp 48312
		thermal/thermal_zone0/trip_point_0_type passive
		thermal/thermal_zone0/trip_point_0_temp 80000
		thermal/thermal_zone0/trip_point_1_type critical
		thermal/thermal_zone0/trip_point_1_temp 90000
		thermal/thermal_zone0/trip_point_2_type hot
		thermal/thermal_zone0/trip_point_2_temp 85000
		thermal/thermal_zone1/temp 1000000
		thermal/thermal_zone2/mode disabled
		thermal/thermal_zone2/temp 20000
		thermal/cooling_device0/type fan
	`)
	zones := Zones(root)
	got, err := json.Marshal(zones)
	const want = `[{"name":"thermal_zone0","type":"cpu-thermal","celsius":48.312,"critical":85},` +
		`{"name":"thermal_zone1","type":"thermal_zone1"},{"name":"thermal_zone10","type":"soc-thermal","celsius":55}]`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	names := func(zones []Zone) (names []string) {
		for _, z := range zones {
			names = append(names, z.Type)
		}
		return names
	}
	if got := names(relevant(zones, []string{"soc-thermal", "gpu"})); !slices.Equal(got, []string{"soc-thermal"}) {
		t.Errorf("relevant: %v", got)
	}
	if got := relevant(zones, []string{"gpu"}); len(got) != 3 {
		t.Errorf("none is relevant: %v", got)
	}
}
