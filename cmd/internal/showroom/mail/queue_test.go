package mail

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

// clock is the time of a test, which moves it.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func newClock() *clock { return &clock{time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)} }

func open(t testing.TB, cfg Config) *Queue {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(t.TempDir(), "outbox")
	}
	if cfg.From == "" {
		cfg.From = "Autohuis Jansen <showroom@jansen.example>"
	}
	q, err := Open(cfg)
	check(t, err)
	t.Cleanup(func() { q.Close() })
	return q
}

func message(to string) Message {
	return Message{
		Kind: Confirmation, Customer: "customer-" + to[:1], Conversation: "talk", Appointment: "a1", To: to, Name: "Anna de Vries",
		Locale: "nl", Subject: "Uw afspraak", Text: "Beste Anna,\n\nTot dinsdag.\n.\nÉén punt.\n", HTML: "<p>Tot dinsdag.</p>",
	}
}

func put(t testing.TB, q *Queue, m Message) string {
	t.Helper()
	id, err := q.Put(t.Context(), m)
	check(t, err)
	return id
}

func entry(t testing.TB, q *Queue, id string) Entry {
	t.Helper()
	for _, e := range q.List() {
		if e.ID == id {
			return e
		}
	}
	t.Fatalf("no entry %s", id)
	return Entry{}
}

func wantState(t testing.TB, q *Queue, id string, want State) Entry {
	t.Helper()
	e := entry(t, q, id)
	if e.State != want {
		t.Fatalf("mail is %s (%s), want %s", e.State, e.Problem, want)
	}
	return e
}

// wantNothing looks for a text in every file of a directory, names included.
func wantNothing(t testing.TB, dir string, texts ...string) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) || strings.Contains(path, text) {
				t.Errorf("%s holds %q", path, text)
			}
		}
		return err
	}))
}

func files(t testing.TB, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	check(t, err)
	return list
}

func TestOutbox(t *testing.T) {
	c := newClock()
	q := open(t, Config{Clock: c.now})
	id := put(t, q, message("anna@example.com"))
	m := message("anna@example.com")
	m.Kind, m.NotBefore = Reminder, c.Add(time.Hour)
	later := put(t, q, m)
	q.pass(t.Context())
	wantState(t, q, id, Outbox)
	wantState(t, q, later, Queued)
	if got := files(t, filepath.Join(q.dir, "*.eml")); len(got) != 1 || filepath.Base(got[0]) != "confirmation-"+id+".eml" {
		t.Errorf("outbox %q", got)
	}
	wantNothing(t, filepath.Join(q.dir, queueDir, id+".json"), "anna@")
	c.Time = c.Add(time.Hour)
	q.pass(t.Context())
	wantState(t, q, later, Outbox)
	check(t, q.Close())
	check(t, q.Close())
	again := open(t, Config{Dir: q.dir, Clock: c.now})
	wantState(t, again, id, Outbox)
	wantState(t, again, later, Outbox)
}

// Run waits for what is put, and for what is not due yet.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- q.Run(ctx) }()
		synctest.Wait()
		id := put(t, q, message("anna@example.com"))
		m := message("anna@example.com")
		m.Kind, m.NotBefore = Reminder, time.Now().Add(25*time.Hour)
		later := put(t, q, m)
		synctest.Wait()
		wantState(t, q, id, Outbox)
		time.Sleep(25*time.Hour - time.Second)
		synctest.Wait()
		wantState(t, q, later, Queued)
		time.Sleep(time.Second)
		synctest.Wait()
		wantState(t, q, later, Outbox)
		cancel()
		check(t, <-done)
	})
}

func TestBackOff(t *testing.T) {
	for attempts, want := range []time.Duration{1: time.Minute, 2: 2 * time.Minute, 6: 32 * time.Minute, 7: time.Hour, 1000: time.Hour} {
		if got := backOff(attempts); want != 0 && got != want {
			t.Errorf("after %d: %v, want %v", attempts, got, want)
		}
	}
}

func TestDrop(t *testing.T) {
	c := newClock()
	q := open(t, Config{Clock: c.now})
	m := message("anna@example.com")
	m.Kind, m.NotBefore = Reminder, c.Add(time.Hour)
	put(t, q, m)
	other := m
	other.Appointment = "a2"
	kept := put(t, q, other)
	n, err := q.Drop(func(e Entry) bool { return e.Kind == Reminder && e.Appointment == "a1" })
	check(t, err)
	if list := q.List(); n != 1 || len(list) != 1 || list[0].ID != kept {
		t.Errorf("%d dropped, left %+v", n, list)
	}
	c.Time = c.Add(2 * time.Hour)
	q.pass(t.Context())
	if n, _ := q.Drop(func(Entry) bool { return true }); n != 0 {
		t.Errorf("dropped %d that were done", n)
	}
}

// A reminder that could not be sent in time is none any more.
func TestTooLate(t *testing.T) {
	c := newClock()
	q := open(t, Config{Clock: c.now})
	m := message("anna@example.com")
	m.NotBefore, m.NotAfter = c.Add(time.Hour), c.Add(2*time.Hour)
	id := put(t, q, m)
	c.Time = c.Add(3 * time.Hour)
	q.pass(t.Context())
	if e := wantState(t, q, id, Failed); !strings.Contains(e.Problem, "time was over") {
		t.Error(e.Problem)
	}
	wantNothing(t, q.dir, "anna@", "Anna")
}

func TestExportErasePurge(t *testing.T) {
	c := newClock()
	q := open(t, Config{Clock: c.now})
	m := message("anna@example.com")
	laid := put(t, q, m)
	q.pass(t.Context())
	c.Time = c.Add(time.Second)
	m.Kind, m.NotBefore = Reminder, c.Add(time.Hour)
	queued := put(t, q, m)
	bob := message("bob@example.com")
	bob.Name, bob.Text = "Bob", "Hallo Bob"
	other := put(t, q, bob)
	copies, err := q.Export(m.Customer)
	check(t, err)
	if len(copies) != 2 || copies[0].Entry.ID != laid || copies[1].Entry.ID != queued || copies[1].To != m.To ||
		!bytes.Contains(copies[0].Message, []byte(m.To)) || !bytes.Contains(copies[1].Message, []byte(m.To)) {
		t.Errorf("exported %+v", copies)
	}
	n, err := q.Erase(m.Customer)
	check(t, err)
	if n != 2 {
		t.Errorf("%d erased", n)
	}
	wantNothing(t, q.dir, "anna@", "Anna", laid, queued, m.Customer)
	wantState(t, q, other, Queued)
	if copies, err := q.Export(m.Customer); err != nil || len(copies) != 0 {
		t.Errorf("exported %v, %v", copies, err)
	}
	if n, err := q.Erase(""); n != 0 || err != nil {
		t.Errorf("nobody's: %d, %v", n, err)
	}
	n, err = q.Purge(c.Time)
	check(t, err)
	if n != 0 {
		t.Errorf("%d purged too early", n)
	}
	c.Time = c.Add(time.Minute)
	q.pass(t.Context())
	if n, err = q.Purge(c.Add(time.Second)); n != 1 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
	if left := files(t, filepath.Join(q.dir, "*")); len(left) != 1 || len(files(t, filepath.Join(q.dir, queueDir, "*"))) != 0 {
		t.Errorf("left %q", left)
	}
}

// What waits for a time to come is kept, however long ago it was put.
func TestPurgeKeepsWhatIsToCome(t *testing.T) {
	c := newClock()
	q := open(t, Config{Clock: c.now})
	m := message("anna@example.com")
	m.NotBefore = c.AddDate(0, 8, 0)
	id := put(t, q, m)
	n, err := q.Purge(c.AddDate(0, 7, 0))
	check(t, err)
	wantState(t, q, id, Queued)
	if n != 0 {
		t.Errorf("%d purged", n)
	}
	if n, err = q.Purge(c.AddDate(0, 9, 0)); n != 1 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
}

func TestPutRefuses(t *testing.T) {
	q := open(t, Config{})
	for name, change := range map[string]func(*Message){
		"address":     func(m *Message) { m.To = "anna" },
		"kind":        func(m *Message) { m.Kind = "../x" },
		"no kind":     func(m *Message) { m.Kind = "" },
		"language":    func(m *Message) { m.Locale = "en\r\nBcc: x" },
		"no subject":  func(m *Message) { m.Subject = "" },
		"no UTF-8":    func(m *Message) { m.Text = "\xff" },
		"long":        func(m *Message) { m.HTML = strings.Repeat("x", maxText+1) },
		"unsubscribe": func(m *Message) { m.Unsubscribe = "https://x.example/>\r\nBcc: y" },
		"script":      func(m *Message) { m.Unsubscribe = "javascript:alert(1)" },
		"event":       func(m *Message) { m.Calendar = &Event{UID: "x"} },
	} {
		m := message("anna@example.com")
		change(&m)
		if _, err := q.Put(t.Context(), m); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := q.Put(ended, message("anna@example.com"))
	wantError(t, err, context.Canceled)
	check(t, q.Close())
	_, err = q.Put(t.Context(), message("anna@example.com"))
	wantError(t, err, os.ErrClosed)
	if left := files(t, filepath.Join(q.dir, queueDir, "*")); len(left) != 0 {
		t.Errorf("left %q", left)
	}
}

func TestFull(t *testing.T) {
	q := open(t, Config{})
	for n := range maxQueued {
		q.mails[strings.Repeat("x", n)] = &stored{record: record{Entry: Entry{State: Queued}}}
	}
	_, err := q.Put(t.Context(), message("anna@example.com"))
	wantError(t, err, ErrFull)
}

func TestOneServerPerDirectory(t *testing.T) {
	q := open(t, Config{})
	_, err := Open(Config{Dir: q.dir})
	wantError(t, err, directory.ErrInUse)
	check(t, q.Close())
	open(t, Config{Dir: q.dir})
}

func TestDamagedEntry(t *testing.T) {
	q := open(t, Config{})
	id := put(t, q, message("anna@example.com"))
	check(t, q.Close())
	check(t, os.WriteFile(q.entryPath(id), []byte("{"), 0o600))
	_, err := Open(Config{Dir: q.dir})
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || hinted.Hint() == "" || !strings.Contains(err.Error(), id) {
		t.Errorf("%v", err)
	}
}

// full answers as a full disk, at one step.
func full(at string) func(string) error {
	return func(step string) error {
		if step == at {
			return &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
		}
		return nil
	}
}

func TestFullDiskAtPut(t *testing.T) {
	for _, step := range []string{"put message", "put entry"} {
		q := open(t, Config{})
		q.fault = full(step)
		_, err := q.Put(t.Context(), message("anna@example.com"))
		wantError(t, err, syscall.ENOSPC)
		if left := files(t, filepath.Join(q.dir, queueDir, "*")); len(left) != 0 || len(q.List()) != 0 {
			t.Errorf("%s: left %q", step, left)
		}
		q.fault = nil
		put(t, q, message("anna@example.com"))
	}
}

func TestFullDiskAtTheOutbox(t *testing.T) {
	c := newClock()
	q := open(t, Config{Clock: c.now})
	id := put(t, q, message("anna@example.com"))
	q.fault = full("lay out")
	q.pass(t.Context())
	if e := wantState(t, q, id, Queued); e.Problem == "" {
		t.Error("without a problem")
	}
	c.Time = c.Add(time.Minute)
	q.fault = full("record")
	q.pass(t.Context())
	wantState(t, q, id, Outbox)
	q.Close()
	q = open(t, Config{Dir: q.dir, Clock: c.now})
	wantState(t, q, id, Outbox)
	wantNothing(t, filepath.Join(q.dir, queueDir), "anna@")
}

// Put asks whether its customer is known when Erase would find the mail already, so
// that none slips through between the two.
func TestErasedWhileItIsPut(t *testing.T) {
	q := (*Queue)(nil)
	known, trouble := true, error(nil)
	q = open(t, Config{Known: func(context.Context, string) (bool, error) {
		if q.mu.TryLock() {
			q.mu.Unlock()
			t.Error("an erasure could come between the question and the mail")
		}
		return known, trouble
	}})
	put(t, q, message("anna@example.com"))
	if n, err := q.Erase("customer-a"); n != 1 || err != nil {
		t.Errorf("erased %d, %v", n, err)
	}
	known = false
	if _, err := q.Put(t.Context(), message("anna@example.com")); !errors.Is(err, ErrErased) {
		t.Errorf("put for who was erased: %v", err)
	}
	trouble = errors.New("disk I/O error")
	if _, err := q.Put(t.Context(), message("anna@example.com")); !errors.Is(err, trouble) {
		t.Errorf("put when nobody can say: %v", err)
	}
	if list := q.List(); len(list) != 0 {
		t.Errorf("left: %+v", list)
	}
	wantNothing(t, q.dir, "anna@example.com")
}
