package configs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadToken(t *testing.T) {
	dir := t.TempDir()
	for i, tc := range []struct {
		content string
		mode    os.FileMode
		want    string
		err     string
	}{
		{"abc.DEF-123_~+/=", 0o600, "abc.DEF-123_~+/=", ""},
		{"  abc\r\n", 0o644, "abc", ""},
		{"", 0o600, "", "the file is empty"},
		{"\n\n", 0o600, "", "the file is empty"},
		{"a\nb\n", 0o600, "", "more than one line"},
		{"a b", 0o600, "", "spaces or characters"},
		{"a\x00b", 0o600, "", "spaces or characters"},
		{"tök", 0o600, "", "spaces or characters"},
		{strings.Repeat("a", maxSecret), 0o600, strings.Repeat("a", maxSecret), ""},
		{strings.Repeat("a", maxSecret+1), 0o600, "", "more than 8192 bytes"},
		{"abc", 0o666, "", "everybody may change it (mode 0666): chmod 600"},
	} {
		path := filepath.Join(dir, fmt.Sprint(i))
		writeMode(t, path, tc.content, tc.mode)
		got, err := ReadToken(path)
		if tc.err == "" && (err != nil || got.Reveal() != tc.want) {
			t.Errorf("%q: got %q, %v", tc.content, got.Reveal(), err)
		}
		if tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || !strings.HasPrefix(err.Error(), "read token "+path)) {
			t.Errorf("%q: got %v, want %q", tc.content, err, tc.err)
		}
	}
}

func TestReadTokenOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadToken(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) || !errors.Is(err, ErrInvalid) {
		t.Errorf("missing: %v", err)
	}
	if _, err := ReadToken(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadToken(fifo); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a FIFO: %v", err)
	}
}

func TestSecretIsNotShown(t *testing.T) {
	secret := NewSecret("hunter2")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", secret, "in", struct{ S Secret }{secret})
	encoded, err := json.Marshal(map[string]any{"s": secret, "p": &secret})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %v", secret, secret, secret, secret, secret, secret, struct{ S Secret }{secret}) + log.String() + string(encoded)
	if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e74657232") {
		t.Errorf("shown in %s", shown)
	}
	if NewSecret("").String() != "" || secret.Reveal() != "hunter2" {
		t.Error("no secret prints as one, or it cannot be revealed")
	}
}

// writeMode writes a file with a mode that the umask does not change.
func writeMode(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
