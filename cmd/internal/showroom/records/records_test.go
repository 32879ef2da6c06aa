package records

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestOnlyItsOwnerReadsIt(t *testing.T) {
	for _, name := range []string{"plain", "a b%20c?mode=ro#d&e"} {
		dir := filepath.Join(t.TempDir(), name)
		check(t, os.Mkdir(dir, 0o755))
		d := open(t, dir, monday())
		book(t, d, anna(), slot(monday(), time.Hour))
		_, err := d.Backup(t.Context())
		check(t, err)
		all := files(t, dir)
		if len(all) != 4 {
			t.Errorf("%s: %d files", name, len(all))
		}
		for path := range all {
			info, err := os.Stat(path)
			check(t, err)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v", path, info.Mode())
			}
		}
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, monday())
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second one: %v", err)
	}
	check(t, d.Close())
	check(t, d.Close())
	open(t, dir, monday())
}

func TestTheLastSlotEndsWithOneBooking(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	var wait sync.WaitGroup
	results := make(chan error, 50)
	for n := range 50 {
		wait.Go(func() {
			customer := anna()
			customer.Email = fmt.Sprintf("c%d@example.com", n)
			a := slot(c, time.Hour)
			if n%2 == 1 { // half of them only overlap
				a.Start = a.Start.Add(5 * time.Minute)
			}
			_, err := d.Book(t.Context(), customer, a, fmt.Sprint("code", n), fmt.Sprint("token", n))
			results <- err
		})
	}
	wait.Wait()
	close(results)
	booked := 0
	for err := range results {
		if err == nil {
			booked++
		} else if !errors.Is(err, ErrTaken) {
			t.Error(err)
		}
	}
	var customers int
	check(t, d.sql.QueryRow("SELECT count(*) FROM customers").Scan(&customers))
	if booked != 1 || customers != 1 {
		t.Errorf("%d bookings, %d customers of them", booked, customers)
	}
}
