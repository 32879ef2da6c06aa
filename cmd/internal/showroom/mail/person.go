package mail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Export returns all that is stored of a customer's mails.
func (q *Queue) Export(customer string) ([]Copy, error) {
	var copies []Copy
	for _, e := range q.List() {
		if e.Customer != customer {
			continue
		}
		c, err := q.copyOf(e.ID)
		if err != nil {
			return nil, fmt.Errorf("export mails: %w", err)
		}
		copies = append(copies, c)
	}
	return copies, nil
}

func (q *Queue) copyOf(id string) (Copy, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.mails[id]
	if m == nil { // gone since it was listed
		return Copy{}, nil
	}
	c, path := Copy{Entry: m.Entry, To: m.To}, q.messagePath(id)
	switch m.State {
	case Sent, Failed:
		return c, nil
	case Outbox:
		path = q.outboxPath(m.Entry)
	}
	message, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // an outbox is emptied by hand
		return c, err
	}
	c.Message = message
	return c, nil
}

// Erase removes all of a customer's mails, sent or not, and their entries. A mail
// that is on its way arrives nevertheless.
func (q *Queue) Erase(customer string) (int, error) {
	if customer == "" {
		return 0, nil // mails of nobody's are not one person's
	}
	return q.removeIf("erase mails", func(r record) bool { return r.Customer == customer })
}

// Purge removes what was done before that time, and what should have been sent by
// then, entries and files.
func (q *Queue) Purge(before time.Time) (int, error) {
	return q.removeIf("purge mails", func(r record) bool {
		if r.State == Queued {
			return r.Due.Before(before)
		}
		return r.Done.Before(before)
	})
}

// removeIf goes on after a mail that cannot be removed.
func (q *Queue) removeIf(what string, which func(record) bool) (n int, err error) {
	var errs []error
	for _, r := range q.records() {
		if !which(r) {
			continue
		}
		if gone, err := q.removeOne(r); err != nil {
			errs = append(errs, err)
		} else if gone {
			n++
		}
	}
	return n, problem(what, errors.Join(errs...))
}

func (q *Queue) records() []record {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := make([]record, 0, len(q.mails))
	for _, m := range q.mails {
		list = append(list, m.record)
	}
	return list
}

// removeOne leaves a mail alone that is in another state than when it was looked at.
func (q *Queue) removeOne(r record) (bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lock == nil {
		return false, os.ErrClosed
	}
	if m := q.mails[r.ID]; m == nil || m.State != r.State {
		return false, nil
	}
	if err := q.forget(r.Entry); err != nil {
		return false, err
	}
	delete(q.mails, r.ID)
	return true, nil
}
