// Package disktest holds file systems for tests: one in memory that can lose
// what was not synced, as a pulled battery does, and one that fails on demand.
package disktest

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bril-edge/bril/uplink/spool/internal/disk"
)

// Memory is a file system that knows what of it is durable: of a file what was
// there at its last Sync, of a folder the names at its last SyncDir. It is as
// strict as POSIX lets a file system be: syncing a file keeps no name.
type Memory struct {
	mu   sync.Mutex
	root *node
	// Space is how many bytes fit, 0 for no bound.
	Space int64
}

// node is a file, or a folder when names is not nil.
type node struct {
	data, safe       []byte // never changed in place, so they may be the same
	names, safeNames map[string]*node
	modified         time.Time
}

func newFolder() *node {
	return &node{names: map[string]*node{}, safeNames: map[string]*node{}, modified: time.Now()}
}

// NewMemory returns an empty file system.
func NewMemory() *Memory { return &Memory{root: newFolder()} }

func (m *Memory) find(path string) (*node, error) {
	n := m.root
	for part := range strings.SplitSeq(strings.Trim(filepath.Clean(path), "/"), "/") {
		if part == "" {
			continue
		}
		if n.names == nil {
			return nil, syscall.ENOTDIR
		}
		next, ok := n.names[part]
		if !ok {
			return nil, syscall.ENOENT
		}
		n = next
	}
	return n, nil
}

// parent finds the folder of a path, and the name in it.
func (m *Memory) parent(path string) (*node, string, error) {
	n, err := m.find(filepath.Dir(path))
	if err == nil && n.names == nil {
		err = syscall.ENOTDIR
	}
	return n, filepath.Base(path), err
}

func failed(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

func (m *Memory) add(op, path string, n *node) error {
	dir, name, err := m.parent(path)
	if err == nil && dir.names[name] != nil {
		err = syscall.EEXIST
	}
	if err != nil {
		return failed(op, path, err)
	}
	dir.names[name] = n
	return nil
}

// Mkdir implements disk.FS.
func (m *Memory) Mkdir(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.add("mkdir", path, newFolder())
}

// Create implements disk.FS.
func (m *Memory) Create(path string) (disk.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := &node{modified: time.Now()}
	if err := m.add("create", path, n); err != nil {
		return nil, err
	}
	return &file{m: m, n: n}, nil
}

// Open implements disk.FS.
func (m *Memory) Open(path string) (disk.File, error) { return m.Edit(path) }

// Edit implements disk.FS.
func (m *Memory) Edit(path string) (disk.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(path)
	if err == nil && n.names != nil {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, failed("open", path, err)
	}
	return &file{m: m, n: n}, nil
}

// Rename implements disk.FS.
func (m *Memory) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, name, err := m.parent(from)
	if err == nil && a.names[name] == nil {
		err = syscall.ENOENT
	}
	if err != nil {
		return failed("rename", from, err)
	}
	b, target, err := m.parent(to)
	if err == nil && b != a {
		err = syscall.EXDEV
	}
	if err == nil && b.names[target] != nil && len(b.names[target].names) > 0 {
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return failed("rename", to, err)
	}
	n := a.names[name]
	delete(a.names, name)
	b.names[target] = n
	return nil
}

// Remove implements disk.FS.
func (m *Memory) Remove(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, name, err := m.parent(path)
	switch {
	case err != nil:
	case dir.names[name] == nil:
		err = syscall.ENOENT
	case len(dir.names[name].names) > 0:
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return failed("remove", path, err)
	}
	delete(dir.names, name)
	return nil
}

// SyncDir implements disk.FS.
func (m *Memory) SyncDir(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(path)
	if err != nil {
		return failed("sync", path, err)
	}
	n.safeNames = maps.Clone(n.names)
	return nil
}

// Lstat implements disk.FS.
func (m *Memory) Lstat(path string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(path)
	if err != nil {
		return nil, failed("lstat", path, err)
	}
	return n.info(filepath.Base(path)), nil
}

// ReadDir implements disk.FS.
func (m *Memory) ReadDir(path string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(path)
	if err == nil && n.names == nil {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, failed("readdir", path, err)
	}
	var list []fs.DirEntry
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		list = append(list, fs.FileInfoToDirEntry(n.names[name].info(name)))
	}
	return list, nil
}

// Free implements disk.FS.
func (m *Memory) Free(path string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.find(path); err != nil {
		return 0, failed("statfs", path, err)
	}
	return m.free(), nil
}

func (m *Memory) free() int64 {
	if m.Space == 0 {
		return 1 << 40
	}
	return m.Space - m.root.size()
}

func (n *node) size() int64 {
	total := int64(len(n.data))
	for _, child := range n.names {
		total += child.size()
	}
	return total
}

// Find returns the paths of all files that hold marker, in bytes or in name.
func (m *Memory) Find(marker []byte) (paths []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.root.walk("", func(path string, data []byte) {
		if bytes.Contains(data, marker) || strings.Contains(path, string(marker)) {
			paths = append(paths, path)
		}
	})
	return paths
}

func (n *node) walk(path string, each func(string, []byte)) {
	each(path, n.data)
	for name, child := range n.names {
		child.walk(path+"/"+name, each)
	}
}

// Loss is what a power cut does to what was not synced.
type Loss int

// The losses. A file system may do any of them.
const (
	All     Loss = iota // nothing is left of it
	Data                // names are kept, contents are not: delayed allocation
	Zeros               // names and sizes are kept, contents are zeros
	Names               // contents are kept, names are not
	Nothing             // all of it was written just in time
	Random              // each file and folder by itself, files up to any byte
	losses
)

// Losses are all of them.
func Losses() []Loss {
	all := make([]Loss, losses)
	for i := range all {
		all[i] = Loss(i)
	}
	return all
}

func (l Loss) String() string {
	return [...]string{"all", "data", "zeros", "names", "nothing", "random"}[l]
}

// Cut returns the file system as it is found after the power was cut now.
func (m *Memory) Cut(loss Loss, seed uint64) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{root: m.root.cut(loss, rand.New(rand.NewPCG(seed, 0))), Space: m.Space}
}

func (n *node) cut(loss Loss, r *rand.Rand) *node {
	if n.names == nil {
		data := n.left(loss, r)
		return &node{data: data, safe: data, modified: n.modified}
	}
	names := n.names
	if loss == All || loss == Names || loss == Random && r.IntN(2) == 0 {
		names = n.safeNames
	}
	kept := newFolder()
	kept.modified = n.modified
	for _, name := range slices.Sorted(maps.Keys(names)) {
		kept.names[name] = names[name].cut(loss, r)
	}
	kept.safeNames = maps.Clone(kept.names)
	return kept
}

func (n *node) left(loss Loss, r *rand.Rand) []byte {
	switch loss {
	case All, Data:
		return slices.Clone(n.safe)
	case Zeros:
		data := make([]byte, len(n.data))
		copy(data, n.safe)
		return data
	case Random:
		if len(n.data) > len(n.safe) {
			return slices.Clone(n.data[:len(n.safe)+r.IntN(len(n.data)-len(n.safe)+1)])
		}
		if r.IntN(2) == 0 {
			return slices.Clone(n.safe)
		}
	}
	return slices.Clone(n.data)
}

type info struct {
	name     string
	size     int64
	folder   bool
	modified time.Time
}

func (n *node) info(name string) info {
	return info{name, int64(len(n.data)), n.names != nil, n.modified}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return i.modified }
func (i info) IsDir() bool        { return i.folder }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o700
	}
	return 0o600
}

// file is an open file of a Memory.
type file struct {
	m  *Memory
	n  *node
	at int
}

func (f *file) Read(p []byte) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.at >= len(f.n.data) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[f.at:])
	f.at += n
	return n, nil
}

// Write appends: nothing here writes elsewhere.
func (f *file) Write(p []byte) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	var err error
	if free := f.m.free(); int64(len(p)) > free {
		p, err = p[:max(free, 0)], syscall.ENOSPC
	}
	f.n.data = append(f.n.data[:f.at:f.at], p...)
	f.at += len(p)
	f.n.modified = time.Now()
	return len(p), err
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	base := map[int]int{io.SeekStart: 0, io.SeekCurrent: f.at, io.SeekEnd: len(f.n.data)}[whence]
	f.at = base + int(offset)
	return int64(f.at), nil
}

func (f *file) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.n.safe = f.n.data
	return nil
}

func (f *file) Truncate(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.n.data = slices.Clone(f.n.data[:size])
	return nil
}

func (f *file) Close() error { return nil }
