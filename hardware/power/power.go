// Package power tells how full the battery is and how hot the board, as the
// kernel has it in sysfs. It changes nothing, and decides nothing about what is
// to be done; a board without battery or sensor is as good as any.
package power

import (
	"context"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/bril-edge/bril/hardware"
)

const (
	// every is between two looks. A battery loses a percent in minutes, a board
	// warms by degrees in a minute; each look wakes the processor.
	every = 15 * time.Second
	// again is until the look that confirms an empty battery.
	again = 2 * time.Second
)

// Config says what to look at. Its zero value is a whole one.
type Config struct {
	// Zones are the types of the thermal zones that count; none for all of them.
	Zones  []string
	Limits Limits
	// Cooled is a machine that sees to its heat itself: its level stays normal.
	Cooled bool
	// Root is sysfs; nil is /sys.
	Root fs.FS
}

// Limits are where levels begin. Zero is the default.
type Limits struct {
	Low, VeryLow, Empty int     // of the battery, in percent: 20, 10, 4
	Warm, Hot, VeryHot  float64 // of the board, in degrees Celsius: 70, 77, 83
}

func (l Limits) filled() Limits {
	fill(&l.Low, 20)
	fill(&l.VeryLow, 10)
	fill(&l.Empty, 4)
	fill(&l.Warm, 70)
	fill(&l.Hot, 77)
	fill(&l.VeryHot, 83)
	return l
}

func fill[T int | float64](v *T, standard T) {
	if *v == 0 {
		*v = standard
	}
}

func sysfs(root fs.FS) fs.FS {
	if root == nil {
		return os.DirFS("/sys")
	}
	return root
}

// Reading is what a look has found. What the board does not have is nil.
type Reading struct {
	Battery     *hardware.Battery
	Temperature *hardware.Temperature
}

// Monitor looks at battery and temperature now and then.
type Monitor struct {
	cfg   Config
	root  fs.FS
	gauge gauge
	heat  heat

	mu      sync.Mutex
	reading Reading
}

// NewMonitor returns a monitor; Run looks.
func NewMonitor(cfg Config) *Monitor {
	cfg.Limits = cfg.Limits.filled()
	return &Monitor{cfg: cfg, root: sysfs(cfg.Root), heat: heat{}}
}

// Run looks until ctx ends, and calls changed when a level is another one than
// before, or has become known or unknown. changed is called in Run's goroutine.
func (m *Monitor) Run(ctx context.Context, changed func(Reading)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		before := m.Reading()
		now := m.look()
		if levels(now) != levels(before) {
			changed(now)
		}
		if m.gauge.suspects() {
			timer.Reset(again)
		} else {
			timer.Reset(every)
		}
	}
}

// Reading returns what the last look has found.
func (m *Monitor) Reading() Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reading
}

func (m *Monitor) look() Reading {
	now := Reading{Battery: m.battery(), Temperature: m.temperature()}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reading = now
	return now
}

// level is what a Reading tells of that a program acts upon.
type level struct {
	battery hardware.BatteryLevel
	heat    hardware.HeatLevel
}

func levels(r Reading) (l level) {
	if r.Battery != nil {
		l.battery = r.Battery.Level
	}
	if r.Temperature != nil {
		l.heat = r.Temperature.Level
	}
	return l
}

func (m *Monitor) battery() *hardware.Battery {
	s, ok := fullest(Supplies(m.root))
	if !ok {
		m.gauge = gauge{}
		return nil
	}
	b := hardware.Battery{Name: s.Name, Percent: -1, Charging: s.Charging}
	if s.Percent != nil {
		b.Percent = *s.Percent
	}
	b.Level = m.gauge.next(b.Percent, b.Charging, m.cfg.Limits)
	return &b
}

func (m *Monitor) temperature() *hardware.Temperature {
	t, ok := m.heat.next(relevant(Zones(m.root), m.cfg.Zones), m.cfg.Limits)
	if !ok {
		return nil
	}
	if m.cfg.Cooled {
		t.Level = hardware.HeatNormal
	}
	return &t
}
