package adoption

import (
	"crypto/ed25519"
	"errors"
	"slices"

	"github.com/bril-edge/bril/configs/fleet"
)

// pin keeps the keys of a new enrolment, or of one that had none. Those that have been
// pinned, a later document of the endpoint does not change: only a bundle that has
// proved itself names another.
func (a *Adoption) pin() {
	device, known := a.cfg.Member.Device, a.pins.Device
	switch {
	case device == "":
		a.state, a.pins = fleet.State{}, pins{}
		return
	case known == device && (a.pins.Root != "" || len(a.cfg.Keys) == 0):
		a.succeed()
		return
	case known != device && known != "":
		a.cfg.Log.Info("enrolled anew: what the fleet of before has set is dropped")
		a.state = fleet.State{}
		if err := a.files.writeState(a.state); err != nil { // before the pins, so that a crash does it again
			a.troubled(err)
		}
	}
	a.pins = pins{Device: device, Keys: slices.Clone(a.cfg.Keys)}
	if keys := parseKeys(a.pins.Keys); len(keys) > 0 {
		a.pins.Root = fleet.KeyID(keys[0])
	} else if len(a.pins.Keys) > 0 {
		a.troubled(errors.New("none of the enrolment's configuration_keys is one: nothing of the fleet is taken"))
	}
	a.writePins()
}

// succeed has state and pins agree on a change of keys: the state has it first, and
// either file may have been lost since.
func (a *Adoption) succeed() {
	switch keys := a.state.Keys; {
	case len(keys) > 0 && !slices.Equal(keys, a.pins.Keys):
		a.pins.Keys, a.pins.Changed = slices.Clone(keys), true
		a.writePins()
	case len(keys) == 0 && a.pins.Changed:
		a.state.Keys = slices.Clone(a.pins.Keys) // kept with the next state
	}
}

// writePins keeps the pins, now or with the next state.
func (a *Adoption) writePins() {
	if err := a.files.writePins(a.pins); err != nil {
		a.unpinned = true
		a.troubled(err)
	}
}

// keys are those that sign now.
func (a *Adoption) keys() []ed25519.PublicKey {
	if len(a.state.Keys) > 0 {
		return parseKeys(a.state.Keys)
	}
	return parseKeys(a.pins.Keys)
}

func parseKeys(texts []string) (list []ed25519.PublicKey) {
	for _, text := range texts {
		if key, err := fleet.ParseKey(text); err == nil {
			list = append(list, key)
		}
	}
	return list
}
