package records

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// story fills all tables with what Anna does, and Bert beside her.
func story(t testing.TB, d *DB, c *clock) (anna_, bert string) {
	t.Helper()
	ctx := t.Context()
	a := book(t, d, anna(), slot(c, time.Hour))
	_, err := d.SetAppointmentConversation(ctx, a.ID, "annas")
	check(t, err)
	converse(t, d, c, "annas")
	check(t, d.SaveConversation(ctx, Conversation{ID: "annas", Showroom: "utrecht", Customer: a.Customer, Created: c.now, State: "ended"}))
	_, err = d.GiveConsent(ctx, a.Customer, Marketing, "2026-11", "nl")
	check(t, err)
	check(t, d.AddDelivery(ctx, Delivery{Conversation: "annas", Customer: a.Customer, Items: []string{"i"}, Mail: "m"}))
	check(t, d.SetWish(ctx, Wish{ID: "w", Conversation: "annas", Customer: a.Customer, Asked: c.now}))
	converse(t, d, c, "berts")
	b, err := d.SetCustomer(ctx, "berts", Customer{Name: "Bert", Email: "bert@example.com"})
	check(t, err)
	check(t, d.AddDelivery(ctx, Delivery{Conversation: "annas", Customer: b.ID, Mail: "m2"})) // she sent him a photo
	return a.Customer, b.ID
}

// rename leaves old values inside pages, as an address that is corrected does.
func rename(t testing.TB, d *DB, customer string) {
	t.Helper()
	for n := range 20 {
		_, err := d.sql.Exec("UPDATE customers SET name = ? WHERE id = ?", fmt.Sprintf("Anna %s Zonneveld", string(make([]byte, n*3))), customer)
		check(t, err)
	}
}

func TestNothingIsLeftOfWhoIsErased(t *testing.T) {
	c := monday()
	dir := t.TempDir()
	d := open(t, dir, c)
	who, bert := story(t, d, c)
	first, err := d.Backup(t.Context())
	check(t, err)
	rename(t, d, who)
	_, err = d.Backup(t.Context())
	check(t, err)

	scope, err := d.Find(t.Context(), " ANNA.Zonneveld@example.COM")
	check(t, err)
	if !slices.Equal(scope.Customers, []string{who}) || !slices.Equal(scope.Conversations, []string{"annas"}) {
		t.Fatalf("found %+v", scope)
	}
	outside := Scope{}
	counts, err := d.Remove(t.Context(), scope, func(_ context.Context, s Scope) error {
		outside.add(s)
		return nil
	})
	check(t, err)
	want := Counts{"customers": 1, "appointments": 1, "conversations": 1, "consents": 1, "deliveries": 2, "wishes": 1}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("removed %v, want %v", counts, want)
	}
	if fmt.Sprint(outside) != fmt.Sprint(scope) {
		t.Errorf("outside: %+v", outside)
	}
	wantNothing(t, dir)
	if pending, err := d.Pending(t.Context()); err != nil || !pending.Empty() {
		t.Errorf("left to do: %+v, %v", pending, err)
	}
	if _, err := d.Find(t.Context(), who); !errors.Is(err, ErrNotFound) {
		t.Errorf("found again: %v", err)
	}

	// Nothing comes back, and nobody else is gone.
	for what, err := range map[string]error{
		"a conversation":         d.SaveConversation(t.Context(), Conversation{ID: "annas", Created: c.now}),
		"a new one of hers":      d.SaveConversation(t.Context(), Conversation{ID: "new", Customer: who, Created: c.now}),
		"a delivery":             d.AddDelivery(t.Context(), Delivery{Conversation: "annas", Customer: bert}),
		"a delivery of her mail": d.AddDelivery(t.Context(), Delivery{Conversation: "berts", Customer: who}),
	} {
		if !errors.Is(err, ErrErased) {
			t.Errorf("%s afterwards: %v", what, err)
		}
	}
	if gone, err := d.Erased(t.Context(), "annas"); err != nil || !gone {
		t.Errorf("erased: %v, %v", gone, err)
	}
	if _, err := d.Customer(t.Context(), bert); err != nil {
		t.Error(err)
	}
	check(t, d.Close())
	check(t, os.Rename(first, d.path()))
	d = open(t, dir, c)
	if got, err := d.Conversation(t.Context(), "berts"); err != nil || got.Customer != bert {
		t.Errorf("Bert in the backup: %+v, %v", got, err)
	}
}

// Who was erased here, by an older program or by hand, can be in a backup.
func TestFindInABackup(t *testing.T) {
	c := monday()
	dir := t.TempDir()
	d := open(t, dir, c)
	who, _ := story(t, d, c)
	_, err := d.Backup(t.Context())
	check(t, err)
	_, err = d.sql.Exec("DELETE FROM customers WHERE id = ?", who)
	check(t, err)
	check(t, d.scrub(t.Context()))
	scope, err := d.Find(t.Context(), anna().Email)
	check(t, err)
	_, err = d.Remove(t.Context(), scope, nil)
	check(t, err)
	wantNothing(t, dir)
}

func TestExport(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	who, bert := story(t, d, c)
	got, err := d.Export(t.Context(), anna().Email)
	check(t, err)
	for table, n := range map[string]int{"customers": 1, "appointments": 1, "conversations": 1, "consents": 1, "deliveries": 1, "wishes": 1, "staff": 0, "ratings": 0} {
		if len(got.Tables[table]) != n {
			t.Errorf("%s: %v, want %d", table, got.Tables[table], n)
		}
	}
	row := got.Tables["customers"][0]
	if row["id"] != who || row["email"] != anna().Email || row["last_service"] != "2026-11-30T10:00:00Z" {
		t.Errorf("%v", row)
	}
	if row := got.Tables["consents"][0]; row["token_hash"] != nil || row["withdrawn"] != nil || row["purpose"] != Marketing {
		t.Errorf("%v", row)
	}
	if text := fmt.Sprint(got); strings.Contains(text, bert) {
		t.Errorf("Bert is in it: %s", text)
	}
}

const week = 7 * 24 * time.Hour

func TestPurgeByAMovedClock(t *testing.T) {
	for _, retention := range []time.Duration{26 * week, 2 * week} {
		c := monday()
		dir := t.TempDir()
		d := open(t, dir, c)
		story(t, d, c)
		for n := range block {
			converse(t, d, c, fmt.Sprint("other", n))
			check(t, d.Rate(t.Context(), fmt.Sprint("other", n), true))
		}
		_, err := d.Backup(t.Context())
		check(t, err)
		purge := func() Counts {
			t.Helper()
			counts, err := d.Purge(t.Context(), c.now.Add(-retention), nil)
			check(t, err)
			return counts
		}
		c.now = c.now.Add(retention)
		if counts := purge(); counts.Total() != 0 {
			t.Errorf("%v: early: %v", retention, counts)
		}
		// Anna comes again: what is old goes, and she stays.
		check(t, d.SaveConversation(t.Context(), Conversation{ID: "again", Created: c.now}))
		_, err = d.SetCustomer(t.Context(), "again", anna())
		check(t, err)
		c.now = c.now.Add(2 * time.Hour)
		counts := purge()
		want := Counts{"customers": 1, "appointments": 1, "conversations": 2 + block, "deliveries": 2, "wishes": 1, "backups": 1}
		if fmt.Sprint(counts) != fmt.Sprint(want) {
			t.Errorf("%v: purged %v, want %v", retention, counts, want)
		}
		// An appointment that is to come is service, too.
		a := book(t, d, anna(), slot(c, retention+week))
		c.now = c.now.Add(retention + time.Hour)
		if counts := purge(); counts["customers"] != 0 {
			t.Errorf("%v: purged before her appointment: %v", retention, counts)
		}
		check(t, d.SetAppointmentState(t.Context(), a.ID, Cancelled))
		if counts := purge(); counts["customers"] != 1 {
			t.Errorf("%v: kept after it was cancelled: %v", retention, counts)
		}
		wantNothing(t, dir)
		if r, ok, err := d.Ratings(t.Context(), "utrecht"); r.Up != block || !ok || err != nil {
			t.Errorf("the aggregates are gone: %+v", r)
		}
		c.now = c.now.Add(retention + time.Hour)
		purge()
		if n, err := strings1(t.Context(), d.sql, "SELECT hash FROM erased"); len(n) != 0 || err != nil {
			t.Errorf("hashes left: %v, %v", n, err)
		}
	}
}

// A backup that is younger than its rows is purged of them.
func TestPurgeInABackup(t *testing.T) {
	c := monday()
	dir := t.TempDir()
	d := open(t, dir, c)
	story(t, d, c)
	c.now = c.now.Add(week)
	path, err := d.Backup(t.Context())
	check(t, err)
	_, err = d.Purge(t.Context(), c.now.Add(-time.Hour), nil)
	check(t, err)
	wantNothing(t, dir)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// What cannot be removed from is said, everything else is done, and it is tried
// again.
func TestAStrayFileAmongTheBackups(t *testing.T) {
	c := monday()
	dir := t.TempDir()
	d := open(t, dir, c)
	story(t, d, c)
	stray := filepath.Join(dir, backupsDir, "copy.db.gz")
	broken := filepath.Join(dir, backupsDir, "broken.db")
	check(t, errors.Join(os.WriteFile(stray, []byte("x"), 0o600), os.WriteFile(broken, []byte("no database, and longer than a header of one: "+fmt.Sprint(make([]byte, 200))), 0o600)))
	_, err := d.Backup(t.Context())
	check(t, err)
	scope, err := d.Find(t.Context(), anna().Email)
	check(t, err)
	_, err = d.Remove(t.Context(), scope, nil)
	if problem := (*StrayError)(nil); !errors.As(err, &problem) || problem.Hint() == "" {
		t.Errorf("a stray file: %v", err)
	}
	wantNothing(t, dir)
	if _, err := d.Find(t.Context(), "somebody@example.com"); errors.Is(err, ErrNotFound) || !errors.As(err, new(*StrayError)) {
		t.Errorf("somebody who may be in what cannot be read: %v", err)
	}
	pending, err := d.Pending(t.Context())
	check(t, err)
	if fmt.Sprint(pending) != fmt.Sprint(scope) {
		t.Errorf("left to do: %+v", pending)
	}
	check(t, errors.Join(os.Remove(stray), os.Remove(broken)))
	_, err = d.Remove(t.Context(), pending, nil)
	check(t, err)
	if pending, _ := d.Pending(t.Context()); !pending.Empty() {
		t.Errorf("left to do: %+v", pending)
	}
}

// Erasures while others book, talk and rate: all of it is true at the end.
func TestEraseWhileOthersWrite(t *testing.T) {
	c := monday()
	dir := t.TempDir()
	d := open(t, dir, c)
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Go(func() {
			id := fmt.Sprint("c", n)
			a := slot(c, time.Duration(n)*time.Hour)
			booked, err := d.Book(t.Context(), Customer{Name: "Zonneveld", Email: fmt.Sprintf("%d@zonneveld.example", n)}, a, id, id+"t")
			if err != nil {
				t.Error(err)
				return
			}
			converse(t, d, c, id)
			if err := d.SaveConversation(t.Context(), Conversation{ID: id, Customer: booked.Customer, Created: c.now}); err != nil {
				t.Error(err)
			}
			if n%2 == 0 {
				return
			}
			if _, err := d.Backup(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := d.Remove(t.Context(), Scope{Customers: []string{booked.Customer}}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	left, err := strings1(t.Context(), d.sql, "SELECT email FROM customers ORDER BY email")
	check(t, err)
	if fmt.Sprint(left) != "[0@zonneveld.example 2@zonneveld.example 4@zonneveld.example 6@zonneveld.example]" {
		t.Errorf("left: %v", left)
	}
	for _, n := range []int{1, 3, 5, 7} {
		for path, content := range files(t, dir) {
			if containsText(content, fmt.Sprintf("%d@zonneveld", n)) {
				t.Errorf("%s: %d is there", path, n)
			}
		}
	}
}
