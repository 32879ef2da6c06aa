package hardware

import "testing"

func TestLevelsAreOrdered(t *testing.T) {
	batteries := []BatteryLevel{"", BatteryFine, BatteryLow, BatteryVeryLow, BatteryEmpty}
	for i, a := range batteries {
		for j, b := range batteries {
			if got, want := a.Worse(b), max(i, 1) > max(j, 1); got != want {
				t.Errorf("%q worse than %q: %v", a, b, got)
			}
		}
	}
	heats := []HeatLevel{"", HeatNormal, HeatWarm, HeatHot, HeatVeryHot}
	for i, a := range heats {
		for j, b := range heats {
			if got, want := a.Worse(b), max(i, 1) > max(j, 1); got != want {
				t.Errorf("%q worse than %q: %v", a, b, got)
			}
		}
	}
}
