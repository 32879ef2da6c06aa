package records

import (
	"context"
	"time"
)

// Staff is somebody who may see the showroom's pages.
type Staff struct {
	Name     string
	Hash     string // argon2id of the password, in its usual text form
	Role     string
	Showroom string // the ID; may be empty
	Created  time.Time
}

const staffColumns = "name, hash, role, showroom, created"

func scanStaff(row scanner) (s Staff, err error) {
	var created int64
	err = oneRow(row.Scan(&s.Name, &s.Hash, &s.Role, &s.Showroom, &created))
	s.Created = fromMillis(created)
	return s, err
}

// StaffSession is a login.
type StaffSession struct {
	ID                     string // names it in a list; no secret
	Staff                  string
	Device                 string // the browser, in a few words; may be empty
	Created, Used, Expires time.Time
}

// AddStaff makes a login; s.Created is now. ErrNameTaken: the name has one.
func (d *DB) AddStaff(ctx context.Context, s Staff) error {
	result, err := d.sql.ExecContext(ctx, "INSERT INTO staff ("+staffColumns+") VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		s.Name, s.Hash, s.Role, s.Showroom, millis(d.clock()))
	if err := oneChanged(result, err); err == ErrNotFound {
		return ErrNameTaken
	} else if err != nil {
		return err
	}
	return nil
}

// Staff returns a login by name.
func (d *DB) Staff(ctx context.Context, name string) (Staff, error) {
	return scanStaff(d.sql.QueryRowContext(ctx, "SELECT "+staffColumns+" FROM staff WHERE name = ?", name))
}

// AllStaff returns all logins by name.
func (d *DB) AllStaff(ctx context.Context) ([]Staff, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT "+staffColumns+" FROM staff ORDER BY name")
	return collect(rows, err, scanStaff)
}

// SetStaffHash changes a password. Its sessions end by RevokeStaffSessions.
func (d *DB) SetStaffHash(ctx context.Context, name, passwordHash string) error {
	result, err := d.sql.ExecContext(ctx, "UPDATE staff SET hash = ? WHERE name = ?", passwordHash, name)
	return oneChanged(result, err)
}

// RemoveStaff removes a login and its sessions.
func (d *DB) RemoveStaff(ctx context.Context, name string) error {
	result, err := d.sql.ExecContext(ctx, "DELETE FROM staff WHERE name = ?", name)
	return oneChanged(result, err)
}

// AddStaffSession takes down a login's session. Of token only the hash is stored.
func (d *DB) AddStaffSession(ctx context.Context, token, name, device string, expires time.Time) (StaffSession, error) {
	now := d.clock()
	s := StaffSession{ID: NewID(), Staff: name, Device: device, Created: now, Used: now, Expires: expires}
	_, err := d.sql.ExecContext(ctx, "INSERT INTO staff_sessions ("+sessionColumns+", hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
		s.ID, name, device, millis(now), millis(now), millis(expires), hash(token))
	return s, err
}

// UseStaffSession says that a session was used now.
func (d *DB) UseStaffSession(ctx context.Context, id string) error {
	_, err := d.sql.ExecContext(ctx, "UPDATE staff_sessions SET used = ? WHERE id = ?", millis(d.clock()), id)
	return err
}

const sessionColumns = "id, staff, device, created, used, expires"

func scanSession(row scanner) (s StaffSession, err error) {
	var created, used, expires int64
	err = oneRow(row.Scan(&s.ID, &s.Staff, &s.Device, &created, &used, &expires))
	s.Created, s.Used, s.Expires = fromMillis(created), fromMillis(used), fromMillis(expires)
	return s, err
}

// StaffSession returns the session of a token. ErrNotFound also where it has
// expired or was revoked.
func (d *DB) StaffSession(ctx context.Context, token string) (StaffSession, error) {
	return scanSession(d.sql.QueryRowContext(ctx, "SELECT "+sessionColumns+" FROM staff_sessions WHERE hash = ? AND expires > ?", hash(token), millis(d.clock())))
}

// StaffSessions returns all sessions that hold, the latest first.
func (d *DB) StaffSessions(ctx context.Context) ([]StaffSession, error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT "+sessionColumns+" FROM staff_sessions WHERE expires > ? ORDER BY created DESC, id", millis(d.clock()))
	return collect(rows, err, scanSession)
}

// RevokeStaffSession ends a session by its ID.
func (d *DB) RevokeStaffSession(ctx context.Context, id string) error {
	result, err := d.sql.ExecContext(ctx, "DELETE FROM staff_sessions WHERE id = ?", id)
	return oneChanged(result, err)
}

// RevokeStaffSessions ends all sessions of a login.
func (d *DB) RevokeStaffSessions(ctx context.Context, name string) error {
	_, err := d.sql.ExecContext(ctx, "DELETE FROM staff_sessions WHERE staff = ?", name)
	return err
}
