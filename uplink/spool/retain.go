package spool

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Status is the spool at a glance.
type Status struct {
	Items  int
	Bytes  int64 // on disk, what holds the items included
	Quota  int64
	Oldest time.Time // when the oldest item was captured; zero without one
	// Warnings are what somebody should know before it is too late, as
	// sentences.
	Warnings []string
	// Fault is why the spool cannot be used, nil when it can.
	Fault error
	// Full is the FullError that a clip, or a photo, would get now; nil for none.
	Full error
	// FaultSince and FullSince are when they were first seen.
	FaultSince, FullSince time.Time
}

// Status returns the spool's state.
func (s *Spool) Status() Status {
	now, confirmed := s.cfg.Clock()
	free, err := s.fsys.Free(s.cfg.Dir)
	if err != nil {
		free = -1 // the folder is not there, perhaps
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Bytes: s.used(), Quota: s.cfg.Quota, Fault: errors.Join(s.fault, s.logFault), Full: s.full(free)}
	seen(&s.faultSince, st.Fault != nil)
	seen(&s.fullSince, st.Full != nil)
	st.FaultSince, st.FullSince = s.faultSince, s.fullSince
	broken := 0
	for _, e := range s.entries {
		if end := e.end(s.cfg.Retention); confirmed && !end.IsZero() && end.Sub(now) <= Warn {
			st.Warnings = append(st.Warnings, fmt.Sprintf("item %s was not uploaded and will be deleted after %s", e.id, end.UTC().Format(time.RFC3339)))
		}
		if e.state == Broken {
			broken++
			continue
		}
		st.Items++
		if st.Oldest.IsZero() || e.since.Before(st.Oldest) {
			st.Oldest = e.since
		}
	}
	slices.Sort(st.Warnings)
	if broken > 0 {
		st.Warnings = append(st.Warnings, fmt.Sprintf("%d things in %s are no items that can be sent", broken, s.cfg.Dir))
	}
	if s.lost > 0 {
		st.Warnings = append(st.Warnings, fmt.Sprintf("%d items have disappeared from %s", s.lost, s.cfg.Dir))
	}
	if s.cfg.Audit != nil && s.cfg.Audit.Damaged() != nil {
		st.Warnings = append(st.Warnings, s.cfg.Audit.Damaged().Error())
	}
	return st
}

// seen keeps in since when something began, and nothing while it is not so.
func seen(since *time.Time, is bool) {
	if !is {
		*since = time.Time{}
	} else if since.IsZero() {
		*since = time.Now()
	}
}

// retain deletes what has been due for Grace, by a confirmed clock without a
// break, and gives the items their end that were captured before one.
func (s *Spool) retain() error {
	now, confirmed := s.cfg.Clock()
	s.mu.Lock()
	var due, undated []*entry
	for _, e := range s.entries {
		switch verdict := judge(e, now, confirmed, time.Now(), s.cfg.Retention); {
		case e.item != nil || e.busy:
		case verdict == undatedItem:
			undated = append(undated, e)
		case verdict == dueItem:
			due = append(due, e)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, e := range undated {
		errs = append(errs, s.date(e, now))
	}
	for _, e := range due {
		errs = append(errs, s.purge(e))
	}
	if confirmed && s.cfg.Audit != nil {
		errs = append(errs, s.cfg.Audit.Prune(now))
	}
	return errors.Join(errs...)
}

type verdict int

const (
	keepItem verdict = iota
	undatedItem
	dueItem
)

// end is when an item's retention ends; zero when that is not known, or never.
func (e *entry) end(retention time.Duration) time.Time {
	switch {
	case e.state != Broken:
		return e.deleteAfter
	case itemID(e.id) == "": // whatever it is, it was not captured here
		return time.Time{}
	}
	return e.since.Add(retention) // it says of its age only what the disk does
}

// judge decides about one item: now and confirmed are the clock's, mono is a
// time that does not jump.
func judge(e *entry, now time.Time, confirmed bool, mono time.Time, retention time.Duration) verdict {
	end := e.end(retention)
	switch {
	case e.state == Broken && end.IsZero():
		return keepItem
	case !confirmed:
		e.dueSince = time.Time{}
		return keepItem
	case e.state != Broken && (end.IsZero() || end.Sub(now) > MaxRetention):
		e.dueSince = time.Time{}
		return undatedItem
	case now.Before(end):
		e.dueSince = time.Time{}
		return keepItem
	case e.dueSince.IsZero():
		e.dueSince = mono
		return keepItem
	case mono.Sub(e.dueSince) < Grace:
		return keepItem
	}
	return dueItem
}

// date gives an item its end, at a moment when the clock is confirmed: from its
// capture when that was since Open, else from now.
func (s *Spool) date(e *entry, now time.Time) error {
	if _, err := s.hold(e.id, nil); err != nil {
		return nil // it has gone meanwhile, or is being moved: the next time
	}
	end := now.Add(s.cfg.Retention)
	if e.fresh {
		end = end.Add(-time.Since(e.since))
	}
	end = end.UTC().Truncate(time.Second)
	side := sidecar{SchemaVersion, e.id, e.was, e.bytes, e.sha256, end}
	err := side.write(s.fsys, s.path(e.id, e.state))
	s.release(e, func() {
		if err == nil {
			e.deleteAfter = end
		}
	})
	return err
}

// purge deletes an item whose retention has ended.
func (s *Spool) purge(e *entry) error {
	s.cfg.Log.Warn("retention has ended: an item is deleted that was not uploaded", "item", e.id, "state", e.state)
	if err := s.Drop(e.id); !errors.Is(err, ErrUnknown) {
		return err
	}
	return nil // it was uploaded meanwhile
}
