package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/spool/internal/disk"
	"github.com/bril-edge/bril/uplink/spool/internal/disktest"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

const id = "abcdefghijklmnopqrstuvwxyz"

func openLog(t *testing.T, fsys disk.FS) *Log {
	t.Helper()
	l, err := OpenOn(fsys, "/state/audit.log")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t *testing.T, l *Log, at time.Time, e Event, item string) {
	t.Helper()
	if err := l.Append(at, e, item, 300_000); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, l *Log) []byte {
	t.Helper()
	data, err := l.read()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// plant makes a log of any contents.
func plant(t *testing.T, fsys disk.FS, data []byte) {
	t.Helper()
	if err := disk.MkdirAll(fsys, "/state"); err != nil {
		t.Fatal(err)
	}
	if err := disk.Replace(fsys, "/state/audit.log", data); err != nil {
		t.Fatal(err)
	}
}

func TestLog(t *testing.T) {
	fsys := disktest.NewMemory()
	l := openLog(t, fsys)
	if l.Head() != "" || l.Verify() != nil {
		t.Errorf("an empty log has head %q, %v", l.Head(), l.Verify())
	}
	add(t, l, noon, Capture, id)
	add(t, l, time.Time{}, Capture, "other")
	add(t, l, noon, Upload, id)
	if l.Last(id) != Upload || l.Last("other") != Capture {
		t.Error("the log does not know what it said last")
	}
	add(t, l, noon, Delete, id)
	lines := strings.Split(string(contents(t, l)), "\n")
	want := `{"seq":1,"time":"2026-05-04T12:00:00Z","event":"capture","item":"abcdefghijklmnopqrstuvwxyz","bytes":300000,"hash":"`
	if !strings.HasPrefix(lines[0], want) {
		t.Errorf("the first line is %s", lines[0])
	}
	again := openLog(t, fsys)
	if again.Head() != l.Head() || again.Last(id) != "" || fmt.Sprint(again.Open()) != "[other]" {
		t.Errorf("after a restart: head %s, open %v", again.Head(), again.Open())
	}
	if err := again.Verify(); err != nil {
		t.Error(err)
	}
	if err := l.Append(noon, "login", id, 0); err == nil {
		t.Error("an unknown event was taken")
	}
	if err := l.Append(noon, Capture, strings.Repeat("x", 65), 0); err == nil {
		t.Error("an id of any length was taken")
	}
}

// TestTampering: whatever is changed, Verify tells.
func TestTampering(t *testing.T) {
	swap := func(from, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, from, to, 1) }
	}
	without := func(n int) func(string) string {
		return func(s string) string {
			lines := strings.SplitAfter(s, "\n")
			return strings.Join(append(lines[:n:n], lines[n+1:]...), "")
		}
	}
	tests := []struct {
		name   string
		change func(string) string
	}{
		{"an item", swap("item-2", "item-7")},
		{"a size", swap("300000", "300001")},
		{"a time", swap("12:00:00", "12:00:01")},
		{"an event", swap("capture", "upload")},
		{"a hash", swap(`"hash":"`, `"hash":"0`)},
		{"a space", swap(`,"event"`, `, "event"`)},
		{"without the first line", without(0)},
		{"without a line", without(2)},
		{"without the last line", without(4)},
		{"empty", func(string) string { return "" }},
		{"a line more", func(s string) string { return s + s[:strings.Index(s, "\n")+1] }},
		{"an anchor amid it", func(s string) string {
			return s + string(Entry{Seq: 5, Event: anchor, Hash: strings.Repeat("0", 64)}.line())
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			l, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 5 {
				add(t, l, noon, Capture, fmt.Sprintf("item-%d", n))
			}
			before := string(contents(t, l))
			after := tt.change(before)
			if after == before {
				t.Fatal("nothing was changed")
			}
			if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := l.Verify(); !errors.Is(err, ErrBroken) {
				t.Errorf("Verify says %v", err)
			}
		})
	}
}

// TestDamaged: a log that does not hold is kept, and the next goes on from its
// last good line.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "audit.log")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		add(t, l, noon, Capture, fmt.Sprintf("item-%d", n))
	}
	bad := bytes.Replace(contents(t, l), []byte("item-3"), []byte("item-9"), 1)
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err = Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(l.Damaged(), ErrBroken) || l.last.Seq != 3 {
		t.Errorf("damaged: %v, at line %d", l.Damaged(), l.last.Seq)
	}
	if kept, err := os.ReadFile(path + DamagedSuffix); err != nil || !bytes.Equal(kept, bad) {
		t.Errorf("what was damaged is not kept: %v", err)
	}
	add(t, l, noon, Delete, "item-0")
	if err := l.Verify(); err != nil {
		t.Error(err)
	}
}

// TestTorn: every way in which the last line can be incomplete.
func TestTorn(t *testing.T) {
	fsys := disktest.NewMemory()
	l := openLog(t, fsys)
	add(t, l, noon, Capture, id)
	head, whole := l.Head(), contents(t, l)
	add(t, l, noon, Delete, id)
	both := contents(t, l)
	for n := len(whole); n < len(both); n++ {
		for _, tail := range [][]byte{nil, make([]byte, 600), []byte("\n")} {
			left := disktest.NewMemory()
			data := append(bytes.Clone(both[:n]), tail...)
			if bytes.Equal(data, both) {
				continue
			}
			plant(t, left, data)
			again := openLog(t, left)
			if again.Head() != head || again.Damaged() != nil {
				t.Fatalf("torn after %d bytes: head %q, %v", n, again.Head(), again.Damaged())
			}
			add(t, again, noon, Upload, id)
			if err := again.Verify(); err != nil {
				t.Fatalf("torn after %d bytes: %v", n, err)
			}
			if last := openLog(t, left).Last(id); last != Upload {
				t.Fatalf("torn after %d bytes: after the next line the log says %q", n, last)
			}
		}
	}
}

func TestPrune(t *testing.T) {
	hour, months := time.Hour, 31*24*time.Hour
	never := time.Duration(-1) // without a time
	tests := []struct {
		name string
		ages []time.Duration
		left int
	}{
		{"nothing old", []time.Duration{5 * months, months, 0}, 3},
		{"two old", []time.Duration{8 * months, 7 * months, months, 0}, 2},
		{"on the edge", []time.Duration{Keep + hour, Keep, 0}, 2},
		{"without a time, before an old one", []time.Duration{never, 7 * months, 0}, 1},
		{"without a time, after an old one", []time.Duration{7 * months, never, 0}, 2},
		{"without any time", []time.Duration{never, never}, 2},
		{"an old time behind a young one", []time.Duration{0, 9 * months, 0}, 3},
		{"all old", []time.Duration{9 * months, 8 * months, 7 * months}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := disktest.NewMemory()
			l := openLog(t, fsys)
			for n, age := range tt.ages {
				at := noon.Add(-age)
				if age == never {
					at = time.Time{}
				}
				add(t, l, at, Capture, fmt.Sprintf("item-%d", n))
			}
			head := l.Head()
			for range 2 {
				if err := l.Prune(noon); err != nil {
					t.Fatal(err)
				}
				lines := bytes.Count(contents(t, l), []byte("\n"))
				if bytes.Contains(contents(t, l), []byte("anchor")) {
					lines--
				}
				if lines != tt.left || l.Head() != head {
					t.Errorf("%d lines are left, want %d; the head changed: %v", lines, tt.left, l.Head() != head)
				}
				if err := l.Verify(); err != nil {
					t.Error(err)
				}
				l = openLog(t, fsys)
			}
		})
	}
}

// TestPruneLastLine: a line that was kept only because it was the last goes once it
// no longer is.
func TestPruneLastLine(t *testing.T) {
	l := openLog(t, disktest.NewMemory())
	add(t, l, noon, Capture, "first")
	add(t, l, noon.Add(time.Hour), Delete, "first")
	later := noon.Add(2 * Keep)
	for _, item := range []string{"second", "third"} {
		if err := l.Prune(later); err != nil {
			t.Fatal(err)
		}
		add(t, l, later, Capture, item)
	}
	if data := contents(t, l); bytes.Contains(data, []byte("first")) || !bytes.Contains(data, []byte("second")) {
		t.Errorf("the log is\n%s", data)
	}
	if err := l.Verify(); err != nil {
		t.Error(err)
	}
}

// TestBound: the file stays below its bound, and its chain holds.
func TestBound(t *testing.T) {
	fsys := disktest.NewMemory()
	l, err := open(fsys, "/state/audit.log", 4096)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		add(t, l, noon, Capture, fmt.Sprintf("item-%d", n))
		add(t, l, noon, Delete, fmt.Sprintf("item-%d", n))
		if l.size > 4096 {
			t.Fatalf("the log has %d bytes", l.size)
		}
	}
	if err := l.Verify(); err != nil || l.last.Seq != 400 {
		t.Errorf("%v, at line %d", err, l.last.Seq)
	}
}

// TestEachCallFails lets every call fail once: what Append reported as written
// is there, and nothing else is.
func TestEachCallFails(t *testing.T) {
	for n, calls := 0, 1; n < calls; n++ {
		fsys := disktest.NewMemory()
		hooked := &disktest.Hooked{FS: fsys, Before: func(op disktest.Op) error {
			if op.N == n {
				return syscall.ENOSPC
			}
			return nil
		}}
		l, err := open(hooked, "/state/audit.log", 2048)
		if err != nil {
			continue // it cannot be read: the caller tells, and tries again
		}
		var told []string
		for i := range 20 {
			if item := fmt.Sprintf("item-%d", i); l.Append(noon, Capture, item, 1) == nil {
				told = append(told, item)
			}
		}
		calls = hooked.Ops()
		left := fsys.Cut(disktest.All, 0)
		again, err := open(left, "/state/audit.log", 2048)
		if err != nil {
			t.Fatal(err)
		}
		if len(told) < 19 || again.last.Seq != int64(len(told)) || again.Last(told[len(told)-1]) != Capture {
			t.Fatalf("with call %d failing the log has %d lines and should have %d", n, again.last.Seq, len(told))
		}
		if err := again.Verify(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeletedWhileRunning: the chain goes on behind an anchor.
func TestDeletedWhileRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "audit.log")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	add(t, l, noon, Capture, id)
	head := l.Head()
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	add(t, l, noon, Delete, id)
	if err := l.Verify(); err != nil || l.last.Prev != head {
		t.Errorf("%v, and the new line follows %s instead of %s", err, l.last.Prev, head)
	}
}

// FuzzLog: whatever is in the file, opening it ends well, and what was a good
// beginning stays.
func FuzzLog(f *testing.F) {
	fsys := disktest.NewMemory()
	l, err := OpenOn(fsys, "/state/audit.log")
	if err != nil {
		f.Fatal(err)
	}
	for n := range 3 {
		if err := l.Append(noon, Capture, fmt.Sprintf("item-%d", n), 1); err != nil {
			f.Fatal(err)
		}
	}
	data, err := l.read()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add(bytes.Replace(data, []byte("item-1"), []byte("item-2"), 1))
	f.Add(append(Entry{Seq: 9, Event: anchor, Hash: strings.Repeat("a", 64)}.line(), data...))
	f.Add([]byte("{}\n\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := disktest.NewMemory()
		plant(t, fsys, data)
		good, _ := scan(data, func(Entry) {})
		l := openLog(t, fsys)
		if good > 0 && l.Head() == "" {
			t.Error("a good beginning is forgotten")
		}
		if err := l.Append(noon, Delete, "item", 0); err != nil {
			t.Skip(err) // the last number there is
		}
		if err := l.Verify(); err != nil {
			t.Error(err)
		}
		again := openLog(t, fsys)
		if again.Head() != l.Head() || again.Damaged() != nil {
			t.Errorf("opened again: %v", again.Damaged())
		}
	})
}
