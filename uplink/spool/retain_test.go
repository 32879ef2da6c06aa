package spool

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/uplink/spool/audit"
	"github.com/bril-edge/bril/uplink/spool/internal/disktest"
)

const day24 = 24 * time.Hour

// TestJudge: what becomes of an item at one look at the clock.
func TestJudge(t *testing.T) {
	mono := time.Now()
	tests := []struct {
		name      string
		end       time.Duration // from noon; none when zero
		confirmed bool
		due       time.Duration // how long it has been due; not when zero
		want      verdict
		wantDue   bool
	}{
		{"far away", 3 * day24, true, 0, keepItem, false},
		{"a second before its end", time.Second, true, 0, keepItem, false},
		{"due for the first time", -time.Second, true, 0, keepItem, true},
		{"due within the grace", -time.Second, true, Grace - 1, keepItem, true},
		{"due for the grace", -time.Second, true, Grace, dueItem, true},
		{"years overdue, for the first time", -900 * day24, true, 0, keepItem, true},
		{"due, by a clock that nobody confirmed", -900 * day24, false, Grace, keepItem, false},
		{"due no more: the clock went back", time.Hour, true, Grace, keepItem, false},
		{"without an end, unconfirmed", 0, false, 0, keepItem, false},
		{"without an end, confirmed", 0, true, 0, undatedItem, false},
		{"at the ceiling", MaxRetention, true, 0, keepItem, false},
		{"beyond the ceiling", MaxRetention + 1, true, 0, undatedItem, false},
		{"beyond the ceiling, unconfirmed", MaxRetention + 1, false, 0, keepItem, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &entry{state: Ready}
			if tt.end != 0 {
				e.deleteAfter = noon.Add(tt.end)
			}
			if tt.due != 0 {
				e.dueSince = mono.Add(-tt.due)
			}
			if got := judge(e, noon, tt.confirmed, mono, DefaultRetention); got != tt.want {
				t.Errorf("the verdict is %d, want %d", got, tt.want)
			}
			if got := !e.dueSince.IsZero(); got != tt.wantDue {
				t.Errorf("due: %v, want %v", got, tt.wantDue)
			}
		})
	}
}

// tested is a clock that a test turns.
type tested struct {
	at        time.Time
	confirmed bool
}

func (c *tested) now() (time.Time, bool) { return c.at, c.confirmed }

// pass lets time go by, for the clock and for the machine, with a look at
// retention every minute.
func (c *tested) pass(b *bench, d time.Duration) {
	for ; d > 0; d -= tendEvery {
		time.Sleep(min(d, tendEvery))
		c.at = c.at.Add(min(d, tendEvery))
		b.tend()
	}
}

func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &tested{noon, true}
		b := newBench(t, func(c *Config) { c.Clock, c.Retention = clock.now, 2*day24 })
		id := b.put(t, photo(), noise(1000))
		clock.pass(b, day24-time.Hour)
		if w := b.Status().Warnings; len(w) != 0 {
			t.Errorf("two days ahead: %q", w)
		}
		clock.pass(b, 2*time.Hour)
		if w := b.Status().Warnings; len(w) != 1 || !strings.Contains(w[0], id) || !strings.Contains(w[0], "2026-05-06T12:00:00Z") {
			t.Errorf("a day ahead: %q", w)
		}
		clock.pass(b, day24-time.Hour)
		if len(b.List()) != 1 || b.log.Last(id) != audit.Capture {
			t.Fatal("it was deleted at once when it was due")
		}
		clock.pass(b, Grace+tendEvery)
		if len(b.List()) != 0 || b.log.Last(id) != "" {
			t.Errorf("after its end there is %v, the log last says %q", b.List(), b.log.Last(id))
		}
	})
}

// TestRetentionOfBroken: a damaged item goes when its time has come, with a warning;
// what was never one is not the spool's to delete, nor does it take room.
func TestRetentionOfBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &tested{time.Now(), true}
		b := newBenchOn(t, disktest.NewMemory(), "/state", func(c *Config) { c.Clock = clock.now })
		damaged := newID()
		b.plant(t, damaged+".ready", map[string][]byte{mediaName: noise(10)})
		used := b.Status().Bytes
		b.plant(t, "holiday", map[string][]byte{"beach.jpg": noise(1 << 20)})
		b.tend()
		if got := b.Status().Bytes; got >= used+1<<20 {
			t.Errorf("%d bytes are used", got)
		}
		clock.pass(b, DefaultRetention-Warn+time.Hour)
		if w := b.Status().Warnings; len(w) != 2 || !strings.Contains(w[0], damaged) {
			t.Errorf("a day ahead: %q", w)
		}
		for _, e := range b.List() {
			if known := !e.DeleteAfter.IsZero(); known != strings.HasPrefix(e.ID, damaged) {
				t.Errorf("it is %+v", e)
			}
		}
		clock.pass(b, Warn+Grace)
		if list := b.List(); len(list) != 1 || list[0].ID != "holiday" {
			t.Errorf("in the end there is %+v", list)
		}
	})
}

// TestClockJumps: a clock that is wrong for a while deletes nothing.
func TestClockJumps(t *testing.T) {
	year := 365 * day24
	tests := []struct {
		name  string
		jumps []tested // each stands for half an hour
		left  int
	}{
		{"stays", []tested{{noon, true}, {noon, true}, {noon, true}}, 1},
		{"forward, unconfirmed, for long", []tested{{noon.Add(year), false}, {noon.Add(year), false}, {noon.Add(year), false}, {noon.Add(year), false}}, 1},
		{"forward, confirmed, and back", []tested{{noon.Add(year), true}, {noon, true}, {noon.Add(year), true}, {noon, true}}, 1},
		{"forward, confirmed, not confirmed for a moment", []tested{{noon.Add(year), true}, {noon.Add(year), false}, {noon.Add(year), true}}, 1},
		{"back to 1970, confirmed", []tested{{time.Unix(0, 0), true}, {time.Unix(0, 0), true}, {noon, true}}, 1},
		{"forward, confirmed, for good", []tested{{noon.Add(year), true}, {noon.Add(year), true}, {noon.Add(year), true}, {noon.Add(year), true}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := &tested{noon, true}
				b := newBench(t, func(c *Config) { c.Clock = clock.now })
				b.put(t, photo(), noise(1000))
				for _, jump := range tt.jumps {
					*clock = jump
					clock.pass(b, 30*time.Minute)
				}
				if got := len(b.List()); got != tt.left {
					t.Errorf("%d items are left, want %d", got, tt.left)
				}
			})
		})
	}
}

// TestUnconfirmedCapture: the end comes with the first confirmed moment, counted
// from the capture as far as that is known, and outlives a restart.
func TestUnconfirmedCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		clock := &tested{time.Unix(0, 0), false}
		change := func(c *Config) { c.Clock = clock.now }
		b := newBenchOn(t, newBench(t).fsys, dir, change)
		b.put(t, Meta{Session: "s", Kind: Photo, ContentType: "image/jpeg"}, noise(1000))
		clock.pass(b, 3*time.Hour)
		if e := b.List()[0]; !e.DeleteAfter.IsZero() {
			t.Fatalf("before anybody confirmed the clock its end is %v", e.DeleteAfter)
		}
		*clock = tested{noon, true}
		b.tend()
		want := noon.Add(DefaultRetention - 3*time.Hour)
		if e := b.List()[0]; !e.DeleteAfter.Equal(want) {
			t.Errorf("its end is %v, want %v", e.DeleteAfter, want)
		}
		*clock = tested{time.Unix(0, 0), false}
		b.open(t, dir, change)
		if e := b.List()[0]; !e.DeleteAfter.Equal(want) || e.State != Ready {
			t.Errorf("after a restart it is %+v", e)
		}
	})
}

// TestCeiling: no configuration and no file on disk keeps an item for longer.
func TestCeiling(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Retention = 10 * 365 * day24 })
	b.put(t, photo(), noise(10))
	e := b.List()[0]
	if end := noon.Add(MaxRetention); !e.DeleteAfter.Equal(end) {
		t.Errorf("its end is %v, want %v", e.DeleteAfter, end)
	}
	forever := sidecar{SchemaVersion, e.ID, Ready, e.Bytes, e.SHA256, noon.AddDate(50, 0, 0)}
	if err := forever.write(b.fsys, b.path(e.ID, Ready)); err != nil {
		t.Fatal(err)
	}
	again := &bench{dir: b.dir, fsys: b.fsys, key: b.key}
	again.open(t, t.TempDir())
	if got := again.List()[0].DeleteAfter; got.After(noon.Add(MaxRetention)) {
		t.Errorf("its end is %v", got)
	}
}
