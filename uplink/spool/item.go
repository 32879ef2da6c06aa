package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/uplink/spool/audit"
	"github.com/bril-edge/bril/uplink/spool/internal/disk"
)

// The names within DIR and within an item's folder.
const (
	mediaName = "media.age"
	sideName  = "item.json"
	probeName = ".probe"
)

// age's stream: after the header a nonce, then chunks with a tag each, of which
// only the last may be shorter. See age-encryption.org/v1, Payload.
const (
	nonceSize = 16
	chunkSize = 64 << 10
	tagSize   = 16
)

// Item is a photo or clip that is being written. Its methods may be called at
// the same time.
type Item struct {
	s *Spool
	e *entry

	mu     sync.Mutex
	side   sidecar
	file   disk.File
	age    io.WriteCloser
	hash   hash.Hash
	plain  int64 // bytes given to age, the header line included
	head   int64 // size of age's header and nonce
	size   int64 // of media.age
	synced time.Time
	err    error // of the disk: what follows cannot be written
	done   bool
}

// Create begins an item, encrypted to recipient. Its folder is durable when it
// returns. It refuses what does not fit, see FullError.
func (s *Spool) Create(recipient age.Recipient, m Meta) (*Item, error) {
	id := newID()
	line, err := m.line(id)
	if err != nil {
		return nil, err
	}
	i := &Item{s: s, e: &entry{
		id: id, kind: m.Kind, state: stateOf[m.Kind], fresh: true, since: time.Now(), show: m.Show,
	}}
	i.side = sidecar{SchemaVersion, id, i.e.state, 0, "", s.end(m)}
	if err := s.register(i, int64(len(line))); err != nil {
		return nil, err
	}
	if err := i.begin(recipient, line); err != nil {
		err = trouble(fmt.Errorf("begin %s: %w", m.Kind, err))
		i.close()
		s.settle(err)
		s.discard(i.e)
		return nil, err
	}
	return i, nil
}

var stateOf = map[Kind]State{Photo: New, Clip: Writing}

// register puts the item into the index before it is on disk, so that a scan
// never takes it for something that a crash left.
func (s *Spool) register(i *Item, size int64) error {
	free, err := s.fsys.Free(s.cfg.Dir)
	if err != nil {
		free = -1 // the folder is not there, perhaps: making it will tell
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.admit(i.e, size, free); err != nil {
		return err
	}
	i.e.item = i
	s.entries[i.e.id] = i.e
	return nil
}

func (i *Item) begin(recipient age.Recipient, line []byte) error {
	s, dir := i.s, i.dir()
	err := s.fsys.Mkdir(dir)
	if errors.Is(err, os.ErrNotExist) { // somebody deleted the spool
		s.look()
		if err := disk.MkdirAll(s.fsys, s.cfg.Dir); err != nil {
			return err
		}
		err = s.fsys.Mkdir(dir)
	}
	if err != nil {
		return err
	}
	if err := s.fsys.SyncDir(s.cfg.Dir); err != nil {
		return err
	}
	if i.file, err = s.fsys.Create(filepath.Join(dir, mediaName)); err != nil {
		return err
	}
	i.hash = sha256.New()
	if i.age, err = age.Encrypt((*cipherFile)(i), recipient); err != nil {
		return err
	}
	i.head = i.size
	if _, err := i.age.Write(line); err != nil {
		return err
	}
	i.plain, i.synced = int64(len(line)), time.Now()
	if i.e.state == New {
		return nil // a crash discards it, whatever is there
	}
	if err := i.file.Sync(); err != nil {
		return err
	}
	return i.side.write(s.fsys, dir) // and the folder
}

// dir is where the item is while it is written.
func (i *Item) dir() string { return i.s.path(i.e.id, stateOf[i.e.kind]) }

// cipherFile is what age writes to.
type cipherFile Item

func (c *cipherFile) Write(p []byte) (int, error) {
	n, err := c.file.Write(p)
	c.hash.Write(p[:n])
	c.size += int64(n)
	return n, err
}

// ID is the item's id. A photo's may be told once Finish has returned, a clip's
// at once.
func (i *Item) ID() string { return i.e.id }

// Write adds to the item: all of p, or nothing with a FullError. After any
// other error nothing can be added.
func (i *Item) Write(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.done:
		return 0, os.ErrClosed
	case i.err != nil:
		return 0, i.err
	}
	if err := i.room(len(p)); err != nil {
		return 0, err
	}
	if _, err := i.age.Write(p); err != nil {
		return 0, i.fail(err)
	}
	i.plain += int64(len(p))
	if i.e.kind == Clip && time.Since(i.synced) >= SyncEvery {
		if err := i.file.Sync(); err != nil {
			return 0, i.fail(err)
		}
		i.synced = time.Now()
	}
	return len(p), nil
}

// room takes what n more bytes need from the quota.
func (i *Item) room(n int) error {
	plain := i.plain + int64(n)
	size := i.head + plain + (plain/chunkSize+1)*tagSize
	free, err := i.s.fsys.Free(i.s.cfg.Dir)
	if err == nil {
		free += cost(i.size) // what it has taken of the disk already
	} else {
		free = -1
	}
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	return i.s.admit(i.e, size, free)
}

func (i *Item) fail(err error) error {
	i.err = trouble(fmt.Errorf("write %s %s: %w", i.e.kind, i.e.id, err))
	i.s.settle(i.err)
	return i.err
}

// Finish makes the item ready. When it returns nil, all of it is on disk and
// survives a power cut. Otherwise nothing is promised: a photo is gone, of a
// clip what can be saved is kept as interrupted.
func (i *Item) Finish() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.done {
		return os.ErrClosed
	}
	i.done = true
	err := i.err
	if err == nil {
		err = i.complete()
	}
	i.close()
	if err != nil {
		err = trouble(fmt.Errorf("finish %s %s: %w", i.e.kind, i.e.id, err))
		i.s.settle(err)
		i.salvage()
		return err
	}
	i.s.finished(i.e, i.side)
	i.s.settle(nil)
	return nil
}

func (i *Item) complete() error {
	if err := i.age.Close(); err != nil {
		return err
	}
	if err := i.file.Sync(); err != nil {
		return err
	}
	i.side.State, i.side.Bytes, i.side.SHA256 = Ready, i.size, hex.EncodeToString(i.hash.Sum(nil))
	if err := i.side.write(i.s.fsys, i.dir()); err != nil {
		return err
	}
	if err := i.s.fsys.Rename(i.dir(), i.s.path(i.e.id, Ready)); err != nil {
		return err
	}
	return i.s.fsys.SyncDir(i.s.cfg.Dir)
}

// finished makes an item that has been written one like the others.
func (s *Spool) finished(e *entry, side sidecar) {
	s.mu.Lock()
	e.item = nil
	e.take(side)
	s.wake()
	s.mu.Unlock()
	s.tell(audit.Capture, e.id, side.Bytes)
}

// salvage takes care of an item that could not be finished. What cannot be done
// now, because the disk still fails, the next scan does.
func (i *Item) salvage() {
	s := i.s
	if _, err := s.fsys.Lstat(s.path(i.e.id, Ready)); err == nil {
		// Whole, only not known to be durable: it is sent, if it survives.
		s.finished(i.e, i.side)
		return
	}
	if i.e.kind == Photo {
		s.discard(i.e)
		return
	}
	s.forget(i.e)
	s.tending.Lock()
	defer s.tending.Unlock()
	if err := s.adopt(filepath.Base(i.dir())); err != nil {
		s.settle(err)
	}
}

// Abort deletes what was written.
func (i *Item) Abort() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.done {
		return os.ErrClosed
	}
	i.done = true
	i.close()
	return i.s.discard(i.e)
}

func (i *Item) close() {
	if i.file != nil {
		_ = i.file.Close() // it was synced, or is of no use
	}
}

// discard removes an item of which nothing was promised but, of a clip, its id.
func (s *Spool) discard(e *entry) error {
	defer s.forget(e)
	if err := s.remove(e.id, e.state); err != nil {
		err = fmt.Errorf("delete %s %s: %w", e.kind, e.id, err)
		s.settle(err)
		return err
	}
	return nil
}

func (s *Spool) forget(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, e.id)
	s.wake()
}

// remove deletes an item's folder: by a rename first, so that a power cut never
// leaves half an item that looks like a whole one. It can be repeated.
func (s *Spool) remove(id string, state State) error {
	gone := s.path(id, Gone)
	if err := disk.RemoveAll(s.fsys, gone); err != nil {
		return err
	}
	if err := s.fsys.Rename(s.path(id, state), gone); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := s.fsys.SyncDir(s.cfg.Dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := disk.RemoveAll(s.fsys, gone); err != nil {
		s.settle(err) // it no longer counts as an item; the next scan removes it
	}
	return nil
}
