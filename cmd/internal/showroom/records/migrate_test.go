package records

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// laterMigrations is the schema as it could become: a column more, and a table.
func laterMigrations() []string {
	return append(migrations(), "ALTER TABLE customers ADD COLUMN car TEXT NOT NULL DEFAULT ''; CREATE TABLE cars (id TEXT PRIMARY KEY) STRICT")
}

func backups(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, backupsDir, "*"))
	check(t, err)
	return list
}

func TestMigrationAfterABackup(t *testing.T) {
	c := monday()
	dir := t.TempDir()
	d := open(t, dir, c)
	who := book(t, d, anna(), slot(c, time.Hour)).Customer
	check(t, d.Close())
	cfg := Config{Dir: dir, Clock: c.Now}

	broken := append(migrations(), "CREATE TABLE half (id TEXT); SELECT * FROM nowhere")
	if _, err := openWith(cfg, broken); err == nil {
		t.Fatal("a broken migration")
	}
	d = open(t, dir, c)
	if has, _ := columnsOf(t.Context(), d.sql); has["half"] != nil {
		t.Error("half a migration is there")
	}
	check(t, d.Close())
	for _, path := range backups(t, dir) {
		check(t, os.Remove(path))
	}

	d, err := openWith(cfg, laterMigrations())
	check(t, err)
	if _, err := d.Customer(t.Context(), who); err != nil {
		t.Error(err)
	}
	list := backups(t, dir)
	if len(list) != 1 || filepath.Base(list[0]) != "showroom-20261130T100000.000Z-v1.db" {
		t.Fatalf("backups %v", list)
	}
	check(t, d.Close())
	if _, err = Open(cfg); !errors.As(err, new(*VersionError)) {
		t.Errorf("an older program: %v", err)
	}

	// The backup is of the old version, and an erasure reaches it; then it is put back.
	d, err = openWith(cfg, laterMigrations())
	check(t, err)
	_, err = d.Remove(t.Context(), Scope{Customers: []string{who}}, nil)
	check(t, errors.Join(err, d.Close()))
	wantNothing(t, dir)
	check(t, os.Rename(list[0], d.path()))
	d = open(t, dir, c)
	if _, err := d.Customer(t.Context(), who); !errors.Is(err, ErrNotFound) {
		t.Errorf("back from the backup: %v", err)
	}
}

// wantNothing looks for Anna in every file, in any case.
func wantNothing(t *testing.T, dir string) {
	t.Helper()
	for path, content := range files(t, dir) {
		content = bytes.ToLower(content)
		for _, word := range []string{"zonneveld", "anna.zonn", "12345678"} {
			if bytes.Contains(content, []byte(word)) || bytes.Contains(bytes.ToLower([]byte(path)), []byte(word)) {
				t.Errorf("%s holds %q", path, word)
			}
		}
	}
}

func TestLeftoversOfABackup(t *testing.T) {
	c := monday()
	dir := t.TempDir()
	d := open(t, dir, c)
	book(t, d, anna(), slot(c, time.Hour))
	d.fault = func(string) error { return errors.New("the disk is full") }
	if _, err := d.Backup(t.Context()); err == nil || len(backups(t, dir)) != 0 {
		t.Errorf("%v; left %v", err, backups(t, dir))
	}
	d.fault = nil
	first, err := d.Backup(t.Context())
	check(t, err)
	second, err := d.Backup(t.Context())
	check(t, err)
	if first == second {
		t.Error("the second one took the place of the first")
	}
	check(t, d.Close())
	for _, name := range []string{first + ".tmp", first + ".tmp-journal", filepath.Join(dir, backupsDir, "gone.db-journal")} {
		check(t, os.WriteFile(name, []byte("zonneveld"), 0o600))
	}
	open(t, dir, c)
	if list := backups(t, dir); len(list) != 2 {
		t.Errorf("left %v", list)
	}
}
