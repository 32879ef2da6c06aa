package records

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// Customer is somebody who booked, or asked for photos.
type Customer struct {
	ID, Name, Email, Phone, Locale string
	Created, LastService           time.Time // the retention counts from LastService
}

const customerColumns = "id, name, email, phone, locale, created, last_service"

func scanCustomer(row scanner) (c Customer, err error) {
	var created, last int64
	err = oneRow(row.Scan(&c.ID, &c.Name, &c.Email, &c.Phone, &c.Locale, &created, &last))
	c.Created, c.LastService = fromMillis(created), fromMillis(last)
	return c, err
}

// emailKey makes two spellings of an address one customer.
func emailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// customerOf finds the customer of an address, or makes one of what c says. Service is
// given now. One who is known stays as known: whoever types an address need not be who
// it belongs to.
func (d *DB) customerOf(tx *sql.Tx, c Customer) (Customer, error) {
	key, now := emailKey(c.Email), d.clock()
	if key == "" {
		return Customer{}, errors.New("a customer needs an e-mail address")
	}
	old, err := scanCustomer(tx.QueryRow("SELECT "+customerColumns+" FROM customers WHERE email_key = ?", key))
	if errors.Is(err, ErrNotFound) {
		c.ID, c.Email, c.Created, c.LastService = NewID(), strings.TrimSpace(c.Email), now, now
		_, err = tx.Exec("INSERT INTO customers (id, name, email, email_key, phone, locale, created, last_service) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			c.ID, c.Name, c.Email, key, c.Phone, c.Locale, millis(now), millis(now))
	} else if err == nil {
		_, err = tx.Exec("UPDATE customers SET last_service = max(last_service, ?) WHERE id = ?", millis(now), old.ID)
		c.ID = old.ID
	}
	if err != nil {
		return Customer{}, err
	}
	return scanCustomer(tx.QueryRow("SELECT "+customerColumns+" FROM customers WHERE id = ?", c.ID))
}

// Customer returns a customer by ID.
func (d *DB) Customer(ctx context.Context, id string) (Customer, error) {
	return scanCustomer(d.sql.QueryRowContext(ctx, "SELECT "+customerColumns+" FROM customers WHERE id = ?", id))
}

// SetCustomer takes down who is to get something of a conversation, and returns
// the customer of that address. The conversation becomes that customer's where it
// is nobody's yet: one that was booked stays with who booked it.
func (d *DB) SetCustomer(ctx context.Context, conversation string, c Customer) (Customer, error) {
	err := d.tx(ctx, "set the customer of a conversation", func(tx *sql.Tx) (err error) {
		if c, err = d.customerOf(tx, c); err != nil {
			return err
		}
		result, err := tx.Exec("UPDATE conversations SET customer = coalesce(customer, ?) WHERE id = ?", c.ID, conversation)
		return oneChanged(result, err)
	})
	return c, err
}

// oneChanged makes a change of nothing ErrNotFound.
func oneChanged(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return ErrNotFound
}
