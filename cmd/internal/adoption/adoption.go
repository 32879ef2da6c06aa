// Package adoption is how a board takes up what its fleet signs for it: it keeps
// bundles and what became of them so that a crash or a flat battery at any moment
// leaves the old configuration or the new one, counts the starts of one that has not
// shown yet that it works, and returns from it by itself. What follows from what is
// decided in configs/fleet; what a configuration does is the agent's business.
//
// In its folder, which is its user's alone:
//
//	state.json          fleet.State: what runs, what waits, what failed
//	floor-KEY           the highest serial seen of the fleet of a root key; it only rises
//	pins.json           whose device this is, and the keys that sign for it
//	envelopes/HASH      bundles as they came
//	secrets/CONTENT/NAME  what bundles bring for files
package adoption

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
)

// Config says whose bundles are taken. Zero means the default.
type Config struct {
	Dir    string           // it is made
	Member fleet.Member     // by the enrolment; nothing is taken without a device
	Keys   []string         // of the enrolment, pinned at the first look for this device
	Now    func() time.Time // default time.Now
	Tail   func() []string  // the newest lines of the log; default none
	Log    *slog.Logger     // default: none

	before func(op string) error // of tests: each write can fail
}

// ErrNotNow says that a dry run could not tell, and is to be made again later.
var ErrNotNow = errors.New("cannot be told now")

// Board is what an adoption needs of the agent.
type Board interface {
	// Configure lays a bundle over the board's own configuration, within its ceilings.
	Configure(b fleet.Bundle, secretsDir string) (configs.Config, error)
	// DryRun says whether the board can do what a configuration asks for. It captures
	// nothing. The error may be ErrNotNow, and may say what it is about (Element).
	DryRun(ctx context.Context, cfg configs.Config) error
	// Busy is what would be cut off by a change now, such as live; "" for nothing.
	Busy() string
	// Moved has a value whenever Busy may have changed.
	Moved() <-chan struct{}
	// Prove shows that what runs works, or the error says what does not (Element). It
	// ends nothing that is under way.
	Prove(ctx context.Context) error
	// Anew has the agent made anew, which ends the context of Run.
	Anew()
}

// Adoption is one board's. Its methods may be called concurrently.
type Adoption struct {
	cfg   Config
	files *files
	wake  chan struct{} // holds a value once there is something to look at

	mu        sync.Mutex
	state     fleet.State
	floor     uint64
	pins      pins
	candidate *candidate     // verified, and to be tried
	early     *candidate     // verified, and not valid yet
	refused   *fleet.Attempt // the newest that was refused before it was verified
	seen      map[string]bool
	trouble   error  // of the disk
	changed   func() // Report has changed; nil for nobody
}

// candidate is a bundle that is signed, for this board and new.
type candidate struct {
	bundle   fleet.Bundle
	envelope []byte
	hash     string
	key      string    // that signed it
	again    time.Time // not to be tried before
}

// Open takes up what is kept. It starts nothing. What is damaged is put aside, and the
// board runs without a bundle until the service offers one: the floor stays.
func Open(cfg Config) (*Adoption, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Tail == nil {
		cfg.Tail = func() []string { return nil }
	}
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	f, err := openFiles(cfg.Dir, cfg.before)
	if err != nil {
		return nil, err
	}
	a := &Adoption{cfg: cfg, files: f, wake: make(chan struct{}, 1), seen: map[string]bool{}}
	return a, a.load()
}

func (a *Adoption) load() error {
	var err error
	if a.state, err = a.files.readState(); err != nil {
		a.trouble = err
		a.cfg.Log.Error(err.Error())
	}
	if a.pins, err = a.files.readPins(); err != nil {
		return err
	}
	if err := a.pin(); err != nil {
		return err
	}
	if a.floor, err = a.files.readFloor(a.pins.Root); err != nil {
		a.trouble = err
		a.cfg.Log.Error(err.Error())
	}
	return a.raise() // a crash may have come between the state and the floor
}

// pin keeps the keys of a new enrolment, or of one that had none.
func (a *Adoption) pin() error {
	device := a.cfg.Member.Device
	if device == "" || a.pins.Device == device && (a.pins.Root != "" || len(a.cfg.Keys) == 0) {
		return nil
	}
	if a.pins.Device != device && a.pins.Device != "" {
		a.cfg.Log.Info("enrolled anew: what the fleet of before has set is dropped")
		if err := a.keep(fleet.State{}); err != nil {
			return err
		}
	}
	p := pins{Device: device, Keys: a.cfg.Keys}
	if len(p.Keys) > 0 {
		key, err := fleet.ParseKey(p.Keys[0])
		if err != nil {
			return fmt.Errorf("pin the fleet's key: %w", err)
		}
		p.Root = fleet.KeyID(key)
	}
	if err := a.files.writePins(p); err != nil {
		return err
	}
	a.pins = p
	return nil
}

// keys are those that sign now.
func (a *Adoption) keys() (list []ed25519.PublicKey) {
	texts := a.pins.Keys
	if len(a.state.Keys) > 0 {
		texts = a.state.Keys
	}
	for _, text := range texts {
		if key, err := fleet.ParseKey(text); err == nil {
			list = append(list, key)
		}
	}
	return list
}

// keep writes a state, and makes it the one that counts. Files that nothing names any
// more go afterwards.
func (a *Adoption) keep(s fleet.State) error {
	if err := a.files.writeState(s); err != nil {
		a.trouble = err
		return err
	}
	a.state, a.trouble = s, nil
	a.files.sweep(s, a.candidate)
	return nil
}

// raise brings the floor up to the highest serial that this board has looked at.
func (a *Adoption) raise() error {
	top := a.top()
	if a.pins.Root == "" || top <= a.floor {
		return nil
	}
	if err := a.files.writeFloor(a.pins.Root, top); err != nil {
		a.trouble = err
		return err
	}
	a.floor = top
	return nil
}

// top is the highest serial seen.
func (a *Adoption) top() uint64 {
	top := a.floor
	for _, k := range []*fleet.Kept{a.state.Good, a.state.Trial, a.state.Staged} {
		if k != nil {
			top = max(top, k.Serial)
		}
	}
	for _, list := range [][]fleet.Attempt{a.state.Failed, a.state.History} {
		for _, one := range list {
			top = max(top, one.Serial)
		}
	}
	return top
}

// step takes an event. The state is safe before anything follows from it.
func (a *Adoption) step(e fleet.Event) ([]fleet.Action, error) {
	next, actions := fleet.Step(a.state, e)
	if err := a.keep(next); err != nil {
		return nil, err
	}
	a.tell()
	return actions, a.raise()
}

// Start is what an agent is to be made with.
type Start struct {
	Bundle     *fleet.Bundle // nil for none
	SecretsDir string
	Probation  bool
}

// Begin says what the agent is to be made with. It is called before each time, and
// before anything of the configuration is read: what has had its starts is given up
// here. An error is the disk's; the board's own configuration will do then.
func (a *Adoption) Begin() (Start, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state.Trial != nil {
		serial := a.state.Trial.Serial
		if _, err := a.step(fleet.Start{At: a.cfg.Now(), Log: a.cfg.Tail()}); err != nil {
			return Start{}, fmt.Errorf("begin with bundle %d: %w", serial, err)
		}
		if a.state.Trial == nil {
			a.cfg.Log.Error("the configuration is given up: the agent ended each time before it had shown that it works", "bundle", serial)
		}
	}
	for a.state.Runs() != nil {
		k := a.state.Runs()
		b, err := a.files.readBundle(*k)
		if err == nil {
			return Start{&b, a.files.secretsDir(k.Content), a.state.Trial != nil}, nil
		}
		if err := a.broken(err, "bundle"); err != nil {
			return Start{}, err
		}
	}
	return Start{}, nil
}

// Broken says that what Begin gave cannot be used with this board's own configuration.
// Begin is to be called again.
func (a *Adoption) Broken(cause error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.broken(cause, "configuration")
}

func (a *Adoption) broken(cause error, other string) error {
	k := a.state.Runs()
	if k == nil {
		return nil
	}
	a.cfg.Log.Error("the configuration of the fleet cannot be used", "bundle", k.Serial, "error", cause)
	_, err := a.step(fleet.Broken{Element: fleet.Element(cause, other), Error: cause.Error(), Hint: fleet.Hint(cause), At: a.cfg.Now()})
	return err
}

// Report says how it is. The rest of it is the agent's to fill in.
func (a *Adoption) Report() fleet.Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := fleet.Report{SchemaVersion: fleet.SchemaVersion, Floor: a.top(), Attempted: a.attempt()}
	if k := a.state.Runs(); k != nil {
		r.Running = fleet.Running{Serial: k.Serial, Content: k.Content, Since: k.Since}
	}
	if a.trouble != nil {
		r.Problems = append(r.Problems, "fleet: "+a.trouble.Error())
	}
	return r
}

// attempt is the newest one. Nothing that was refused unverified takes the place of
// what is under way.
func (a *Adoption) attempt() *fleet.Attempt {
	newest := a.state.Attempt
	under := a.state.Trial != nil || a.state.Staged != nil
	if r := a.refused; r != nil && !under && (newest == nil || r.At.After(newest.At)) {
		newest = r
	}
	if newest == nil {
		return nil
	}
	one := *newest
	return &one
}

// Watch has changed called whenever Report has changed; nil for nobody. It is to return
// at once, and may not call back.
func (a *Adoption) Watch(changed func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed = changed
}

func (a *Adoption) tell() {
	if a.changed != nil {
		a.changed()
	}
}

// poke has Run look again.
func (a *Adoption) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}
