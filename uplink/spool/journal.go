package spool

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bril-edge/bril/uplink/spool/audit"
)

// maxJournal bounds the events that wait for the log. They outlive a full disk
// in memory: a deletion must not wait for room that it would itself make.
const maxJournal = 4096

// journal is what the audit log has still to be told. What a crash takes of it
// is made good at the next Open, by comparing folder and log.
type journal struct {
	log *audit.Log
	max int // how many may wait

	writing sync.Mutex
	mu      sync.Mutex
	waiting []event
	dropped int
}

type event struct {
	at    time.Time // zero when the clock was not confirmed
	what  audit.Event
	id    string
	bytes int64
}

func (j *journal) add(e event) {
	if j.log == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) >= j.max {
		j.waiting = slices.Delete(j.waiting, 0, 1)
		j.dropped++
	}
	j.waiting = append(j.waiting, e)
}

// flush writes what waits, in order, and stops at the first error.
func (j *journal) flush() error {
	if j.log == nil {
		return nil
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	for {
		j.mu.Lock()
		if len(j.waiting) == 0 {
			j.mu.Unlock()
			return j.complaint()
		}
		e, dropped := j.waiting[0], j.dropped
		j.mu.Unlock()
		if err := j.log.Append(e.at, e.what, e.id, e.bytes); err != nil {
			return err
		}
		j.mu.Lock()
		if j.dropped == dropped { // else it was dropped meanwhile
			j.waiting = slices.Delete(j.waiting, 0, 1)
		}
		j.mu.Unlock()
	}
}

// complaint is what stays wrong with the log although it can be written.
func (j *journal) complaint() error {
	j.mu.Lock()
	dropped := j.dropped
	j.mu.Unlock()
	if dropped > 0 {
		return fmt.Errorf("the audit log lacks %d events: it could not be written for too long", dropped)
	}
	return nil
}

// tell queues an event and lets Run write it: the log's fsync is not on the way
// from the button to the cue.
func (s *Spool) tell(what audit.Event, id string, bytes int64) {
	now, confirmed := s.cfg.Clock()
	if !confirmed {
		now = time.Time{}
	}
	s.journal.add(event{now, what, id, bytes})
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// record writes what the log has not been told.
func (s *Spool) record() error {
	err := s.journal.flush()
	s.note(&s.logFault, err)
	return err
}

// compareLog finds what a crash kept from the log: items that it does not know
// were captured, and ones that are gone without its knowing. Once, when the
// folder has been read for the first time.
func (s *Spool) compareLog() {
	if s.cfg.Audit == nil || s.scanned {
		s.scanned = true
		return
	}
	s.scanned = true
	there, known := map[string]int64{}, map[string]bool{}
	s.mu.Lock()
	for id, e := range s.entries {
		id = itemID(id) // of what was set aside, too
		there[id] = e.bytes
		if e.fresh { // told of already
			known[id] = true
		}
	}
	s.mu.Unlock()
	delete(there, "") // what is no item
	for id, bytes := range there {
		if !known[id] && s.cfg.Audit.Last(id) == "" {
			s.journal.add(event{what: audit.Capture, id: id, bytes: bytes})
		}
	}
	for _, id := range s.cfg.Audit.Open() {
		if _, ok := there[id]; !ok {
			s.journal.add(event{what: audit.Delete, id: id})
		}
	}
}

// AuditHead is the hash of the audit log's last line, to be sent with uploads.
// What waits is written first.
func (s *Spool) AuditHead() (string, error) {
	if s.cfg.Audit == nil {
		return "", nil
	}
	err := s.record()
	return s.cfg.Audit.Head(), err
}
