package records

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestEveryColumnIsDescribed(t *testing.T) {
	d := open(t, t.TempDir(), monday())
	has, err := columnsOf(t.Context(), d.sql)
	check(t, err)
	described := map[string]map[string]bool{}
	for _, table := range Schema() {
		described[table.Name] = map[string]bool{}
		if table.What == "" {
			t.Errorf("%s: nothing says what it is", table.Name)
		}
		for _, c := range table.Columns {
			described[table.Name][c.Name] = true
			if c.What == "" || c.Why == "" || c.Ground == "" || c.Kept == "" || c.Who == "" {
				t.Errorf("%s.%s: not all is said: %+v", table.Name, c.Name, c)
			}
		}
		for _, column := range []string{table.customer, table.conversation} {
			if column != "" && !has[table.Name][column] {
				t.Errorf("%s has no column %s", table.Name, column)
			}
		}
	}
	for table, columns := range has {
		for column := range columns {
			if !described[table][column] {
				t.Errorf("%s.%s: nothing says what it is for; see describe.go", table, column)
			}
		}
	}
	for table, columns := range described {
		for column := range columns {
			if !has[table][column] {
				t.Errorf("%s.%s is described, and not in the schema", table, column)
			}
		}
	}
}

// What refers to a customer or a conversation is found for erasure.
func TestErasureKnowsEveryReference(t *testing.T) {
	for _, table := range Schema() {
		for _, c := range table.Columns {
			if c.Name == "customer" && table.customer != c.Name || c.Name == "conversation" && table.conversation != c.Name {
				t.Errorf("%s.%s is not said to be one", table.Name, c.Name)
			}
		}
	}
}

// Counters have nothing that leads back to a conversation.
func TestCountersAreByShowroomAndWeekOnly(t *testing.T) {
	d := open(t, t.TempDir(), monday())
	has, err := columnsOf(t.Context(), d.sql)
	check(t, err)
	for table, want := range map[string]string{"ratings": "down showroom up week", "usage": "clips conversations photos seconds showroom week"} {
		if got := strings.Join(slices.Sorted(maps.Keys(has[table])), " "); got != want {
			t.Errorf("%s has %s", table, got)
		}
		var schema string
		check(t, d.sql.QueryRow("SELECT sql FROM sqlite_schema WHERE name = ?", table).Scan(&schema))
		if !strings.Contains(schema, "WITHOUT ROWID") || !strings.Contains(schema, "PRIMARY KEY (showroom, week)") {
			t.Errorf("%s has an order of its own: %s", table, schema)
		}
	}
}
