package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/uplink/spool/audit"
	"github.com/bril-edge/bril/uplink/spool/internal/disktest"
)

// TestRun: the log is written at once, and a disk that failed is tried again
// without anybody asking, at a pace that wears nothing out.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		hooked := &disktest.Hooked{FS: disktest.NewMemory(), Before: func(disktest.Op) error {
			if down.Load() {
				return syscall.EIO
			}
			return nil
		}}
		b := newBenchOn(t, hooked, "/state")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		id := b.put(t, photo(), noise(10))
		synctest.Wait()
		if b.log.Last(id) != audit.Capture {
			t.Error("the log was not told of a capture")
		}
		down.Store(true)
		if _, err := b.Create(b.key.Recipient(), photo()); err == nil {
			t.Error("a photo was begun on a disk that fails")
		}
		before := hooked.Ops()
		time.Sleep(time.Hour)
		synctest.Wait()
		if calls := hooked.Ops() - before; calls > 10*int(time.Hour/faultEvery) {
			t.Errorf("the disk was asked %d times in an hour", calls)
		}
		if !errors.Is(b.Status().Fault, syscall.EIO) {
			t.Errorf("Status shows %v", b.Status().Fault)
		}
		down.Store(false)
		time.Sleep(tendEvery)
		synctest.Wait()
		if err := b.Status().Fault; err != nil {
			t.Errorf("the cause is gone, and Status shows %v", err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestJournalIsBounded: a log that cannot be written for days costs no memory
// without end, and says so.
func TestJournalIsBounded(t *testing.T) {
	hooked := &disktest.Hooked{FS: disktest.NewMemory()}
	log, err := audit.OpenOn(hooked, "/state/audit.log")
	if err != nil {
		t.Fatal(err)
	}
	j := journal{log: log, max: 20}
	for range 27 {
		j.add(event{noon, audit.Capture, "item", 1})
	}
	hooked.Before = func(disktest.Op) error { return syscall.ENOSPC }
	if err := j.flush(); !errors.Is(err, syscall.ENOSPC) || len(j.waiting) != 20 {
		t.Errorf("%v, %d wait", err, len(j.waiting))
	}
	hooked.Before = nil
	if err := j.flush(); err == nil || !strings.Contains(err.Error(), "lacks 7 events") || len(j.waiting) != 0 {
		t.Errorf("%v, %d wait", err, len(j.waiting))
	}
}

// TestCrashBeforeLog: what a crash kept from the log is made good.
func TestCrashBeforeLog(t *testing.T) {
	memory := disktest.NewMemory()
	b := newBenchOn(t, memory, "/state")
	deleted, kept, sent := b.put(t, photo(), noise(1)), b.put(t, photo(), noise(2)), b.put(t, photo(), noise(4))
	if err := b.record(); err != nil {
		t.Fatal(err)
	}
	if err := b.Acknowledge(sent, b.entries[sent].sha256); err != nil {
		t.Fatal(err)
	}
	untold := b.put(t, photo(), noise(3))
	if err := b.Drop(deleted); err != nil {
		t.Fatal(err)
	}
	again := &bench{dir: b.dir, fsys: memory.Cut(disktest.All, 0), key: b.key}
	again.open(t, "/state")
	if !again.logSays(t, audit.Upload, sent) {
		t.Error("the log does not say what was uploaded")
	}
	for range 2 {
		again.open(t, "/state")
		for id, want := range map[string]audit.Event{deleted: "", sent: "", kept: audit.Capture, untold: audit.Capture} {
			if got := again.log.Last(id); got != want {
				t.Errorf("of item %s the log last says %q, want %q", id, got, want)
			}
		}
		if err := again.log.Verify(); err != nil {
			t.Error(err)
		}
	}
}

// logSays looks for a line of the log.
func (b *bench) logSays(t *testing.T, what audit.Event, id string) bool {
	t.Helper()
	f, err := b.fsys.Open("/state/audit.log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(data), fmt.Sprintf(`"event":%q,"item":%q`, what, id))
}

// TestMissedAtOnce: what somebody else deletes is missed when it is wanted, and
// not a minute later.
func TestMissedAtOnce(t *testing.T) {
	b := newBench(t)
	id := b.put(t, photo(), noise(1000))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = b.Run(ctx) })
	defer running.Wait()
	defer cancel()
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	changed := b.changed
	b.mu.Unlock()
	if _, err := b.Spool.Open(id); !errors.As(err, new(*DiskError)) {
		t.Errorf("an item that is not there was opened: %v", err)
	}
	<-changed
	if st := b.Status(); st.Items != 0 || len(st.Warnings) != 1 {
		t.Errorf("Status is %+v", st)
	}
}

func TestMeta(t *testing.T) {
	tests := []struct {
		name string
		meta Meta
		want string // empty: it is taken
	}{
		{"a photo", photo(), ""},
		{"a clip", clip(), ""},
		{"no kind", Meta{ContentType: "image/jpeg"}, "unknown kind"},
		{"another kind", Meta{Kind: "sound", ContentType: "audio/opus"}, "unknown kind"},
		{"a type of another kind", Meta{Kind: Clip, ContentType: "image/jpeg"}, "instead of video/mp4"},
		{"an endless session", Meta{Kind: Photo, ContentType: "image/jpeg", Session: strings.Repeat("x", MaxHeader)}, "more than 4096"},
		{"a session of two lines", Meta{Kind: Photo, ContentType: "image/jpeg", Session: "a\nb"}, ""},
	}
	b := newBench(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i, err := b.Create(b.key.Recipient(), tt.meta)
			switch {
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("it ends with %v, want %q", err, tt.want)
			case err == nil:
				if err := i.Finish(); err != nil {
					t.Fatal(err)
				}
				e, err := b.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if h, _ := b.get(t, e); h.Session != tt.meta.Session {
					t.Errorf("the session is %q", h.Session)
				}
				if err := b.Drop(i.ID()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{}, {Dir: "x", Quota: -1}, {Dir: "x", Retention: -1}} {
		if _, err := Open(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
	s, err := Open(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Status(); st.Quota != DefaultQuota || st.Fault != nil {
		t.Errorf("Status is %+v", st)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
