package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
)

// passwordFile holds a password and what people leave below it.
func passwordFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStaffExitCodes(t *testing.T) {
	dir := t.TempDir()
	good, short := passwordFile(t, "correct horse battery\n"), passwordFile(t, "short\n")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{}, 3, "needs a command"},
		{[]string{"add"}, 3, "takes one name"},
		{[]string{"list"}, 3, "needs --data"},
		{[]string{"list", "--data", "/no/such/place"}, 4, "data directory"},
		{[]string{"add", "anna", "--role", "advisor", "--data", dir}, 3, "give --password-file FILE, or -"},
		{[]string{"add", "anna", "--role", "advisor", "--data", dir, "--password", "secret"}, 3, "unknown flag"},
		{[]string{"add", "anna", "--role", "advisor", "--data", dir, "--password-file", "/no/such/file"}, 1, "no such file"},
		{[]string{"add", "anna", "--role", "advisor", "--data", dir, "--password-file", short}, 3, "at least 12 characters"},
		{[]string{"add", "anna", "--data", dir, "--password-file", good}, 3, "advisor or manager"},
		{[]string{"add", "an na", "--role", "advisor", "--data", dir, "--password-file", good}, 3, "1 to 64"},
		{[]string{"passwd", "anna", "--data", dir, "--password-file", good}, 1, "anna: there is no such account"},
		{[]string{"remove", "anna", "--data", dir}, 1, "there is no such account"},
		{[]string{"revoke", "--data", dir}, 3, "--all NAME"},
		{[]string{"revoke", "x", "--all", "anna", "--data", dir}, 3, "--all NAME"},
		{[]string{"revoke", "x", "--data", dir}, 1, "there is no such session"},
		{[]string{"revoke", "--all", "anna", "--data", dir}, 1, "there is no such account"},
		{[]string{"sessions", "anna", "bert", "--data", dir}, 3, "one name at most"},
	} {
		code, out, errOut := execute(t, append([]string{"staff"}, c.args...)...)
		if code != c.code || !strings.Contains(errOut, c.says) || out != "" {
			t.Errorf("%v: code %d, stdout %q, stderr %q; want %d, %q", c.args, code, out, errOut, c.code, c.says)
		}
	}
}

// staffStory is what a manager types, with a server or without one.
func staffStory(t *testing.T, dir string) {
	t.Helper()
	do := func(want int, args ...string) string {
		t.Helper()
		code, out, errOut := execute(t, append(append([]string{"staff"}, args...), "--data", dir)...)
		if code != want {
			t.Fatalf("%v: code %d, %s%s", args, code, out, errOut)
		}
		return out + errOut
	}
	file := passwordFile(t, "correct horse battery\r\nand a note\n")
	if out := do(0, "add", "Mia", "--role", "manager", "--password-file", file); out != "mia (manager)\n" {
		t.Errorf("add printed %q", out)
	}
	do(0, "add", "anna", "--role", "advisor", "--showroom", "antwerp", "--password-file", file, "--json")
	if out := do(1, "add", "anna", "--role", "manager", "--password-file", file); !strings.Contains(out, "add anna: there is such an account already") {
		t.Errorf("a second one: %q", out)
	}
	var listed struct{ Accounts []staff.Account }
	if err := json.Unmarshal([]byte(do(0, "list", "--json")), &listed); err != nil || len(listed.Accounts) != 2 {
		t.Fatalf("%v, %+v", err, listed)
	}
	if a := listed.Accounts[0]; a.Name != "anna" || a.Role != "advisor" || a.Showroom != "antwerp" || a.Hash != "" || a.Created.IsZero() {
		t.Errorf("%+v", a)
	}
	if out := do(0, "list"); !regexp.MustCompile(`(?m)^mia +manager +\d{4}-\d\d-\d\d$`).MatchString(out) {
		t.Errorf("list printed %q", out)
	}
	do(0, "passwd", "anna", "--password-file", passwordFile(t, "another long password"))
	if out := do(0, "sessions"); !strings.HasPrefix(out, "ID ") || strings.Count(out, "\n") != 1 {
		t.Errorf("sessions printed %q", out)
	}
	do(0, "revoke", "--all", "anna")
	do(0, "remove", "anna")
	if out := do(0, "sessions", "anna", "--json"); out != `{"schema_version":1,"sessions":[]}`+"\n" {
		t.Errorf("sessions printed %q", out)
	}
}

func TestStaffWithoutAServer(t *testing.T) { staffStory(t, t.TempDir()) }

func TestStaffBesideAServer(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	out, done := make(lines, 4), make(chan error, 1)
	command := newCommand(out, &bytes.Buffer{}, []string{"--listen", "127.0.0.1:0", "--data", dir})
	go func() { done <- command.ExecuteContext(ctx) }()
	select {
	case <-out:
	case <-time.After(10 * time.Second):
		t.Fatal("the server did not start within 10 s")
	}
	staffStory(t, dir)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A session that is listed can be ended.
func TestStaffRevokes(t *testing.T) {
	dir := t.TempDir()
	execute(t, "staff", "add", "anna", "--role", "advisor", "--password-file", passwordFile(t, "correct horse battery"), "--data", dir)
	db, err := records.Open(records.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	session, err := db.AddStaffSession(t.Context(), "token", "anna", "Firefox, Linux", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, out, _ := execute(t, "staff", "sessions", "anna", "--data", dir); !strings.Contains(out, session.ID+"  anna  Firefox, Linux  ") {
		t.Errorf("sessions printed %q", out)
	}
	if code, _, errOut := execute(t, "staff", "revoke", session.ID, "--data", dir); code != 0 {
		t.Errorf("revoke: code %d, %s", code, errOut)
	}
	if _, out, _ := execute(t, "staff", "sessions", "--data", dir); strings.Contains(out, session.ID) {
		t.Errorf("after it: %q", out)
	}
}

func TestPasswordFromStandardInput(t *testing.T) {
	dir := t.TempDir()
	var out, errOut bytes.Buffer
	command := newCommand(&out, &errOut, []string{"staff", "add", "anna", "--role", "advisor", "--password-file", "-", "--data", dir})
	command.SetIn(strings.NewReader("correct horse battery\n"))
	if err := command.ExecuteContext(t.Context()); err != nil || out.String() != "anna (advisor)\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}
