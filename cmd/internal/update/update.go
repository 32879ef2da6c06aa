// Package update brings a newer version of Bril onto a board at a moment when that
// cuts nobody off, and the version before back where the newer one does not work. The
// versions, their signatures and files are apt's and dpkg's.
package update

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

const (
	waitEvery   = 5 * time.Second // between two questions to the daemon, which cost no network
	healthEvery = time.Second
	// steady is how long a new version has to answer until it counts as one that works.
	steady = 20 * time.Second
	// startTime is for the service to answer in the new version.
	startTime = 3 * time.Minute
)

// System is what the package manager and the service manager do. Files of packages
// are named by their path.
type System interface {
	Refresh(ctx context.Context) error // the lists of what there is
	Versions(ctx context.Context) (installed, candidate string, err error)
	Newer(ctx context.Context, a, b string) (bool, error)               // a than b
	Fetch(ctx context.Context, version string) (file string, err error) // into the folder of State
	Kept(version string) (file string, ok bool)                         // what Fetch has brought before
	Repair(ctx context.Context) error                                   // what a power cut has left half done
	Install(ctx context.Context, file string) error                     // newer or older
	Forget(keep ...string) error                                        // the packages of other versions
	Program(ctx context.Context) (version string, err error)            // as the program that is installed calls itself
	Running(ctx context.Context) bool                                   // the service is meant to run
	Restart(ctx context.Context) error                                  // the service
	AskRestart() error                                                  // of the daemon, once that is idle
}

// Config says on what, and with whom.
type Config struct {
	Dir    string // of State
	System System
	Status func(context.Context) (control.Status, error)
	// Wait is for how long a good moment is waited for; not at all when 0.
	Wait time.Duration
	// NoWayBack updates also where the version before cannot be kept.
	NoWayBack bool
	Log       *slog.Logger
}

// Result is what became of it.
type Result struct {
	Action    Action
	Installed string // now
	Previous  string
	Candidate string
	Why       string
}

// ErrBack says that the newer version did not work, and that the one before runs
// again.
var ErrBack = errors.New("the newer version did not work, the one before is back")

// errNoWayBack is why nothing is installed.
type errNoWayBack struct{ error }

func (e errNoWayBack) Unwrap() error { return e.error }

// Hint returns what the user can do.
func (errNoWayBack) Hint() string {
	return "let the repository keep the version that is installed, or `bril update --no-way-back` once"
}

// Check looks for a newer version and installs nothing.
func Check(ctx context.Context, cfg Config) (Result, error) {
	u := updater{Config: cfg}
	return u.check(ctx, true)
}

// Run updates. Its error is kept in State, too.
func Run(ctx context.Context, cfg Config) (Result, error) {
	u := updater{Config: cfg}
	r, err := u.run(ctx)
	if u.state.Installed == "" { // it is no package here, or nobody can read what was
		return r, err
	}
	u.state.Problem = ""
	if err != nil {
		u.state.Problem = err.Error()
	}
	return r, errors.Join(err, save(cfg.Dir, u.state))
}

type updater struct {
	Config
	state State
}

func (u *updater) run(ctx context.Context) (Result, error) {
	end := time.Now().Add(u.Wait)
	for refresh := true; ; refresh = false { // who talks needs the network
		r, err := u.check(ctx, refresh)
		if err != nil {
			return r, err
		}
		switch {
		case r.Action == Resume:
			return u.resume(ctx, r)
		case r.Action == Install:
			return u.install(ctx, r)
		case r.Action != Wait || !time.Now().Before(end):
			return r, nil
		}
		u.Log.Info("a newer version waits", "version", r.Candidate, "for", r.Why)
		if err := save(u.Dir, u.state); err != nil {
			return r, err
		}
		if err := u.pause(ctx, r.Why, end); err != nil {
			return r, err
		}
	}
}

// pause waits until why does not hold any more, or the end.
func (u *updater) pause(ctx context.Context, why string, end time.Time) error {
	for now := why; now == why && time.Now().Before(end); now = unsafe(u.ask(ctx)) {
		if err := sleep(ctx, waitEvery); err != nil {
			return err
		}
	}
	return nil
}

// ask asks the daemon, and where none answers whether it should.
func (u *updater) ask(ctx context.Context) (seen Seen) {
	if status, err := u.Status(ctx); err == nil {
		seen.Daemon = &status
	} else {
		seen.Running = u.System.Running(ctx)
	}
	return seen
}

// check looks what there is, and decides.
func (u *updater) check(ctx context.Context, refresh bool) (r Result, err error) {
	if u.state, err = Load(u.Dir); err != nil {
		return r, err
	}
	if refresh && u.state.Installing == "" {
		if err := u.System.Refresh(ctx); err != nil {
			return r, err
		}
	}
	seen := u.ask(ctx)
	if seen.Installed, seen.Candidate, err = u.System.Versions(ctx); err != nil {
		return r, err
	}
	if seen.Candidate != "" && seen.Candidate != seen.Installed {
		if seen.Newer, err = u.System.Newer(ctx, seen.Candidate, seen.Installed); err != nil {
			return r, err
		}
	}
	r = Result{Installed: seen.Installed, Previous: u.state.Previous, Candidate: seen.Candidate}
	r.Action, r.Why = Decide(u.state, seen)
	u.state.Installed, u.state.Checked = seen.Installed, time.Now().UTC().Truncate(time.Second)
	u.state.Waiting, u.state.Why = "", ""
	if r.Action == Wait || r.Action == Skip || r.Action == Install {
		u.state.Waiting, u.state.Why = r.Candidate, r.Why
	}
	return r, nil
}

// install keeps the version before, then installs the newer one.
func (u *updater) install(ctx context.Context, r Result) (Result, error) {
	before, err := u.keep(ctx, r.Installed)
	if err != nil {
		return r, err
	}
	file, err := u.System.Fetch(ctx, r.Candidate)
	if err != nil {
		return r, err
	}
	u.state.Installing, u.state.Waiting = r.Candidate, ""
	if before != "" {
		u.state.Previous = r.Installed
	}
	if err := save(u.Dir, u.state); err != nil { // before: a power cut has to be noticed
		return r, err
	}
	u.Log.Info("installing", "version", r.Candidate, "before", r.Installed)
	return u.prove(ctx, r, r.Candidate, u.System.Install(ctx, file))
}

// keep returns the package of the version that is installed.
func (u *updater) keep(ctx context.Context, version string) (file string, err error) {
	if file, ok := u.System.Kept(version); ok {
		return file, nil
	}
	if file, err = u.System.Fetch(ctx, version); err != nil && !u.NoWayBack {
		return "", errNoWayBack{fmt.Errorf("keep version %s, to go back to: %w", version, err)}
	}
	return file, nil
}

// resume goes on after a power cut.
func (u *updater) resume(ctx context.Context, r Result) (Result, error) {
	to := u.state.Installing
	u.Log.Warn("an update was cut short", "version", to)
	err := u.System.Repair(ctx)
	if err == nil && r.Installed != to {
		file, ok := u.System.Kept(to)
		if !ok { // nothing was changed, and there is nothing to go back from
			u.state.Installing = ""
			return r, fmt.Errorf("go on with version %s, which was cut short: its package is gone; it is fetched again at the next look", to)
		}
		err = u.System.Install(ctx, file)
	}
	return u.prove(ctx, r, to, err)
}

// prove waits until the version that was installed works, and otherwise goes back.
func (u *updater) prove(ctx context.Context, r Result, version string, installed error) (Result, error) {
	err := installed
	if err == nil {
		err = u.healthy(ctx, version)
	}
	if ctx.Err() != nil { // to be gone on with
		return r, ctx.Err()
	}
	if err != nil {
		return u.back(ctx, r, version, err)
	}
	u.state.Installing, u.state.Installed, r.Installed, r.Previous = "", version, version, u.state.Previous
	r.Action = Install
	return r, u.System.Forget(version, u.state.Previous)
}

// back installs the version before.
func (u *updater) back(ctx context.Context, r Result, bad string, why error) (Result, error) {
	u.Log.Error("the newer version does not work", "version", bad, "error", why)
	u.state.worse(bad)
	file, ok := u.System.Kept(u.state.Previous)
	if !ok {
		u.state.Installing = ""
		return r, fmt.Errorf("version %s does not work, and there is none to go back to: %w", bad, why)
	}
	before := u.state.Previous
	if err := errors.Join(u.System.Repair(ctx), u.System.Install(ctx, file)); err != nil {
		return r, fmt.Errorf("go back to version %s from %s (%w): %w", before, bad, why, err)
	}
	u.state.Installing, u.state.Previous = "", ""
	u.state.Installed, r.Installed, r.Previous = before, before, ""
	// systemd does not try again what has ended with 3 or 4, and nobody talks through a
	// daemon that does not answer.
	if seen := u.ask(ctx); seen.Daemon == nil && seen.Running {
		if err := u.System.Restart(ctx); err != nil {
			u.Log.Warn("restart the service", "error", err)
		}
	}
	if err := u.healthy(ctx, before); err != nil {
		return r, fmt.Errorf("back to version %s from %s (%w): %w", before, bad, why, err)
	}
	return r, fmt.Errorf("%w: %s: %w", ErrBack, bad, why)
}

// healthy waits until the service has been answering in a version for a while. The
// daemon of another one that somebody talks through is left alone as long.
func (u *updater) healthy(ctx context.Context, version string) error {
	if !u.System.Running(ctx) {
		return nil // somebody has switched it off
	}
	want, err := u.System.Program(ctx)
	if err != nil {
		return fmt.Errorf("version %s: %w", version, err)
	}
	if err := u.System.AskRestart(); err != nil {
		u.Log.Warn("ask the daemon to restart once it is idle", "error", err)
	}
	pressed := false
	for end := time.Now().Add(startTime); ; {
		s, err := u.Status(ctx)
		switch is := err == nil && s.Version == want; {
		case is && s.UptimeSeconds >= steady.Seconds():
			return nil
		case err == nil && !is && unsafe(Seen{Daemon: &s}) != "":
			end = time.Now().Add(startTime) // somebody talks
		case !is && !pressed && time.Until(end) < startTime/2:
			pressed = true // a version that does not hear the wish, or none that runs
			if err := u.System.Restart(ctx); err != nil {
				u.Log.Warn("restart the service", "error", err)
			}
		case time.Now().After(end):
			return errors.Join(fmt.Errorf("version %s was not well for %v within %v", version, steady, startTime), err)
		}
		if err := sleep(ctx, healthEvery); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
