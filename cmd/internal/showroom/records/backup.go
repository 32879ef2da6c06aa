package records

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

// backupTime is the time in a backup's name.
const backupTime = "20060102T150405.000Z"

// Backup writes a copy of the database to the directory of backups and returns
// its path. It is an SQLite file as the first, which an erasure reaches, too; a
// copy elsewhere none does.
func (d *DB) Backup(ctx context.Context) (path string, err error) {
	d.maintain.Lock()
	defer d.maintain.Unlock()
	if path, err = d.backup(ctx); err != nil {
		return "", fmt.Errorf("back up the records: %w", err)
	}
	return path, nil
}

// backup gives the file its name when it is complete.
func (d *DB) backup(ctx context.Context) (string, error) {
	path, err := d.backupPath()
	if err != nil {
		return "", err
	}
	temp := path + tempSuffix
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // VACUUM INTO takes an empty file
	if err != nil {
		return "", err
	}
	defer os.Remove(temp)
	defer file.Close()
	if _, err := d.sql.ExecContext(ctx, "VACUUM INTO ?", temp); err != nil {
		return "", err
	}
	if err := d.at("backup copied"); err != nil {
		return "", err
	}
	if err := errors.Join(file.Sync(), os.Rename(temp, path)); err != nil {
		return "", err
	}
	return path, directory.Sync(filepath.Dir(path))
}

const tempSuffix = ".tmp"

// backupPath is free: only this process writes there, one at a time.
func (d *DB) backupPath() (string, error) {
	var version int
	if err := d.sql.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return "", err
	}
	for at := d.clock().UTC(); ; at = at.Add(time.Millisecond) {
		path := filepath.Join(d.dir, backupsDir, fmt.Sprintf("showroom-%s-v%d.db", at.Format(backupTime), version))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path, nil
		} else if err != nil {
			return "", err
		}
	}
}

// madeAt is the time in a backup's name, or else the file's.
func madeAt(path string) time.Time {
	name := regexp.MustCompile(`^showroom-(.*)-v[0-9]+\.db$`).FindStringSubmatch(filepath.Base(path))
	if name != nil {
		if at, err := time.Parse(backupTime, name[1]); err == nil {
			return at
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// StrayError is a file among the backups that nothing can be removed from.
type StrayError struct {
	Path string
	Err  error // nil where it is none of SQLite's
}

func (e *StrayError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("backup %s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s is no backup of the records", e.Path)
}

func (e *StrayError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *StrayError) Hint() string {
	return "delete it, and do it again: what is in it was not removed"
}

// eachBackup calls do for each, whatever becomes of the others.
func (d *DB) eachBackup(do func(path string) error) error {
	dir := filepath.Join(d.dir, backupsDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if base, ok := strings.CutSuffix(path, "-journal"); ok && strings.HasSuffix(base, ".db") {
			continue // of a crash: SQLite takes it up with its file
		}
		if !entry.Type().IsRegular() || filepath.Ext(path) != ".db" {
			errs = append(errs, &StrayError{Path: path})
		} else if err := do(path); err != nil {
			errs = append(errs, &StrayError{path, err})
		}
	}
	return errors.Join(errs...)
}

func removeBackup(path string) error {
	for _, path := range []string{path + "-journal", path} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return directory.Sync(filepath.Dir(path))
}

// removeLeftovers removes backups that were not complete when the process died,
// and journals of backups that are gone.
func (d *DB) removeLeftovers() error {
	entries, err := os.ReadDir(filepath.Join(d.dir, backupsDir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(d.dir, backupsDir, entry.Name())
		base, journal := strings.CutSuffix(path, "-journal")
		_, err := os.Lstat(base)
		if strings.HasSuffix(base, tempSuffix) || journal && errors.Is(err, fs.ErrNotExist) {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
