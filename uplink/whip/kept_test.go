package whip

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// keeping makes clients keep their sessions in dir.
func keeping(dir string) func(*Config) {
	return func(cfg *Config) { cfg.StateDir = dir }
}

// numbered gives each session a URL of its own.
func numbered() http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		answers(201, answer, "Content-Type", typeSDP, "Location", fmt.Sprintf("/session/%d", n.Add(1)))(w, r)
	}
}

// onDisk returns the URLs in the file of dir, none when there is no file.
func onDisk(t *testing.T, dir string) (urls []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, keptName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var file keptFile
	if err := errors.Join(err, json.Unmarshal(data, &file)); err != nil {
		t.Fatal(err)
	}
	for _, s := range file.Sessions {
		urls = append(urls, s.URL)
	}
	return urls
}

// leave writes the file of a run that crashed.
func leave(t *testing.T, dir string, sessions ...keptSession) {
	t.Helper()
	if err := writeKept(filepath.Join(dir, keptName), sessions); err != nil {
		t.Fatal(err)
	}
}

func TestSessionIsKeptUntilDeleted(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created(), "DELETE /session/1": answers(200, "")})
	dir := t.TempDir()
	c := newClient(t, s, keeping(dir))
	session := publish(t, c)
	c.Close() // waits for the disk
	if got := onDisk(t, dir); fmt.Sprint(got) != "["+s.URL+"/session/1]" {
		t.Errorf("kept %v", got)
	}
	info, err := os.Stat(filepath.Join(dir, keptName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := session.Delete(t.Context()); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left in the directory: %v, %v", entries, err)
	}
}

func TestStaleSessionIsDeletedOnceAfterACrash(t *testing.T) {
	for _, status := range []int{200, 404, 500} { // whatever comes of it
		s := serve(t, script{"POST /whip/a": numbered(), "DELETE /session/1": answers(status, ""), "DELETE /session/2": answers(200, "")})
		dir := t.TempDir()
		crashed := newClient(t, s, keeping(dir))
		publish(t, crashed)
		crashed.Close()

		c := newClient(t, s, keeping(dir))
		session := publish(t, c)
		if err := c.DeleteStale(t.Context()); (err != nil) != (status == 500) {
			t.Errorf("%d: %v", status, err)
		}
		if err := c.DeleteStale(t.Context()); err != nil {
			t.Errorf("%d: the second time: %v", status, err)
		}
		if del := s.got("DELETE"); len(del) != 1 || del[0].path != "/session/1" {
			t.Errorf("%d: deleted %v, want the old session, once", status, del)
		}
		if got := onDisk(t, dir); fmt.Sprint(got) != "["+s.URL+"/session/2]" {
			t.Errorf("%d: kept %v, want the new session", status, got)
		}
		if err := session.Delete(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// Some endpoints have one session URL for each stream.
func TestNewSessionWithTheStaleURLIsLeftAlone(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created(), "DELETE /session/1": answers(200, "")})
	dir := t.TempDir()
	leave(t, dir, keptSession{URL: s.URL + "/session/1", Origin: s.URL, Created: time.Now()})
	c := newClient(t, s, keeping(dir))
	publish(t, c)
	if err := c.DeleteStale(t.Context()); err != nil || len(s.got("DELETE")) != 0 {
		t.Errorf("%v, and deleted %v", err, s.got("DELETE"))
	}
}

// The same, when the deletion is under way as the new session comes.
func TestDeletionEndsWhenTheURLBecomesTheNewSession(t *testing.T) {
	asked := make(chan struct{})
	s := serve(t, script{"POST /whip/a": created(), "DELETE /session/1": func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}})
	dir := t.TempDir()
	leave(t, dir, keptSession{URL: s.URL + "/session/1", Origin: s.URL, Created: time.Now()})
	c := newClient(t, s, keeping(dir))
	done := make(chan error)
	go func() { done <- c.DeleteStale(t.Context()) }()
	<-asked
	publish(t, c)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	c.Close()
	if got := onDisk(t, dir); len(got) != 1 {
		t.Errorf("kept %v, want the new session", got)
	}
}

func TestStaleSessionsThatAreNotAskedFor(t *testing.T) {
	other := serve(t, nil)
	s := serve(t, nil)
	now := time.Now()
	for _, test := range []struct {
		name  string
		kept  keptSession
		trust []string
		here  int // DELETE requests at the configured origin
		there int // and at the other
	}{
		{"fresh", keptSession{URL: s.URL + "/1", Origin: s.URL, Created: now.Add(-23 * time.Hour)}, nil, 1, 0},
		{"clock behind", keptSession{URL: s.URL + "/1", Origin: s.URL, Created: now.Add(time.Hour)}, nil, 1, 0},
		{"old", keptSession{URL: s.URL + "/1", Origin: s.URL, Created: now.Add(-25 * time.Hour)}, nil, 0, 0},
		{"from the future", keptSession{URL: s.URL + "/1", Origin: s.URL, Created: now.Add(25 * time.Hour)}, nil, 0, 0},
		{"without a time", keptSession{URL: s.URL + "/1", Origin: s.URL}, nil, 0, 0},
		{"elsewhere", keptSession{URL: other.URL + "/1", Origin: other.URL, Created: now}, nil, 0, 0},
		{"elsewhere, trusted", keptSession{URL: other.URL + "/1", Origin: other.URL, Created: now}, []string{other.URL}, 0, 1},
		{"origin of another", keptSession{URL: other.URL + "/1", Origin: s.URL, Created: now}, []string{other.URL}, 0, 0},
		{"no URL", keptSession{URL: "::", Origin: s.URL, Created: now}, nil, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			leave(t, dir, test.kept)
			here, there := len(s.got("DELETE")), len(other.got("DELETE"))
			c := newClient(t, s, keeping(dir), func(cfg *Config) { cfg.TrustedOrigins = test.trust })
			if err := c.DeleteStale(t.Context()); err != nil && (test.name != "elsewhere" || !errors.Is(err, ErrUntrusted)) {
				t.Error(err)
			}
			if here, there = len(s.got("DELETE"))-here, len(other.got("DELETE"))-there; here != test.here || there != test.there {
				t.Errorf("%d and %d DELETE, want %d and %d", here, there, test.here, test.there)
			}
			if test.here+test.there > 0 && onDisk(t, dir) != nil {
				t.Errorf("the file stays: %v", onDisk(t, dir))
			}
		})
	}
}

func TestDeleteThatFoundNoNetworkIsLeftToTheNextRun(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created()})
	s.on("DELETE /session/1", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	dir := t.TempDir()
	c := newClient(t, s, keeping(dir))
	if err := publish(t, c).Delete(t.Context()); err == nil {
		t.Fatal("no error")
	}
	c.Close() // waits for the disk
	if got := onDisk(t, dir); len(got) != 1 {
		t.Errorf("kept %v", got)
	}
	s.on("DELETE /session/1", answers(200, ""))
	before := len(s.got("DELETE")) // net/http itself retries on a reused connection
	if err := c.DeleteStale(t.Context()); err != nil || onDisk(t, dir) != nil || len(s.got("DELETE")) != before+1 {
		t.Errorf("%v, kept %v, %d DELETE after %d", err, onDisk(t, dir), len(s.got("DELETE")), before)
	}
}

func TestDeleteStaleKeepsWhatItDidNotTry(t *testing.T) {
	s := serve(t, nil)
	dir := t.TempDir()
	leave(t, dir, keptSession{URL: s.URL + "/1", Origin: s.URL, Created: time.Now()})
	c := newClient(t, s, keeping(dir))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.DeleteStale(ctx); err != nil || len(onDisk(t, dir)) != 1 {
		t.Errorf("%v, kept %v", err, onDisk(t, dir))
	}
}

func TestKeptFileThatCannotBeUsed(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "half": `{"schema_version":1,"sess`, "other version": `{"schema_version":2}`, "other shape": `[1]`,
		"endless": `{"schema_version":1,"sessions":[` + strings.Repeat(" ", keptMaxSize) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, keptName), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			var logged bytes.Buffer
			s := serve(t, script{"POST /whip/a": created()})
			c := newClient(t, s, keeping(dir), func(cfg *Config) { cfg.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
			publish(t, c)
			c.Close()
			if !strings.Contains(logged.String(), "sessions of the last run are not known") || len(onDisk(t, dir)) != 1 {
				t.Errorf("kept %v, log: %s", onDisk(t, dir), logged.String())
			}
		})
	}
}

func TestMissingStateDirCostsAWarning(t *testing.T) {
	var logged bytes.Buffer
	s := serve(t, script{"POST /whip/a": created()})
	c := newClient(t, s, keeping(filepath.Join(t.TempDir(), "missing")), func(cfg *Config) {
		cfg.Log = slog.New(slog.NewTextHandler(&logged, nil))
	})
	publish(t, c)
	c.Close()
	if !strings.Contains(logged.String(), "not kept for the next run") || !strings.Contains(logged.String(), "missing") {
		t.Errorf("log: %s", logged.String())
	}
}

func TestKeptListIsBounded(t *testing.T) {
	s := serve(t, script{"POST /whip/a": numbered()})
	dir := t.TempDir()
	c := newClient(t, s, keeping(dir))
	for range keptMax + 3 {
		publish(t, c)
	}
	c.Close()
	if got := onDisk(t, dir); len(got) != keptMax || got[keptMax-1] != fmt.Sprintf("%s/session/%d", s.URL, keptMax+3) {
		t.Errorf("kept %v", got)
	}
}

func FuzzKept(f *testing.F) {
	now := time.Date(2026, 7, 14, 12, 0, 0, 0, time.UTC)
	f.Add([]byte(`{"schema_version":1,"sessions":[{"url":"https://a.example/1?x","origin":"https://a.example","created":"2026-07-14T11:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		sessions, err := parseKept(data, now)
		if err != nil && sessions != nil || len(sessions) > keptMax {
			t.Fatalf("%v, %v", sessions, err)
		}
		k := &kept{sessions: sessions}
		for range sessions {
			if u, _, done := k.nextStale(t.Context()); u != nil { // must not panic
				done()
			}
		}
	})
}
