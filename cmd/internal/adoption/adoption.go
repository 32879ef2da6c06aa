// Package adoption is how a board takes up what its fleet signs for it: it keeps
// bundles and what became of them so that a crash or a flat battery at any moment
// leaves the old configuration or the new one, counts the starts of one that has not
// shown yet that it works, and returns from it by itself. What follows from what is
// decided in configs/fleet; what a configuration does is the agent's business.
//
// In its folder, which is its user's alone:
//
//	state.json          fleet.State: what runs, what waits, what failed
//	floor-KEY           the highest serial seen of the fleet of a root key, and its
//	                    content; it only rises
//	pins.json           whose device this is, and the keys that sign for it
//	envelopes/HASH      bundles as they came
//	secrets/CONTENT/NAME  what bundles bring for files
package adoption

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
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

// ErrNotNow says that a board could not tell, and is to be asked again later.
var ErrNotNow = errors.New("cannot be told now")

// Board is what an adoption needs of the agent.
type Board interface {
	// Configure lays a bundle over the board's own configuration, within its ceilings. The
	// error may be ErrNotNow.
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
	// asking holds a value while the board is asked what it can do.
	asking chan struct{}

	mu        sync.Mutex // unlock releases it, and tells
	state     fleet.State
	floor     floor
	pins      pins
	unpinned  bool           // pins are not safe yet
	begun     bool           // Begin was called
	runs      *fleet.Kept    // what Begin gave; nil for none
	skipped   bool           // Begin could not count a start, so that another runs
	candidate *candidate     // verified, and to be tried
	early     *candidate     // verified, and not valid yet
	refused   *fleet.Attempt // the newest that was refused before it was verified
	// seen are envelopes that were refused, until when they are not looked at again: the
	// zero time is for good.
	seen    map[string]time.Time
	trouble error     // of the disk
	again   time.Time // until when the disk is left alone
	changed func()    // Report has changed; nil for nobody
	untold  bool      // so changed is to be called
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
// board runs without a bundle until the service offers one: the floor stays. A disk
// that is full or cannot be written is a problem of the Report.
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
	a := &Adoption{cfg: cfg, files: f, wake: make(chan struct{}, 1), asking: make(chan struct{}, 1), seen: map[string]time.Time{}}
	a.load()
	return a, nil
}

func (a *Adoption) load() {
	var err error
	if a.state, err = a.files.readState(); err != nil {
		a.troubled(err)
	}
	if a.pins, err = a.files.readPins(aside); err != nil {
		a.troubled(err)
	}
	a.pin()
	if a.floor, err = a.files.readFloor(a.pins.Root, aside); err != nil {
		a.troubled(err)
	}
	a.raise() // a crash may have come between the state and the floor
	if a.trouble == nil && a.cfg.Member.Device != "" {
		a.files.clean(a.state)
	}
}

// troubled shows what is wrong with the disk.
func (a *Adoption) troubled(err error) {
	a.trouble = err
	a.cfg.Log.Error("what the fleet sets", "error", err)
}

// keep writes a state, and makes it the one that counts. Files that nothing names any
// more go afterwards.
func (a *Adoption) keep(s fleet.State) error {
	err := a.files.writeState(s)
	if err == nil && a.unpinned {
		err = a.files.writePins(a.pins)
	}
	if err != nil {
		a.trouble, a.again = err, time.Now().Add(againAfter)
		a.tell()
		return err
	}
	a.state, a.trouble, a.unpinned = s, nil, false
	a.files.sweep(s, a.candidate)
	return nil
}

// raise brings the floor up to the highest serial that this board has looked at. Where
// it cannot, what is in memory holds it, and nothing is applied.
func (a *Adoption) raise() bool {
	top := topOf(a.state)
	if top.Serial <= a.floor.Serial {
		return true
	}
	if a.pins.Root == "" {
		return false
	}
	if err := a.files.writeFloor(a.pins.Root, top); err != nil {
		a.again = time.Now().Add(againAfter)
		a.troubled(err)
		return false
	}
	a.floor = top
	return true
}

// top is the highest serial seen.
func (a *Adoption) top() uint64 { return max(a.floor.Serial, topOf(a.state).Serial) }

// topOf is the highest serial that a state knows, and what it brought.
func topOf(s fleet.State) (top floor) {
	see := func(serial uint64, content string) {
		if serial > top.Serial {
			top = floor{serial, content}
		}
	}
	for _, k := range []*fleet.Kept{s.Good, s.Trial, s.Staged} {
		if k != nil {
			see(k.Serial, k.Content)
		}
	}
	for _, list := range [][]fleet.Attempt{s.Failed, s.History} {
		for _, one := range list {
			see(one.Serial, one.Content)
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
	a.raise()
	return actions, nil
}

// Start is what an agent is to be made with.
type Start struct {
	Bundle     *fleet.Bundle // nil for none
	SecretsDir string
	Probation  bool
}

// Begin says what the agent is to be made with. It is called before each time, and
// before anything of the configuration is read: what has had its starts is given up
// here. Where that a start was made cannot be kept, it is not made: the last known good
// runs until it can. An error is the disk's; the board's own configuration will do then.
func (a *Adoption) Begin() (Start, error) {
	a.mu.Lock()
	defer a.unlock()
	a.begun, a.runs, a.skipped = true, nil, false
	if a.state.Trial != nil {
		a.count()
	}
	for {
		k := a.state.Runs()
		if a.skipped {
			k = a.state.Good
		}
		if k == nil {
			return Start{}, nil
		}
		b, err := a.files.readBundle(*k)
		if err == nil {
			if err := a.files.writeSecrets(b, k.Content); err != nil { // no fault of the bundle
				a.troubled(err)
				return Start{}, err
			}
			a.runs = k
			return Start{&b, a.files.secretsDir(k.Content), k == a.state.Trial}, nil
		}
		if a.skipped {
			return Start{}, err
		}
		if err := a.broken(err, "bundle"); err != nil {
			return Start{}, err
		}
	}
}

// count notes a start of what is on probation.
func (a *Adoption) count() {
	serial := a.state.Trial.Serial
	_, err := a.step(fleet.Start{At: a.cfg.Now(), Log: a.cfg.Tail()})
	switch {
	case err != nil:
		a.skipped = true
		a.cfg.Log.Error("what is on probation is not started, as that cannot be kept", "bundle", serial, "error", err)
	case a.state.Trial == nil:
		a.cfg.Log.Error("the configuration is given up: the agent ended each time before it had shown that it works", "bundle", serial)
	}
}

// Broken says that what Begin gave cannot be used with this board's own configuration.
// Begin is to be called again.
func (a *Adoption) Broken(cause error) error {
	a.mu.Lock()
	defer a.unlock()
	if a.skipped {
		return cause // what cannot be kept, cannot be dropped
	}
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
	r := fleet.Report{SchemaVersion: fleet.SchemaVersion, Floor: a.top(), Labels: map[string]string{}, Attempted: a.attempt()}
	maps.Copy(r.Labels, a.cfg.Member.Labels)
	if k := a.running(); k != nil {
		r.Running = fleet.Running{Serial: k.Serial, Content: k.Content, Since: k.Since}
	}
	if a.trouble != nil {
		r.Problems = append(r.Problems, "fleet: "+a.trouble.Error())
	}
	return r
}

// running is what the agent was made with, which may be another than the next one.
func (a *Adoption) running() *fleet.Kept {
	if !a.begun {
		return a.state.Runs()
	}
	if k := a.state.Runs(); k != nil && a.runs != nil && k.Envelope == a.runs.Envelope {
		return k // confirmed since
	}
	return a.runs
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
// at once.
func (a *Adoption) Watch(changed func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed = changed
}

// tell has unlock say that Report has changed.
func (a *Adoption) tell() { a.untold = true }

func (a *Adoption) unlock() {
	changed, untold := a.changed, a.untold
	a.untold = false
	a.mu.Unlock()
	if untold && changed != nil {
		changed()
	}
}

// poke has Run look again.
func (a *Adoption) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}
