package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/porttest"
)

// world is where the commands of documents are run: an empty directory with the
// programs in bin, an endpoint on this machine, one with an authority of its own, and
// a daemon that is live.
type world struct {
	t      *testing.T
	dir    string
	env    []string
	open   string // address of the endpoint that is open
	closed string // of the one that enrols
}

// placeholders are what documents say for what a reader has: the directory of the
// test has it, too.
func (w *world) placeholders() *strings.Replacer {
	return strings.NewReplacer(
		"127.0.0.1:8080", w.open, "https://showroom.example", "https://"+w.closed, "192.0.2.10:443", "127.0.0.1:0",
		"/var/lib/showroom", "closed-data", "/etc/bril/", "etc/", "/tmp/bril", "tmp/bril",
	)
}

// rule says what is not run as it stands, or does not end with 0 here, and why.
type rule struct {
	command *regexp.Regexp
	as      string // what is run, with $1 for groups; "" is the command itself
	code    int    // that it ends with
	says    string // on stdout or stderr
	lasts   string // what it says, of one that goes on until it is ended
	live    bool   // the daemon is live before it
	why     string
}

func of(command string) *regexp.Regexp { return regexp.MustCompile("^(?:" + command + ")$") }

// run runs one line as a shell would, by the first rule that it matches.
func (w *world) run(line string, rules []rule) {
	w.t.Helper()
	line = w.placeholders().Replace(line)
	r := rule{}
	if i := slices.IndexFunc(rules, func(r rule) bool { return r.command.MatchString(line) }); i >= 0 {
		r = rules[i]
		if r.as != "" {
			as := r.command.ReplaceAllString(line, r.as)
			w.t.Logf("stand-in: %s\n      for: %s\n  because: %s", as, line, r.why)
			line = as
		} else if r.why != "" {
			w.t.Logf("as it is: %s\n  expected: %d, %q\n   because: %s", line, r.code, r.says, r.why)
		}
	}
	if r.live {
		w.beLive()
	}
	if r.lasts != "" {
		p := startIn(w.t, w.dir, w.env, "sh", "-c", "exec "+line)
		p.expect(r.lasts)
		p.stop(syscall.SIGTERM)
		return
	}
	out, code := w.shell(line)
	if code != r.code || !strings.Contains(out, r.says) {
		w.t.Errorf("%s ended with %d, want %d and %q:\n%s", line, code, r.code, r.says, out)
	}
}

// beLive has the daemon go live, if it is not.
func (w *world) beLive() {
	w.t.Helper()
	if out, code := w.shell("bril live on"); code != 0 {
		w.t.Fatal(out)
	}
	for deadline := time.Now().Add(patience); ; {
		if out, _ := w.shell("bril status --json"); strings.Contains(out, `"state": "live",`) {
			return
		} else if time.Now().After(deadline) {
			w.t.Fatalf("not live:\n%s", out)
		}
	}
}

// shell runs a line to its end.
func (w *world) shell(line string) (out string, code int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = w.dir, w.env
	cmd.WaitDelay = time.Second
	text, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return string(text), exit.ExitCode()
	} else if err != nil {
		return fmt.Sprintf("%s%v", text, err), -1
	}
	return string(text), 0
}

// newWorld makes one in which nothing runs yet.
func newWorld(t *testing.T) *world {
	t.Helper()
	// A socket's path may have 107 bytes, and t.TempDir is longer at times.
	dir, err := os.MkdirTemp("", "bril")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, dir: dir, open: porttest.Address(t), closed: porttest.Address(t)}
	for _, name := range []string{"bin", "stand-in", "run", "etc", "tmp", ".config/fish/completions", ".local/share/bash-completion/completions"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{binaries.bril, binaries.showroom} {
		if err := os.Symlink(path, filepath.Join(dir, "bin", filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	w.env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"), "PROFILE=profile.ps1", "XDG_STATE_HOME="+filepath.Join(dir, "state"),
		"PATH="+filepath.Join(dir, "stand-in")+":"+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	return w
}

// standIn puts a program before the machine's own: a shell script.
func (w *world) standIn(name, script string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "stand-in", name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) file(name, content string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// populate starts the endpoints, and a daemon that is live at the open one.
func (w *world) populate() {
	w.t.Helper()
	w.background("listening on ", "showroom", "--listen", w.open, "--data", "showroom-data")
	w.background("listening on ", "showroom", "--listen", w.closed, "--data", "closed-data", "--tls-own")
	w.background("session is live", "bril", "run", "--whip", "http://"+w.open+"/whip/anna", "--camera", "pattern:320x180@15", "--microphone", "tone", "--live")
}

// background starts a program of bin until the test ends.
func (w *world) background(says, name string, args ...string) {
	w.t.Helper()
	startIn(w.t, w.dir, w.env, filepath.Join(w.dir, "bin", name), args...).expect(says)
}
