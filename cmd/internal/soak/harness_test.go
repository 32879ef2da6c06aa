// Package soak runs the real programs, agent and endpoint, and does to them what
// happens to glasses: they are killed at any moment, the endpoint fails, the disk
// fails. What a button's press was answered for has to arrive all the same. It
// holds tests only.
package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/porttest"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
)

// patience is how long anything may take before a test fails. It is no target.
const patience = 60 * time.Second

// binaries are built once, with the tags of `make build`, into a place of their own.
var binaries struct{ bril, showroom string }

const tags = "netgo,osusergo,nethttpomithttp2"

func TestMain(m *testing.M) {
	if dir := os.Getenv(inside); dir != "" {
		binaries.bril, binaries.showroom = filepath.Join(dir, "bril"), filepath.Join(dir, "showroom")
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "bril-soak-")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		os.RemoveAll(dir)
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) error {
	binaries.bril, binaries.showroom = filepath.Join(dir, "bril"), filepath.Join(dir, "showroom")
	for _, path := range []string{binaries.bril, binaries.showroom} {
		cmd := exec.Command("go", "build", "-tags", tags, "-o", path, "../../"+filepath.Base(path))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", path, err, out)
		}
	}
	return nil
}

// program is one of the two, which comes back after each end. Its words of all its
// lives are in one file.
type program struct {
	t    *testing.T
	path string
	args []string
	env  []string
	log  *os.File

	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

func newProgram(t *testing.T, path string, args ...string) *program {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, path: path, args: args, log: log}
	t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%s said at the end:\n%s", filepath.Base(path), p.lastWords())
		}
		log.Close()
	})
	return p
}

// start lets it live again.
func (p *program) start(more ...string) {
	p.t.Helper()
	p.cmd = exec.Command(p.path, append(p.args[:len(p.args):len(p.args)], more...)...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	done := make(chan struct{})
	p.done = done
	go func(cmd *exec.Cmd) { // ends with the process, which the cleanup ends
		_ = cmd.Wait() // who kills it knows how it ended
		close(done)
	}(p.cmd)
}

func (p *program) alive() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// end ends it by a signal and waits for that.
func (p *program) end(sig syscall.Signal) {
	p.t.Helper()
	if !p.alive() {
		return
	}
	_ = p.cmd.Process.Signal(sig) // it may be ending
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end by %v", p.path, sig)
	}
}

const lastWords = 16 << 10 // bytes

func (p *program) lastWords() string {
	text, _ := os.ReadFile(p.log.Name())
	return string(text[max(0, len(text)-lastWords):])
}

// endpoint is a showroom at a fixed address.
type endpoint struct {
	*program
	address string
	data    string
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{address: porttest.Address(t), data: t.TempDir()}
	e.program = newProgram(t, binaries.showroom, "--listen", e.address, "--data", e.data)
	return e
}

func (e *endpoint) url(path string) string { return "http://" + e.address + path }

// begin starts it and returns once it answers.
func (e *endpoint) begin() {
	e.t.Helper()
	e.start()
	e.waitFor("answering", func() bool {
		response, err := http.Get(e.url("/.well-known/bril"))
		if err == nil {
			response.Body.Close()
		}
		return err == nil
	})
}

// list is what it has of a conversation.
func (e *endpoint) list(name string) []media.Listed {
	e.t.Helper()
	var answer struct{ Items []media.Listed }
	response, err := http.Get(e.url("/api/sessions/" + name + "/media"))
	if err == nil {
		defer response.Body.Close()
		err = json.NewDecoder(response.Body).Decode(&answer)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return answer.Items
}

// description is what it has written down of an item.
func (e *endpoint) description(id string) (item media.Item) {
	e.t.Helper()
	text, err := os.ReadFile(filepath.Join(e.data, "sessions", conversation, id+".json"))
	if err == nil {
		err = json.Unmarshal(text, &item)
	}
	if err != nil {
		e.t.Error(err)
	}
	return item
}

// waitFor asks until it is so. There is nothing to wait on but the asking.
func (p *program) waitFor(what string, is func() bool) {
	p.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if !p.alive() {
			p.t.Fatalf("%s ended by itself before it was %s", p.path, what)
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s is not %s", p.path, what)
		}
	}
}

// agent is a `bril run`.
type agent struct {
	*program
	client *control.Client
	state  string
}

// newAgent publishes to the endpoint as /whip/demo; what it takes goes to the
// conversation that the configuration names.
func newAgent(t *testing.T, e *endpoint, config string) *agent {
	t.Helper()
	// A socket's path may have 107 bytes, and t.TempDir is longer at times.
	dir, err := os.MkdirTemp("", "bril")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket, file := filepath.Join(dir, "control.sock"), filepath.Join(dir, "bril.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &agent{state: t.TempDir(), client: control.NewClient(socket)}
	t.Cleanup(a.client.Close)
	a.program = newProgram(t, binaries.bril, "run", "--whip", e.url("/whip/demo"), "--control", socket, "--state", a.state,
		"--config", file, "--camera", "pattern:640x480@30", "--microphone", "none")
	return a
}

func (a *agent) spool() string { return filepath.Join(a.state, "spool") }

// waitStatus asks until the status is as wanted.
func (a *agent) waitStatus(what string, is func(control.Status) bool) control.Status {
	a.t.Helper()
	var last control.Status
	defer func() {
		if a.t.Failed() {
			text, _ := json.MarshalIndent(last, "", " ")
			a.t.Logf("the last status:\n%s", text)
		}
	}()
	a.waitFor(what, func() bool {
		ctx, cancel := context.WithTimeout(a.t.Context(), patience)
		defer cancel()
		s, err := a.client.Status(ctx)
		if err == nil {
			last = s
		} else if !errors.Is(err, control.ErrNotRunning) {
			a.t.Fatal(err)
		}
		return err == nil && is(s)
	})
	return last
}

// waitArmed returns once photos and clips can be taken.
func (a *agent) waitArmed() {
	a.t.Helper()
	a.waitStatus("ready for photos", func(s control.Status) bool { return s.Recording.Armed && s.Video.Sent > 0 })
}
