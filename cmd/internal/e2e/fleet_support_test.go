package e2e

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
)

// TestFleetSupport asks glasses for a support bundle, which comes encrypted, and opens
// it with the server's key: it is of the daemon that runs.
func TestFleetSupport(t *testing.T) {
	e := startManaged(t)
	a := startBare(t)
	a.mustEnrol(e.url(""), e.token("anna"))
	e.until("online", patience, func(d service.Device) bool { return d.Online && d.State == "ready" })
	if _, err := e.client.Support(t.Context(), "anna", "a test"); err != nil {
		t.Fatal(err)
	}
	files := e.support(2 * time.Minute)
	if status := files["status.json"]; !strings.Contains(status, `"state"`) {
		t.Errorf("it has %d files, and of the status %.300s", len(files), status)
	}
	for name, text := range files {
		if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "AGE-SECRET-KEY") {
			t.Errorf("%s has a key", name)
		}
	}
}

// support waits for one bundle, and opens it.
func (e managed) support(patience time.Duration) map[string]string {
	e.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		found, err := filepath.Glob(filepath.Join(e.data, "support", "anna-*.tar.gz.age"))
		if err != nil {
			e.t.Fatal(err)
		}
		if len(found) == 1 {
			return e.unpack(found[0])
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("no support bundle came: %q", found)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-e.t.Context().Done():
		}
	}
}

func (e managed) unpack(path string) map[string]string {
	e.t.Helper()
	check := func(err error) {
		e.t.Helper()
		if err != nil {
			e.t.Fatal(err)
		}
	}
	identity, err := media.LoadIdentity(e.data)
	check(err)
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	open, err := age.Decrypt(file, identity)
	check(err)
	unzipped, err := gzip.NewReader(open)
	check(err)
	files, archive := map[string]string{}, tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		check(err)
		text, err := io.ReadAll(archive)
		check(err)
		files[filepath.Base(header.Name)] = string(text)
	}
}
