package records

import (
	"context"
	"fmt"
	"time"
)

// Export is all that is stored of a customer, by table; what opens something, as
// hashes of codes, is left out.
type Export struct {
	Scope  Scope                       `json:"-"` // whose photos, clips and mail belong to it
	Tables map[string][]map[string]any `json:"tables"`
}

// Export returns what is stored of who, an ID or an e-mail address. ErrNotFound:
// nobody is known by that.
func (d *DB) Export(ctx context.Context, who string) (Export, error) {
	s, err := d.Find(ctx, who)
	if err != nil {
		return Export{}, err
	}
	e := Export{Scope: s, Tables: map[string][]map[string]any{}}
	for _, t := range Schema() {
		if t.customer == "" {
			continue
		}
		for _, id := range s.Customers {
			rows, err := d.exportRows(ctx, t, id)
			if err != nil {
				return Export{}, fmt.Errorf("export %s: %w", t.Name, err)
			}
			e.Tables[t.Name] = append(e.Tables[t.Name], rows...)
		}
	}
	return e, nil
}

func (d *DB) exportRows(ctx context.Context, t Table, customer string) ([]map[string]any, error) {
	var columns []Column
	var names []string
	for _, c := range t.Columns {
		if !c.secret {
			columns, names = append(columns, c), append(names, c.Name)
		}
	}
	rows, err := d.sql.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE %s = ?", list(names), t.Name, t.customer), customer)
	return collect(rows, err, func(row scanner) (map[string]any, error) {
		values := make([]any, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := row.Scan(targets...); err != nil {
			return nil, err
		}
		return asMap(columns, values), nil
	})
}

func asMap(columns []Column, values []any) map[string]any {
	row := map[string]any{}
	for i, c := range columns {
		row[c.Name] = values[i]
		if ms, ok := values[i].(int64); ok && c.time {
			row[c.Name] = nil
			if ms != 0 {
				row[c.Name] = fromMillis(ms).Format(time.RFC3339Nano)
			}
		}
	}
	return row
}
