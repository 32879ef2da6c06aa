package records

import (
	"context"
	"database/sql"
	_ "embed" // the schema
	"fmt"
)

//go:embed schema/1.sql
var schema1 string

// migrations are the steps from one version to the next; the first makes an empty
// file version 1. A step that was released is never changed. What a purge and an
// erasure look at in backups (see remove.go) keeps its name and meaning.
func migrations() []string { return []string{schema1} }

// migrate brings the file to the newest version, each step whole or not at all.
func (d *DB) migrate(steps []string) error {
	var version int
	if err := d.sql.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(steps) {
		return &VersionError{version, len(steps)}
	}
	if version > 0 && version < len(steps) {
		path, err := d.backup(context.Background())
		if err != nil {
			return fmt.Errorf("back up before the migration from version %d: %w", version, err)
		}
		d.log.Info("backed up the records before a migration", "path", path, "from", version, "to", len(steps))
	}
	for ; version < len(steps); version++ {
		err := d.tx(context.Background(), fmt.Sprintf("migrate to version %d", version+1), func(tx *sql.Tx) error {
			if _, err := tx.Exec(steps[version]); err != nil {
				return err
			}
			_, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", version+1))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// VersionError is a file that a newer program made.
type VersionError struct{ Version, Known int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("the file is of version %d, this program knows %d", e.Version, e.Known)
}

// Hint says what to do about it.
func (e *VersionError) Hint() string {
	return "run the newer showroom, or put the backup of that version in its place"
}
