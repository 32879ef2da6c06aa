package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func execute(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := runCommand(t.Context(), newCommand(&stdout, &stderr, args))
	code = report(err, wantsJSON(args), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		args []string
		code int
		says string // on stderr
	}{
		{[]string{"--listen", taken.Addr().String(), "--data", dir}, 1, "address already in use\nhint: another program has the port; --listen"},
		{[]string{"--help"}, 0, ""},
		{[]string{"--bogus"}, 3, "hint: showroom --help"},
		{[]string{"serve"}, 3, `unknown command "serve"`},
		{[]string{"link"}, 3, "takes one name"},
		{[]string{"link", "an/na"}, 3, "takes one name"},
		{[]string{"link", "anna"}, 3, "needs --data"},
		{[]string{"link", "anna", "--data", "/no/such/place"}, 4, "data directory"},
		{[]string{"--listen", "0.0.0.0:1"}, 4, "hint: add the flags, or listen on 127.0.0.1"},
		{[]string{"--listen", "nonsense"}, 4, "hint: give it as IP:port"},
		{[]string{"--token-file", empty}, 4, "holds none"},
		{[]string{"--token-file", filepath.Join(dir, "none")}, 4, "no such file"},
		{[]string{"recipient"}, 3, "hint: showroom recipient --help"},
		{[]string{"backup", "here"}, 3, `unexpected argument "here"`},
		{[]string{"--data", empty, "--listen", "127.0.0.1:0"}, 4, "hint: check --data"},
		{[]string{"recipient", "--data", "/no/such/place"}, 4, "data directory"},
		{[]string{"--retention", "soon"}, 3, "hint: showroom --help"},
		{[]string{"--retention", "0d"}, 3, "not a number of days"},
		{[]string{"--retention", "-1h"}, 3, "not above 0"},
		{[]string{"--retention", "183d"}, 4, "hint: give at most 182d"},
		{[]string{"--hours", filepath.Join(dir, "none")}, 4, "hint: showroom --help"},
		{[]string{"--hours", empty}, 4, "hint: showroom --help"},
		{[]string{"--smtp", "nonsense", "--data", dir, "--listen", "127.0.0.1:0"}, 4, "hint: "},
		{[]string{"--smtp", "smtp://mail.example"}, 4, "hint: add --data DIR"},
		{[]string{"--public-url", "nonsense"}, 4, "hint: give scheme and host"},
		{[]string{"--now", "2026-12-01"}, 3, "unknown flag: --now"},
		{[]string{"--listen", "192.0.2.1:0", "--token-file", empty}, 4, "without TLS"},
	} {
		code, _, errOut := execute(t, c.args...)
		if code != c.code || !strings.Contains(errOut, c.says) {
			t.Errorf("%v: code %d, stderr %q; want %d, %q", c.args, code, errOut, c.code, c.says)
		}
	}
}

func TestErrorsAsJSON(t *testing.T) {
	code, out, errOut := execute(t, "--json", "--listen", "0.0.0.0:1")
	var got failure
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if code != 4 || got.Error.Code != 4 || got.SchemaVersion != 1 || got.Error.Message == "" || got.Error.Text == "" || errOut != "" {
		t.Errorf("code %d, %+v, stderr %q", code, got, errOut)
	}
}

func TestLinkIsTheSameEachTime(t *testing.T) {
	dir := t.TempDir()
	_, first, _ := execute(t, "link", "anna", "--data", dir, "--url", "https://showroom.example/")
	_, again, _ := execute(t, "link", "anna", "--data", dir, "--url", "https://showroom.example")
	if first != again || !strings.HasPrefix(first, "https://showroom.example/anna#") || len(first) != len("https://showroom.example/anna#")+32+1 {
		t.Errorf("%q, then %q", first, again)
	}
}

func TestRecipientIsTheSameEachTime(t *testing.T) {
	dir := t.TempDir()
	_, first, _ := execute(t, "recipient", "--data", dir)
	if !strings.HasPrefix(first, "age1") || !strings.HasSuffix(first, "\n") {
		t.Errorf("printed %q", first)
	}
	_, again, _ := execute(t, "recipient", "--data", dir, "--json")
	if want := `{"recipient":"` + strings.TrimSpace(first) + `","schema_version":1}` + "\n"; again != want {
		t.Errorf("printed %q, want %q", again, want)
	}
	if err := os.Chmod(filepath.Join(dir, "age.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := execute(t, "recipient", "--data", dir); code != 4 || !strings.Contains(errOut, "hint: chmod 600") {
		t.Errorf("read by others: code %d, %s", code, errOut)
	}
}

// lines hands on what is written, a line at a time.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func TestServePrintsWhereItListens(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, done := make(lines, 4), make(chan error, 1)
	command := newCommand(out, &bytes.Buffer{}, []string{"--listen", "127.0.0.1:0", "--data", t.TempDir()})
	go func() { done <- command.ExecuteContext(ctx) }()
	select {
	case line := <-out:
		if !strings.HasPrefix(line, "listening on http://127.0.0.1:") || !strings.HasSuffix(line, "\n") {
			t.Errorf("printed %q", line)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing printed within 10 s")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
