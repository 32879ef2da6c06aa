package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// customerDir is a data directory with one customer.
func customerDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	db, err := records.Open(records.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	addCustomer(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func addCustomer(t *testing.T, db *records.DB) {
	t.Helper()
	start := time.Now().Add(time.Hour)
	_, err := db.Book(t.Context(), records.Customer{Name: "Anna", Email: "anna@example.com"},
		records.Appointment{Showroom: "utrecht", Glasses: "anna", Start: start, End: start.Add(time.Hour)}, "code", "token")
	if err != nil {
		t.Fatal(err)
	}
}

func TestPrivacyExitCodes(t *testing.T) {
	dir := customerDir(t)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"privacy"}, 3, "takes export, erase or record"},
		{[]string{"privacy", "erase", "--data", dir}, 3, "needs --customer"},
		{[]string{"privacy", "export", "--customer", "anna@example.com"}, 3, "needs --data"},
		{[]string{"privacy", "erase", "--customer", "x", "--data", "/no/such/place"}, 4, "data directory"},
		{[]string{"privacy", "erase", "--customer", "x", "--data", t.TempDir()}, 4, "no records"},
		{[]string{"privacy", "erase", "--customer", "bert@example.com", "--data", dir}, 1, "nothing is stored"},
		{[]string{"backup"}, 3, "needs --data"},
	} {
		code, out, errOut := execute(t, c.args...)
		if code != c.code || !strings.Contains(errOut, c.says) || out != "" || strings.Contains(errOut, "@") {
			t.Errorf("%v: code %d, stdout %q, stderr %q; want %d, %q", c.args, code, out, errOut, c.code, c.says)
		}
	}
}

// privacyStory is what a manager types, with a server or without one.
func privacyStory(t *testing.T, dir string) {
	t.Helper()
	code, out, errOut := execute(t, "privacy", "export", "--customer", "ANNA@example.com", "--data", dir)
	var data privacy.Data
	if err := json.Unmarshal([]byte(out), &data); code != 0 || err != nil || len(data.Tables["customers"]) != 1 {
		t.Errorf("export: code %d, %v, %s %s", code, err, out, errOut)
	}
	archive := filepath.Join(t.TempDir(), "anna.zip")
	if code, _, errOut := execute(t, "privacy", "export", "--customer", "anna@example.com", "--data", dir, "--output", archive); code != 0 {
		t.Fatalf("export: code %d, %s", code, errOut)
	}
	read, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	if info, err := os.Stat(archive); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the archive: %v, %v", info, err)
	}
	_, out, _ = execute(t, "backup", "--data", dir)
	if _, err := os.Stat(strings.TrimSpace(out)); err != nil {
		t.Errorf("backup printed %q", out)
	}
	code, out, errOut = execute(t, "privacy", "erase", "--customer", "anna@example.com", "--data", dir, "--json")
	if want := `{"erased":{"appointments":1,"customers":1},"schema_version":1}` + "\n"; code != 0 || out != want {
		t.Errorf("erase: code %d, %s%s", code, out, errOut)
	}
	none := filepath.Join(t.TempDir(), "none.zip")
	if code, _, _ := execute(t, "privacy", "export", "--customer", "anna@example.com", "--data", dir, "--output", none); code != 1 {
		t.Errorf("exported after it: code %d", code)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("an archive of nobody is there")
	}
}

func TestPrivacyWithoutAServer(t *testing.T) { privacyStory(t, customerDir(t)) }

func TestPrivacyBesideAServer(t *testing.T) {
	dir := t.TempDir()
	db, err := records.Open(records.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	addCustomer(t, db)
	code, _, errOut := execute(t, "backup", "--data", dir)
	if code != 4 || !strings.Contains(errOut, "another process uses") || !strings.Contains(errOut, "hint: ") {
		t.Errorf("in use: code %d, %s", code, errOut)
	}
	ctx, cancel := context.WithCancel(t.Context())
	path, done := filepath.Join(dir, privacy.SocketName), make(chan error)
	go func() {
		done <- privacy.Serve(ctx, path, privacy.New(privacy.Config{Records: db}), slog.New(slog.DiscardHandler))
	}()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if _, err := privacy.Dial(path); err == nil {
			break
		}
	}
	privacyStory(t, dir)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTheRecordOfProcessing(t *testing.T) {
	code, out, _ := execute(t, "privacy", "record")
	if code != 0 || !strings.Contains(out, "Table customers: ") || !strings.Contains(out, "six months at most") {
		t.Errorf("code %d, %s", code, out)
	}
	code, out, _ = execute(t, "privacy", "record", "--json")
	var record privacy.Record
	if err := json.Unmarshal([]byte(out), &record); err != nil || code != 0 || record.SchemaVersion != 1 || len(record.Tables) == 0 || record.Tables[0].Columns[0].Ground == "" {
		t.Errorf("code %d, %v, %s", code, err, out)
	}
}
