package records

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// Delivery is what was sent of a conversation, to whom and when.
type Delivery struct {
	ID, Conversation, Customer string
	Items                      []string // IDs of photos and clips
	Mail                       string   // ID of the mail
	At                         time.Time
}

// AddDelivery takes down that something was sent. An empty ID is filled, a zero At
// is now. ErrErased: the conversation or the customer is gone.
func (d *DB) AddDelivery(ctx context.Context, v Delivery) error {
	if v.ID == "" {
		v.ID = NewID()
	}
	if v.At.IsZero() {
		v.At = d.clock()
	}
	items, err := json.Marshal(v.Items)
	if err != nil {
		return err
	}
	return d.tx(ctx, "take down a delivery", func(tx *sql.Tx) error {
		if gone, err := erased(tx, Conversation{ID: v.Conversation, Customer: v.Customer}); err != nil || gone {
			return errOr(err, ErrErased)
		}
		_, err := tx.Exec("INSERT INTO deliveries (id, conversation, customer, items, mail, at) VALUES (?, ?, ?, ?, ?, ?)",
			v.ID, v.Conversation, v.Customer, string(items), v.Mail, millis(v.At))
		return err
	})
}

// Sent says whether something of a conversation was sent, or is about to be.
func (d *DB) Sent(ctx context.Context, conversation string) (sent bool, err error) {
	err = d.sql.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM deliveries WHERE conversation = ?) OR EXISTS (SELECT 1 FROM wishes WHERE conversation = ?)",
		conversation, conversation).Scan(&sent)
	return sent, err
}

// Deliveries returns what was sent since from, the latest first.
func (d *DB) Deliveries(ctx context.Context, from time.Time) ([]Delivery, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT id, conversation, customer, items, mail, at FROM deliveries WHERE at >= ? ORDER BY at DESC, id", millis(from))
	return collect(rows, err, func(row scanner) (v Delivery, err error) {
		var items string
		var at int64
		if err := row.Scan(&v.ID, &v.Conversation, &v.Customer, &items, &v.Mail, &at); err != nil {
			return v, err
		}
		v.At = fromMillis(at)
		return v, json.Unmarshal([]byte(items), &v.Items)
	})
}
