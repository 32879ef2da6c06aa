package fleet

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bril-edge/bril/configs/fleet"
)

// ended says what became of a bundle on a device.
func (d *device) ended(serial uint64) (confirmed, failed bool) {
	a := d.report.Attempted
	about := a != nil && a.Serial == serial
	switch {
	case about && (a.Phase == fleet.Refused || a.Phase == fleet.Returned):
		return false, d.report.Running.Serial != serial
	case about && a.Phase == fleet.Probation:
		return false, false
	}
	return d.report.Running.Serial >= serial, false
}

func (s *Service) member(d *device) fleet.Member {
	return fleet.Member{Fleet: s.cfg.Fleet, Device: d.id, Labels: d.labels}
}

// knows says whether a device has heard of its labels.
func (d *device) knows() bool {
	return d.report.Labels == nil || maps.Equal(d.report.Labels, d.labels)
}

// told is a device as it knows itself.
func (s *Service) told(d *device) fleet.Member {
	m := s.member(d)
	if !d.knows() {
		m.Labels = d.report.Labels
	}
	return m
}

// reaches says whether a rollout has come to a device.
func (b *bundle) reaches(d *device) bool {
	switch b.plan.State {
	case StateStopped:
		return false
	case StateSuperseded: // nobody would stop it any more
		return d.report.Running.Serial == b.Serial
	case StateDone:
		return true
	}
	return b.plan.waveOf(b.Serial, d.id) <= b.plan.Wave
}

// wanted is the newest bundle that a device is to run, of those that it would take; nil
// for none.
func (s *Service) wanted(d *device) *bundle {
	m := s.member(d)
	for _, b := range slices.Backward(s.bundles) {
		if b.Audience.Includes(m) && b.reaches(d) && !d.past(b) && (!b.foreign || d.report.Running.Serial == b.Serial) {
			return b
		}
	}
	return nil
}

// awayTime is how long a device may be silent before it counts as one in a drawer. It has
// no line while its agent is made anew, on probation of what cuts it off, and after the
// server was away: a wave that did not wait for it would end by those who are left.
const awayTime = 3 * time.Minute

// away says whether nobody is to wait for a device.
func (s *Service) away(d *device) bool {
	return d.line == nil && s.cfg.Clock().Sub(d.seen) >= awayTime
}

// past says whether a device has seen something newer, so that it takes a bundle no more.
func (d *device) past(b *bundle) bool {
	return d.report.Floor > b.Serial && d.report.Running.Serial < b.Serial
}

// waves counts the devices of a rollout. Those for which it comes too late are none of it.
func (s *Service) waves(b *bundle) []Wave {
	waves := make([]Wave, len(b.plan.Waves))
	for i, percent := range b.plan.Waves {
		waves[i].Percent = percent
	}
	for _, d := range s.devices {
		if !b.Audience.Includes(s.member(d)) || d.past(b) {
			continue
		}
		w := &waves[b.plan.waveOf(b.Serial, d.id)]
		w.Devices++
		confirmed, failed := d.ended(b.Serial)
		a := d.report.Attempted
		switch {
		case confirmed:
			w.Confirmed++
		case failed:
			w.Failed++
		case s.away(d):
			w.Offline++
		case d.line != nil && d.line.offered == b.Serial || a != nil && a.Serial == b.Serial:
			w.Offered++
		default:
			w.Pending++
		}
	}
	return waves
}

// The status words of a device.
const (
	statusCurrent   = "current"
	statusWaiting   = "waiting"
	statusDrift     = "drift"
	statusFailed    = "failed"
	statusUnmanaged = "unmanaged"
)

// status says in a word how a device does, and why.
func (s *Service) status(d *device, b *bundle) (word, why string) {
	running, a := d.report.Running, d.report.Attempted
	switch {
	case b == nil && running.Serial == 0 && a != nil && (a.Phase == fleet.Refused || a.Phase == fleet.Returned):
		return statusFailed, failure(a) // and its rollout has stopped
	case b == nil && running.Serial == 0:
		return statusUnmanaged, "no bundle is for it"
	case b == nil:
		return statusDrift, fmt.Sprintf("it runs bundle %d, which nobody wants any more", running.Serial)
	case running.Serial > b.Serial:
		return statusDrift, fmt.Sprintf("it runs bundle %d of a rollout that was stopped: roll back", running.Serial)
	}
	confirmed, failed := d.ended(b.Serial)
	switch {
	case confirmed && running.Serial == b.Serial && running.Content != b.content:
		return statusDrift, "it runs other content under this serial"
	case confirmed && a != nil && a.Serial > b.Serial && (a.Phase == fleet.Refused || a.Phase == fleet.Returned):
		return statusCurrent, fmt.Sprintf("bundle %d was %s", a.Serial, failure(a))
	case confirmed:
		return statusCurrent, ""
	case failed:
		return statusFailed, failure(a)
	case d.line == nil:
		return statusWaiting, "offline"
	case !b.Audience.Includes(s.told(d)):
		return statusWaiting, "has not heard of its labels yet"
	case a == nil || a.Serial != b.Serial:
		return statusWaiting, "offered"
	case a.Waits != "":
		return statusWaiting, fmt.Sprintf("%s, waits: %s", a.Phase, a.Waits)
	}
	return statusWaiting, string(a.Phase)
}

// failure says what became of a bundle that failed.
func failure(a *fleet.Attempt) string {
	return fmt.Sprintf("%s in %s, %s", a.Phase, a.During, a.Cause())
}

// show is a device as it is told.
func (s *Service) show(d *device) Device {
	b := s.wanted(d)
	v := Device{
		Device: d.id, Name: d.name, Label: d.label, Labels: map[string]string{}, Model: d.model, Version: d.report.Version,
		Online: d.line != nil, LastSeen: d.seen, Battery: d.report.Battery, Charging: d.report.Charging, State: d.report.State,
		Healthy: len(d.report.Problems) == 0, Problems: append([]string{}, d.report.Problems...),
		Running: d.report.Running, Attempted: d.report.Attempted,
	}
	for key, value := range d.labels {
		v.Labels[key] = value
	}
	if b != nil {
		v.Wanted = b.Serial
	}
	v.Status, v.Why = s.status(d, b)
	v.Drift = v.Status == statusDrift || v.Status == statusFailed
	return v
}

// showRollout is a rollout as it is told.
func (s *Service) showRollout(b *bundle) Rollout {
	r := Rollout{
		SchemaVersion: SchemaVersion, Serial: b.Serial, Content: b.content, State: b.plan.State, Why: b.plan.Why, Audience: b.Audience,
		Wave: b.plan.Wave + 1, MaxFailures: b.plan.MaxFailures, SoakSeconds: b.plan.SoakSeconds,
		Author: b.author, Reason: b.reason, Created: b.created, Waves: b.plan.Final,
	}
	if r.Waves == nil {
		r.Waves = s.waves(b)
	}
	return r
}

// counts are of all devices.
func (s *Service) counts() Counts {
	c := Counts{Total: len(s.devices)}
	for _, d := range s.devices {
		if d.line != nil {
			c.Online++
		}
		switch word, _ := s.status(d, s.wanted(d)); word {
		case statusCurrent, statusUnmanaged:
			c.Current++
		case statusWaiting:
			c.Waiting++
		case statusDrift:
			c.Drift++
		case statusFailed:
			c.Failed++
		}
	}
	return c
}
