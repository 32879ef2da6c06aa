package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bril-edge/bril/uplink/spool/audit"
)

// State is where an item is on its way. It is the end of its folder's name.
type State string

// The states; see the package's diagram.
const (
	New         State = "new"
	Writing     State = "writing"
	Ready       State = "ready"
	Interrupted State = "interrupted"
	Refused     State = "refused"
	// Gone is a folder that is being removed; List never shows one.
	Gone State = "gone"
	// Broken is a folder that was set aside, or is no item's; Entry.ID is then its
	// name. Only Drop takes one.
	Broken State = "broken"
)

// ErrUnknown is an id that the spool does not hold.
var ErrUnknown = errors.New("no such item in the spool")

// Entry is what the spool knows of an item.
type Entry struct {
	ID     string
	Kind   Kind // empty after a restart: the device cannot read it
	State  State
	Since  time.Time // when it was captured, by a clock that may be wrong
	Bytes  int64     // of the encrypted file
	SHA256 string    // of the encrypted file, in hex; empty while it is written
	Sent   int64     // bytes that the endpoint has, of an upload that has begun
	// DeleteAfter is when retention ends; zero until a clock was confirmed, and for
	// what is no item.
	DeleteAfter time.Time
	Problem     string // why it waits, was refused or set aside
}

// entry is an Entry with what the spool needs beside it; Spool.mu guards it.
type entry struct {
	id          string
	kind        Kind
	state       State
	was         State // what Retry makes of a refused item
	bytes       int64
	sha256      string
	sent        int64
	deleteAfter time.Time
	problem     string

	show  bool      // the customer waits for it
	item  *Item     // it is being written
	busy  bool      // its folder is being renamed
	fresh bool      // captured since Open
	since time.Time // when it was captured: by its file, if not since Open
	// turn orders the uploads before since does: an item that stepped back has
	// a higher one than those that did not.
	turn      int64
	notBefore time.Time
	dueSince  time.Time // see retain
}

func (e *entry) take(c sidecar) {
	e.state, e.was, e.bytes, e.sha256, e.deleteAfter = c.State, c.State, c.Bytes, c.SHA256, c.DeleteAfter
}

func (e *entry) entry() Entry {
	return Entry{e.id, e.kind, e.state, e.since, e.bytes, e.sha256, e.sent, e.deleteAfter, e.problem}
}

func (e *entry) waits() bool {
	return e.item == nil && !e.busy && (e.state == Ready || e.state == Interrupted)
}

// inTurn is the order of the uploads.
func inTurn(a, b *entry) int {
	switch {
	case a.turn != b.turn:
		return cmp.Compare(a.turn, b.turn)
	case a.show != b.show && a.show:
		return -1
	case a.show != b.show:
		return 1
	}
	return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.id, b.id))
}

// List shows all items, in the order of their uploads.
func (s *Spool) List() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*entry, 0, len(s.entries))
	for _, e := range s.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, inTurn)
	list := make([]Entry, len(all))
	for i, e := range all {
		list[i] = e.entry()
		list[i].DeleteAfter = e.end(s.cfg.Retention)
	}
	return list
}

// Next blocks until there is an item to upload and returns the oldest; one that is
// to be shown at once comes first, those that stepped back by Defer last. It
// returns the same one again until Acknowledge, Refuse, Defer or Drop has settled
// it, or one is to be shown: it is for one uploader.
func (s *Spool) Next(ctx context.Context) (Entry, error) {
	for {
		s.mu.Lock()
		e, wait := s.next(time.Now())
		changed := s.changed
		s.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return Entry{}, err
		}
		if e != nil {
			return *e, nil
		}
		if err := pause(ctx, changed, wait); err != nil {
			return Entry{}, err
		}
	}
}

// Turn says whether it is an item's turn still: Next would return it.
func (s *Spool) Turn(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, _ := s.next(time.Now())
	return e != nil && e.ID == id
}

// next is the item whose turn it is, or how long until there is one; 0 when
// that is not known.
func (s *Spool) next(now time.Time) (*Entry, time.Duration) {
	var first *entry
	var wait time.Duration
	for _, e := range s.entries {
		if !e.waits() {
			continue
		}
		if d := e.notBefore.Sub(now); d > 0 {
			if wait == 0 || d < wait {
				wait = d
			}
			continue
		}
		if first == nil || inTurn(e, first) < 0 {
			first = e
		}
	}
	if first == nil {
		return nil, wait
	}
	found := first.entry()
	return &found, 0
}

func pause(ctx context.Context, changed <-chan struct{}, wait time.Duration) error {
	var timeout <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-timeout:
	}
	return nil
}

// Open opens an item's encrypted file. It stays readable until it is closed,
// also when the item is deleted meanwhile.
func (s *Spool) Open(id string) (io.ReadSeekCloser, error) {
	s.mu.Lock()
	e, err := s.settled(id)
	var path string
	if err == nil {
		path = s.path(id, e.state)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	f, err := s.fsys.Open(filepath.Join(path, mediaName))
	if errors.Is(err, os.ErrNotExist) {
		s.look() // somebody else deletes here
	}
	if err != nil {
		return nil, trouble(fmt.Errorf("open item %s: %w", id, err))
	}
	return f, nil
}

// settled is an item that is neither being written nor set aside. It waits for
// who is changing its folder, for as long as that takes. The caller holds mu.
func (s *Spool) settled(id string) (*entry, error) {
	e := s.entries[id]
	for e != nil && e.busy {
		changed := s.changed
		s.mu.Unlock()
		<-changed
		s.mu.Lock()
		e = s.entries[id]
	}
	switch {
	case e == nil, e.state == Broken:
		return nil, fmt.Errorf("%w: %.64q", ErrUnknown, id)
	case e.item != nil:
		return nil, fmt.Errorf("item %s is still being written", id)
	}
	return e, nil
}

// Progress says how many bytes of an item the endpoint has.
func (s *Spool) Progress(id string, sent int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[id]; e != nil {
		e.sent = sent
	}
}

// Defer lets an item step back behind the others, and not be tried before
// until, which should come from time.Now: it is compared by the clock that
// does not jump.
func (s *Spool) Defer(id string, until time.Time, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.settled(id)
	if err != nil {
		return err
	}
	s.turns++
	e.turn, e.notBefore, e.problem = s.turns, until, why
	s.wake()
	return nil
}

// Acknowledge deletes an item that the endpoint has stored, when sha256 is that
// of its encrypted file.
func (s *Spool) Acknowledge(id, sha256 string) error {
	e, err := s.hold(id, func(e *entry) error {
		if e.sha256 != sha256 {
			return fmt.Errorf("acknowledge item %s: the endpoint has checksum %.64q instead of %s", id, sha256, e.sha256)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.cfg.Audit == nil || s.cfg.Audit.Last(id) != audit.Upload {
		s.tell(audit.Upload, id, e.bytes)
	}
	_ = s.record() // before the deletion: after a crash the folder tells of no upload. Status has the fault
	return s.delete(e)
}

// Refuse keeps an item, until its retention ends, that the endpoint will never
// take.
func (s *Spool) Refuse(id, why string) error {
	e, err := s.hold(id, nil)
	if err != nil {
		return err
	}
	err = s.move(e, Refused)
	s.release(e, func() {
		if err == nil {
			e.state, e.problem, e.sent = Refused, why, 0
		}
	})
	return err
}

// Retry lets an item be tried at once, also one that was refused; an empty id
// means all.
func (s *Spool) Retry(id string) error {
	if id != "" {
		return s.retry(id)
	}
	var errs []error
	for _, e := range s.List() {
		if e.State == Ready || e.State == Interrupted || e.State == Refused {
			if err := s.retry(e.ID); !errors.Is(err, ErrUnknown) { // else it was uploaded meanwhile
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Spool) retry(id string) error {
	e, err := s.hold(id, nil)
	if err != nil {
		return err
	}
	if e.state == Refused {
		err = s.move(e, e.was)
	}
	s.release(e, func() {
		if err == nil {
			e.state, e.problem, e.notBefore, e.turn = e.was, "", time.Time{}, 0
		}
	})
	return err
}

// Drop deletes an item for good, uploaded or not, or a folder that was set
// aside.
func (s *Spool) Drop(id string) error {
	s.mu.Lock()
	e := s.entries[id]
	aside := e != nil && e.state == Broken && !e.busy
	s.mu.Unlock()
	if aside {
		return s.dropBroken(e)
	}
	e, err := s.hold(id, nil)
	if err != nil {
		return err
	}
	return s.delete(e)
}

// hold reserves an item for a change of its folder, when may allows it.
func (s *Spool) hold(id string, may func(*entry) error) (*entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.settled(id)
	if err == nil && may != nil {
		err = may(e)
	}
	if err != nil {
		return nil, err
	}
	e.busy = true
	return e, nil
}

func (s *Spool) release(e *entry, change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.busy = false
	change()
	s.wake()
}

// move renames an item's folder, durably.
func (s *Spool) move(e *entry, to State) error {
	err := s.fsys.Rename(s.path(e.id, e.state), s.path(e.id, to))
	if err == nil {
		err = s.fsys.SyncDir(s.cfg.Dir)
	}
	if err != nil {
		err = fmt.Errorf("make item %s %s: %w", e.id, to, err)
	}
	s.settle(err)
	return err
}

// delete removes an item that is held.
func (s *Spool) delete(e *entry) error {
	if err := s.remove(e.id, e.state); err != nil {
		err = fmt.Errorf("delete item %s: %w", e.id, err)
		s.settle(err)
		s.release(e, func() {})
		return err
	}
	s.forget(e)
	s.tell(audit.Delete, e.id, e.bytes)
	return nil
}
