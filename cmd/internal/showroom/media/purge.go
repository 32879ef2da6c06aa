package media

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

// receiptGrace is how long a receipt outlives its item, and a refusal lasts: a
// device that lost the answer asks again within days.
const receiptGrace = 30 * 24 * time.Hour

// Purge removes what has had its time: items, then their receipts, and uploads
// that nobody goes on with. It returns how many items. Run does it each hour.
func (s *Store) Purge(now time.Time) (removed int) {
	for _, item := range s.expired(now) {
		if err := s.removeItem(item); err != nil {
			s.log.Error("purge an item", "id", item.ID, "error", err)
			continue
		}
		removed++
		s.log.Info("purged an item at the end of its retention", "id", item.ID)
	}
	s.purgeReceipts(now)
	s.purgeUploads(now)
	return removed
}

// removeItem removes the description first: an item without one is gone after a
// crash, too.
func (s *Store) removeItem(item Item) error {
	err := removeAll(s.descriptionPath(item))
	if err == nil {
		err = directory.Sync(s.path(sessionsDir, item.Session))
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) { // another removes it, too
		err = removeAll(s.itemPath(item))
	}
	if err == nil {
		s.forget(item)
	}
	return err
}

func (s *Store) expired(now time.Time) (list []Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, items := range s.items {
		for _, item := range items {
			if !now.Before(item.KeptFrom.Add(s.cfg.Retention)) {
				list = append(list, item)
			}
		}
	}
	return list
}

func (s *Store) forget(item Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items[item.Session], item.ID)
	s.notify(item.Session, Event{Items: len(s.items[item.Session])})
	if len(s.items[item.Session]) == 0 {
		delete(s.items, item.Session)
	}
}

func (s *Store) purgeReceipts(now time.Time) {
	paths, _ := filepath.Glob(s.path(receiptsDir, "*.json")) // the pattern is right
	present := s.present()
	for _, path := range paths {
		id := strings.TrimSuffix(filepath.Base(path), ".json")
		receipt, err := s.kept(id)
		if err == nil && (present[id] || now.Before(receipt.At.Add(receiptGrace))) {
			continue
		}
		if err == nil {
			err = removeAll(path)
		}
		if err != nil {
			s.log.Error("purge a receipt", "id", id, "error", err)
		}
	}
}

// present are the IDs of the stored items.
func (s *Store) present() map[string]bool {
	ids := map[string]bool{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, items := range s.items {
		for id := range items {
			ids[id] = true
		}
	}
	return ids
}

// purgeUploads leaves what is complete: it is worked on, however long that takes.
func (s *Store) purgeUploads(now time.Time) {
	s.creating.Lock()
	defer s.creating.Unlock()
	ids, err := s.uploadIDs()
	for _, id := range ids {
		upload, size, readErr := s.readUpload(id)
		if readErr == nil && size >= upload.Size || !s.idle(id, expiry, now) {
			continue
		}
		if err = removeAll(s.uploadPaths(id)...); err != nil {
			break
		}
	}
	if err != nil {
		s.log.Error("purge uploads", "error", err)
	}
}
