package mail

import (
	"context"
	"errors"
	"time"
)

// Queue holds the mails. Its methods may be called by any goroutine.
type Queue struct{}

var errStub = errors.New("mail: not built yet")

// Open opens the queue of a directory, and makes it when it is missing. What a
// crash left is put right.
func Open(cfg Config) (*Queue, error) { return nil, errStub }

// Put takes a mail, and returns its ID when it is on disk. With an error, nothing
// is sent: ErrAddress, ErrFull, or a disk that is full.
func (q *Queue) Put(ctx context.Context, m Message) (string, error) { return "", errStub }

// Drop takes back the queued mails that which says true to, as the reminders of an
// appointment that was moved. A mail that is on its way arrives nevertheless.
func (q *Queue) Drop(which func(Entry) bool) (int, error) { return 0, errStub }

// List returns all entries, in the order in which they were put.
func (q *Queue) List() []Entry { return nil }

// Run sends what is due until ctx ends. It returns nil then.
func (q *Queue) Run(ctx context.Context) error { return errStub }

// Export returns all that is stored of a customer's mails.
func (q *Queue) Export(customer string) ([]Copy, error) { return nil, errStub }

// Erase removes all of a customer's mails, sent or not, and their entries. A mail
// that is on its way arrives nevertheless.
func (q *Queue) Erase(customer string) (int, error) { return 0, errStub }

// Purge removes what was done before that time, and what should have been sent by
// then, entries and files.
func (q *Queue) Purge(before time.Time) (int, error) { return 0, errStub }

// Close gives the directory free. Run must have returned. A second call does nothing.
func (q *Queue) Close() error { return nil }

// ParseAddress returns the address as mail is sent to it, with the domain in its
// ASCII form, or ErrAddress with the reason. It takes what registers and mail
// servers do, and none of the quoted forms in which other things hide.
func ParseAddress(address string) (string, error) { return "", errStub }
