package adoption

import (
	"errors"
	"io/fs"
	"reflect"
	"slices"

	"github.com/bril-edge/bril/configs/fleet"
)

// View is what a board has of its fleet, for somebody who looks.
type View struct {
	State  fleet.State
	Floor  uint64
	Device string
	Keys   []string // that sign now
	// Good, Trial and Staged are the bundles that the state names; nil for none.
	Good, Trial, Staged *fleet.Bundle
	// SecretsDir is where the secrets of what runs are.
	SecretsDir string
}

// Runs returns what is in effect; nil for none of the fleet's.
func (v View) Runs() *fleet.Bundle {
	if v.Trial != nil {
		return v.Trial
	}
	return v.Good
}

// Look reads a folder that a daemon may be at work in, and changes nothing. A folder
// that is not there is an empty View.
func Look(dir string) (View, error) {
	f := &files{dir: dir}
	for {
		v, err := f.look()
		// The daemon may have replaced the state, and removed what it had named.
		if errors.Is(err, fs.ErrNotExist) && f.changed(v.State) {
			continue
		}
		return v, err
	}
}

// changed says whether the state is another one by now.
func (f *files) changed(s fleet.State) bool {
	data, err := readFile(f.path(stateFile))
	if err != nil {
		return false
	}
	now, err := fleet.ReadState(data)
	return err == nil && !reflect.DeepEqual(s, now)
}

func (f *files) look() (v View, err error) {
	data, err := readFile(f.path(stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	if v.State, err = fleet.ReadState(data); err != nil {
		return v, err
	}
	if err := f.lookAtKeys(&v); err != nil {
		return v, err
	}
	if k := v.State.Runs(); k != nil {
		v.SecretsDir = f.secretsDir(k.Content)
	}
	for _, of := range []struct {
		kept *fleet.Kept
		to   **fleet.Bundle
	}{{v.State.Good, &v.Good}, {v.State.Trial, &v.Trial}, {v.State.Staged, &v.Staged}} {
		if of.kept == nil {
			continue
		}
		b, err := f.readBundle(*of.kept)
		if err != nil {
			return v, err
		}
		*of.to = &b
	}
	return v, nil
}

func (f *files) lookAtKeys(v *View) error {
	p, err := f.readPins(leave)
	if err != nil {
		return err
	}
	v.Device, v.Keys = p.Device, p.Keys
	if len(v.State.Keys) > 0 {
		v.Keys = slices.Clone(v.State.Keys)
	}
	at, err := f.readFloor(p.Root, leave)
	v.Floor = max(at.Serial, topOf(v.State).Serial)
	return err
}

// View is Look for a board whose daemon this is.
func (a *Adoption) View() (View, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Look(a.files.dir)
}
