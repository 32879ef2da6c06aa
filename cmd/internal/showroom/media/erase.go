package media

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

const reasonErased = "the conversation was erased"

// Items returns the descriptions of a conversation's items, by ID.
func (s *Store) Items(name string) []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := s.items[name]
	list := make([]Item, 0, len(items))
	for _, id := range slices.Sorted(maps.Keys(items)) {
		list = append(list, items[id])
	}
	return list
}

// File is the name of an item's file below its conversation, as ID.jpg.
func (i Item) File() string { return i.ID + extension(i.Kind) }

// OpenItem opens the file of an item that Items returned.
func (s *Store) OpenItem(item Item) (*os.File, error) { return os.Open(s.itemPath(item)) }

// Erase removes all that is there of a conversation, and returns how many items it
// had. What has arrived of it without being an item yet is refused: the glasses
// delete theirs. Config.Erased says of it from before on that it was erased, so
// that what is being made of it goes, too. Once more is no error.
func (s *Store) Erase(name string) (int, error) {
	if !s.cfg.ValidName(name) {
		return 0, nil // no conversation
	}
	n, err := s.removeErased(name)
	if err == nil {
		err = s.refuseUploads(name)
	}
	if err != nil {
		return n, fmt.Errorf("erase a conversation's photos and clips: %w", err)
	}
	return n, nil
}

func (s *Store) removeErased(name string) (n int, err error) {
	for _, item := range s.Items(name) {
		if err := s.removeItem(item); err != nil {
			return n, err
		}
		n++
	}
	return n, s.removeSession(name)
}

// removeSession removes a directory with what a crash left in it.
func (s *Store) removeSession(name string) error {
	dir := s.path(sessionsDir, name)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err == nil {
		err = removeAll(append(left, dir)...)
	}
	if err != nil && !errors.Is(err, unix.ENOTEMPTY) { // an item was made just now, and goes when it is to be listed
		return err
	}
	return directory.Sync(s.path(sessionsDir))
}

// refuseUploads looks into each upload that has begun: its first bytes say of which
// conversation it is.
func (s *Store) refuseUploads(name string) error {
	ids, err := s.uploadIDs()
	for _, id := range ids {
		if s.sessionOf(id) != name {
			continue
		}
		upload, _, err := s.readUpload(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.keep(Receipt{ID: id, SHA256: upload.MetaData["sha256"], State: Refused, Reason: reasonErased}, 0); err != nil {
			return err
		}
		if err := removeAll(s.uploadPaths(id)...); err != nil {
			return err
		}
	}
	return err
}

// sessionOf is empty where less has arrived than age's first chunk, of 64 KiB: that
// is refused when the rest comes, and goes after a day if none does.
func (s *Store) sessionOf(id string) string {
	file, err := os.Open(s.path(uploadsDir, id))
	if err != nil {
		return ""
	}
	defer file.Close()
	clear, err := age.Decrypt(bufio.NewReader(file), s.cfg.Identity)
	if err != nil {
		return ""
	}
	h, err := readHeader(bufio.NewReader(clear), id, s.cfg.ValidName)
	if err != nil {
		return ""
	}
	return h.Session
}

// refuseErased refuses an item, and removes what a crash before its receipt left.
func (s *Store) refuseErased(name string) error {
	if _, err := s.removeErased(name); err != nil {
		return err
	}
	return refuse(reasonErased)
}
