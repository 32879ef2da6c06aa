package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/enrol/keyfile"
)

// TestProvisionKey: a public key goes into the package, a private one never.
func TestProvisionKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good, err := keyfile.Public(public)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := keyfile.Private(private)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		file []byte
		ok   bool
	}{
		{"public", good, true}, {"two", append(good[:len(good):len(good)], good...), true},
		{"private", secret, false}, {"both", append(good[:len(good):len(good)], secret...), false},
		{"empty", nil, false}, {"text", []byte("key"), false},
	} {
		dir := t.TempDir()
		source := filepath.Join(dir, "key")
		if err := os.WriteFile(source, test.file, 0o600); err != nil {
			t.Fatal(err)
		}
		err := tree{dir, time.Time{}}.provisionKey(source)
		packaged, readErr := os.ReadFile(filepath.Join(dir, "share/bril/provision.pub"))
		if (err == nil) != test.ok || (readErr == nil) != test.ok || test.ok && !bytes.Equal(packaged, test.file) {
			t.Errorf("%s: %v; packaged: %v", test.name, err, readErr)
		}
	}
	if err := (tree{t.TempDir(), time.Time{}}).provisionKey("no-such-file"); err == nil {
		t.Error("a key that is missing is left out in silence")
	}
}
