package media

import (
	"bufio"
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/uplink/spool"
)

// put stores an item as it is on disk, taken now.
func put(t *testing.T, s *Store, n int) Item {
	t.Helper()
	now := time.Now()
	i := Item{SchemaVersion: schemaVersion, ID: id(n), Session: "anna", Kind: Photo, ContentType: "image/jpeg", TakenAt: now, KeptFrom: now, ReceivedAt: now}
	check(t, s.makeSessionDir(i.Session))
	check(t, os.WriteFile(s.itemPath(i), photo(t, n), 0o600))
	check(t, s.writeJSON(s.descriptionPath(i), i))
	check(t, s.keep(Receipt{ID: i.ID, State: Stored}, 0))
	s.publish(i)
	return i
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return err == nil
}

func TestPurgedAtTheEndOfRetention(t *testing.T) {
	for name, c := range map[string]struct{ asked, want time.Duration }{
		"default": {0, MaxRetention},
		"ceiling": {2 * MaxRetention, MaxRetention},
		"a week":  {7 * 24 * time.Hour, 7 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, t.TempDir(), func(cfg *Config) { cfg.Retention = c.asked })
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- s.Run(ctx) }()
				first := put(t, s, 1)
				time.Sleep(c.want / 2)
				second := put(t, s, 2)
				events, stop := s.Watch("anna")
				defer stop()
				<-events
				time.Sleep(c.want/2 - purgeInterval)
				synctest.Wait()
				if !exists(t, s.itemPath(first)) || len(s.List("anna")) != 2 {
					t.Error("purged early")
				}
				time.Sleep(2 * purgeInterval)
				synctest.Wait()
				if exists(t, s.itemPath(first)) || exists(t, s.descriptionPath(first)) || !exists(t, s.itemPath(second)) || len(s.List("anna")) != 1 {
					t.Error("not purged in time, or too much")
				}
				if event := <-events; event.Items != 1 {
					t.Errorf("event %+v", event)
				}
				if got := exists(t, s.receiptPath(second.ID)); !got {
					t.Error("the receipt of what is there is gone")
				}
				time.Sleep(c.want + receiptGrace)
				synctest.Wait()
				for _, path := range []string{s.itemPath(second), s.receiptPath(first.ID), s.receiptPath(second.ID)} {
					if exists(t, path) {
						t.Errorf("still there: %s", path)
					}
				}
				cancel()
				check(t, <-done)
			})
		})
	}
}

func TestWhenAnItemWasTaken(t *testing.T) {
	received := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		taken string
		clock string
		want  bool
	}{
		{"2027-03-01T11:59:00Z", "confirmed", true},
		{"2027-03-01T11:59:00Z", "unconfirmed", false},
		{"2027-03-01T12:30:00Z", "confirmed", true},
		{"2027-03-02T12:30:00Z", "confirmed", false},
		{"2026-08-01T00:00:00Z", "confirmed", true},
		{"1970-01-01T00:00:00Z", "confirmed", false},
		{"9999-01-01T00:00:00Z", "confirmed", false},
	} {
		taken, err := time.Parse(time.RFC3339, c.taken)
		check(t, err)
		if got := plausible(spool.Header{TakenAt: taken, Clock: c.clock}, received); got != c.want {
			t.Errorf("%s, %s: %v", c.taken, c.clock, got)
		}
	}
}

// What a purge or a crash has left half done is finished at the next start.
func TestLeftoversOfAPurge(t *testing.T) {
	s := open(t, t.TempDir())
	whole, half := put(t, s, 1), put(t, s, 2)
	check(t, os.Remove(s.descriptionPath(half)))
	s = reopen(t, s)
	if exists(t, s.itemPath(half)) || !exists(t, s.itemPath(whole)) {
		t.Error("the wrong files are there")
	}
	if list := s.List("anna"); len(list) != 1 || list[0].ID != whole.ID {
		t.Errorf("listed: %+v", list)
	}
}

func TestAWatcherThatDoesNotRead(t *testing.T) {
	s := open(t, t.TempDir())
	events, stop := s.Watch("anna")
	for n := range 3 * maxEvents {
		put(t, s, n)
	}
	last := Event{}
	for len(events) > 0 {
		last = <-events
	}
	if last.Items != 3*maxEvents {
		t.Errorf("the last it hears is %d items", last.Items)
	}
	stop()
	stop()
	if len(s.watchers) != 0 {
		t.Errorf("still watched: %v", s.watchers)
	}
}

// Run works on what is complete at the start and on what comes, and everything
// ends with Close.
func TestRunAndClose(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	s := open(t, dir)
	server := serve(t, s)
	send(t, server.URL, seal(t, s, metaOf(id(1), Photo), photo(t, 1)))
	server.Close()
	s = reopen(t, s)
	server = serve(t, s)
	events, stop := s.Watch("anna")
	defer stop()
	<-events
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	if event := <-events; event.Items != 1 {
		t.Errorf("event %+v", event)
	}
	show := metaOf(id(2), Photo)
	show["show"] = true
	send(t, server.URL, seal(t, s, show, photo(t, 2)))
	if event := <-events; event.Items != 2 || event.Show == nil || event.Show.ID != id(2) {
		t.Errorf("event %+v", event)
	}
	held := seal(t, s, metaOf(id(3), Photo), photo(t, 3))
	wantStatus(t, create(t, server.URL, held), 201)
	c := stall(t, server.URL, held, 0, 50)
	deadline := time.Now().Add(10 * time.Second)
	for size := int64(0); size < 50; runtime.Gosched() { // Close is to find it at work
		_, got, err := s.readUpload(held.id())
		check(t, err)
		if size = got; time.Now().After(deadline) {
			t.Fatalf("%d bytes of 50 have arrived", size)
		}
	}
	cancel()
	check(t, <-done)
	check(t, s.Close())
	check(t, s.Close())
	c.Close() // net/http reads on for what was announced
	server.Close()
	for deadline = time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		if n := runtime.NumGoroutine(); n <= before {
			break
		} else if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", n, before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func FuzzMeta(f *testing.F) {
	f.Add(`{"schema_version":1,"id":"` + id(1) + `","kind":"photo","session":"anna","taken_at":"2026-11-30T10:00:00Z","clock":"confirmed","show":true,"content_type":"image/jpeg"}` + "\n")
	f.Add(`{"session":"../x"}` + "\n")
	f.Add(strings.Repeat("x", spool.MaxHeader+1))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := readHeader(bufio.NewReader(strings.NewReader(text)), id(1), validName)
		if err != nil {
			return
		}
		if m.ID != id(1) || !validName(m.Session) || (m.Kind != Photo && m.Kind != Clip) || m.SchemaVersion != schemaVersion {
			t.Errorf("taken: %+v", m)
		}
	})
}
