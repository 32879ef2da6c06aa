package update

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

func TestDecide(t *testing.T) {
	ready := &control.Status{State: "ready"}
	for _, test := range []struct {
		name  string
		state State
		seen  Seen
		want  Action
		why   string
	}{
		{"the newest", State{}, Seen{Candidate: "1", Daemon: ready}, Nothing, ""},
		{"no candidate", State{}, Seen{Daemon: ready}, Nothing, ""},
		{"a newer one", State{}, Seen{Candidate: "2", Newer: true, Daemon: ready}, Install, ""},
		{"a service that is switched off", State{}, Seen{Candidate: "2", Newer: true}, Install, ""},
		{"a daemon that hangs", State{}, Seen{Candidate: "2", Newer: true, Running: true}, Wait, "does not answer"},
		{"live", State{}, Seen{Candidate: "2", Newer: true, Daemon: &control.Status{State: "live"}}, Wait, "is live"},
		{"fault", State{}, Seen{Candidate: "2", Newer: true, Daemon: &control.Status{State: "fault"}}, Wait, "is fault"},
		{"live, and the newest", State{}, Seen{Candidate: "1", Daemon: &control.Status{State: "live"}}, Nothing, ""},
		{"a call", State{}, Seen{Candidate: "2", Newer: true, Daemon: &control.Status{State: "ready", Call: &control.Call{State: "ringing"}}}, Wait, "a call"},
		{"a clip", State{}, Seen{Candidate: "2", Newer: true, Daemon: &control.Status{State: "ready", Recording: control.Recording{Clip: "x"}}}, Wait, "a clip"},
		{"a low battery", State{}, Seen{Candidate: "2", Newer: true, Daemon: &control.Status{State: "ready", Battery: &control.Battery{State: "low"}}}, Wait, "battery"},
		{"which is fed", State{}, Seen{Candidate: "2", Newer: true, Daemon: &control.Status{State: "ready", Battery: &control.Battery{State: "low", Charging: true}}}, Install, ""},
		{"a bad one", State{Bad: []string{"2"}}, Seen{Candidate: "2", Newer: true, Daemon: ready}, Skip, "did not work"},
		{"newer than a bad one", State{Bad: []string{"2"}}, Seen{Candidate: "3", Newer: true, Daemon: ready}, Install, ""},
		{"cut short", State{Installing: "2"}, Seen{Candidate: "2", Daemon: ready}, Resume, ""},
		{"cut short, and live", State{Installing: "2"}, Seen{Candidate: "2", Daemon: &control.Status{State: "live"}}, Wait, "is live"},
		{"cut short, and dead", State{Installing: "2"}, Seen{Candidate: "2", Running: true}, Resume, ""},
	} {
		if got, why := Decide(test.state, test.seen); got != test.want || !strings.Contains(why, test.why) {
			t.Errorf("%s: %s (%s), want %s (%s)", test.name, got, why, test.want, test.why)
		}
	}
}

// board is a System with a daemon on it, in a bubble.
type board struct {
	installed, candidate string
	kept                 []string
	gone                 []string // versions that the repository has no more
	broken               []string // versions that do not start
	fails                []string // versions that dpkg does not install
	runs                 string   // version of the daemon; "" is none
	since                time.Time
	state                string
	did                  []string
	deaf                 bool // the daemon does not hear a wish to restart
	after                func()
}

func (b *board) Refresh(context.Context) error { return nil }
func (b *board) Versions(context.Context) (string, string, error) {
	return b.installed, b.candidate, nil
}
func (b *board) Newer(_ context.Context, one, other string) (bool, error) { return one > other, nil }
func (b *board) Fetch(_ context.Context, version string) (string, error) {
	if slices.Contains(b.gone, version) {
		return "", errors.New("E: Version was not found")
	}
	b.kept = append(b.kept, version)
	return version, nil
}
func (b *board) Kept(version string) (string, bool) { return version, slices.Contains(b.kept, version) }
func (b *board) Repair(context.Context) error       { return nil }
func (b *board) Install(_ context.Context, version string) error {
	b.did = append(b.did, "install "+version)
	if slices.Contains(b.fails, version) {
		return errors.New("dpkg: error")
	}
	b.installed = version
	if b.after != nil {
		b.after()
	}
	return nil
}
func (b *board) Forget(keep ...string) error {
	b.kept = slices.DeleteFunc(b.kept, func(v string) bool { return !slices.Contains(keep, v) })
	return nil
}
func (b *board) Program(context.Context) (string, error) { return "v" + b.installed, nil }
func (b *board) Running(context.Context) bool            { return true }
func (b *board) Restart(context.Context) error {
	b.did = append(b.did, "restart")
	b.start()
	return nil
}
func (b *board) AskRestart() error {
	if !b.deaf && b.runs != "" && b.state == "ready" {
		b.start()
	}
	return nil
}

func (b *board) start() {
	b.runs, b.since = b.installed, time.Now()
	if slices.Contains(b.broken, b.runs) {
		b.runs = ""
	}
}

func (b *board) status(context.Context) (control.Status, error) {
	if b.runs == "" {
		return control.Status{}, control.ErrNotRunning
	}
	return control.Status{State: b.state, Version: "v" + b.runs, UptimeSeconds: time.Since(b.since).Seconds()}, nil
}

func TestRun(t *testing.T) {
	for _, test := range []struct {
		name      string
		change    func(b *board)
		state     State
		want      Action
		runs      string
		did       string
		err       string
		after     State // but for the time
		noWayBack bool
	}{
		{name: "a newer one", want: Install, runs: "2", did: "install 2", after: State{Installed: "2", Previous: "1"}},
		{name: "a daemon that does not hear", change: func(b *board) { b.deaf = true }, want: Install, runs: "2", did: "install 2, restart",
			after: State{Installed: "2", Previous: "1"}},
		{name: "the newest", change: func(b *board) { b.candidate = "1" }, want: Nothing, runs: "1", after: State{Installed: "1"}},
		{name: "live for hours", change: func(b *board) { b.state = "live" }, want: Wait, runs: "1",
			after: State{Installed: "1", Waiting: "2", Why: "the daemon is live"}},
		{name: "one that does not start", change: func(b *board) { b.broken = []string{"2"} }, want: Install, runs: "1",
			did: "install 2, restart, install 1, restart", err: "the one before is back", after: State{Installed: "1", Bad: []string{"2"}}},
		{name: "one that is not installed", change: func(b *board) { b.fails = []string{"2"} }, want: Install, runs: "1",
			did: "install 2, install 1", err: "dpkg: error", after: State{Installed: "1", Bad: []string{"2"}}},
		{name: "a bad one", state: State{Bad: []string{"2"}}, want: Skip, runs: "1",
			after: State{Installed: "1", Waiting: "2", Why: "it did not work here before", Bad: []string{"2"}}},
		{name: "no way back", change: func(b *board) { b.gone = []string{"1"} }, want: Install, runs: "1", err: "keep version 1",
			after: State{Installed: "1", Waiting: "2"}},
		{name: "no way back, and told so", change: func(b *board) { b.gone = []string{"1"} }, noWayBack: true, want: Install, runs: "2",
			did: "install 2", after: State{Installed: "2"}},
		{name: "cut short before it was installed", change: func(b *board) { b.kept = []string{"1", "2"} },
			state: State{Installing: "2", Previous: "1"}, want: Install, runs: "2", did: "install 2", after: State{Installed: "2", Previous: "1"}},
		{name: "cut short, and the package is gone", state: State{Installing: "2", Previous: "1"}, want: Resume, runs: "1",
			err: "its package is gone", after: State{Installed: "1", Previous: "1"}},
		{name: "cut short after it", change: func(b *board) { b.kept, b.installed, b.runs = []string{"1", "2"}, "2", "2" },
			state: State{Installing: "2", Previous: "1"}, want: Install, runs: "2", after: State{Installed: "2", Previous: "1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := save(dir, test.state); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				b := &board{installed: "1", candidate: "2", runs: "1", state: "ready", since: time.Now()}
				if test.change != nil {
					test.change(b)
				}
				r, err := Run(t.Context(), Config{Dir: dir, System: b, Status: b.status, Wait: time.Hour,
					NoWayBack: test.noWayBack, Log: slog.New(slog.DiscardHandler)})
				if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				if did := strings.Join(b.did, ", "); r.Action != test.want || b.runs != test.runs || did != test.did {
					t.Errorf("%s, runs %q, did %q; want %s, %q, %q", r.Action, b.runs, did, test.want, test.runs, test.did)
				}
				after, err := Load(dir)
				if err != nil {
					t.Fatal(err)
				}
				if (after.Problem == "") != (test.err == "") || after.Checked.IsZero() {
					t.Errorf("problem %q, checked %v", after.Problem, after.Checked)
				}
				after.SchemaVersion, after.Problem, after.Checked = 0, "", time.Time{}
				if want := test.after; after.Installed != want.Installed || after.Previous != want.Previous || after.Waiting != want.Waiting ||
					after.Why != want.Why || after.Installing != want.Installing || !slices.Equal(after.Bad, want.Bad) {
					t.Errorf("keeps %+v, want %+v", after, want)
				}
			})
		})
	}
}

// TestTalk: who goes live between the look and the restart is not cut off.
func TestTalk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &board{installed: "1", candidate: "2", runs: "1", state: "ready", since: time.Now(), deaf: true}
		b.after = func() { b.state = "live" }
		begun := time.Now()
		status := func(ctx context.Context) (control.Status, error) {
			if time.Since(begun) > time.Hour {
				b.state = "ready"
			}
			if b.state == "live" && len(b.did) > 1 {
				t.Error("cut off")
			}
			return b.status(ctx)
		}
		if _, err := Run(t.Context(), Config{Dir: dir, System: b, Status: status, Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Error(err)
		}
		if b.runs != "2" || time.Since(begun) < time.Hour {
			t.Errorf("runs %s after %v", b.runs, time.Since(begun))
		}
	})
}

func TestState(t *testing.T) {
	dir := t.TempDir()
	if s, err := Load(dir); err != nil || s.Installed != "" {
		t.Errorf("without a file: %+v, %v", s, err)
	}
	path := filepath.Join(dir, "state.json")
	if err := save(dir, State{Installed: "1"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info, err)
	}
	for _, bad := range []string{"", "{", `{"schema_version":2}`} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// TestApt reads what apt says, and names files as it does.
func TestApt(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"bril_1.0_arm64.deb", "bril_1%3a1.0_arm64.deb", "bril_1.0~rc_arm64.deb"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	said := "bril:\n  Installed: 1.0\n  Candidate: 1:1.0\n  Version table:\n     1:1.0 500\n"
	a := Apt{Dir: dir, run: func(context.Context, string, string, ...string) ([]byte, error) { return []byte(said), nil }}
	if installed, candidate, err := a.Versions(t.Context()); installed != "1.0" || candidate != "1:1.0" || err != nil {
		t.Errorf("%q, %q, %v", installed, candidate, err)
	}
	for version, want := range map[string]string{"1.0": "bril_1.0_arm64.deb", "1:1.0": "bril_1%3a1.0_arm64.deb", "1": "", "": ""} {
		if file, _ := a.Kept(version); filepath.Base("/"+file) != filepath.Base("/"+want) {
			t.Errorf("kept of %q is %q, want %q", version, file, want)
		}
	}
	a.run = func(_ context.Context, dir, _ string, args ...string) ([]byte, error) {
		half := filepath.Join(dir, "bril_"+strings.TrimPrefix(args[len(args)-1], "bril=")+"_arm64.deb")
		if file, there := a.Kept("2.0"); there {
			t.Errorf("%s is kept before it is all there", file)
		}
		return nil, os.WriteFile(half, []byte("x"), 0o644)
	}
	for range 2 {
		if file, err := a.Fetch(t.Context(), "2.0"); err != nil || file != filepath.Join(dir, "bril_2.0_arm64.deb") {
			t.Errorf("fetched %q, %v", file, err)
		}
	}
	a.run = func(_ context.Context, dir, _ string, _ ...string) ([]byte, error) {
		return nil, errors.Join(os.WriteFile(filepath.Join(dir, "bril_3.0_arm64.deb"), nil, 0o644), errors.New("killed"))
	}
	if _, err := a.Fetch(t.Context(), "3.0"); err == nil {
		t.Error("half a package is fetched")
	}
	if file, there := a.Kept("3.0"); there {
		t.Errorf("half a package is kept as %s", file)
	}
	a.run = func(context.Context, string, string, ...string) ([]byte, error) { return []byte(said), nil }
	if err := a.Forget("1.0", ""); err != nil || len(a.files()) != 1 {
		t.Errorf("left %q, %v", a.files(), err)
	}
	said = "bril:\n  Installed: (none)\n  Candidate: 1.0\n"
	if _, _, err := a.Versions(t.Context()); !errors.As(err, new(errNotPackaged)) {
		t.Errorf("not a package: %v", err)
	}
}

// TestLeave: the folder of the wish is the daemon's user's, and root follows no link
// out of it.
func TestLeave(t *testing.T) {
	dir := t.TempDir()
	wish, other := filepath.Join(dir, "wish"), filepath.Join(dir, "other")
	for range 2 {
		if err := leave(wish); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(wish); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(other, []byte("root's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{other, filepath.Join(dir, "new")} {
		link := target + ".link"
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if err := leave(link); err != nil {
			t.Error(err)
		}
	}
	if data, err := os.ReadFile(other); err != nil || string(data) != "root's" {
		t.Errorf("what a link leads to holds %q, %v", data, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a link has made a file: %v", err)
	}
	if err := leave(filepath.Join(dir, "gone", "wish")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a folder: %v", err)
	}
}
