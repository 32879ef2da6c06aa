package disktest

import (
	"io/fs"
	"sync"

	"github.com/bril-edge/bril/uplink/spool/internal/disk"
)

// Op is a call of a file system: its number, from 0, and what it does to what.
type Op struct {
	N          int
	Name, Path string
}

// Hooked shows a test every call of a file system.
type Hooked struct {
	disk.FS
	// Before may let the call fail; of a write half is written then. After is
	// called when it has been done. Both may be nil.
	Before func(Op) error
	After  func(Op)

	mu sync.Mutex
	n  int
}

// Ops is how many calls there were.
func (h *Hooked) Ops() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n
}

func (h *Hooked) do(name, path string, call func() error) error {
	h.mu.Lock()
	op := Op{h.n, name, path}
	h.n++
	h.mu.Unlock()
	if h.Before != nil {
		if err := h.Before(op); err != nil {
			return &fs.PathError{Op: name, Path: path, Err: err}
		}
	}
	err := call()
	if h.After != nil {
		h.After(op)
	}
	return err
}

// Mkdir implements disk.FS.
func (h *Hooked) Mkdir(path string) error {
	return h.do("mkdir", path, func() error { return h.FS.Mkdir(path) })
}

// Create implements disk.FS.
func (h *Hooked) Create(path string) (disk.File, error) { return h.open("create", path, h.FS.Create) }

// Open implements disk.FS.
func (h *Hooked) Open(path string) (disk.File, error) { return h.open("open", path, h.FS.Open) }

// Edit implements disk.FS.
func (h *Hooked) Edit(path string) (disk.File, error) { return h.open("edit", path, h.FS.Edit) }

func (h *Hooked) open(name, path string, call func(string) (disk.File, error)) (f disk.File, err error) {
	err = h.do(name, path, func() error {
		f, err = call(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &hookedFile{f, h, path}, nil
}

// Rename implements disk.FS.
func (h *Hooked) Rename(from, to string) error {
	return h.do("rename", from, func() error { return h.FS.Rename(from, to) })
}

// Remove implements disk.FS.
func (h *Hooked) Remove(path string) error {
	return h.do("remove", path, func() error { return h.FS.Remove(path) })
}

// SyncDir implements disk.FS.
func (h *Hooked) SyncDir(path string) error {
	return h.do("sync folder", path, func() error { return h.FS.SyncDir(path) })
}

// Lstat implements disk.FS.
func (h *Hooked) Lstat(path string) (info fs.FileInfo, err error) {
	err = h.do("lstat", path, func() error {
		info, err = h.FS.Lstat(path)
		return err
	})
	return info, err
}

// ReadDir implements disk.FS.
func (h *Hooked) ReadDir(path string) (list []fs.DirEntry, err error) {
	err = h.do("readdir", path, func() error {
		list, err = h.FS.ReadDir(path)
		return err
	})
	return list, err
}

type hookedFile struct {
	disk.File
	h    *Hooked
	path string
}

func (f *hookedFile) Read(p []byte) (n int, err error) {
	var done error // io.EOF is no failure, but has to be itself
	err = f.h.do("read", f.path, func() error {
		n, done = f.File.Read(p)
		return nil
	})
	if err == nil {
		err = done
	}
	return n, err
}

func (f *hookedFile) Write(p []byte) (n int, err error) {
	err = f.h.do("write", f.path, func() error {
		n, err = f.File.Write(p)
		return err
	})
	if err != nil && n == 0 {
		n, _ = f.File.Write(p[:len(p)/2])
	}
	return n, err
}

func (f *hookedFile) Sync() error { return f.h.do("sync", f.path, f.File.Sync) }

func (f *hookedFile) Truncate(size int64) error {
	return f.h.do("truncate", f.path, func() error { return f.File.Truncate(size) })
}
