package configs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// environment is one below a fresh root; vars are NAME=value, with ROOT for the root.
func environment(t *testing.T, vars ...string) Environment {
	root := t.TempDir()
	env := map[string]string{}
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		env[name] = strings.ReplaceAll(value, "ROOT", root)
	}
	return Environment{Getenv: func(name string) string { return env[name] }, TempDir: root + "/tmp", UID: 1007, Root: root}
}

func mkdir(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	mkdir(t, filepath.Dir(path), 0o755)
	writeMode(t, path, "", 0o600)
}

func TestSocketPath(t *testing.T) {
	e := environment(t)
	if got := e.SocketPath("/x/y"); got != "/x/y" {
		t.Errorf("configured: %s", got)
	}
	if got, want := e.SocketPath(""), e.Root+"/tmp/bril-1007/control.sock"; got != want {
		t.Errorf("nothing prepared: got %s, want %s", got, want)
	}
	e = environment(t, "XDG_RUNTIME_DIR=ROOT/xdg")
	if got, want := e.SocketPath(""), e.Root+"/xdg/bril/control.sock"; got != want {
		t.Errorf("a session: got %s, want %s", got, want)
	}
	mkdir(t, e.Root+"/run/bril", 0o750)
	if got, want := e.SocketPath(""), e.Root+"/run/bril/control.sock"; got != want {
		t.Errorf("a service: got %s, want %s", got, want)
	}
	if got := environment(t, "XDG_RUNTIME_DIR=relative").SocketPath(""); strings.Contains(got, "relative") {
		t.Errorf("a relative XDG_RUNTIME_DIR was used: %s", got)
	}
}

func TestSocketPathWhereTheSystemDirectoryIsReadOnly(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	e := environment(t, "XDG_RUNTIME_DIR=ROOT/xdg")
	mkdir(t, e.Root+"/run/bril", 0o550)
	if got, want := e.SocketPath(""), e.Root+"/xdg/bril/control.sock"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFindSocket(t *testing.T) {
	e := environment(t, "XDG_RUNTIME_DIR=ROOT/xdg")
	system, user := e.Root+"/run/bril/control.sock", e.Root+"/xdg/bril/control.sock"
	if got := e.FindSocket("/x/y"); got != "/x/y" {
		t.Errorf("configured: %s", got)
	}
	if got := e.FindSocket(""); got != user {
		t.Errorf("no daemon: got %s, want where one would be, %s", got, user)
	}
	touch(t, user)
	if got := e.FindSocket(""); got != user {
		t.Errorf("the user's daemon: got %s", got)
	}
	touch(t, system)
	if got := e.FindSocket(""); got != system {
		t.Errorf("the service: got %s", got)
	}
}

func TestFindSocketOfAServiceThatMayNotBeUsed(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	e := environment(t, "XDG_RUNTIME_DIR=ROOT/xdg")
	system, user := e.Root+"/run/bril/control.sock", e.Root+"/xdg/bril/control.sock"
	touch(t, user)
	touch(t, system)
	mkdir(t, e.Root+"/run/bril", 0)
	t.Cleanup(func() { mkdir(t, e.Root+"/run/bril", 0o755) })
	if got := e.FindSocket(""); got != user {
		t.Errorf("a service that may not be used: got %s, want %s", got, user)
	}
	if err := os.Remove(user); err != nil {
		t.Fatal(err)
	}
	if got := e.FindSocket(""); got != system {
		t.Errorf("only a service that may not be used: got %s, want %s", got, system)
	}
}

func TestStatePath(t *testing.T) {
	for _, tc := range []struct {
		name, configured, want string
		vars                   []string
		system                 bool
	}{
		{"configured", "/x", "/x", nil, true},
		{"systemd", "", "/var/lib/bril-b", []string{"STATE_DIRECTORY=/var/lib/bril-b:/var/lib/c", "HOME=ROOT"}, true},
		{"system", "", "ROOT/var/lib/bril", []string{"HOME=ROOT"}, true},
		{"XDG", "", "ROOT/s/bril", []string{"HOME=ROOT", "XDG_STATE_HOME=ROOT/s"}, false},
		{"home", "", "ROOT/.local/state/bril", []string{"HOME=ROOT", "XDG_STATE_HOME=s", "STATE_DIRECTORY=d"}, false},
	} {
		e := environment(t, tc.vars...)
		if tc.system {
			mkdir(t, e.Root+"/var/lib/bril", 0o700)
		}
		want := strings.ReplaceAll(tc.want, "ROOT", e.Root)
		if got, err := e.StatePath(tc.configured); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", tc.name, got, err, want)
		}
	}
	if got, err := environment(t).StatePath(""); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "control.state_dir") {
		t.Errorf("no place at all: %s, %v", got, err)
	}
}

// unprivileged reports whether the test may go on: as root, whom no permission
// stops, it runs the test again as nobody instead.
func unprivileged(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	const nobody = 65534
	// By /proc, since go test keeps its binaries where nobody may not go.
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Dir, cmd.Env = "/", []string{"TMPDIR=/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
	return false
}
