package agent

import (
	"context"
	"math"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/power"
)

// newPower makes what looks at battery and temperature. A machine without a
// device tree is a PC, which has a fan and is not worn: its heat is only shown.
func (a *Agent) newPower() *power.Monitor {
	return power.NewMonitor(a.powerConfig())
}

func (a *Agent) powerConfig() power.Config {
	p := a.cfg.Power
	return power.Config{
		Zones: a.board.zones,
		Limits: power.Limits{
			Low: p.BatteryLow, VeryLow: p.BatteryVeryLow, Empty: p.BatteryEmpty,
			Warm: float64(p.Warm), Hot: float64(p.Hot), VeryHot: float64(p.VeryHot),
		},
		Cooled: a.board.cooled,
		Root:   a.opts.sysfs,
	}
}

// watchPower tells session and lights of battery and heat, in the background,
// until ctx ends.
func (a *Agent) watchPower(ctx context.Context) {
	a.background.Go(func() {
		a.power.Run(ctx, func(now power.Reading) {
			var battery hardware.BatteryLevel
			var heat hardware.HeatLevel
			if now.Battery != nil {
				battery = now.Battery.Level
				a.opts.Log.Info("battery is "+string(battery), "battery", now.Battery.Name, "percent", now.Battery.Percent, "charging", now.Battery.Charging)
			}
			if now.Temperature != nil {
				heat = now.Temperature.Level
				a.opts.Log.Info("temperature is "+string(heat), "zone", now.Temperature.Zone, "celsius", tenths(now.Temperature.Celsius))
			}
			a.board.signals.lowBattery(battery.Worse(hardware.BatteryFine))
			a.Charged(ctx, battery)
			a.Heated(ctx, heat)
		})
	})
}

// showPower adds battery and temperature to a status, where the board has them.
func (a *Agent) showPower(s *control.Status) {
	now := a.power.Reading()
	if b := now.Battery; b != nil {
		s.Battery = &control.Battery{Charging: b.Charging, State: string(b.Level)}
		if b.Percent >= 0 {
			s.Battery.Percent = &b.Percent
		}
	}
	if t := now.Temperature; t != nil {
		s.Thermal = &control.Thermal{Celsius: tenths(t.Celsius), Zone: t.Zone, State: string(t.Level)}
	}
}

func tenths(v float64) float64 { return math.Round(v*10) / 10 }
