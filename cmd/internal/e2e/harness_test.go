// Package e2e runs the real binaries, agent and endpoint, each as a process of
// its own on loopback, with real viewers. It holds tests only.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/porttest"
)

// patience is how long anything may take before a test fails. It is no target.
const patience = 20 * time.Second

// binaries are built once, with the tags of `make build`, into a place of their own.
var binaries struct{ bril, showroom string }

const tags = "netgo,osusergo,nethttpomithttp2"

// atOnce is how many tests of those that say so run at once: they wait, most of the
// time.
const atOnce = 16

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bril-e2e-")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", fmt.Sprint(atOnce)); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
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

// process is a running binary.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *output // of stdout and stderr together
	done chan struct{}
	err  error // of Wait, once done
}

// output collects what a process prints and tells of each line.
type output struct {
	mu   sync.Mutex
	all  bytes.Buffer
	more chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.all.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// start runs a binary until the test ends.
func start(t *testing.T, stdin *os.File, path string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(path, args...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	return startCommand(t, cmd)
}

// startIn runs it in a directory, with an environment.
func startIn(t *testing.T, dir string, env []string, path string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = dir, env
	return startCommand(t, cmd)
}

func startCommand(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, out: &output{more: make(chan struct{}, 1)}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process, which the cleanup ends
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), p.out)
		}
	})
	return p
}

// stop ends the process by a signal and waits for it.
func (p *process) stop(sig syscall.Signal) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end by %v", p.cmd.Path, sig)
	}
}

// expect waits until the process has printed text.
func (p *process) expect(text string) {
	p.t.Helper()
	timeout := time.After(patience)
	for !strings.Contains(p.out.String(), text) {
		select {
		case <-p.out.more:
		case <-p.done:
			if !strings.Contains(p.out.String(), text) {
				p.t.Fatalf("%s ended (%v) without saying %q:\n%s", p.cmd.Path, p.err, text, p.out)
			}
		case <-timeout:
			p.t.Fatalf("%s does not say %q:\n%s", p.cmd.Path, text, p.out)
		}
	}
}

// endpoint is a showroom at a fixed port, so that it can come back.
type endpoint struct {
	*process
	listen string
	data   string
	args   []string
}

func startEndpoint(t *testing.T, args ...string) *endpoint {
	t.Helper()
	e := &endpoint{listen: porttest.Address(t), data: t.TempDir(), args: args}
	e.restart(t)
	return e
}

// restart starts it again and returns once it answers.
func (e *endpoint) restart(t *testing.T) {
	t.Helper()
	e.process = start(t, nil, binaries.showroom, append([]string{"--listen", e.listen, "--data", e.data}, e.args...)...)
	e.expect("listening on ")
}

func (e *endpoint) url(path string) string { return "http://" + e.listen + path }

// agent is a running `bril run`.
type agent struct {
	*process
	client *control.Client
	socket string
	args   []string
	state  string
}

// startAgent publishes to the endpoint as /whip/demo.
func startAgent(t *testing.T, whip string, args ...string) *agent {
	t.Helper()
	return startAgentWith(t, nil, whip, args...)
}

func startAgentWith(t *testing.T, stdin *os.File, whip string, args ...string) *agent {
	t.Helper()
	// A socket's path may have 107 bytes, and t.TempDir is longer at times.
	dir, err := os.MkdirTemp("", "bril")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "control.sock")
	a := &agent{state: t.TempDir(), client: control.NewClient(socket), socket: socket}
	a.args = append([]string{"run", "--whip", whip, "--control", socket, "--state", a.state}, args...)
	t.Cleanup(a.client.Close)
	a.restart(t, stdin)
	return a
}

func (a *agent) restart(t *testing.T, stdin *os.File) {
	t.Helper()
	a.process = start(t, stdin, binaries.bril, a.args...)
	a.expect("endpoint=")
}

func (a *agent) status() control.Status {
	a.t.Helper()
	s, err := a.client.Status(a.t.Context())
	if err != nil {
		a.t.Fatalf("%v\n%s", err, a.out)
	}
	return s
}

var errSeen = errors.New("seen")

// wait returns the first status that is as asked for.
func (a *agent) wait(what string, is func(control.Status) bool) control.Status {
	a.t.Helper()
	return a.waitLong(patience, what, is)
}

func (a *agent) waitLong(patience time.Duration, what string, is func(control.Status) bool) control.Status {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	var last control.Status
	err := a.client.Watch(ctx, 50*time.Millisecond, func(s control.Status) error {
		if last = s; is(s) {
			return errSeen
		}
		return nil
	})
	if !errors.Is(err, errSeen) {
		text, _ := json.MarshalIndent(last, "", " ")
		a.t.Fatalf("not %s: %v\n%s", what, err, text)
	}
	return last
}

func isLive(s control.Status) bool { return s.State == "live" && s.Video.Sent > 0 }

func (a *agent) waitLive() control.Status {
	a.t.Helper()
	return a.wait("live", isLive)
}

// descriptors counts the open file descriptors of a process.
func (p *process) descriptors() int {
	p.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(list)
}
