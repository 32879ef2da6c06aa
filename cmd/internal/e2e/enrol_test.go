package e2e

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// secured is an endpoint with an authority of its own that takes enrolled devices
// only.
type secured struct{ *endpoint }

func startSecured(t *testing.T) secured {
	t.Helper()
	return secured{startEndpoint(t, "--tls-own", "--require-enrolment")}
}

func (e secured) url(path string) string { return "https://" + e.listen + path }

func (e secured) roots() *x509.CertPool {
	e.t.Helper()
	text, err := os.ReadFile(filepath.Join(e.data, "authority", "ca.pem"))
	if err != nil {
		e.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// command runs `showroom` on the endpoint's data and returns what it prints.
func (e secured) command(args ...string) string {
	e.t.Helper()
	out, err := exec.Command(binaries.showroom, append(args, "--data", e.data)...).Output()
	if err != nil {
		e.t.Fatalf("showroom %q: %v", args, err)
	}
	return string(out)
}

// token makes one and returns its file.
func (e secured) token(name string, args ...string) string {
	e.t.Helper()
	path := filepath.Join(e.t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(e.command(append([]string{"token", "new", "--name", name}, args...)...)), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return path
}

// startBare runs an agent that is enrolled nowhere, of which nothing is captured but
// the pattern and the tone.
func startBare(t *testing.T, args ...string) *agent {
	t.Helper()
	dir, err := os.MkdirTemp("", "bril")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "control.sock")
	a := &agent{state: t.TempDir(), client: control.NewClient(socket), socket: socket}
	a.args = append([]string{"run", "--control", socket, "--state", a.state, "--camera", "pattern:640x360@30", "--microphone", "tone", "--loopback"}, args...)
	t.Cleanup(a.client.Close)
	a.restart(t, nil)
	return a
}

// enrol asks the daemon to enrol, and returns how that ended.
func (a *agent) enrol(server, tokenFile string) (stdout, stderr string, code int) {
	a.t.Helper()
	return a.command("enrol", "--server", server, "--token-file", tokenFile)
}

// command runs `bril` beside the daemon.
func (a *agent) command(args ...string) (stdout, stderr string, code int) {
	a.t.Helper()
	cmd := exec.Command(binaries.bril, append(args, "--control", a.socket)...)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		a.t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

func (a *agent) mustEnrol(server, tokenFile string) {
	a.t.Helper()
	if out, errOut, code := a.enrol(server, tokenFile); code != 0 {
		a.t.Fatalf("enrol: %d\n%s%s", code, out, errOut)
	}
}

func (a *agent) live() {
	a.t.Helper()
	if _, err := a.client.Live(a.t.Context(), control.On); err != nil {
		a.t.Fatal(err)
	}
}

// TestEnrolled: a bare board, a token, and live; what it took arrives, calls reach
// it, and all of that ends when it is revoked.
func TestEnrolled(t *testing.T) {
	e := startSecured(t)
	a := startBare(t)
	a.mustEnrol(e.url(""), e.token("anna", "--label", "First pair"))
	a.live()
	a.waitLive()
	w, _ := watchWith(t, e.url("/whep/anna"), rtctest.Options{NoRTX: true, Roots: e.roots()})
	w.morePictures(30)
	photo := a.photo()
	a.wait("sent", func(s control.Status) bool { return s.Spool.Items == 0 })
	if _, err := os.Stat(filepath.Join(e.data, "sessions", "anna")); err != nil {
		t.Errorf("photo %s: %v", photo.ID, err)
	}
	e.command("devices", "revoke", "anna")
	s := a.wait("refused", func(s control.Status) bool {
		said, _ := json.Marshal(s.Errors)
		return strings.Contains(string(said), "revoked")
	})
	a.wait("known to be revoked", func(s control.Status) bool { return s.Device != nil && s.Device.State == "revoked" })
	if said, _ := json.Marshal(s.Errors); !strings.Contains(string(said), "bril enrol") || s.Uplink.State == "connected" {
		t.Errorf("a revoked device says %s", said)
	}
}

// TestManInTheMiddle: another endpoint, with an authority of its own, at enrolment
// and afterwards. It hears no secret and gets no picture.
func TestManInTheMiddle(t *testing.T) {
	e, other := startSecured(t), startSecured(t)
	a := startBare(t)
	token := e.token("anna")
	out, errOut, code := a.enrol(other.url(""), token)
	if code == 0 || !strings.Contains(errOut, "key") {
		t.Errorf("enrolled at another endpoint: %d\n%s%s", code, out, errOut)
	}
	if strings.Contains(other.out.String(), "not enrolled") {
		t.Errorf("the other one was asked:\n%s", other.out)
	}
	a.mustEnrol(e.url(""), token) // it was not used up
	a.live()
	a.waitLive()

	e.stop(syscall.SIGTERM)
	impostor := secured{&endpoint{listen: e.listen, data: t.TempDir(), args: e.args}}
	impostor.restart(t)
	s := a.wait("refusing the other endpoint", func(s control.Status) bool {
		said, _ := json.Marshal(s.Errors)
		return strings.Contains(string(said), "certificate")
	})
	if s.State == "live" {
		t.Errorf("live at another endpoint: %+v", s.Uplink)
	}
	impostor.stop(syscall.SIGTERM)
	if said := impostor.out.String(); strings.Contains(said, "live") || strings.Contains(said, "enrolled") {
		t.Errorf("the other endpoint was told something:\n%s", said)
	}
	e.restart(t)
	a.waitLong(30*time.Second+patience, "live again", isLive) // of a certificate the agent does not expect that it changes soon
}

// TestTokensThatAreRefused are not good, each for its reason, and say what to do.
func TestTokensThatAreRefused(t *testing.T) {
	e := startSecured(t)
	used := e.token("used")
	startBare(t).mustEnrol(e.url(""), used)
	expired := e.token("late", "--valid", "1ms")
	bound := e.token("bound", "--serial", "another-board")
	good, err := os.ReadFile(e.token("cut"))
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut")
	if err := os.WriteFile(cut, good[:40], 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := startSecured(t).token("foreign")
	a := startBare(t)
	for _, test := range []struct{ name, file, want string }{
		{"used", used, "used"},
		{"expired", expired, "expired"},
		{"of another board", bound, "serial"},
		{"truncated", cut, "missing"},
		{"of another endpoint", foreign, "key"},
	} {
		out, errOut, code := a.enrol(e.url(""), test.file)
		if code == 0 || !strings.Contains(errOut, test.want) || !strings.Contains(errOut, "hint: ") {
			t.Errorf("%s: %d\n%s%s", test.name, code, out, errOut)
		}
		t.Logf("%s:\n%s", test.name, errOut)
	}
	if s := a.status(); s.State != "ready" {
		t.Errorf("the daemon is %s", s.State)
	}
}

// TestSecretsAreNowhere looks for a token and a device's key in all that programs
// print and show of themselves, the dump of a crash included.
func TestSecretsAreNowhere(t *testing.T) {
	e := startSecured(t)
	a := startBare(t)
	file := e.token("anna")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a.mustEnrol(e.url(""), file)
	a.live()
	a.waitLive()
	needles := []string{strings.Split(strings.TrimSpace(string(text)), ".")[2]}
	needles = append(needles, keyLines(t, a.state)...)
	shown := map[string]string{"the endpoint's process": processText(t, e.process), "the agent's process": processText(t, a.process)}
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"enrol", "--status"}, {"enrol", "--status", "--json"}, {"version", "--json"}} {
		out, errOut, _ := a.command(args...)
		shown["bril "+strings.Join(args, " ")] = out + errOut
	}
	a.stop(syscall.SIGQUIT) // Go's runtime prints all goroutines
	shown["the agent's log and crash"], shown["the endpoint's log"] = a.out.String(), e.out.String()
	if !strings.Contains(shown["the agent's log and crash"], "goroutine 1 ") {
		t.Error("the crash printed nothing: is this the right test?")
	}
	for where, what := range shown {
		for _, needle := range needles {
			if strings.Contains(what, needle) {
				t.Errorf("%s shows a secret:\n%s", where, what)
			}
		}
	}
}

// keyLines returns the lines of every private key below dir.
func keyLines(t *testing.T, dir string) (lines []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		block, _ := pem.Decode(data)
		if block == nil || !strings.Contains(block.Type, "PRIVATE KEY") {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); len(line) > 20 && !strings.Contains(line, "-----") {
				lines = append(lines, line)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) == 0 {
		t.Fatalf("no private key below %s", dir)
	}
	return lines
}

// processText is what every user of the machine can see of a process, and its
// environment.
func processText(t *testing.T, p *process) (text string) {
	t.Helper()
	for _, name := range []string{"cmdline", "environ"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name))
		if err != nil {
			t.Fatal(err)
		}
		text += string(data) + "\n"
	}
	return text
}
