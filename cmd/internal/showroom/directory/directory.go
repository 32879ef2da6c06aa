// Package directory does what all that keep files for the endpoint do with a
// directory: they hold it alone, and bring its names to disk. Two servers would empty
// what the other is working on, and send mails twice; and an erasure is only true where
// nobody else writes.
package directory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// ErrInUse says that another process holds the directory.
var ErrInUse = errors.New("another process uses it")

// Lock holds a directory for this process until the file is closed, or the process
// has ended. ErrInUse: another has it.
func Lock(dir string) (*os.File, error) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, fmt.Errorf("lock directory %s: %w", dir, err)
	}
	return file, nil
}

// Sync returns when the names in a directory are on disk.
func Sync(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// Write replaces a file, which only its owner can read, and returns when it and its
// name are on disk. A crash leaves the old one or the new one.
func Write(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := renameio.WriteFile(path, data, 0o600, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o600)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return Sync(dir)
}
