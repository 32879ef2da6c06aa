package records

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// Wish is what a customer asked to be sent of a conversation, until all of it has
// been.
type Wish struct {
	ID, Conversation, Customer string
	Items                      []string // IDs of photos and clips; none for all
	Mailed                     []string // those that have been sent
	Mails                      int      // how many mails that took
	Asked                      time.Time
	Name, Locale               string // as given for it, see Appointment
}

// SetWish stores a wish as it now is. ErrErased: the conversation or the customer
// is gone.
func (d *DB) SetWish(ctx context.Context, w Wish) error {
	items, err := json.Marshal(w.Items)
	if err != nil {
		return err
	}
	mailed, err := json.Marshal(w.Mailed)
	if err != nil {
		return err
	}
	return d.tx(ctx, "take down a wish", func(tx *sql.Tx) error {
		if gone, err := erased(tx, Conversation{ID: w.Conversation, Customer: w.Customer}); err != nil || gone {
			return errOr(err, ErrErased)
		}
		_, err := tx.Exec(`INSERT INTO wishes (id, conversation, customer, items, mailed, mails, asked, name, locale) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET mailed = excluded.mailed, mails = excluded.mails`,
			w.ID, w.Conversation, w.Customer, string(items), string(mailed), w.Mails, millis(w.Asked), w.Name, w.Locale)
		return err
	})
}

// DropWish removes a wish that is fulfilled.
func (d *DB) DropWish(ctx context.Context, id string) error {
	_, err := d.sql.ExecContext(ctx, "DELETE FROM wishes WHERE id = ?", id)
	return err
}

// Wishes returns all that is still to be sent, the oldest first.
func (d *DB) Wishes(ctx context.Context) ([]Wish, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT id, conversation, customer, items, mailed, mails, asked, name, locale FROM wishes ORDER BY asked, id")
	return collect(rows, err, func(row scanner) (w Wish, err error) {
		var items, mailed string
		var asked int64
		if err := row.Scan(&w.ID, &w.Conversation, &w.Customer, &items, &mailed, &w.Mails, &asked, &w.Name, &w.Locale); err != nil {
			return w, err
		}
		w.Asked = fromMillis(asked)
		if err := json.Unmarshal([]byte(items), &w.Items); err != nil {
			return w, err
		}
		return w, json.Unmarshal([]byte(mailed), &w.Mailed)
	})
}
