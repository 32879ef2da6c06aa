package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// checkpoint empties the log, in which pages stay as they were before.
func (d *DB) checkpoint(ctx context.Context) error { return checkpoint(ctx, d.sql) }

func checkpoint(ctx context.Context, db *sql.DB) error {
	var busy, log, done int
	if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done); err != nil {
		return fmt.Errorf("empty the log of the records: %w", err)
	}
	if busy != 0 {
		return errors.New("empty the log of the records: somebody reads it")
	}
	return nil
}

// scrub takes what was deleted out of the file. secure_delete has overwritten the
// rows, but not what moved inside a page before: VACUUM writes every page anew.
func (d *DB) scrub(ctx context.Context) error { return scrub(ctx, d.sql) }

func scrub(ctx context.Context, db *sql.DB) error {
	if err := checkpoint(ctx, db); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM"); err != nil {
		return fmt.Errorf("write the records anew: %w", err)
	}
	return checkpoint(ctx, db)
}

// clean deletes in a backup.
func (d *DB) clean(ctx context.Context, path string, remove func(*sql.Tx) (Counts, error)) (Counts, error) {
	db, err := openFile(path, "DELETE")
	if err != nil {
		return nil, err
	}
	counts, err := d.cleanFile(ctx, db, remove)
	return counts, errors.Join(err, db.Close())
}

// cleanFile deletes and scrubs. A mark in the file says that it is to be scrubbed,
// so that the next call does it where a crash came between.
func (d *DB) cleanFile(ctx context.Context, db *sql.DB, remove func(*sql.Tx) (Counts, error)) (Counts, error) {
	var counts Counts
	var marked bool
	err := inTx(ctx, db, "remove rows", func(tx *sql.Tx) (err error) {
		if counts, err = remove(tx); err != nil {
			return err
		}
		if counts.Total() > 0 {
			if _, err := tx.Exec("INSERT INTO erasures (kind, id) VALUES ('sweep', '') ON CONFLICT DO NOTHING"); err != nil {
				return err
			}
		}
		return tx.QueryRow("SELECT EXISTS (SELECT 1 FROM erasures WHERE kind = 'sweep')").Scan(&marked)
	})
	if err != nil || !marked {
		return counts, err
	}
	if err := d.at("file marked"); err != nil {
		return nil, err
	}
	if err := scrub(ctx, db); err != nil {
		return nil, err
	}
	if err := d.at("file scrubbed"); err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, "DELETE FROM erasures WHERE kind = 'sweep'")
	return counts, err
}
