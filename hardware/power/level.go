package power

import (
	"cmp"
	"maps"
	"slices"

	"github.com/bril-edge/bril/hardware"
)

// How far a value has to come back until its level does.
const (
	backPercent = 3
	backCelsius = 5
	// coolLooks is how many looks in a row have to find it cooler until the level
	// goes back by one: a minute, so that work does not come and go with the fan.
	coolLooks = 4
	// margin is what is kept, in degrees, below where the kernel turns the board off
	// (trip point "critical", docs.kernel.org thermal/sysfs-api).
	margin = 5
	// lostLooks is how many looks may fail until a zone is forgotten.
	lostLooks = 4
)

// gauge tells a battery's level. It has no clock.
//
//	fine <──> low <──> very low <──> nearly empty
//	  ^ charging, from each
type gauge struct {
	level hardware.BatteryLevel
	empty int // looks in a row that found it nearly empty
}

// next takes what a look has found. A single reading of an empty battery is not
// believed: gauges that start, or lose their bus for a moment, say 0.
func (g *gauge) next(percent int, charging bool, l Limits) hardware.BatteryLevel {
	if charging || percent < 0 {
		*g = gauge{}
		return hardware.BatteryFine
	}
	found := batteryLevel(percent, l)
	if better := batteryLevel(percent-backPercent, l); g.level.Worse(better) {
		g.level = better // it came back far enough for at least that
	}
	if found.Worse(g.level) && found != hardware.BatteryEmpty {
		g.level = found
	}
	if found != hardware.BatteryEmpty {
		g.empty = 0
	} else if g.empty++; g.empty >= 2 {
		g.level = hardware.BatteryEmpty
	} else if hardware.BatteryVeryLow.Worse(g.level) {
		g.level = hardware.BatteryVeryLow
	}
	return cmp.Or(g.level, hardware.BatteryFine)
}

// suspects says that the battery may be nearly empty, and another look will tell.
func (g *gauge) suspects() bool { return g.empty == 1 }

func batteryLevel(percent int, l Limits) hardware.BatteryLevel {
	switch {
	case percent <= l.Empty:
		return hardware.BatteryEmpty
	case percent <= l.VeryLow:
		return hardware.BatteryVeryLow
	case percent <= l.Low:
		return hardware.BatteryLow
	}
	return hardware.BatteryFine
}

// heat tells the level of each zone, by the zone's name. It has no clock.
type heat map[string]*zoneHeat

type zoneHeat struct {
	last  Zone
	level hardware.HeatLevel
	cool  int // looks in a row that found it cooler
	lost  int // looks in a row that could not read it
}

// next takes what a look has found, and returns the worst: the hottest zone of
// those with the worst level. false is a board that does not tell.
func (h heat) next(zones []Zone, l Limits) (t hardware.Temperature, ok bool) {
	for _, z := range h {
		z.lost++
	}
	for _, z := range zones {
		if z.Celsius == nil {
			continue
		}
		if h[z.Name] == nil {
			h[z.Name] = &zoneHeat{level: hardware.HeatNormal}
		}
		h[z.Name].next(z, l)
	}
	maps.DeleteFunc(h, func(_ string, z *zoneHeat) bool { return z.lost >= lostLooks })
	for _, name := range slices.Sorted(maps.Keys(h)) {
		z := h[name]
		if !ok || z.level.Worse(t.Level) || z.level == t.Level && *z.last.Celsius > t.Celsius {
			t, ok = hardware.Temperature{Zone: z.last.Type, Celsius: *z.last.Celsius, Level: z.level}, true
		}
	}
	return t, ok
}

// next goes up at once, and back by one level when it has been cooler for a while.
func (z *zoneHeat) next(now Zone, l Limits) {
	z.last, z.lost = now, 0
	l = l.below(now.Critical)
	celsius := *now.Celsius
	if found := heatLevel(celsius, l); found.Worse(z.level) {
		z.level, z.cool = found, 0
		return
	}
	if !z.level.Worse(heatLevel(celsius+backCelsius, l)) {
		z.cool = 0
		return
	}
	if z.cool++; z.cool >= coolLooks {
		z.level, z.cool = cooler(z.level), 0
	}
}

func cooler(l hardware.HeatLevel) hardware.HeatLevel {
	switch l {
	case hardware.HeatVeryHot:
		return hardware.HeatHot
	case hardware.HeatHot:
		return hardware.HeatWarm
	}
	return hardware.HeatNormal
}

// below moves the limits so far down that very hot comes before critical, where
// the kernel turns the board off. 0 is no such point.
func (l Limits) below(critical float64) Limits {
	if over := l.VeryHot - (critical - margin); critical > 0 && over > 0 {
		l.Warm, l.Hot, l.VeryHot = l.Warm-over, l.Hot-over, l.VeryHot-over
	}
	return l
}

func heatLevel(celsius float64, l Limits) hardware.HeatLevel {
	switch {
	case celsius >= l.VeryHot:
		return hardware.HeatVeryHot
	case celsius >= l.Hot:
		return hardware.HeatHot
	case celsius >= l.Warm:
		return hardware.HeatWarm
	}
	return hardware.HeatNormal
}
