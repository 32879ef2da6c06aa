package cli_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/redact"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/uplink/calls"
	"github.com/bril-edge/bril/uplink/enrol/token"
	"github.com/bril-edge/bril/uplink/origin"
)

// planted are the secrets of these tests, by where they are put. Each has the looks
// of its kind.
func planted() map[string]string {
	enrolment := token.Random([32]byte{1, 2, 3}).Text()
	return map[string]string{
		"token file":           "tok3n-f1le-kz81mqpwx0",
		"relay credential":     "turn-cred-w82jdkq01x",
		"relay user":           "turn-user-71hdbq02ms",
		"enrolment key":        "MHcCAQEEIPlantedKeyMaterial9xq2v7z",
		"environment":          "env-pl4nted-90qkdmwz",
		"other file of state":  "state-pl4nted-a82kdqx",
		"comment of the file":  "comment-pl4nted-0zkqm",
		"query of the address": "query-pl4nted-7hdmq2",
		"enrolment token":      strings.Split(enrolment, ".")[2],
		"whole token":          enrolment,
		"age key":              "AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQ",
		"PEM key":              "MIGHAgEAMBMGByqGSM49PlantedPEM0q",
		"bearer":               "be4rer-pl4nted-qm29xz",
		"cookie":               "c00kie-pl4nted-1kdm8",
		"user of an address":   "user1nfo-pl4nted-kd9",
		"fragment":             "fr4gment-pl4nted-mz0q",
		"Wi-Fi password":       "w1fi-pl4nted-88dkqz",
		"mail":                 "jane.planted@customer.example",
		"JWT":                  "eyJhbGciOiJIUzI1NiJ9.eyJwbGFudGVkIjoxfQ.c2lnbmF0dXJl",
		"echoed header":        "ech0-pl4nted-mq82kz",
	}
}

// hostile is an endpoint that says all that it should not, one after another.
func hostile(t *testing.T, secrets map[string]string) (address string, heard *atomic.Int32) {
	said := []string{
		"Authorization: Bearer " + secrets["echoed header"],
		"this token was used: " + secrets["whole token"],
		"decrypt with " + secrets["age key"],
		"-----BEGIN PRIVATE KEY-----\n" + secrets["PEM key"] + "\n-----END PRIVATE KEY-----",
		"got Bearer " + secrets["bearer"],
		"Set-Cookie: sid=" + secrets["cookie"],
		"see https://root:" + secrets["user of an address"] + "@db.example/x?a=b#c",
		"see https://a.example/c/x#" + secrets["fragment"],
		"psk=" + secrets["Wi-Fi password"] + " is wrong",
		"mail to " + secrets["mail"],
		"jwt " + secrets["JWT"],
		"your token is " + secrets["token file"],
		"your user is " + secrets["relay user"] + " and " + secrets["relay credential"],
	}
	heard = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(heard.Add(1)) - 1
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(map[string]string{"title": "no", "detail": said[n%len(said)]}) // the daemon may have gone
	}))
	t.Cleanup(server.Close)
	return server.URL, heard
}

// found returns where a text holds which of the secrets, in whatever form.
func found(secrets map[string]string, where, text string) (all []string) {
	for name, secret := range secrets {
		for _, form := range redact.Forms(secret) {
			if strings.Contains(text, form) {
				all = append(all, fmt.Sprintf("%s: the %s, as %s", where, name, form))
			}
		}
	}
	return all
}

// board is a daemon among the planted secrets.
type board struct {
	dir, socket, config string
	secrets             map[string]string
	daemon              *exec.Cmd
	stderr              *bytes.Buffer
}

func (b *board) command(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return &exec.Cmd{Path: exe, Args: append([]string{"bril"}, args...), Dir: b.dir, Env: append(os.Environ(),
		"HOME="+b.dir, "BRIL_PLANTED="+b.secrets["environment"], "GOTRACEBACK=all")}
}

func newBoard(t *testing.T) *board {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bril-secrets-") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &board{dir: dir, socket: filepath.Join(dir, "sock"), config: filepath.Join(dir, "bril.yaml"), secrets: planted(), stderr: new(bytes.Buffer)}
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write("token", b.secrets["token file"]+"\n")
	write("credential", b.secrets["relay credential"]+"\n")
	write("state/enrolment/key-planted.pem", "-----BEGIN EC PRIVATE KEY-----\n"+b.secrets["enrolment key"]+"\n-----END EC PRIVATE KEY-----\n")
	write("state/notes", b.secrets["other file of state"])
	endpoint, heard := hostile(t, b.secrets)
	write("bril.yaml", fmt.Sprintf(`# %s
uplink:
  whip_url: %s/whip/anna?key=%s
  token_file: %s/token
  loopback: true
  ice_servers:
    - urls: ["turn:127.0.0.1:9?transport=udp"]
      username: %s
      credential_file: %s/credential
camera: {source: "pattern:64x64@5"}
microphone: {source: none}
calls: {events_url: "%s/api/glasses/anna/events"}
control: {state_dir: %s/state}
log: {level: debug}
`, b.secrets["comment of the file"], endpoint, b.secrets["query of the address"], dir, b.secrets["relay user"], dir, endpoint, dir))
	b.daemon = b.command("run", "--config", b.config, "--control", b.socket, "--live")
	b.daemon.Stderr = b.stderr
	if err := b.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b.daemon.ProcessState == nil {
			_ = b.daemon.Process.Kill()
			_ = b.daemon.Wait()
		}
	})
	client := control.NewClient(b.socket)
	t.Cleanup(client.Close)
	for end := time.Now().Add(patience); heard.Load() < 6 && time.Now().Before(end); {
		if _, err := client.Status(t.Context()); err != nil && b.daemon.ProcessState != nil {
			t.Fatalf("the daemon ended: %s", b.stderr)
		}
		time.Sleep(20 * time.Millisecond) // another process tells of nothing by itself
	}
	if heard.Load() < 6 {
		t.Fatalf("the endpoint was called %d times", heard.Load())
	}
	return b
}

// Secrets are planted everywhere around a running daemon, and none of them is in
// what is sent away, in whatever form.
func TestSupportHoldsNoSecret(t *testing.T) {
	b := newBoard(t)
	var stderr bytes.Buffer
	c := b.command("support", "--yes", "--config", b.config, "--control", b.socket, "--output", "-")
	c.Stderr = &stderr
	packed, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	for _, leak := range found(b.secrets, "the list", stderr.String()) {
		t.Error(leak)
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	names, takenOut := "", 0
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		data, err2 := io.ReadAll(archive)
		if err = errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		names += header.Name + "\n"
		if strings.HasSuffix(header.Name, "/log.txt") {
			takenOut = strings.Count(string(data), redact.Mark)
		}
		for _, leak := range found(b.secrets, header.Name, string(data)) {
			t.Error(leak)
		}
	}
	for _, leak := range found(b.secrets, "the names", names) {
		t.Error(leak)
	}
	if takenOut < 2 { // or the endpoint's words never came there
		t.Errorf("something was taken out of the log %d times", takenOut)
	}
	for _, want := range []string{"status.json", "log.txt", "configuration.yaml", "files.txt", "versions.json", "spool.json"} {
		if !strings.Contains(names, "/"+want+"\n") {
			t.Errorf("%s is missing:\n%s", want, &stderr)
		}
	}
}

// The stacks of all goroutines, as a fault prints them, tell no secret; nor does
// what the daemon has logged.
func TestCrashPrintsNoSecret(t *testing.T) {
	b := newBoard(t)
	if err := b.daemon.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = b.daemon.Wait() // it ends with Go's own code
	if code := b.daemon.ProcessState.ExitCode(); code != 2 || !strings.Contains(b.stderr.String(), "goroutine ") {
		t.Fatalf("ended with %d: %.2000s", code, b.stderr)
	}
	known := b.secrets
	delete(known, "relay user") // it is no secret by type, and is not known to the log
	for _, leak := range found(known, "stderr", b.stderr.String()) {
		t.Error(leak)
	}
}

// crasherMain panics with what holds secrets, as `crasher` of the test below.
func crasherMain() {
	secrets := map[string]string{}
	if err := json.NewDecoder(os.Stdin).Decode(&secrets); err != nil {
		panic(err)
	}
	enrolment, err := token.Parse(secrets["whole token"])
	if err != nil {
		panic("the test's token is none")
	}
	a, b := configs.NewSecret(secrets["token file"]), origin.NewSecret(secrets["relay credential"])
	call := calls.Call{Conversation: "c", Name: secrets["customer"]}
	held := func() string { return fmt.Sprint(a, b, enrolment, call) } // and they are on a stack
	switch os.Args[1] {
	case "error":
		panic(fmt.Errorf("publish with %v, %+v, %#v, %s: %w", a, b, enrolment, held(), errors.New(call.String())))
	case "text":
		panic(fmt.Sprintf("%+v", []any{a, &b, enrolment, &enrolment, call, &call, calls.Hello{Conversation: &calls.Snapshot{Call: call}}}))
	case "values":
		panic(struct {
			configs.Secret
			Other origin.Secret
			Token token.Token
			Call  calls.Call
		}{a, b, enrolment, call})
	}
	go func(a configs.Secret, t token.Token) {
		list := []configs.Secret{a}
		list[len(t.String())] = a
	}(a, enrolment)
	select {}
}

func TestPanicPrintsNoSecret(t *testing.T) {
	secrets := planted()
	secrets["customer"] = "Jane-Planted-Customer"
	input, err := json.Marshal(secrets)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"error", "text", "values", "index"} {
		var stderr bytes.Buffer
		c := &exec.Cmd{Path: exe, Args: []string{"crasher", how}, Env: append(os.Environ(), "GOTRACEBACK=system"), Stdin: bytes.NewReader(input), Stderr: &stderr}
		_ = c.Run() // it panics
		if c.ProcessState.ExitCode() != 2 || !strings.Contains(stderr.String(), "panic: ") {
			t.Fatalf("%s: ended with %d: %s", how, c.ProcessState.ExitCode(), &stderr)
		}
		for _, leak := range found(secrets, how, stderr.String()) {
			t.Errorf("%s in\n%.600s", leak, &stderr)
		}
	}
}
