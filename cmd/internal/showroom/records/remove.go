package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scope is what a removal is of, by ID. A customer's conversations belong to it.
type Scope struct{ Customers, Conversations []string }

// Empty says that there is nothing to remove.
func (s Scope) Empty() bool { return len(s.Customers)+len(s.Conversations) == 0 }

func (s *Scope) add(other Scope) {
	s.Customers = union(s.Customers, other.Customers)
	s.Conversations = union(s.Conversations, other.Conversations)
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(id string) bool { return id == "" })
}

// Counts says how much was removed, by kind: a table's name, or "backups".
type Counts map[string]int

// Total is the sum of all kinds.
func (c Counts) Total() (n int) {
	for _, one := range c {
		n += one
	}
	return n
}

// Add adds another's counts.
func (c Counts) Add(other Counts) {
	for kind, n := range other {
		c.add(kind, n)
	}
}

func (c Counts) add(kind string, n int) {
	if n > 0 {
		c[kind] += n
	}
}

// Others removes what a scope has outside of the records, as media and mail. It
// is called again after a crash, so that nothing left to remove is no error.
type Others func(context.Context, Scope) error

// Find returns the customers that who, an ID or an e-mail address in any case,
// means here or in a backup, with their conversations. ErrNotFound: none.
func (d *DB) Find(ctx context.Context, who string) (Scope, error) {
	query, key := "SELECT id FROM customers WHERE id = ?", strings.TrimSpace(who)
	if strings.Contains(who, "@") {
		query, key = "SELECT id FROM customers WHERE email_key = ?", emailKey(who)
	}
	d.maintain.Lock()
	defer d.maintain.Unlock()
	var found Scope
	unread, err := d.everywhere(ctx, func(q querier) error {
		ids, err := strings1(ctx, q, query, key)
		found.add(Scope{Customers: ids})
		return err
	})
	if err == nil {
		err = d.addOwned(ctx, &found)
	}
	if err == nil && found.Empty() {
		err = errOr(unread, ErrNotFound) // nobody can say that they are not there
	}
	if err != nil {
		return Scope{}, fmt.Errorf("find a customer: %w", err)
	}
	return found, nil
}

// addOwned adds the conversations of the customers, here and in backups.
func (d *DB) addOwned(ctx context.Context, s *Scope) error {
	_, err := d.everywhere(ctx, func(q querier) error {
		more, err := owned(ctx, q, s.Customers)
		s.add(more)
		return err
	})
	return err
}

// everywhere reads in the file and in each backup. unread is what it could not read
// of the backups.
func (d *DB) everywhere(ctx context.Context, read func(querier) error) (unread, err error) {
	if err := read(d.sql); err != nil {
		return nil, err
	}
	unread = d.eachBackup(func(path string) error {
		db, err := openFile(path, "DELETE")
		if err != nil {
			return err
		}
		return errors.Join(read(db), db.Close())
	})
	if unread != nil { // what is to be removed there fails when it is removed
		d.log.Warn("look into the backups", "error", unread)
	}
	return unread, nil
}

// owned returns the conversations of customers.
func owned(ctx context.Context, q querier, customers []string) (s Scope, err error) {
	has, err := columnsOf(ctx, q)
	if err != nil {
		return s, err
	}
	for _, t := range Schema() {
		if !t.owns || !has[t.Name][t.customer] || !has[t.Name][t.conversation] {
			continue
		}
		for _, id := range customers {
			ids, err := strings1(ctx, q, fmt.Sprintf("SELECT %s FROM %s WHERE %s = ?", t.conversation, t.Name, t.customer), id)
			if err != nil {
				return s, err
			}
			s.add(Scope{Conversations: ids})
		}
	}
	return s, nil
}

// Pending returns what an earlier process began to remove and did not finish. It
// is to be given to Remove at the start.
func (d *DB) Pending(ctx context.Context) (s Scope, err error) {
	if s.Customers, err = strings1(ctx, d.sql, "SELECT id FROM erasures WHERE kind = 'customer'"); err == nil {
		s.Conversations, err = strings1(ctx, d.sql, "SELECT id FROM erasures WHERE kind = 'conversation'")
	}
	if err != nil {
		return Scope{}, fmt.Errorf("look for removals that were broken off: %w", err)
	}
	return s, nil
}

// Remove removes a scope: its rows first, so that nothing new comes to them, then
// what others hold (nil for nothing), then the rows in backups. What is to be
// removed is written down before, by ID, and struck off at the end: whenever the
// process dies, Pending is what is left to do.
func (d *DB) Remove(ctx context.Context, s Scope, others Others) (Counts, error) {
	d.maintain.Lock()
	defer d.maintain.Unlock()
	return d.remove(ctx, s, others)
}

func (d *DB) remove(ctx context.Context, s Scope, others Others) (Counts, error) {
	if s.Empty() {
		return Counts{}, nil
	}
	if err := d.addOwned(ctx, &s); err != nil {
		return nil, fmt.Errorf("remove: find conversations: %w", err)
	}
	var counts Counts
	err := d.tx(ctx, "remove rows", func(tx *sql.Tx) (err error) {
		more, err := owned(ctx, tx, s.Customers) // also what came just now
		if err != nil {
			return err
		}
		s.add(more)
		if err := d.writeDown(tx, s); err != nil {
			return err
		}
		counts, err = deleteScope(ctx, tx, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return counts, d.finish(ctx, s, others)
}

// finish does what is left once the rows are gone.
func (d *DB) finish(ctx context.Context, s Scope, others Others) error {
	if err := d.at("rows removed"); err != nil {
		return err
	}
	if err := d.scrub(ctx); err != nil {
		return err
	}
	if err := d.at("scrubbed"); err != nil {
		return err
	}
	if others != nil {
		if err := others(ctx, s); err != nil {
			return err
		}
	}
	if err := d.at("others removed"); err != nil {
		return err
	}
	err := d.eachBackup(func(path string) error {
		_, err := d.clean(ctx, path, func(tx *sql.Tx) (Counts, error) { return deleteScope(ctx, tx, s) })
		return err
	})
	if err != nil {
		return fmt.Errorf("remove from the backups: %w", err)
	}
	if err := d.at("backups cleaned"); err != nil {
		return err
	}
	return d.strikeOff(ctx, s)
}

// writeDown keeps what is to be removed, and that it is never to come back.
func (d *DB) writeDown(tx *sql.Tx, s Scope) error {
	for _, id := range s.Customers {
		if _, err := tx.Exec("INSERT INTO erasures (kind, id) VALUES ('customer', ?) ON CONFLICT DO NOTHING", id); err != nil {
			return err
		}
	}
	for _, id := range s.Conversations {
		if _, err := tx.Exec("INSERT INTO erasures (kind, id) VALUES ('conversation', ?) ON CONFLICT DO NOTHING", id); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO erased (hash, at) VALUES (?, ?) ON CONFLICT DO NOTHING", hash(id), millis(d.clock())); err != nil {
			return err
		}
	}
	return nil
}

func (d *DB) strikeOff(ctx context.Context, s Scope) error {
	err := d.tx(ctx, "strike off a removal", func(tx *sql.Tx) error {
		for _, id := range slices.Concat(s.Customers, s.Conversations) {
			if _, err := tx.Exec("DELETE FROM erasures WHERE id = ?", id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.checkpoint(ctx)
}

// deleteScope deletes all rows of a scope, in a file of any version.
func deleteScope(ctx context.Context, tx *sql.Tx, s Scope) (Counts, error) {
	has, err := columnsOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	counts, tables := Counts{}, Schema()
	slices.Reverse(tables) // what refers to customers before the customers, so that all is counted
	for _, t := range tables {
		for column, ids := range map[string][]string{t.customer: s.Customers, t.conversation: s.Conversations} {
			if column == "" || !has[t.Name][column] {
				continue
			}
			for _, id := range ids {
				n, err := deleted(ctx, tx, fmt.Sprintf("DELETE FROM %s WHERE %s = ?", t.Name, column), id)
				if err != nil {
					return nil, err
				}
				counts.add(t.Name, n)
			}
		}
	}
	return counts, nil
}

// Purge removes whoever was last given service before a time, conversations and
// deliveries older than that, and logins that have expired; in backups, too, and
// whole backups that are older.
func (d *DB) Purge(ctx context.Context, before time.Time, others Others) (Counts, error) {
	d.maintain.Lock()
	defer d.maintain.Unlock()
	s, err := expired(ctx, d.sql, before)
	if err != nil {
		return nil, fmt.Errorf("purge: find what has had its time: %w", err)
	}
	counts, failed := d.remove(ctx, s, others)
	swept, err := d.cleanFile(ctx, d.sql, func(tx *sql.Tx) (Counts, error) { return d.sweep(ctx, tx, before) })
	n, backupsErr := d.purgeBackups(ctx, before)
	all := Counts{}
	all.Add(counts)
	all.Add(swept)
	all.add("backups", n)
	return all, errors.Join(failed, err, backupsErr)
}

// purgeBackups says how many backups it removed.
func (d *DB) purgeBackups(ctx context.Context, before time.Time) (n int, err error) {
	err = d.eachBackup(func(path string) error {
		if madeAt(path).Before(before) {
			n++
			return removeBackup(path)
		}
		_, err := d.clean(ctx, path, func(tx *sql.Tx) (Counts, error) {
			s, err := expired(ctx, tx, before)
			if err != nil {
				return nil, err
			}
			counts, err := deleteScope(ctx, tx, s)
			if err != nil {
				return nil, err
			}
			swept, err := d.sweep(ctx, tx, before)
			counts.Add(swept)
			return counts, err
		})
		return err
	})
	if err != nil {
		return n, fmt.Errorf("purge the backups: %w", err)
	}
	return n, nil
}

// expired finds customers without service since before, and old conversations. An
// appointment that is still to come is service.
func expired(ctx context.Context, q querier, before time.Time) (s Scope, err error) {
	s.Customers, err = strings1(ctx, q, `SELECT id FROM customers c WHERE last_service < ?
		AND NOT EXISTS (SELECT 1 FROM appointments WHERE customer = c.id AND state = 'booked' AND ends >= ?)`, millis(before), millis(before))
	if err == nil {
		s.Conversations, err = strings1(ctx, q, "SELECT id FROM conversations WHERE max(created, started, ended) < ?", millis(before))
	}
	return s, err
}

// sweep deletes old rows that are no one's, or of customers who came again.
func (d *DB) sweep(ctx context.Context, tx *sql.Tx, before time.Time) (Counts, error) {
	counts := Counts{}
	for _, s := range []struct {
		table, where string
		at           time.Time
	}{
		{"appointments", "ends < ?", before},
		{"deliveries", "at < ?", before},
		{"wishes", "asked < ?", before},
		{"erased", "at < ?", before},
		{"staff_sessions", "expires <= ?", d.clock()},
		{"enrolment_tokens", "expires < ?", d.clock().Add(-tokensKept)},
	} {
		n, err := deleted(ctx, tx, "DELETE FROM "+s.table+" WHERE "+s.where, millis(s.at))
		if err != nil {
			return nil, err
		}
		counts.add(s.table, n)
	}
	return counts, nil
}
