package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/enrol/token"
)

// running is a server with its own authority, until stop is called.
func running(t *testing.T, dir string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, done := make(lines, 4), make(chan error, 1)
	command := newCommand(out, &bytes.Buffer{}, []string{"--listen", "127.0.0.1:0", "--data", dir, "--tls-own", "--require-enrolment"})
	go func() { done <- command.ExecuteContext(ctx) }()
	select {
	case line := <-out:
		if !strings.HasPrefix(line, "listening on https://127.0.0.1:") {
			t.Errorf("printed %q", line)
		}
	case err := <-done:
		t.Fatal(err)
	case <-time.After(10 * time.Second):
		t.Fatal("nothing printed within 10 s")
	}
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestTokenCommands do the same with a server and without one.
func TestTokenCommands(t *testing.T) {
	dir := t.TempDir()
	code, _, errOut := execute(t, "token", "new", "--name", "anna", "--data", dir)
	if code != 4 || !strings.Contains(errOut, "hint: start showroom with") {
		t.Errorf("before there was a server: %d %s", code, errOut)
	}
	stop := running(t, dir)
	testTokenCommands(t, dir)
	stop()
	testTokenCommands(t, dir)
}

func testTokenCommands(t *testing.T, dir string) {
	t.Helper()
	run := func(want int, args ...string) (out, errOut string) {
		t.Helper()
		code, out, errOut := execute(t, append(args, "--data", dir)...)
		if code != want {
			t.Fatalf("%v: %d %s %s", args, code, out, errOut)
		}
		return out, errOut
	}
	out, errOut := run(0, "token", "new", "--name", "anna", "--label", "Ghent", "--serial", "10000000a1b2c3d4")
	first, err := token.Parse(out)
	if err != nil || !strings.HasPrefix(errOut, "for anna, once, until ") || strings.Count(out, "\n") != 1 {
		t.Fatalf("%v: %q %q", err, out, errOut)
	}
	out, errOut = run(0, "token", "new", "--name", "ben", "--valid", "1h", "--json")
	var made struct {
		SchemaVersion int `json:"schema_version"`
		Token         struct{ Token, Name string }
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.SchemaVersion != 1 || made.Token.Name != "ben" || errOut != "" {
		t.Fatalf("%v: %s %s", err, out, errOut)
	}
	second, err := token.Parse(made.Token.Token)
	if err != nil || second.Pin != first.Pin {
		t.Errorf("%v: it pins another key", err)
	}
	for _, args := range [][]string{{"token", "list"}, {"token", "list", "--json"}} {
		out, _ := run(0, args...)
		if !strings.Contains(out, first.IDText()) || !strings.Contains(out, "open") || strings.Contains(out, first.SecretText()) {
			t.Errorf("%v: %s", args, out)
		}
	}
	if out, _ := run(0, "token", "revoke", first.IDText()); out != first.IDText()+" is void\n" {
		t.Error(out)
	}
	for _, args := range [][]string{{"token", "revoke", first.IDText()}, {"devices", "revoke", "anna"}} {
		if _, errOut := run(1, args...); !strings.Contains(errOut, "there is no such device or token") {
			t.Errorf("%v: %s", args, errOut)
		}
	}
	if out, _ := run(0, "devices", "list"); out != "no devices\n" {
		t.Error(out)
	}
	if out, _ := run(0, "devices", "list", "--json"); out != `{"devices":[],"schema_version":1}`+"\n" {
		t.Error(out)
	}
	run(0, "token", "revoke", second.IDText())
	run(3, "token", "new", "--name", "an/na")
	run(3, "token", "new", "--name", "anna", "--valid", "48h")
	run(3, "token", "revoke")
	run(3, "devices")
	for _, name := range []string{"ca.key", "ca.pem", "server.key", "pin"} {
		if info, err := os.Stat(filepath.Join(dir, "authority", name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
