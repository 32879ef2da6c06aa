package records

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"time"
)

// What becomes of an enrolment.
var (
	ErrTokenUsed    = errors.New("the token has been used")
	ErrTokenExpired = errors.New("the token has expired")
	ErrTokenBound   = errors.New("the token is for a board with another serial number")
	ErrRevoked      = errors.New("the device is revoked")
)

// answerAgain is how long a board whose answer got lost may ask again with the same
// token and key. A used token is kept for tokensKept, so that it is told so.
const (
	answerAgain = 10 * time.Minute
	tokensKept  = 24 * time.Hour
)

// EnrolmentToken lets a board enrol, once.
type EnrolmentToken struct {
	ID                     string
	Name, Label            string // of the device that it makes
	Serial                 string // of the board that alone may use it; "" for any
	Created, Expires, Used time.Time
	Device                 string // that used it
}

// Device is a board that is enrolled. A name has one that is not revoked.
type Device struct {
	ID, Name, Label        string
	Serial, Model, Version string
	Key                    string // a hash of the public key
	Enrolled, Renewed      time.Time
	NotAfter               time.Time // of its newest certificate
	Revoked                time.Time
}

const (
	tokenColumns  = "id, name, label, serial, created, expires, used, device"
	deviceColumns = "id, name, label, serial, model, version, key_hash, enrolled, renewed, not_after, revoked"
)

func scanToken(row scanner) (t EnrolmentToken, err error) {
	var created, expires, used int64
	err = oneRow(row.Scan(&t.ID, &t.Name, &t.Label, &t.Serial, &created, &expires, &used, &t.Device))
	t.Created, t.Expires, t.Used = fromMillis(created), fromMillis(expires), fromMillis(used)
	return t, err
}

func scanDevice(row scanner) (v Device, err error) {
	var enrolled, renewed, notAfter, revoked int64
	err = oneRow(row.Scan(&v.ID, &v.Name, &v.Label, &v.Serial, &v.Model, &v.Version, &v.Key, &enrolled, &renewed, &notAfter, &revoked))
	v.Enrolled, v.Renewed, v.NotAfter, v.Revoked = fromMillis(enrolled), fromMillis(renewed), fromMillis(notAfter), fromMillis(revoked)
	return v, err
}

// AddEnrolmentToken takes down a token; t.Created is now. Of the secret only the
// hash is stored.
func (d *DB) AddEnrolmentToken(ctx context.Context, t EnrolmentToken, secret string) error {
	return d.tx(ctx, "take down an enrolment token", func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO enrolment_tokens ("+tokenColumns+", secret_hash) VALUES (?, ?, ?, ?, ?, ?, 0, '', ?)",
			t.ID, t.Name, t.Label, t.Serial, millis(d.clock()), millis(t.Expires), hash(secret))
		return err
	})
}

// EnrolmentTokens returns all, the oldest first.
func (d *DB) EnrolmentTokens(ctx context.Context) ([]EnrolmentToken, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT "+tokenColumns+" FROM enrolment_tokens ORDER BY created, id")
	return collect(rows, err, scanToken)
}

// DropEnrolmentToken removes a token; ErrNotFound. The device that used it stays.
func (d *DB) DropEnrolmentToken(ctx context.Context, id string) error {
	result, err := d.sql.ExecContext(ctx, "DELETE FROM enrolment_tokens WHERE id = ?", id)
	return oneChanged(result, err)
}

// Enrol uses a token for a board, of which Serial, Model, Version and Key are given.
// The device that had the name before is revoked: replaced is its ID, or "".
// ErrNotFound: no such token, or another secret; ErrTokenUsed, ErrTokenExpired and
// ErrTokenBound leave everything as it was. The same key again, shortly after, is the
// same device.
func (d *DB) Enrol(ctx context.Context, id, secret string, board Device) (device Device, replaced string, err error) {
	err = d.tx(ctx, "enrol a board", func(tx *sql.Tx) error {
		now := d.clock()
		t, err := tokenFor(tx, id, secret)
		if err != nil {
			return err
		}
		if !t.Used.IsZero() {
			device, err = enrolledAgain(tx, t, board.Key, now)
			return err
		}
		if !now.Before(t.Expires) {
			return ErrTokenExpired
		}
		if t.Serial != "" && t.Serial != board.Serial {
			return ErrTokenBound
		}
		device = board
		device.ID, device.Name, device.Label, device.Enrolled, device.Renewed = NewID(), t.Name, t.Label, now, now
		replaced, err = install(tx, device, t.ID, now)
		return err
	})
	return device, replaced, err
}

func tokenFor(tx *sql.Tx, id, secret string) (EnrolmentToken, error) {
	var stored string
	err := oneRow(tx.QueryRow("SELECT secret_hash FROM enrolment_tokens WHERE id = ?", id).Scan(&stored))
	if errors.Is(err, ErrNotFound) {
		stored = hash("") // as much work as for one that is known
	} else if err != nil {
		return EnrolmentToken{}, err
	}
	if subtle.ConstantTimeCompare([]byte(stored), []byte(hash(secret))) == 0 {
		return EnrolmentToken{}, ErrNotFound
	}
	return scanToken(tx.QueryRow("SELECT "+tokenColumns+" FROM enrolment_tokens WHERE id = ?", id))
}

func enrolledAgain(tx *sql.Tx, t EnrolmentToken, key string, now time.Time) (Device, error) {
	v, err := scanDevice(tx.QueryRow("SELECT "+deviceColumns+" FROM devices WHERE id = ?", t.Device))
	if err != nil {
		return Device{}, err
	}
	if v.Key != key || !v.Revoked.IsZero() || now.Sub(t.Used) > answerAgain {
		return Device{}, ErrTokenUsed
	}
	return v, nil
}

func install(tx *sql.Tx, v Device, token string, now time.Time) (replaced string, err error) {
	err = tx.QueryRow("UPDATE devices SET revoked = ? WHERE name = ? AND revoked = 0 RETURNING id", millis(now), v.Name).Scan(&replaced)
	if ignoreNoRows(err) != nil {
		return "", err
	}
	if _, err := tx.Exec("INSERT INTO devices ("+deviceColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)",
		v.ID, v.Name, v.Label, v.Serial, v.Model, v.Version, v.Key, millis(v.Enrolled), millis(v.Renewed)); err != nil {
		return "", err
	}
	_, err = tx.Exec("UPDATE enrolment_tokens SET used = ?, device = ? WHERE id = ?", millis(now), v.ID, token)
	return replaced, err
}

// Device returns a device by ID; ErrNotFound.
func (d *DB) Device(ctx context.Context, id string) (Device, error) {
	return scanDevice(d.sql.QueryRowContext(ctx, "SELECT "+deviceColumns+" FROM devices WHERE id = ?", id))
}

// DeviceNamed returns the device of a name that is not revoked; ErrNotFound.
func (d *DB) DeviceNamed(ctx context.Context, name string) (Device, error) {
	return scanDevice(d.sql.QueryRowContext(ctx, "SELECT "+deviceColumns+" FROM devices WHERE name = ? AND revoked = 0", name))
}

// Devices returns all by name, those that are revoked, too.
func (d *DB) Devices(ctx context.Context) ([]Device, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT "+deviceColumns+" FROM devices ORDER BY name, enrolled, id")
	return collect(rows, err, scanDevice)
}

// SetCertificate takes down that a device got a certificate. ErrRevoked, ErrNotFound.
func (d *DB) SetCertificate(ctx context.Context, id, key, version string, notAfter time.Time) error {
	return d.tx(ctx, "take down a device's certificate", func(tx *sql.Tx) error {
		v, err := scanDevice(tx.QueryRow("SELECT "+deviceColumns+" FROM devices WHERE id = ?", id))
		if err != nil {
			return err
		}
		if !v.Revoked.IsZero() {
			return ErrRevoked
		}
		if version == "" {
			version = v.Version
		}
		_, err = tx.Exec("UPDATE devices SET key_hash = ?, version = ?, renewed = ?, not_after = ? WHERE id = ?", key, version, millis(d.clock()), millis(notAfter), id)
		return err
	})
}

// RevokeDevice revokes a device by ID, or the one of a name, and returns it.
// ErrNotFound; one that is revoked already is ErrRevoked.
func (d *DB) RevokeDevice(ctx context.Context, who string) (v Device, err error) {
	err = d.tx(ctx, "revoke a device", func(tx *sql.Tx) error {
		v, err = scanDevice(tx.QueryRow("SELECT "+deviceColumns+" FROM devices WHERE id = ? OR name = ? ORDER BY revoked LIMIT 1", who, who))
		if err != nil {
			return err
		}
		if !v.Revoked.IsZero() {
			return ErrRevoked
		}
		v.Revoked = d.clock()
		_, err := tx.Exec("UPDATE devices SET revoked = ? WHERE id = ?", millis(v.Revoked), v.ID)
		return err
	})
	return v, err
}
