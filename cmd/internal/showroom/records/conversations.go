package records

import (
	"context"
	"database/sql"
	"time"
)

// Conversation is a talk between a customer and who wears the glasses.
type Conversation struct {
	ID, Showroom, Glasses, Appointment, Customer, Locale string
	Created, Started, Ended                              time.Time
	State, Reason, Kind                                  string
	Rated                                                bool // read only, see Rate
}

const conversationColumns = "id, showroom, glasses, appointment, coalesce(customer, ''), locale, created, started, ended, state, reason, kind, rated"

func scanConversation(row scanner) (c Conversation, err error) {
	var created, started, ended int64
	err = oneRow(row.Scan(&c.ID, &c.Showroom, &c.Glasses, &c.Appointment, &c.Customer, &c.Locale, &created, &started, &ended,
		&c.State, &c.Reason, &c.Kind, &c.Rated))
	c.Created, c.Started, c.Ended = fromMillis(created), fromMillis(started), fromMillis(ended)
	return c, err
}

// SaveConversation stores a conversation as it now is. Its customer is given
// service by it, and stays when c has none. ErrErased: it, or its customer, was
// erased meanwhile, and nothing is stored.
func (d *DB) SaveConversation(ctx context.Context, c Conversation) error {
	return d.tx(ctx, "save a conversation", func(tx *sql.Tx) error {
		if gone, err := erased(tx, c); err != nil || gone {
			return errOr(err, ErrErased)
		}
		_, err := tx.Exec(`INSERT INTO conversations (id, showroom, glasses, appointment, customer, locale, created, started, ended, state, reason, kind, rated)
			VALUES (?, ?, ?, ?, nullif(?, ''), ?, ?, ?, ?, ?, ?, ?, 0)
			ON CONFLICT (id) DO UPDATE SET showroom = excluded.showroom, glasses = excluded.glasses, appointment = excluded.appointment,
				customer = coalesce(excluded.customer, customer), locale = excluded.locale, created = excluded.created, started = excluded.started,
				ended = excluded.ended, state = excluded.state, reason = excluded.reason, kind = excluded.kind`,
			c.ID, c.Showroom, c.Glasses, c.Appointment, c.Customer, c.Locale, millis(c.Created), millis(c.Started), millis(c.Ended), c.State, c.Reason, c.Kind)
		if err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE customers SET last_service = max(last_service, ?) WHERE id = (SELECT customer FROM conversations WHERE id = ?)",
			max(millis(c.Created), millis(c.Started), millis(c.Ended)), c.ID)
		return err
	})
}

// erased says whether a conversation, or its customer, is gone for good.
func erased(tx *sql.Tx, c Conversation) (gone bool, err error) {
	err = tx.QueryRow("SELECT EXISTS (SELECT 1 FROM erased WHERE hash = ?) OR (? <> '' AND NOT EXISTS (SELECT 1 FROM customers WHERE id = ?))",
		hash(c.ID), c.Customer, c.Customer).Scan(&gone)
	return gone, err
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// Erased says whether a conversation was erased: what still arrives of it is not
// to be stored.
func (d *DB) Erased(ctx context.Context, conversation string) (gone bool, err error) {
	err = d.sql.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM erased WHERE hash = ?)", hash(conversation)).Scan(&gone)
	return gone, err
}

// Conversation returns a conversation by ID.
func (d *DB) Conversation(ctx context.Context, id string) (Conversation, error) {
	return scanConversation(d.sql.QueryRowContext(ctx, "SELECT "+conversationColumns+" FROM conversations WHERE id = ?", id))
}

// OpenConversations returns those that have not ended.
func (d *DB) OpenConversations(ctx context.Context) ([]Conversation, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT "+conversationColumns+" FROM conversations WHERE ended = 0 ORDER BY created, id")
	return collect(rows, err, scanConversation)
}
