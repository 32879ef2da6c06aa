package records

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// querier is a database, or a transaction in it.
type querier interface {
	QueryContext(ctx context.Context, query string, arguments ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, arguments ...any) (sql.Result, error)
}

// strings1 reads a query of one text column.
func strings1(ctx context.Context, q querier, query string, arguments ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, query, arguments...)
	return collect(rows, err, func(row scanner) (s string, err error) { return s, row.Scan(&s) })
}

// deleted runs a DELETE and says how many rows it took.
func deleted(ctx context.Context, q querier, query string, arguments ...any) (int, error) {
	result, err := q.ExecContext(ctx, query, arguments...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

func list(columns []string) string { return strings.Join(columns, ", ") }

func pointers(values []int) []any {
	all := make([]any, len(values))
	for i := range values {
		all[i] = &values[i]
	}
	return all
}

func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// columnsOf returns the columns that a file has, by table: a backup may be of an
// older version.
func columnsOf(ctx context.Context, q querier) (map[string]map[string]bool, error) {
	rows, err := q.QueryContext(ctx, "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'")
	pairs, err := collect(rows, err, func(row scanner) (p [2]string, err error) { return p, row.Scan(&p[0], &p[1]) })
	all := map[string]map[string]bool{}
	for _, p := range pairs {
		if all[p[0]] == nil {
			all[p[0]] = map[string]bool{}
		}
		all[p[0]][p[1]] = true
	}
	return all, err
}
