package records

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
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
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, directory.ErrInUse) {
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

func TestAnAppointment(t *testing.T) {
	c := monday()
	dir := t.TempDir()
	d := open(t, dir, c)
	a, err := d.Book(t.Context(), anna(), slot(c, time.Hour), "CODE2345", "manage-token")
	check(t, err)
	for what, find := range map[string]func() (Appointment, error){
		"code":  func() (Appointment, error) { return d.AppointmentByCode(t.Context(), "CODE2345") },
		"token": func() (Appointment, error) { return d.AppointmentByToken(t.Context(), "manage-token") },
		"ID":    func() (Appointment, error) { return d.Appointment(t.Context(), a.ID) },
	} {
		if got, err := find(); err != nil || got != a {
			t.Errorf("by %s: %+v, %v; want %+v", what, got, err, a)
		}
	}
	if _, err := d.AppointmentByCode(t.Context(), "manage-token"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a token as code: %v", err)
	}
	other := book(t, d, Customer{Email: "bert@example.com"}, slot(c, 2*time.Hour))
	if _, err := d.Move(t.Context(), a.ID, other.Start, other.End, "anna"); !errors.Is(err, ErrTaken) {
		t.Errorf("moved to a taken slot: %v", err)
	}
	moved, err := d.Move(t.Context(), a.ID, a.Start.Add(10*time.Minute), a.End.Add(10*time.Minute), "anna")
	check(t, err)
	if moved.Sequence != 1 || moved.Start != a.Start.Add(10*time.Minute) {
		t.Errorf("moved: %+v", moved)
	}
	first, err := d.SetAppointmentConversation(t.Context(), a.ID, "one")
	check(t, err)
	second, err := d.SetAppointmentConversation(t.Context(), a.ID, "two")
	check(t, err)
	if first != "one" || second != "one" {
		t.Errorf("conversations %s and %s", first, second)
	}
	check(t, d.SetAppointmentState(t.Context(), a.ID, Cancelled))
	check(t, d.SetAppointmentState(t.Context(), a.ID, Cancelled))
	if err := d.SetAppointmentState(t.Context(), a.ID, Done); !errors.Is(err, ErrState) {
		t.Errorf("done after cancelled: %v", err)
	}
	if _, err := d.Move(t.Context(), a.ID, a.Start, a.End, "anna"); !errors.Is(err, ErrState) {
		t.Errorf("moved after cancelled: %v", err)
	}
	book(t, d, anna(), Appointment{Showroom: "utrecht", Glasses: "anna", Start: moved.Start, End: moved.End})
	all, err := d.Appointments(t.Context(), "utrecht", c.now, c.now.Add(24*time.Hour))
	check(t, err)
	if len(all) != 3 || all[2].ID != other.ID {
		t.Errorf("of the day: %+v", all)
	}
	for path, content := range files(t, dir) {
		for _, secret := range []string{"CODE2345", "manage-token"} {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s holds %s", path, secret)
			}
		}
	}
}

func TestOneAddressIsOneCustomer(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	a := book(t, d, anna(), slot(c, time.Hour))
	c.now = c.now.Add(24 * time.Hour)
	b := book(t, d, Customer{Name: "A. Zonneveld", Email: " anna.zonneveld@EXAMPLE.com "}, slot(c, time.Hour))
	if a.Customer != b.Customer {
		t.Error("two customers")
	}
	got, err := d.Customer(t.Context(), a.Customer)
	check(t, err)
	if who, err := d.Find(t.Context(), "ANNA.zonneveld@example.com"); err != nil || !slices.Equal(who.Customers, []string{a.Customer}) {
		t.Errorf("found by address: %+v, %v", who, err)
	}
	if got.ID != a.Customer || got.Name != anna().Name || b.Name != "A. Zonneveld" || got.Phone != anna().Phone || got.LastService != c.now || got.Created != monday().now {
		t.Errorf("%+v", got)
	}
}

func TestTheCustomerOfAConversation(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	converse(t, d, c, "one")
	first, err := d.SetCustomer(t.Context(), "one", anna())
	check(t, err)
	second, err := d.SetCustomer(t.Context(), "one", Customer{Email: "bert@example.com"})
	check(t, err)
	got, err := d.Conversation(t.Context(), "one")
	check(t, err)
	if got.Customer != first.ID || second.ID == first.ID {
		t.Errorf("of %s; %s, then %s", got.Customer, first.ID, second.ID)
	}
	if _, err := d.SetCustomer(t.Context(), "none", Customer{Email: "c@example.com"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such conversation: %v", err)
	}
	if _, err := d.Find(t.Context(), "c@example.com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("taken down nevertheless: %v", err)
	}
	check(t, d.AddDelivery(t.Context(), Delivery{Conversation: "one", Customer: second.ID, Items: []string{"a", "b"}, Mail: "m"}))
	sent, err := d.Deliveries(t.Context(), c.now)
	check(t, err)
	if len(sent) != 1 || len(sent[0].Items) != 2 || sent[0].At != c.now || sent[0].Customer != second.ID {
		t.Errorf("%+v", sent)
	}
}

func TestConsent(t *testing.T) {
	c := monday()
	dir := t.TempDir()
	d := open(t, dir, c)
	who := book(t, d, anna(), slot(c, time.Hour)).Customer
	if _, err := d.GiveConsent(t.Context(), "nobody", Marketing, "2026-11", "nl"); !errors.Is(err, ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
	first, err := d.GiveConsent(t.Context(), who, Marketing, "2026-11", "nl")
	check(t, err)
	second, err := d.GiveConsent(t.Context(), who, Marketing, "2026-12", "en")
	check(t, err)
	for i := range 2 {
		if already, err := d.ConfirmConsent(t.Context(), first); err != nil || already != (i > 0) {
			t.Errorf("confirmed %d: %v, %v", i, already, err)
		}
	}
	var confirmed int
	check(t, d.sql.QueryRow("SELECT count(*) FROM consents WHERE customer = ? AND confirmed = ?", who, millis(c.now)).Scan(&confirmed))
	if confirmed != 1 {
		t.Errorf("%d consents are confirmed, and one was", confirmed)
	}
	for i, token := range []string{second, second, first} {
		purpose, already, err := d.WithdrawConsent(t.Context(), token)
		if err != nil || purpose != Marketing || already != (i > 0) {
			t.Errorf("withdrawn %d: %s, %v, %v", i, purpose, already, err)
		}
		const withdrawn = `SELECT group_concat(text_version || ' ' || locale, ', ' ORDER BY text_version)
			FROM consents WHERE customer = ? AND purpose = ? AND given = ? AND withdrawn = ?`
		var texts string
		check(t, d.sql.QueryRow(withdrawn, who, Marketing, millis(c.now), millis(c.now)).Scan(&texts))
		if texts != "2026-11 nl, 2026-12 en" {
			t.Errorf("withdrawn are %s", texts)
		}
	}
	if _, _, err := d.WithdrawConsent(t.Context(), "another"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another token: %v", err)
	}
	if _, err := d.ConfirmConsent(t.Context(), "another"); !errors.Is(err, ErrNotFound) {
		t.Errorf("confirmed by another token: %v", err)
	}
	if _, err := d.ConfirmConsent(t.Context(), first); !errors.Is(err, ErrState) {
		t.Errorf("confirmed after it was withdrawn: %v", err)
	}
	for path, content := range files(t, dir) {
		if bytes.Contains(content, []byte(first)) || bytes.Contains(content, []byte(second)) {
			t.Errorf("%s holds a token", path)
		}
	}
}

func TestStaff(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	check(t, d.AddStaff(t.Context(), Staff{Name: "eva", Hash: "$argon2id$1", Role: "advisor", Showroom: "utrecht"}))
	if err := d.AddStaff(t.Context(), Staff{Name: "eva", Role: "manager"}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("a second eva: %v", err)
	}
	check(t, d.SetStaffHash(t.Context(), "eva", "$argon2id$2"))
	eva, err := d.Staff(t.Context(), "eva")
	check(t, err)
	if eva.Hash != "$argon2id$2" {
		t.Errorf("%+v", eva)
	}
	for _, token := range []string{"one", "two", "three"} {
		_, err := d.AddStaffSession(t.Context(), token, "eva", "Firefox, Linux", c.now.Add(time.Hour))
		check(t, err)
	}
	one, err := d.StaffSession(t.Context(), "one")
	check(t, err)
	check(t, d.RevokeStaffSession(t.Context(), one.ID))
	if _, err := d.StaffSession(t.Context(), "one"); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked: %v", err)
	}
	if list, err := d.StaffSessions(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	c.now = c.now.Add(time.Hour)
	if _, err := d.StaffSession(t.Context(), "two"); !errors.Is(err, ErrNotFound) {
		t.Errorf("expired: %v", err)
	}
	counts, err := d.Purge(t.Context(), time.Time{}, nil)
	check(t, err)
	if counts["staff_sessions"] != 2 {
		t.Errorf("purged: %v", counts)
	}
	check(t, d.RemoveStaff(t.Context(), "eva"))
	if all, err := d.AllStaff(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestOldTokens go by themselves, whether another one is made or not.
func TestOldTokens(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	check(t, d.AddEnrolmentToken(t.Context(), EnrolmentToken{ID: "one", Name: "anna", Expires: c.now.Add(time.Hour)}, "secret"))
	for _, step := range []struct {
		after time.Duration
		left  int
	}{{tokensKept, 1}, {2 * time.Hour, 0}} {
		c.now = c.now.Add(step.after)
		_, err := d.Purge(t.Context(), time.Time{}, nil)
		check(t, err)
		if list, err := d.EnrolmentTokens(t.Context()); err != nil || len(list) != step.left {
			t.Errorf("%v, %v; want %d", list, err, step.left)
		}
	}
}

func TestNoAppointmentIsLongerThanADay(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	for length, ok := range map[time.Duration]bool{-time.Minute: false, 0: false, longest: true, longest + time.Minute: false} {
		a := slot(c, 100*longest)
		a.End = a.Start.Add(length)
		if _, err := d.Book(t.Context(), anna(), a, "code", "token"); (err == nil) != ok {
			t.Errorf("%v: %v", length, err)
		}
	}
	start := slot(c, 100*longest).Start
	for from, want := range map[time.Duration]int{-time.Minute: 0, 0: 1, longest - time.Minute: 1, longest: 0} {
		if list, err := d.Appointments(t.Context(), "utrecht", start.Add(from), start.Add(from+time.Minute)); err != nil || len(list) != want {
			t.Errorf("from %v: %d, %v", from, len(list), err)
		}
	}
}

// BenchmarkAppointments asks for a day after half a year of a busy showroom.
func BenchmarkAppointments(b *testing.B) {
	c := monday()
	d := open(b, b.TempDir(), c)
	one := book(b, d, anna(), slot(c, time.Hour))
	_, err := d.sql.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 15000)
		INSERT INTO appointments SELECT 'a' || i, showroom, glasses, customer, starts - i*1000000, ends - i*1000000, 'done', '', 0, 'c' || i, 't' || i, name, phone, locale
		FROM n, appointments WHERE id = ?`, one.ID)
	check(b, err)
	for b.Loop() {
		list, err := d.Appointments(b.Context(), "utrecht", c.now, c.now.Add(longest))
		check(b, err)
		if len(list) == 0 {
			b.Fatal("none")
		}
	}
}
