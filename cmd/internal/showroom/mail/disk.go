package mail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

// On disk a mail is two files of Dir/queue, and of those the second makes it one:
//
//	ID.eml   the message, as it is sent every time
//	ID.json  the entry, with the address
//
// What must not be forgotten on a full disk is said by a new name, which needs no
// space: ID.sent was a message that the server has taken, and Dir/KIND-ID.eml is one
// that is laid in the outbox.
const (
	schemaVersion = 1
	queueDir      = "queue"
)

// record is an entry on disk.
type record struct {
	SchemaVersion int `json:"schema_version"`
	Entry
	To       string    `json:"to,omitempty"` // while queued
	Due      time.Time `json:"due"`          // sent at the earliest
	NotAfter time.Time `json:"not_after"`    // given up then
}

func (q *Queue) entryPath(id string) string   { return filepath.Join(q.dir, queueDir, id+".json") }
func (q *Queue) messagePath(id string) string { return filepath.Join(q.dir, queueDir, id+".eml") }
func (q *Queue) sentPath(id string) string    { return filepath.Join(q.dir, queueDir, id+".sent") }

func (q *Queue) outboxPath(e Entry) string {
	return filepath.Join(q.dir, string(e.Kind)+"-"+e.ID+".eml")
}

func (q *Queue) save(r record) error {
	r.SchemaVersion = schemaVersion
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return directory.Write(q.entryPath(r.ID), append(data, '\n'))
}

// rename gives a file another name, and returns when it has it on disk.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(directory.Sync(filepath.Dir(to)), directory.Sync(filepath.Dir(from)))
}

// remove takes files away; one that is not there is no error.
func remove(paths ...string) error {
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// forget removes all files of a mail: the entry last, which leads to the others.
func (q *Queue) forget(e Entry) error {
	if err := remove(q.messagePath(e.ID), q.sentPath(e.ID), q.outboxPath(e)); err != nil {
		return err
	}
	if err := directory.Sync(q.dir); err != nil {
		return err
	}
	if err := remove(q.entryPath(e.ID)); err != nil {
		return err
	}
	return directory.Sync(filepath.Join(q.dir, queueDir))
}

// makeDirs creates the directories, for their owner only, and makes them durable.
func makeDirs(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, queueDir), 0o700); err != nil {
		return err
	}
	return errors.Join(directory.Sync(dir), directory.Sync(filepath.Dir(dir)))
}

// load reads the queue, and brings what a crash left half done to its end.
func (q *Queue) load() error {
	dir := filepath.Join(q.dir, queueDir)
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var others []string
	for _, file := range files {
		if id, is := strings.CutSuffix(file.Name(), ".json"); is && validID(id) {
			if err := q.loadEntry(id); err != nil {
				return err
			}
		} else {
			others = append(others, file.Name())
		}
	}
	for _, name := range others {
		id, _, _ := strings.Cut(name, ".")
		if q.mails[id] != nil {
			continue
		}
		// Of a Put that never returned, or a file that never got its name.
		if err := remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return directory.Sync(dir)
}

func (q *Queue) loadEntry(id string) error {
	path := q.entryPath(id)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil || r.SchemaVersion != schemaVersion || r.ID != id {
		return refuse("move it elsewhere; it is a mail's entry, and names who the mail is to", "%s is damaged, or of another version (%v)", path, err)
	}
	m := &stored{record: r}
	q.mails[id] = m
	if r.State != Queued {
		return remove(q.messagePath(id), q.sentPath(id))
	}
	switch {
	case exists(q.sentPath(id)):
		q.end(m, Sent, "")
	case exists(q.outboxPath(r.Entry)):
		q.end(m, Outbox, "")
	case !exists(q.messagePath(id)):
		q.end(m, Failed, "its file is gone")
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// problem says what could not be done to the queue on disk.
func problem(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
