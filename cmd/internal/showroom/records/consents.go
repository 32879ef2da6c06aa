package records

import (
	"context"
	"crypto/rand"
	"database/sql"
)

// Marketing is the purpose of a consent to e-mail beyond what was asked for.
const Marketing = "marketing"

// GiveConsent takes down a consent and returns the token that confirms and withdraws
// it. Only its hash is stored. It is none until it is confirmed: whoever gave it may
// have typed somebody else's address.
func (d *DB) GiveConsent(ctx context.Context, customer, purpose, textVersion, locale string) (token string, err error) {
	token = rand.Text()
	err = d.tx(ctx, "take down a consent", func(tx *sql.Tx) error {
		var known bool
		if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM customers WHERE id = ?)", customer).Scan(&known); err != nil || !known {
			return errOr(err, ErrNotFound)
		}
		_, err := tx.Exec("INSERT INTO consents (id, customer, purpose, text_version, locale, given, confirmed, withdrawn, token_hash) VALUES (?, ?, ?, ?, ?, ?, 0, 0, ?)",
			NewID(), customer, purpose, textVersion, locale, millis(d.clock()), hash(token))
		return err
	})
	return token, err
}

// ConfirmConsent makes a consent good: whoever has the token has read the mail.
// already says that it was. ErrState: it has been withdrawn. ErrNotFound: no such
// token, or the customer is gone and the consent with them.
func (d *DB) ConfirmConsent(ctx context.Context, token string) (already bool, err error) {
	err = d.tx(ctx, "confirm a consent", func(tx *sql.Tx) error {
		var confirmed, withdrawn int64
		if err := oneRow(tx.QueryRow("SELECT confirmed, withdrawn FROM consents WHERE token_hash = ?", hash(token)).Scan(&confirmed, &withdrawn)); err != nil {
			return err
		}
		if withdrawn != 0 {
			return ErrState
		}
		if already = confirmed != 0; already {
			return nil
		}
		_, err := tx.Exec("UPDATE consents SET confirmed = ? WHERE token_hash = ?", millis(d.clock()), hash(token))
		return err
	})
	return already, err
}

// WithdrawConsent withdraws what a token was given for, and whatever else its
// customer agreed to for the same purpose: any link of any mail ends it. already
// says that nothing was left to withdraw. ErrNotFound: no such token, or the
// customer is gone and the consent with them.
func (d *DB) WithdrawConsent(ctx context.Context, token string) (purpose string, already bool, err error) {
	err = d.tx(ctx, "withdraw a consent", func(tx *sql.Tx) error {
		var customer string
		if err := oneRow(tx.QueryRow("SELECT customer, purpose FROM consents WHERE token_hash = ?", hash(token)).Scan(&customer, &purpose)); err != nil {
			return err
		}
		result, err := tx.Exec("UPDATE consents SET withdrawn = ? WHERE customer = ? AND purpose = ? AND withdrawn = 0", millis(d.clock()), customer, purpose)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		already = n == 0
		return err
	})
	return purpose, already, err
}
