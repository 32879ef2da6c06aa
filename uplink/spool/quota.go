package spool

import "fmt"

// maxReserve bounds what is kept for photos: some two hundred of them.
const maxReserve = 64 << 20

// FullError is the refusal of an item that does not fit.
//
// A clip is refused when it would begin in the tenth of the quota that is kept
// for photos, a photo when the quota is used up. A clip that runs goes on into
// the first half of that tenth; there Write returns a FullError and writes
// nothing, and Finish keeps the clip with what it has: nothing is cut within
// one Write. The second half is for photos alone. Free space on the disk counts
// like quota where there is less of it.
type FullError struct {
	Kind Kind
	Used int64 // bytes on disk
	// Limit is how many bytes there may be for an item of this kind.
	Limit int64
	// Free is what the disk has left where that is the reason; else negative.
	Free int64
}

func (e *FullError) Error() string {
	if e.Free >= 0 {
		return fmt.Sprintf("no room for a %s: the disk has %s left", e.Kind, megabytes(e.Free))
	}
	return fmt.Sprintf("no room for a %s: %s are used, of %s", e.Kind, megabytes(e.Used), megabytes(e.Limit))
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// Hint returns what the user can do, as one line.
func (e *FullError) Hint() string {
	switch {
	case e.Free >= 0:
		return "free some space on the disk that spool.dir is on, or bring the glasses to Wi-Fi"
	case e.Kind == Clip:
		return "photos still fit; bring the glasses to Wi-Fi and look at `bril spool list`"
	}
	return "bring the glasses to Wi-Fi; `bril spool list` shows what waits, `bril spool drop` deletes it for good"
}

// reserve is what is kept for photos.
func (c Config) reserve() int64 { return min(c.Quota/10, maxReserve) }

// cost is what an item takes of the quota: whole blocks, its folder and its
// item.json as well, so that a million small ones are not free.
func cost(bytes int64) int64 { return (bytes+4095)&^4095 + 8192 }

// used is what is in the spool, in cost, and not what is nobody's. The caller
// holds mu.
func (s *Spool) used() (n int64) {
	for _, e := range s.entries {
		if itemID(e.id) != "" {
			n += cost(e.bytes)
		}
	}
	return n
}

// admit sets e.bytes to size when that fits: for an item that begins, or goes
// on. The caller holds mu; free is what the disk says, negative when not asked.
func (s *Spool) admit(e *entry, size, free int64) error {
	if err := s.fits(e, size, free); err != nil {
		seen(&s.fullSince, true)
		return err
	}
	e.bytes = size
	return nil
}

func (s *Spool) fits(e *entry, size, free int64) error {
	used, limit, left := s.used(), s.cfg.Quota, int64(-1)
	if s.entries[e.id] == e { // it goes on
		used -= cost(e.bytes)
	}
	if free >= 0 && used+free < limit {
		limit, left = used+free, free
	}
	switch {
	case e.kind == Clip && e.item == nil:
		limit -= s.cfg.reserve()
	case e.kind == Clip:
		limit -= s.cfg.reserve() / 2
	}
	if used+cost(size) > limit {
		return &FullError{Kind: e.kind, Used: used, Limit: max(limit, 0), Free: left}
	}
	return nil
}

// typicalPhoto is what has to fit before photos are said to, in bytes.
const typicalPhoto = 512 << 10

// full says what would be refused now, nil for nothing. The caller holds mu.
func (s *Spool) full(free int64) error {
	if err := s.fits(&entry{kind: Photo}, typicalPhoto, free); err != nil {
		return err
	}
	return s.fits(&entry{kind: Clip}, 0, free)
}
