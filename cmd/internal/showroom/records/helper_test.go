package records

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock is one that a test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// monday is in ISO week 2026-W49.
func monday() *clock { return &clock{time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)} }

func open(t testing.TB, dir string, c *clock) *DB {
	t.Helper()
	d, err := Open(Config{Dir: dir, Clock: c.Now})
	check(t, err)
	t.Cleanup(func() { check(t, d.Close()) })
	return d
}

func anna() Customer {
	return Customer{Name: "Anna Zonneveld", Email: "Anna.Zonneveld@Example.com", Phone: "+31 6 12345678", Locale: "nl"}
}

func slot(c *clock, in time.Duration) Appointment {
	start := c.now.Add(in)
	return Appointment{Showroom: "utrecht", Glasses: "anna", Start: start, End: start.Add(30 * time.Minute)}
}

func book(t testing.TB, d *DB, c Customer, a Appointment) Appointment {
	t.Helper()
	booked, err := d.Book(t.Context(), c, a, "code "+NewID(), "token "+NewID())
	check(t, err)
	return booked
}

// files returns all files of a directory with their bytes.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	check(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		all[path], err = os.ReadFile(path)
		return err
	}))
	return all
}
