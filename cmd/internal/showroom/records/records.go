// Package records is what the endpoint remembers of conversations: customers,
// appointments, consents, what was sent, and who works there, in one SQLite file
// of the data directory. It has no network and sends nothing.
//
// Each table and column has its purpose beside it, in describe.go. Whoever is
// removed is removed from the file, from its free pages, from its log and from
// the backups; a crash in the middle is finished at the next start. Ratings and
// usage are counted without anything that leads back to a conversation.
//
// In the data directory, readable by its owner only:
//
//	showroom.db, showroom.db-wal, showroom.db-shm
//	backups/showroom-TIME-vVERSION.db
package records

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // database/sql knows it as "sqlite"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

// What a caller decides something with.
var (
	ErrNotFound  = errors.New("not found")
	ErrTaken     = errors.New("the slot is taken")
	ErrState     = errors.New("the appointment is not booked any more")
	ErrRated     = errors.New("the conversation is rated already")
	ErrErased    = errors.New("the conversation was erased")
	ErrNameTaken = errors.New("the name has a login already")
)

// Config is what a database is made of. Zero means the default.
type Config struct {
	Dir   string           // the data directory; needed, and there
	Clock func() time.Time // default time.Now
	Log   *slog.Logger     // default: none
}

// DB is the open database. Its methods may be called from any goroutine.
type DB struct {
	dir   string
	clock func() time.Time
	log   *slog.Logger
	lock  *os.File // of the backups' directory, and by it of all
	sql   *sql.DB  // of one connection: the writers wait in line, and nothing is ever busy

	maintain sync.Mutex // one backup, erasure or purge at a time

	fault func(step string) error // of tests: what happens at a step; nil for nothing
}

const (
	fileName   = "showroom.db"
	backupsDir = "backups"
)

// Open takes up the database of a data directory, makes it when it is missing,
// and migrates it when it is of an older version, after a backup. It starts
// nothing; Close is owed.
func Open(cfg Config) (*DB, error) {
	return openWith(cfg, migrations())
}

func openWith(cfg Config, steps []string) (_ *DB, err error) {
	d := &DB{dir: cfg.Dir, clock: cfg.Clock, log: cfg.Log}
	if d.clock == nil {
		d.clock = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the records in %s: %w", cfg.Dir, err), d.Close())
		}
	}()
	if err := d.prepare(); err != nil {
		return nil, err
	}
	if d.sql, err = openFile(d.path(), "WAL"); err != nil {
		return nil, err
	}
	if err := d.migrate(steps); err != nil {
		return nil, err
	}
	// What the last process deleted and had no time to take out of the log.
	if err := d.checkpoint(context.Background()); err != nil {
		return nil, err
	}
	return d, nil
}

// prepare locks the directory and makes what SQLite would make for all to read.
func (d *DB) prepare() error {
	backups := filepath.Join(d.dir, backupsDir)
	if err := os.Mkdir(backups, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	var err error
	if d.lock, err = directory.Lock(backups); err != nil {
		return err
	}
	file, err := os.OpenFile(d.path(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Close(), directory.Sync(d.dir)); err != nil {
		return err
	}
	return d.removeLeftovers()
}

// openFile opens a database file with one connection.
//
//   - secure_delete overwrites what is deleted
//   - synchronous FULL: what was answered for is on the disk
//   - temp_store MEMORY: VACUUM would copy everybody to a file in /tmp
func openFile(path, journal string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(" + journal + ")", "synchronous(FULL)", "foreign_keys(ON)", "secure_delete(ON)", "temp_store(MEMORY)",
	}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: absolute, RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := db.Ping(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (d *DB) path() string { return filepath.Join(d.dir, fileName) }

// Close gives the directory free. It may be called more than once.
func (d *DB) Close() error {
	var err error
	if d.sql != nil {
		err = d.sql.Close()
	}
	if d.lock != nil {
		if closed := d.lock.Close(); !errors.Is(closed, fs.ErrClosed) {
			err = errors.Join(err, closed)
		}
	}
	return err
}

// tx does all of it or nothing. SQLite has one writer: what is read inside stays
// true until the end.
func (d *DB) tx(ctx context.Context, what string, do func(*sql.Tx) error) error {
	return inTx(ctx, d.sql, what, do)
}

func inTx(ctx context.Context, db *sql.DB, what string, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer tx.Rollback() // after a commit it does nothing
	if err := do(tx); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// at is called wherever a crash would matter.
func (d *DB) at(step string) error {
	if d.fault == nil {
		return nil
	}
	return d.fault(step)
}

// NewID returns 128 random bits as 26 characters a-z and 2-7.
func NewID() string { return strings.ToLower(rand.Text()) }

// hash is what is stored of a secret.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// millis is a time as it is stored; 0 is none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// scanner is a row, or one of many.
type scanner interface{ Scan(dest ...any) error }

// oneRow makes no row ErrNotFound.
func oneRow(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// collect reads all rows of a query.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
