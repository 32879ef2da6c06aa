package records

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrSerial says that a bundle's serial is not above all before.
var ErrSerial = errors.New("the serial is not higher than all before")

// FleetBundle is a signed configuration, and how its rollout goes: JSON that the
// fleet's service reads.
type FleetBundle struct {
	Serial         uint64
	Content        string
	Envelope       []byte
	Author, Reason string
	Created        time.Time
	Rollout        string
}

// FleetDevice is what a device has told of itself, as JSON and YAML, and its labels.
type FleetDevice struct {
	Device                                         string
	Labels, Report, Effective, Base, Health, Model string
	Seen                                           time.Time
}

// FleetManager may change the fleet's configuration.
type FleetManager struct {
	Name             string
	Created, Revoked time.Time
}

// FleetEntry is one of the audit.
type FleetEntry struct {
	Seq                         uint64
	At                          time.Time
	Who, Action, Object, Reason string
	Hash                        string
}

const fleetBundleColumns = "serial, content, envelope, author, reason, created, rollout"

func scanFleetBundle(row scanner) (b FleetBundle, err error) {
	var created, serial int64
	err = oneRow(row.Scan(&serial, &b.Content, &b.Envelope, &b.Author, &b.Reason, &created, &b.Rollout))
	b.Serial, b.Created = uint64(serial), fromMillis(created)
	return b, err
}

// AddFleetBundle takes down a bundle with an entry of the audit; ErrSerial when its
// serial is not above all before.
func (d *DB) AddFleetBundle(ctx context.Context, b FleetBundle, e FleetEntry) error {
	return d.tx(ctx, "take down a bundle", func(tx *sql.Tx) error {
		var highest sql.NullInt64
		if err := tx.QueryRow("SELECT MAX(serial) FROM fleet_bundles").Scan(&highest); err != nil {
			return err
		}
		if b.Serial <= uint64(highest.Int64) {
			return ErrSerial
		}
		_, err := tx.Exec("INSERT INTO fleet_bundles ("+fleetBundleColumns+") VALUES (?, ?, ?, ?, ?, ?, ?)",
			int64(b.Serial), b.Content, b.Envelope, b.Author, b.Reason, millis(b.Created), b.Rollout)
		if err != nil {
			return err
		}
		return audit(ctx, tx, e)
	})
}

// FleetBundles returns all, the oldest first.
func (d *DB) FleetBundles(ctx context.Context) ([]FleetBundle, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT "+fleetBundleColumns+" FROM fleet_bundles ORDER BY serial")
	return collect(rows, err, scanFleetBundle)
}

// SetFleetRollout keeps how a rollout goes, with an entry of the audit where somebody
// or something has decided it; nil is none.
func (d *DB) SetFleetRollout(ctx context.Context, serial uint64, rollout string, e *FleetEntry) error {
	return d.tx(ctx, "keep a rollout", func(tx *sql.Tx) error {
		result, err := tx.Exec("UPDATE fleet_bundles SET rollout = ? WHERE serial = ?", rollout, int64(serial))
		if err := oneChanged(result, err); err != nil || e == nil {
			return err
		}
		return audit(ctx, tx, *e)
	})
}

const fleetDeviceColumns = "device, labels, report, effective, base, health, model, seen"

// FleetDevices returns all that have told anything or have labels.
func (d *DB) FleetDevices(ctx context.Context) ([]FleetDevice, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT "+fleetDeviceColumns+" FROM fleet_devices")
	return collect(rows, err, func(row scanner) (v FleetDevice, err error) {
		var seen int64
		err = row.Scan(&v.Device, &v.Labels, &v.Report, &v.Effective, &v.Base, &v.Health, &v.Model, &seen)
		v.Seen = fromMillis(seen)
		return v, err
	})
}

// SetFleetDevices keeps what devices have told, all of it or nothing.
func (d *DB) SetFleetDevices(ctx context.Context, list []FleetDevice) error {
	return d.tx(ctx, "keep what devices tell", func(tx *sql.Tx) error {
		put, err := tx.Prepare("INSERT INTO fleet_devices (" + fleetDeviceColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device) DO UPDATE SET " +
			"labels = excluded.labels, report = excluded.report, effective = excluded.effective, base = excluded.base, health = excluded.health, model = excluded.model, seen = excluded.seen")
		if err != nil {
			return err
		}
		defer put.Close()
		for _, v := range list {
			if _, err := put.Exec(v.Device, v.Labels, v.Report, v.Effective, v.Base, v.Health, v.Model, millis(v.Seen)); err != nil {
				return err
			}
		}
		return nil
	})
}

// AddFleetManager takes down a manager with the hash of a token; ErrNameTaken.
func (d *DB) AddFleetManager(ctx context.Context, name, token string, e FleetEntry) error {
	return d.tx(ctx, "take down a manager", func(tx *sql.Tx) error {
		var revoked int64
		err := tx.QueryRow("SELECT revoked FROM fleet_managers WHERE name = ?", name).Scan(&revoked)
		switch {
		case err == nil && revoked == 0:
			return ErrNameTaken
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		}
		_, err = tx.Exec("INSERT OR REPLACE INTO fleet_managers (name, hash, created, revoked) VALUES (?, ?, ?, 0)", name, hash(token), millis(d.clock()))
		if err != nil {
			return err
		}
		return audit(ctx, tx, e)
	})
}

// RevokeFleetManager ends what a manager's token is good for; ErrNotFound.
func (d *DB) RevokeFleetManager(ctx context.Context, name string, e FleetEntry) error {
	return d.tx(ctx, "revoke a manager", func(tx *sql.Tx) error {
		result, err := tx.Exec("UPDATE fleet_managers SET revoked = ? WHERE name = ? AND revoked = 0", millis(d.clock()), name)
		if err := oneChanged(result, err); err != nil {
			return err
		}
		return audit(ctx, tx, e)
	})
}

// FleetManagers returns all by name, those too that are revoked.
func (d *DB) FleetManagers(ctx context.Context) ([]FleetManager, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT name, created, revoked FROM fleet_managers ORDER BY name")
	return collect(rows, err, func(row scanner) (m FleetManager, err error) {
		var created, revoked int64
		err = row.Scan(&m.Name, &created, &revoked)
		m.Created, m.Revoked = fromMillis(created), fromMillis(revoked)
		return m, err
	})
}

// FleetManagerOf returns whose token it is; ErrNotFound.
func (d *DB) FleetManagerOf(ctx context.Context, token string) (name string, err error) {
	err = oneRow(d.sql.QueryRowContext(ctx, "SELECT name FROM fleet_managers WHERE hash = ? AND revoked = 0", hash(token)).Scan(&name))
	return name, err
}

// Audit adds an entry. Nothing of the audit can be changed afterwards.
func (d *DB) Audit(ctx context.Context, e FleetEntry) error {
	return d.tx(ctx, "keep the audit", func(tx *sql.Tx) error { return audit(ctx, tx, e) })
}

// audit adds an entry behind the last one, whose hash goes into its own.
func audit(_ context.Context, tx *sql.Tx, e FleetEntry) error {
	var seq int64
	var last string
	err := ignoreNoRows(tx.QueryRow("SELECT seq, hash FROM fleet_audit ORDER BY seq DESC LIMIT 1").Scan(&seq, &last))
	if err != nil {
		return err
	}
	e.Seq = uint64(seq) + 1
	_, err = tx.Exec("INSERT INTO fleet_audit (seq, at, who, action, object, reason, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
		int64(e.Seq), millis(e.At), e.Who, e.Action, e.Object, e.Reason, e.chain(last))
	return err
}

// chain is an entry's hash, with that of the one before.
func (e FleetEntry) chain(before string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%d\n%d\n%q\n%q\n%q\n%q", before, e.Seq, millis(e.At), e.Who, e.Action, e.Object, e.Reason)
	return hex.EncodeToString(h.Sum(nil))
}

const auditColumns = "seq, at, who, action, object, reason, hash"

// FleetAudit returns entries behind a number, the oldest first, at most limit.
func (d *DB) FleetAudit(ctx context.Context, after uint64, limit int) ([]FleetEntry, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT "+auditColumns+" FROM fleet_audit WHERE seq > ? ORDER BY seq LIMIT ?", int64(after), limit)
	return collect(rows, err, readEntry)
}

// LastFleetAudit returns the newest entries, the oldest of them first.
func (d *DB) LastFleetAudit(ctx context.Context, limit int) ([]FleetEntry, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT "+auditColumns+" FROM fleet_audit ORDER BY seq DESC LIMIT ?", limit)
	entries, err := collect(rows, err, readEntry)
	slices.Reverse(entries)
	return entries, err
}

func readEntry(row scanner) (e FleetEntry, err error) {
	var seq, at int64
	err = row.Scan(&seq, &at, &e.Who, &e.Action, &e.Object, &e.Reason, &e.Hash)
	e.Seq, e.At = uint64(seq), fromMillis(at)
	return e, err
}

// VerifyAudit says whether entries follow each other: before is the hash of the one in
// front of them, or "" for the beginning. It returns the hash of the last one.
func VerifyAudit(before string, entries []FleetEntry) (last string, err error) {
	for i, e := range entries {
		if i > 0 && e.Seq != entries[i-1].Seq+1 || e.Hash != e.chain(before) {
			return before, fmt.Errorf("entry %d of the audit is not what was written", e.Seq)
		}
		before = e.Hash
	}
	return before, nil
}
