package fleet

import (
	"github.com/bril-edge/bril/configs"
)

// dryRun says on which devices what would change. To read what thousands run takes its
// time, in which their lines are answered.
func (s *Service) dryRun(b *bundle) (DryRun, error) {
	out := DryRun{SchemaVersion: SchemaVersion, Devices: []DeviceChange{}}
	told, err := s.admitted(b, &out)
	if err != nil {
		return out, err
	}
	for i, t := range told {
		c := &out.Devices[i]
		if c.Known = t.base != "" && t.effective != ""; !c.Known {
			continue
		}
		changes, err := b.changes(c.Name, t)
		if err != nil {
			c.Problem = err.Error()
		}
		c.Changes = append(c.Changes, changes...)
	}
	return out, nil
}

// running is what a device has told of its configurations.
type running struct{ effective, base string }

// admitted looks at a bundle as at one that is pushed, and lists whom it is for, with what
// they run.
func (s *Service) admitted(b *bundle, out *DryRun) (told []running, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.admit(b); err != nil {
		return nil, err
	}
	out.Serial, b.plan.First = b.Serial, s.first(b)
	for _, d := range s.sorted() {
		if !b.Audience.Includes(s.member(d)) {
			continue
		}
		told = append(told, running{d.effective, d.base})
		out.Devices = append(out.Devices, DeviceChange{
			Device: d.id, Name: d.name, Wave: b.plan.waveOf(b.Serial, d.id) + 1, Online: d.line != nil, Changes: []configs.Difference{},
		})
	}
	return told, nil
}

// changes are those between what a device runs and what it would run.
func (b *bundle) changes(name string, t running) ([]configs.Difference, error) {
	now, err := configs.ParseTold([]byte(t.effective), "what "+name+" runs")
	if err != nil {
		return nil, err
	}
	base, err := configs.ParseTold([]byte(t.base), "the file of "+name)
	if err != nil {
		return nil, err
	}
	next, err := b.OverTold(base, "/secrets")
	if err != nil {
		return nil, err
	}
	return configs.Diff(now, next), nil
}
