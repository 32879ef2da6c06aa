package records

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// block is how many conversations a figure is of at least. Figures are shown in
// blocks, and not only from ten on: between what is shown with eleven and with ten
// there would be one person.
//
// A block that is not full yet has no week, and is shown to nobody; the one that
// fills it moves it to the week of that moment. So no row that is shown, and no
// difference of two, is of fewer. There is no time and no order in them, and
// nothing of a conversation but that it was rated.
const block = 10

// Ratings are thumbs.
type Ratings struct{ Up, Down int }

// Usage is what conversations were.
type Usage struct {
	Conversations int
	Duration      time.Duration
	Photos, Clips int
}

// Rate counts a thumb. ErrRated: the conversation has given its one. The log is
// emptied after it: there both would stand side by side, which conversation was
// rated and how.
func (d *DB) Rate(ctx context.Context, conversation string, up bool) error {
	err := d.tx(ctx, "rate a conversation", func(tx *sql.Tx) error {
		c, err := scanConversation(tx.QueryRow("SELECT "+conversationColumns+" FROM conversations WHERE id = ?", conversation))
		if err != nil {
			return err
		}
		if c.Rated {
			return ErrRated
		}
		if _, err := tx.Exec("UPDATE conversations SET rated = 1 WHERE id = ?", conversation); err != nil {
			return err
		}
		thumbs := [2]int{0, 1}
		if up {
			thumbs = [2]int{1, 0}
		}
		return d.count(tx, "ratings", "up + down", c.Showroom, []string{"up", "down"}, thumbs[0], thumbs[1])
	})
	if err != nil {
		return err
	}
	// The thumb is counted: what is left in the log goes with the next one's.
	if err := d.checkpoint(context.WithoutCancel(ctx)); err != nil {
		d.log.Error("after a rating", "error", err)
	}
	return nil
}

// CountUsage adds what a conversation was, once it has ended.
func (d *DB) CountUsage(ctx context.Context, showroom string, u Usage) error {
	return d.tx(ctx, "count usage", func(tx *sql.Tx) error {
		return d.count(tx, "usage", "conversations", showroom, []string{"conversations", "seconds", "photos", "clips"},
			u.Conversations, int(u.Duration.Seconds()), u.Photos, u.Clips)
	})
}

// count adds to the block that is not full; size is how many conversations it has.
func (d *DB) count(tx *sql.Tx, table, size, showroom string, columns []string, values ...int) error {
	if err := add(tx, table, showroom, "", columns, values); err != nil {
		return err
	}
	row := tx.QueryRow(fmt.Sprintf("SELECT %s FROM %s WHERE showroom = ? AND week = '' AND %s >= ?", list(columns), table, size), showroom, block)
	full := make([]int, len(columns))
	if err := row.Scan(pointers(full)...); err != nil {
		return ignoreNoRows(err)
	}
	if _, err := tx.Exec("DELETE FROM "+table+" WHERE showroom = ? AND week = ''", showroom); err != nil {
		return err
	}
	year, week := d.clock().UTC().ISOWeek()
	return add(tx, table, showroom, fmt.Sprintf("%04d-W%02d", year, week), columns, full)
}

func add(tx *sql.Tx, table, showroom, week string, columns []string, values []int) error {
	query := fmt.Sprintf("INSERT INTO %s (showroom, week, %s) VALUES (?, ?", table, list(columns))
	arguments := []any{showroom, week}
	for _, v := range values {
		query += ", ?"
		arguments = append(arguments, v)
	}
	query += ") ON CONFLICT DO UPDATE SET "
	for i, c := range columns {
		if i > 0 {
			query += ", "
		}
		query += fmt.Sprintf("%[1]s = %[1]s + excluded.%[1]s", c)
	}
	_, err := tx.Exec(query, arguments...)
	return err
}

// Ratings returns the thumbs of a showroom's full blocks; ok is false while there
// is none.
func (d *DB) Ratings(ctx context.Context, showroom string) (r Ratings, ok bool, err error) {
	err = d.sql.QueryRowContext(ctx, "SELECT coalesce(sum(up), 0), coalesce(sum(down), 0) FROM ratings WHERE showroom = ? AND week <> ''", showroom).Scan(&r.Up, &r.Down)
	return r, r.Up+r.Down >= block, err
}

// Usage returns the figures of a showroom's full blocks; ok is false while there
// is none.
func (d *DB) Usage(ctx context.Context, showroom string) (u Usage, ok bool, err error) {
	var seconds int64
	err = d.sql.QueryRowContext(ctx, `SELECT coalesce(sum(conversations), 0), coalesce(sum(seconds), 0), coalesce(sum(photos), 0), coalesce(sum(clips), 0)
		FROM usage WHERE showroom = ? AND week <> ''`, showroom).Scan(&u.Conversations, &seconds, &u.Photos, &u.Clips)
	u.Duration = time.Duration(seconds) * time.Second
	return u, u.Conversations >= block, err
}
