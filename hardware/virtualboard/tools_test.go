package virtualboard

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A machine that lacks something is told what to install, all at once.
func TestMissingTools(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"make", "gcc", "xz", "apt-get", "dpkg-deb", "tar", "go"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	_, err := Prepare(t.Context(), Config{Cache: filepath.Join(dir, "cache")})
	var missing *MissingTools
	if !errors.As(err, &missing) {
		t.Fatalf("prepared without qemu: %v", err)
	}
	if want := []string{"qemu-system-arm", "gcc-aarch64-linux-gnu", "device-tree-compiler"}; !slices.Equal(missing.Packages, want) {
		t.Errorf("%q, want %q", missing.Packages, want)
	}
	if !strings.Contains(err.Error(), "apt install qemu-system-arm gcc-aarch64-linux-gnu device-tree-compiler") {
		t.Errorf("no command to type in %q", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cache")); err == nil {
		t.Error("something was written all the same")
	}
}
