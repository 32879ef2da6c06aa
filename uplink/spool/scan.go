package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bril-edge/bril/uplink/spool/audit"
	"github.com/bril-edge/bril/uplink/spool/internal/disk"
)

// brokenSuffix ends the name of what was set aside.
const brokenSuffix = "." + string(Broken)

// maxName is how long a name in a folder may be, in bytes.
const maxName = 255

// glance is what is known of an entry while the folder is read.
type glance struct {
	e     *entry
	state State
	idle  bool // nobody is changing its folder
}

func (s *Spool) glance() map[string]glance {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[string]glance, len(s.entries))
	for id, e := range s.entries {
		known[id] = glance{e, e.state, e.item == nil && !e.busy}
	}
	return known
}

// scan compares folder and memory: it takes in what it does not know, which at
// Open is everything, and misses what has gone. What is known before or after
// the folder was read is somebody's business already.
func (s *Spool) scan() error {
	before := s.glance()
	list, err := s.fsys.ReadDir(s.cfg.Dir)
	if errors.Is(err, os.ErrNotExist) {
		err = disk.MkdirAll(s.fsys, s.cfg.Dir)
	}
	if err != nil {
		return fmt.Errorf("read the spool: %w", err)
	}
	after := s.glance()
	var errs []error
	there := map[string][]State{}
	for _, d := range list {
		key, state := split(d.Name())
		_, was := before[key]
		_, is := after[key]
		if was || is {
			there[key] = append(there[key], state)
		} else if err := s.adopt(d.Name()); err != nil {
			errs = append(errs, err)
		}
	}
	for key, g := range before {
		if g.idle && after[key] == g {
			errs = append(errs, s.compare(key, g, there[key]))
		}
	}
	return errors.Join(errs...)
}

// split is an item's id and state, by its folder's name; of anything else the
// whole name.
func split(name string) (key string, state State) {
	id, end, _ := strings.Cut(name, ".")
	switch state := State(end); state {
	case New, Writing, Ready, Interrupted, Refused, Gone:
		if ValidID(id) {
			return id, state
		}
	}
	return name, Broken
}

// itemID is the id that a name begins with, whatever has become of the item; ""
// for what was never one. A folder that spool.dir names by mistake is full of that.
func itemID(name string) string {
	if id, _, _ := strings.Cut(name, "."); ValidID(id) {
		return id
	}
	return ""
}

// compare takes in what has happened to the folder of an entry that nobody is
// changing.
func (s *Spool) compare(key string, g glance, there []State) error {
	if g.state == Broken && len(there) > 0 {
		return nil
	}
	var found State
	for _, state := range there {
		if state == g.state {
			found = state
		}
	}
	var errs []error
	for _, state := range there {
		switch {
		case state == g.state || state == Gone:
		case found == "" && (state == Ready || state == Interrupted || state == Refused):
			found = state // a rename that was not known to be durable
			s.mu.Lock()
			g.e.state = state
			s.wake()
			s.mu.Unlock()
			errs = append(errs, s.fsys.SyncDir(s.cfg.Dir))
		default:
			errs = append(errs, s.setAside(key+"."+string(state), "a second folder of the same item"))
		}
	}
	switch {
	case found != "":
	case slices.Contains(there, Gone): // a deletion that was not known to be durable
		s.forget(g.e)
		s.tell(audit.Delete, g.e.id, g.e.bytes)
	default:
		s.miss(key, g.e)
	}
	return errors.Join(errs...)
}

// miss takes note that somebody else deleted an item.
func (s *Spool) miss(key string, e *entry) {
	s.mu.Lock()
	delete(s.entries, key)
	if e.state != Broken {
		s.lost++
	}
	s.wake()
	s.mu.Unlock()
	if e.state != Broken {
		s.cfg.Log.Error("an item has disappeared from the spool's folder", "item", e.id)
		s.tell(audit.Delete, e.id, e.bytes)
	}
}

// adopt takes in a name in the folder that is not known. An error means that
// the disk fails: what is not an item is no error.
func (s *Spool) adopt(name string) error {
	id, state := split(name)
	path := filepath.Join(s.cfg.Dir, name)
	info, err := s.fsys.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case name == "lost+found":
		return nil
	case name == probeName, name == probeName+disk.TempSuffix:
		return disk.RemoveAll(s.fsys, path)
	case strings.HasSuffix(name, brokenSuffix):
		s.keepBroken(name, info, "set aside before")
		return nil
	case state == Broken && itemID(name) == "":
		s.cfg.Log.Warn("the spool's folder holds something that is not its own", "name", name)
		s.keepBroken(name, info, "not an item of the spool, and left alone")
		return nil
	case state == Broken, !info.IsDir():
		return s.setAside(name, "not an item of the spool")
	case state != Gone && s.holds(id):
		return s.setAside(name, "a second folder of the same item")
	}
	switch state {
	case New, Gone:
		return disk.RemoveAll(s.fsys, path)
	case Writing:
		err = s.recover(id)
	default:
		err = s.load(id, state)
	}
	if errors.Is(err, errBroken) {
		return s.setAside(name, err.Error())
	}
	if err != nil {
		return fmt.Errorf("take in item %s: %w", id, err)
	}
	return nil
}

func (s *Spool) holds(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[id] != nil
}

// load takes in an item that is whole.
func (s *Spool) load(id string, state State) error {
	dir := s.path(id, state)
	side, err := readSidecar(s.fsys, dir, id)
	if err != nil {
		return missingBroken(err)
	}
	info, err := s.fsys.Lstat(filepath.Join(dir, mediaName))
	switch {
	case err != nil:
		return missingBroken(err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is no file", errBroken, mediaName)
	case info.Size() != side.Bytes:
		return fmt.Errorf("%w: %s has %d bytes instead of %d", errBroken, mediaName, info.Size(), side.Bytes)
	case state != Refused && side.State != state, side.State != Ready && side.State != Interrupted:
		return fmt.Errorf("%w: its %s says %s", errBroken, sideName, side.State)
	}
	e := &entry{id: id, since: info.ModTime()}
	e.take(side)
	if e.state = state; state == Refused {
		e.problem = "refused by the endpoint"
	}
	s.keep(e)
	return nil
}

// missingBroken makes a file that is not there, or not a file, a broken item,
// and leaves a disk's errors as they are.
func missingBroken(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errLoop) || errors.Is(err, errIsDir) {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return err
}

func (s *Spool) keep(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[e.id] = e
	s.wake()
}

// setAside puts what is not an item out of the way, under a name that says so.
// What cannot be renamed stays where it is, and is shown all the same.
func (s *Spool) setAside(name, why string) error {
	target := name + brokenSuffix
	from, to := filepath.Join(s.cfg.Dir, name), filepath.Join(s.cfg.Dir, target)
	if _, err := s.fsys.Lstat(to); err == nil || len(target) > maxName {
		target, to = name, from
	}
	if from != to {
		if err := s.fsys.Rename(from, to); err != nil {
			return err
		}
		if err := s.fsys.SyncDir(s.cfg.Dir); err != nil {
			return err
		}
	}
	s.cfg.Log.Warn("the spool's folder holds something that is not an item", "name", target, "problem", why)
	info, err := s.fsys.Lstat(to)
	if err != nil {
		return err
	}
	s.keepBroken(target, info, why)
	return nil
}

func (s *Spool) keepBroken(name string, info fs.FileInfo, why string) {
	e := &entry{id: name, state: Broken, bytes: info.Size(), since: info.ModTime(), problem: why}
	if e.since.Year() < 2020 {
		e.since = time.Now() // by a clock that had not been set
	}
	if info.IsDir() {
		e.bytes = 0
		list, _ := s.fsys.ReadDir(filepath.Join(s.cfg.Dir, name)) // another user's, perhaps: no size is shown then
		for _, d := range list {
			if info, err := d.Info(); err == nil {
				e.bytes += info.Size()
			}
		}
	}
	s.keep(e)
}

// dropBroken deletes what was set aside.
func (s *Spool) dropBroken(e *entry) error {
	if err := disk.RemoveAll(s.fsys, filepath.Join(s.cfg.Dir, e.id)); err != nil {
		return fmt.Errorf("delete %s: %w", e.id, err)
	}
	if err := s.fsys.SyncDir(s.cfg.Dir); err != nil {
		return fmt.Errorf("delete %s: %w", e.id, err)
	}
	s.forget(e)
	if id := itemID(e.id); id != "" {
		s.tell(audit.Delete, id, e.bytes)
	}
	return nil
}
