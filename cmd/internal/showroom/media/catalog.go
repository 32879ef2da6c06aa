package media

import (
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bril-edge/bril/uplink/spool"
)

// Item is a stored photo or clip, as it is described on disk.
type Item struct {
	SchemaVersion int       `json:"schema_version"`
	ID            string    `json:"id"`
	Session       string    `json:"session"`
	Kind          Kind      `json:"kind"`
	ContentType   string    `json:"content_type"`
	Bytes         int64     `json:"bytes"`
	SHA256        string    `json:"sha256"` // of the file as it is served
	TakenAt       time.Time `json:"taken_at"`
	Clock         string    `json:"clock"`
	ReceivedAt    time.Time `json:"received_at"`
	KeptFrom      time.Time `json:"kept_from"` // the retention counts from here
	Show          bool      `json:"show"`
	State         string    `json:"state"`         // ready, or interrupted
	UploadSHA256  string    `json:"upload_sha256"` // of what was uploaded
	Audit         string    `json:"audit"`         // the head of the device's audit log when it uploaded
}

// Listed is an item as clients see it.
type Listed struct {
	ID          string    `json:"id"`
	Kind        Kind      `json:"kind"`
	URL         string    `json:"url"`
	ContentType string    `json:"content_type"`
	Bytes       int64     `json:"bytes"`
	SHA256      string    `json:"sha256"`
	TakenAt     time.Time `json:"taken_at"`
	Show        bool      `json:"show"`
}

func (i Item) listed() Listed {
	return Listed{
		ID: i.ID, Kind: i.Kind, URL: "/media/" + i.Session + "/" + i.ID + extension(i.Kind), ContentType: i.ContentType,
		Bytes: i.Bytes, SHA256: i.SHA256, TakenAt: i.TakenAt, Show: i.Show,
	}
}

// Event says that a conversation's items have changed.
type Event struct {
	Items int     `json:"items"` // how many there are now
	Show  *Listed `json:"show"`  // to be shown at once; nil for none
}

// List returns the items of a conversation, the oldest first.
func (s *Store) List(name string) []Listed {
	s.mu.Lock()
	items := slices.Collect(maps.Values(s.items[name]))
	s.mu.Unlock()
	slices.SortFunc(items, func(a, b Item) int {
		if c := a.TakenAt.Compare(b.TakenAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	list := make([]Listed, 0, len(items))
	for _, item := range items {
		list = append(list, item.listed())
	}
	return list
}

// maxEvents is how many events a watcher may be behind; the oldest go first, as
// each tells how many items there are.
const maxEvents = 16

// Watch returns what happens to a conversation's items from now on, beginning
// with how many there are, until cancel is called.
func (s *Store) Watch(name string) (events <-chan Event, cancel func()) {
	c := make(chan Event, maxEvents)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watchers[name] == nil {
		s.watchers[name] = map[chan Event]struct{}{}
	}
	s.watchers[name][c] = struct{}{}
	c <- Event{Items: len(s.items[name])}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers[name], c)
		if len(s.watchers[name]) == 0 {
			delete(s.watchers, name)
		}
	}
}

// publish makes a stored item known.
func (s *Store) publish(item Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(item)
	event := Event{Items: len(s.items[item.Session])}
	if item.Show {
		listed := item.listed()
		event.Show = &listed
	}
	s.notify(item.Session, event)
}

// add is called with mu held.
func (s *Store) add(item Item) {
	if s.items[item.Session] == nil {
		s.items[item.Session] = map[string]Item{}
	}
	s.items[item.Session][item.ID] = item
}

// notify is called with mu held.
func (s *Store) notify(name string, event Event) {
	for c := range s.watchers[name] {
		select {
		case c <- event:
		default:
			select {
			case <-c:
			default:
			}
			c <- event // only here are events sent, under mu
		}
	}
}

func (s *Store) itemPath(i Item) string {
	return s.path(sessionsDir, i.Session, i.ID+extension(i.Kind))
}

func (s *Store) descriptionPath(i Item) string {
	return s.path(sessionsDir, i.Session, i.ID+".json")
}

// ServeItem serves the file of an item, by its name in a URL. Ranges, conditions
// and slow readers are served.
func (s *Store) ServeItem(w http.ResponseWriter, r *http.Request, name, file string) error {
	id, _, _ := strings.Cut(file, ".")
	s.mu.Lock()
	item, ok := s.items[name][id]
	s.mu.Unlock()
	if !ok || file != id+extension(item.Kind) {
		return &Error{Status: http.StatusNotFound, Detail: "the conversation has no such item"}
	}
	content, err := os.Open(s.itemPath(item))
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{Status: http.StatusNotFound, Detail: "the item is gone"}
	}
	if err != nil {
		return err
	}
	defer content.Close()
	h := w.Header()
	h.Set("Content-Type", item.ContentType)
	h.Set("ETag", `"`+item.SHA256+`"`)
	h.Set("Cache-Control", "private, no-cache") // kept by browsers, but asked for: items are purged
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.URL.Query().Get("download") == "1" {
		h.Set("Content-Disposition", `attachment; filename="`+item.downloadName()+`"`)
	}
	http.ServeContent(&patientWriter{w, http.NewResponseController(w)}, r, "", item.ReceivedAt, content)
	return nil
}

// downloadName tells when it was taken, which is what people sort by.
func (i Item) downloadName() string {
	return i.Session + "-" + i.TakenAt.UTC().Format("20060102-150405") + "-" + i.ID[:6] + extension(i.Kind)
}

// writeTimeout is what each piece of a file may take to go out.
const writeTimeout = 30 * time.Second

// patientWriter gives each piece its time, where the server would give the whole
// answer so much.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (p *patientWriter) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

// recover takes up what the last process left, in any order that it ended in.
func (s *Store) recover() error {
	if err := s.removeLeftovers(); err != nil {
		return err
	}
	if err := s.scanItems(); err != nil {
		return err
	}
	ids, err := s.uploadIDs()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if upload, size, err := s.readUpload(id); err == nil && size >= upload.Size {
			s.enqueue(id)
		}
	}
	return nil
}

// removeLeftovers removes what was decrypted and not stored, and what arrived of
// uploads that have no description.
func (s *Store) removeLeftovers() error {
	leftovers, err := filepath.Glob(s.path(incomingDir, "*"))
	if err != nil {
		return err
	}
	files, err := filepath.Glob(s.path(uploadsDir, "*"))
	if err != nil {
		return err
	}
	for _, path := range files {
		if id := filepath.Base(path); spool.ValidID(id) {
			if _, _, err := s.readUpload(id); errors.Is(err, fs.ErrNotExist) {
				leftovers = append(leftovers, path)
			}
		}
	}
	return removeAll(leftovers...)
}

// scanItems reads the descriptions. A file without one is of an upload that is
// made anew, or was about to be purged: it goes.
func (s *Store) scanItems() error {
	files, err := filepath.Glob(s.path(sessionsDir, "*", "*"))
	if err != nil {
		return err
	}
	for _, path := range files {
		id, extension, _ := strings.Cut(filepath.Base(path), ".")
		name := filepath.Base(filepath.Dir(path))
		if !spool.ValidID(id) {
			continue // not ours
		}
		description := filepath.Join(filepath.Dir(path), id+".json")
		var item Item
		if extension == "json" {
			if err := readJSON(description, &item); err != nil || item.ID != id || item.Session != name {
				s.log.Error("read an item's description; it is passed over", "path", description, "error", err)
				continue
			}
			s.add(item)
		} else if _, err := os.Stat(description); errors.Is(err, fs.ErrNotExist) {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
