// Package disk is the little of a file system that the spool and its audit log
// use, so that tests can let each call fail and can pull the plug between any
// two of them. It decides nothing: what is written in which order, and what is
// made durable when, is its callers' business.
package disk

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FS is a file system. Paths are as in package os.
type FS interface {
	// Mkdir makes a folder that only its owner may enter. It is an error when
	// it exists.
	Mkdir(path string) error
	// Create makes a file that only its owner may read and opens it for
	// writing. It is an error when it exists.
	Create(path string) (File, error)
	// Open opens a file for reading, Edit for reading and writing, both at its
	// beginning. Neither follows a symbolic link.
	Open(path string) (File, error)
	Edit(path string) (File, error)
	// Rename moves a file or folder within its folder. What had the new name
	// before is replaced, unless it is a folder that is not empty.
	Rename(from, to string) error
	// Remove removes a file or an empty folder.
	Remove(path string) error
	// SyncDir makes the names in a folder durable: what was made, renamed and
	// removed there survives a power cut once it has returned.
	SyncDir(path string) error
	Lstat(path string) (fs.FileInfo, error)
	ReadDir(path string) ([]fs.DirEntry, error)
	// Free is how many bytes can still be written.
	Free(path string) (int64, error)
}

// File is an open file. Sync makes its contents durable, not its name.
type File interface {
	io.ReadWriteSeeker
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// OS is the operating system's file system.
type OS struct{}

// Mkdir implements FS.
func (OS) Mkdir(path string) error { return os.Mkdir(path, 0o700) }

// Create implements FS.
func (OS) Create(path string) (File, error) {
	return open(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
}

// Open implements FS.
func (OS) Open(path string) (File, error) { return open(path, os.O_RDONLY) }

// Edit implements FS.
func (OS) Edit(path string) (File, error) { return open(path, os.O_RDWR) }

// open keeps a nil *os.File from becoming a File that is not nil.
//
// O_NONBLOCK keeps a named pipe that somebody put there from holding up its
// opener for ever; on a file it changes nothing.
func open(path string, flags int) (File, error) {
	f, err := os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Rename implements FS.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (OS) Remove(path string) error { return os.Remove(path) }

// SyncDir implements FS.
func (OS) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Lstat implements FS.
func (OS) Lstat(path string) (fs.FileInfo, error) { return os.Lstat(path) }

// ReadDir implements FS.
func (OS) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

// Free implements FS.
func (OS) Free(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// MkdirAll makes a folder and those above it, each durable in its parent.
func MkdirAll(fsys FS, path string) error {
	info, err := fsys.Lstat(path)
	switch {
	case err == nil && (info.IsDir() || info.Mode()&fs.ModeSymlink != 0):
		return nil // a link to a folder elsewhere is the owner's choice
	case err == nil:
		return fmt.Errorf("make folder %s: %w", path, unix.ENOTDIR)
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MkdirAll(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.Mkdir(path); err != nil && !os.IsExist(err) {
		return err
	}
	return fsys.SyncDir(parent)
}

// RemoveAll removes a file, or a folder and what is in it. What is not there
// is no error. It follows no link.
func RemoveAll(fsys FS, path string) error {
	err := fsys.Remove(path)
	if err == nil || os.IsNotExist(err) {
		return nil
	}
	info, statErr := fsys.Lstat(path)
	if statErr != nil || !info.IsDir() {
		return err
	}
	entries, readErr := fsys.ReadDir(path)
	if readErr != nil {
		return readErr
	}
	for _, e := range entries {
		if err := RemoveAll(fsys, filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	if err := fsys.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// Replace writes data to path, so that after a power cut either what was there
// before is there or all of data: to a file beside it first, which takes its
// place when it is on disk. It returns when the folder is on disk as well.
func Replace(fsys FS, path string, data []byte) error {
	temp := path + TempSuffix
	if err := fsys.Remove(temp); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := fsys.Create(temp)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = fsys.Rename(temp, path)
	}
	if err != nil {
		_ = fsys.Remove(temp) // the error that is returned came first
		return err
	}
	return fsys.SyncDir(filepath.Dir(path))
}

// TempSuffix ends the name of a file that Replace has not finished.
const TempSuffix = ".part"
