package mail

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

const (
	firstBackOff = time.Minute
	maxBackOff   = time.Hour
	// A clock that jumps, as after a suspend, is noticed so soon.
	maxWait = time.Minute
	// A mail that is being sent at the end has so long, as it would be sent again.
	grace = 5 * time.Second
)

// backOff is how long to wait after so many tries: 1, 2, 4 ... minutes, at most an hour.
func backOff(attempts int) time.Duration {
	if attempts > 6 {
		return maxBackOff
	}
	return min(firstBackOff<<max(attempts-1, 0), maxBackOff)
}

// Run sends what is due until ctx ends. It returns nil then.
func (q *Queue) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-q.wake:
		case <-timer.C:
		}
		q.pass(ctx)
		timer.Reset(q.wait())
	}
}

// wait is until the next mail is due.
func (q *Queue) wait() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait, now := maxWait, q.clock()
	for _, m := range q.mails {
		if m.State == Queued {
			wait = min(wait, m.NextTry.Sub(now))
		}
	}
	return max(wait, 0)
}

// pass tries every mail that is due once.
func (q *Queue) pass(ctx context.Context) {
	linger, cancel := lingering(ctx)
	defer cancel()
	var c *connection
	defer func() {
		if c != nil {
			c.quit()
		}
	}()
	for _, r := range q.due() {
		if ctx.Err() != nil {
			return
		}
		if q.server == nil {
			q.layOut(r.ID)
			continue
		}
		if c == nil {
			var err error
			if c, err = q.server.dial(linger); err != nil {
				q.unreachable(ctx, err)
				return
			}
		}
		if err := q.deliver(c, r); err != nil {
			c.close() // in whatever state it is
			c = nil
		}
	}
}

// lingering ends a while after ctx.
func lingering(ctx context.Context) (context.Context, context.CancelFunc) {
	linger, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			cancel()
		case <-linger.Done():
		}
	})
	return linger, func() { stop(); cancel() }
}

// due returns what is to be sent now, the longest due first. It ends what is too
// late, and saves what could not be saved before.
func (q *Queue) due() (list []record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock()
	for _, m := range q.mails {
		switch {
		case m.unsaved:
			q.end(m, m.State, m.Problem)
		case m.State != Queued:
		case now.After(m.NotAfter):
			q.end(m, Failed, tooLate(m.Problem))
		case !m.NextTry.After(now):
			list = append(list, m.record)
		}
	}
	slices.SortFunc(list, func(a, b record) int { return a.Due.Compare(b.Due) })
	return list
}

func tooLate(last string) string {
	if last == "" {
		return "its time was over before it could be sent"
	}
	return "its time was over; the last try: " + last
}

// deliver sends one mail. The error is the connection's.
func (q *Queue) deliver(c *connection, r record) error {
	message, err := os.ReadFile(q.messagePath(r.ID))
	if err != nil {
		q.tried(r.ID, err)
		return nil
	}
	if err := q.step("send"); err != nil {
		q.tried(r.ID, err)
		return err
	}
	err = c.send(q.from.Address, r.To, message)
	if err == nil {
		err = q.step("accepted")
	}
	q.tried(r.ID, err)
	return err
}

// tried notes how a try ended.
func (q *Queue) tried(id string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.mails[id]
	if m == nil || m.State != Queued { // dropped or erased meanwhile
		return
	}
	m.Attempts++
	switch {
	case err == nil:
		q.end(m, Sent, "")
	case permanent(err):
		q.end(m, Failed, anonymous(err.Error(), m.To))
	case errors.Is(err, fs.ErrNotExist):
		q.end(m, Failed, "its file is gone")
	default:
		q.postpone(m, anonymous(err.Error(), m.To))
	}
}

// unreachable puts off all that is due, of which none was tried.
func (q *Queue) unreachable(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock()
	for _, m := range q.mails {
		if m.State == Queued && !m.NextTry.After(now) {
			m.Attempts++
			q.postpone(m, anonymous(err.Error(), "")) // nothing was said of an address
		}
	}
}

func (q *Queue) postpone(m *stored, why string) {
	m.NextTry, m.Problem = q.clock().UTC().Add(backOff(m.Attempts)), why
	q.log.Warn("mail not sent", "mail", m.ID, "kind", m.Kind, "attempts", m.Attempts, "next_try", m.NextTry, "problem", m.Problem)
	if err := q.save(m.record); err != nil { // then it is tried sooner after a restart
		q.log.Warn("mail's entry not saved", "mail", m.ID, "problem", err)
	}
}

// layOut puts a mail into the outbox.
func (q *Queue) layOut(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.mails[id]
	if m == nil || m.State != Queued {
		return
	}
	err := q.step("lay out")
	if err == nil {
		err = rename(q.messagePath(id), q.outboxPath(m.Entry))
	}
	if err != nil {
		m.Attempts++
		q.postpone(m, anonymous(err.Error(), m.To))
		return
	}
	q.end(m, Outbox, "")
}

// end brings a mail into one of the last states. First comes what must not be
// forgotten, and needs no space on the disk. Where it cannot be written, the mail
// is at its end nevertheless, and the next pass writes it.
func (q *Queue) end(m *stored, state State, why string) {
	if !m.unsaved {
		m.Done = q.clock().UTC()
	}
	m.State, m.Problem, m.To, m.NextTry, m.unsaved = state, why, "", time.Time{}, true
	if err := q.saveEnd(m); err != nil {
		q.log.Error("mail's end not saved, will be", "mail", m.ID, "state", m.State, "problem", err)
		return
	}
	m.unsaved = false
	switch state {
	case Failed:
		q.log.Error("mail failed", "mail", m.ID, "kind", m.Kind, "problem", m.Problem)
	default:
		q.log.Info("mail done", "mail", m.ID, "kind", m.Kind, "state", m.State)
	}
}

func (q *Queue) saveEnd(m *stored) error {
	if m.State == Sent {
		if err := q.noteSent(m.ID); err != nil {
			return err
		}
	}
	if err := q.step("record"); err != nil {
		return err
	}
	if err := q.save(m.record); err != nil {
		return err
	}
	if err := q.step("clear"); err != nil {
		return err
	}
	return remove(q.messagePath(m.ID), q.sentPath(m.ID))
}

// noteSent says by a name that a mail was sent, and empties the file: the room is
// what the entry is written into, where mails have filled the disk.
func (q *Queue) noteSent(id string) error {
	if !exists(q.sentPath(id)) {
		if err := q.step("note"); err != nil {
			return err
		}
		if err := rename(q.messagePath(id), q.sentPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Truncate(q.sentPath(id), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
