package mail

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

const (
	maxQueued = 10_000             // many times what one showroom books in the weeks that reminders wait
	maxAge    = 5 * 24 * time.Hour // of tries, RFC 5321, 4.5.4.1
)

// Queue holds the mails. Its methods may be called by any goroutine.
type Queue struct {
	dir    string
	from   *mail.Address
	server *server // nil with None
	clock  func() time.Time
	known  func(ctx context.Context, customer string) (bool, error) // nil: all are
	log    *slog.Logger
	wake   chan struct{}           // holds one, when there is something new to do
	fault  func(step string) error // tests stop at a step; nil otherwise

	mu    sync.Mutex // over the files too
	lock  *os.File   // nil after Close
	mails map[string]*stored
}

// stored is a mail.
type stored struct {
	record
	unsaved bool // its end is not on disk yet
}

// Open opens the queue of a directory, and makes it when it is missing. What a
// crash left is put right.
func Open(cfg Config) (*Queue, error) {
	q := &Queue{dir: filepath.Clean(cfg.Dir), clock: cfg.Clock, known: cfg.Known, log: cfg.Log, wake: make(chan struct{}, 1), mails: map[string]*stored{}}
	if q.clock == nil {
		q.clock = time.Now
	}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dir == "" {
		return nil, refuse("give a directory", "a mail queue without a directory")
	}
	var err error
	if q.server, err = parseServer(cfg); err != nil {
		return nil, err
	}
	switch {
	case cfg.From == "" && q.server != nil:
		return nil, refuse("say who the mails are from with --mail-from", "an SMTP server needs a sender's address")
	case cfg.From == "":
		cfg.From = "Showroom <showroom@bril.invalid>"
	}
	if q.from, err = parseFrom(cfg.From); err != nil {
		return nil, err
	}
	if err := q.open(); err != nil {
		q.Close()
		return nil, fmt.Errorf("open the mail queue %s: %w", q.dir, err)
	}
	return q, nil
}

func (q *Queue) open() (err error) {
	if err := makeDirs(q.dir); err != nil {
		return err
	}
	if q.lock, err = directory.Lock(q.dir); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.load()
}

// Close gives the directory free. Run must have returned. A second call does nothing.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lock == nil {
		return nil
	}
	file := q.lock
	q.lock = nil
	return file.Close()
}

// Put takes a mail, and returns its ID when it is on disk. With an error, nothing
// is sent: ErrAddress, ErrFull, or a disk that is full.
func (q *Queue) Put(ctx context.Context, m Message) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	to, err := ParseAddress(m.To)
	if err != nil {
		return "", err
	}
	m.To = to
	id, now := strings.ToLower(rand.Text()), q.clock().UTC()
	message, err := compose(m, id, q.from, now)
	if err != nil {
		return "", err
	}
	if err := q.add(ctx, m.record(id, now), message); err != nil {
		return "", fmt.Errorf("queue a mail: %w", err)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return id, nil
}

func (m Message) record(id string, now time.Time) record {
	r := record{
		Entry: Entry{
			ID: id, Kind: m.Kind, State: Queued, At: now,
			Customer: m.Customer, Conversation: m.Conversation, Appointment: m.Appointment,
		},
		To: m.To, Due: now, NotAfter: m.NotAfter.UTC(),
	}
	if m.NotBefore.After(now) {
		r.Due = m.NotBefore.UTC()
	}
	r.NextTry = r.Due
	if last := r.Due.Add(maxAge); m.NotAfter.IsZero() || r.NotAfter.After(last) {
		r.NotAfter = last
	}
	return r
}

// add brings a mail to disk, or leaves nothing of it.
func (q *Queue) add(ctx context.Context, r record, message []byte) (err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lock == nil {
		return os.ErrClosed
	}
	if q.waiting() >= maxQueued {
		return ErrFull
	}
	if err := q.wantKnown(ctx, r.Customer); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			if left := q.forget(r.Entry); left != nil {
				err = fmt.Errorf("%w, and what was written could not be removed: %w", err, left)
			}
		}
	}()
	if err := q.step("put message"); err != nil {
		return err
	}
	if err := directory.Write(q.messagePath(r.ID), message); err != nil {
		return err
	}
	if err := q.step("put entry"); err != nil {
		return err
	}
	if err := q.save(r); err != nil {
		return err
	}
	q.mails[r.ID] = &stored{record: r}
	return nil
}

// wantKnown refuses what is to somebody who was erased.
func (q *Queue) wantKnown(ctx context.Context, customer string) error {
	if q.known == nil || customer == "" {
		return nil
	}
	if known, err := q.known(ctx, customer); err != nil || known {
		return err
	}
	return ErrErased
}

func (q *Queue) waiting() (n int) {
	for _, m := range q.mails {
		if m.State == Queued {
			n++
		}
	}
	return n
}

func (q *Queue) step(name string) error {
	if q.fault == nil {
		return nil
	}
	return q.fault(name)
}

// List returns all entries, in the order in which they were put.
func (q *Queue) List() []Entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := make([]Entry, 0, len(q.mails))
	for _, m := range q.mails {
		list = append(list, m.Entry)
	}
	slices.SortFunc(list, func(a, b Entry) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// Drop takes back the queued mails that which says true to, as the reminders of an
// appointment that was moved. A mail that is on its way arrives nevertheless.
func (q *Queue) Drop(which func(Entry) bool) (int, error) {
	return q.removeIf("drop mails", func(r record) bool { return r.State == Queued && which(r.Entry) })
}

// validID keeps what is a path from being anything else.
func validID(id string) bool {
	return len(id) == 26 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
