// Package spool keeps photos and clips on disk until the cloud has them. It is
// an outbox that this device itself cannot read: each item is encrypted to the
// cloud's age recipient while it is written, and nothing is ever on disk in
// clear but its id, state, size, the checksum of the encrypted file and when it
// is to be deleted. It does not upload; see Next.
//
// One folder an item, DIR/<id>.<state>, holds media.age (the encrypted stream:
// one line of JSON, see Header, then the JPEG or MP4) and item.json. States
// change by renaming the folder, and a change has happened when DIR has been
// synced:
//
//	Create photo ──> new ──Finish──> ready <──Retry── refused
//	Create clip ──> writing ──Finish──> ready ──Refuse──> refused
//	                writing ──crash──> interrupted, as ready from there on
//	new ──crash──> discarded: its id was never returned
//	any ──Acknowledge, Drop, retention──> gone ──> removed
//
// An item that is damaged is set aside as <name>.broken. It is shown by List, as is
// what has no item's name; that is left as it is, and only Drop deletes it. Neither
// holds up other items.
//
// One process uses a folder at a time; it is the caller's to see to that.
package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/bril-edge/bril/uplink/spool/audit"
	"github.com/bril-edge/bril/uplink/spool/internal/disk"
)

// The bounds and defaults.
const (
	DefaultQuota     = 2 << 30
	DefaultRetention = 7 * 24 * time.Hour
	// MaxRetention is the ceiling that no configuration exceeds: six months.
	MaxRetention = 4380 * time.Hour
	// Warn is how long before its end an item that was not uploaded is warned
	// of.
	Warn = 24 * time.Hour
	// Grace is how long an item has to have been due before it is deleted. It
	// gives glasses that come out of a drawer after weeks the time to send, and
	// a clock that jumps the time to come back.
	Grace = time.Hour
	// SyncEvery is how much of a clip a pulled battery takes, beside the part
	// of a chunk that was not full yet.
	SyncEvery = time.Second

	tendEvery  = time.Minute     // how often retention is looked at
	faultEvery = 5 * time.Second // how often a disk that fails is tried again
)

// Config says how a Spool works. Zero values stand for the defaults.
type Config struct {
	// Dir is the folder; it is made when it is missing.
	Dir string
	// Quota is in bytes, of which a tenth, 64 MiB at most, is kept for photos.
	Quota int64
	// Retention is how long after capture an item is kept.
	Retention time.Duration
	// Clock says what time it is, and whether that was confirmed since boot;
	// nil: the system's time, never confirmed, so that nothing is purged.
	Clock func() (now time.Time, confirmed bool)
	// Audit is told of every capture, acknowledgement and deletion; nil: none.
	Audit *audit.Log
	// Log is told what a technician should know; nil: nothing is.
	Log *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if c.Quota == 0 {
		c.Quota = DefaultQuota
	}
	if c.Retention == 0 {
		c.Retention = DefaultRetention
	}
	if c.Clock == nil {
		c.Clock = func() (time.Time, bool) { return time.Now(), false }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Dir == "":
		return c, errors.New("open spool: no folder")
	case c.Quota < 0:
		return c, fmt.Errorf("open spool: a quota of %d bytes", c.Quota)
	case c.Retention < 0:
		return c, fmt.Errorf("open spool: a retention of %s", c.Retention)
	}
	c.Retention = min(c.Retention, MaxRetention)
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, fmt.Errorf("open spool: %w", err)
	}
	c.Dir = dir
	return c, nil
}

// Spool is an open spool. Its methods may be called at the same time.
type Spool struct {
	cfg  Config
	fsys disk.FS

	tending sync.Mutex    // one scan of the folder at a time
	nudge   chan struct{} // the log has to be told something
	looks   chan struct{} // the folder is not as it should be

	mu      sync.Mutex
	entries map[string]*entry // by id; what was set aside by its folder's name
	turns   int64             // see entry.turn
	changed chan struct{}     // closed and replaced when Next should look again
	journal journal
	scanned bool // the folder was read once, so the log can be compared with it
	lost    int  // items that disappeared from the folder, since Open
	fault   error
	// logFault is the same for the audit log, which may be on another disk.
	logFault error

	faultSince, fullSince time.Time // see Status
}

// Open opens the spool and brings what a crash left behind into order. It fails
// for a Config that makes no sense only: a disk that fails is reported by
// Status, and tried again by Create and Run.
func Open(cfg Config) (*Spool, error) { return open(disk.OS{}, cfg) }

func open(fsys disk.FS, cfg Config) (*Spool, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Spool{
		cfg:     cfg,
		fsys:    fsys,
		nudge:   make(chan struct{}, 1),
		looks:   make(chan struct{}, 1),
		entries: map[string]*entry{},
		changed: make(chan struct{}),
		journal: journal{log: cfg.Audit, max: maxJournal},
	}
	s.tend()
	return s, nil
}

// Run looks after the spool until ctx ends: it writes the audit log, judges
// retention, and looks again at a disk that failed. Without it items are taken
// and given out all the same.
func (s *Spool) Run(ctx context.Context) error {
	timer := time.NewTimer(tendEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return s.Close()
		case <-s.nudge:
			s.record()
			continue
		case <-s.looks:
		case <-timer.C:
		}
		s.tend()
		if s.Status().Fault != nil {
			timer.Reset(faultEvery)
		} else {
			timer.Reset(tendEvery)
		}
	}
}

// look lets Run compare folder and memory soon.
func (s *Spool) look() {
	select {
	case s.looks <- struct{}{}:
	default:
	}
}

// Close writes what the audit log has not been told yet. A clip that is being
// written should be finished before; if not, the next Open makes it interrupted.
func (s *Spool) Close() error { return s.record() }

// tend brings folder and memory into line, then judges retention.
func (s *Spool) tend() {
	s.tending.Lock()
	defer s.tending.Unlock()
	err := s.probe()
	if err == nil {
		err = s.scan()
	}
	if err == nil {
		s.compareLog()
	}
	s.settle(errors.Join(err, s.retain())) // one item's trouble keeps no other for ever
	_ = s.record()                         // Status tells
}

// probe finds out whether a disk that failed takes something again.
func (s *Spool) probe() error {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault == nil {
		return nil
	}
	if err := disk.MkdirAll(s.fsys, s.cfg.Dir); err != nil {
		return err
	}
	path := filepath.Join(s.cfg.Dir, probeName)
	return errors.Join(disk.Replace(s.fsys, path, make([]byte, 4096)), disk.RemoveAll(s.fsys, path))
}

// settle takes the outcome of something that used the disk: the fault that
// Status shows is the last one, until something works again.
func (s *Spool) settle(err error) { s.note(&s.fault, err) }

func (s *Spool) note(fault *error, err error) {
	s.mu.Lock()
	was := *fault
	*fault = trouble(err)
	seen(&s.faultSince, s.fault != nil || s.logFault != nil)
	s.mu.Unlock()
	switch {
	case err != nil && (was == nil || was.Error() != err.Error()):
		s.cfg.Log.Warn("the spool cannot use its disk", "error", err)
	case err == nil && was != nil:
		s.cfg.Log.Info("the spool can use its disk again")
	}
}

// path is where the folder of an item in a state is.
func (s *Spool) path(id string, state State) string {
	return filepath.Join(s.cfg.Dir, id+"."+string(state))
}

// wake lets Next look again. The caller holds mu.
func (s *Spool) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}
