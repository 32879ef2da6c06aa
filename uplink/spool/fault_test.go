package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/bril-edge/bril/uplink/spool/internal/disktest"
)

// outage lets the calls from a number on fail, once or until it is lifted.
type outage struct {
	from  int
	once  bool
	err   error
	over  bool
	where disktest.Op // the first that failed
}

func (o *outage) before(op disktest.Op) error {
	if o.over || op.N < o.from || o.once && op.N > o.from {
		return nil
	}
	if o.where.Name == "" {
		o.where = op
	}
	return o.err
}

// hardDay is a day on a disk that fails: what returns an error is not
// promised. It never stops.
func hardDay(b *bench, p *promises) {
	finish := func(m Meta, size int) string {
		data := noise(size)
		p.tried = append(p.tried, data)
		i, err := b.Create(b.key.Recipient(), m)
		if err != nil {
			return ""
		}
		for part := range chunks(data, 50_000) {
			_, _ = i.Write(part) // Finish tells
		}
		if i.Finish() != nil {
			return ""
		}
		p.data[i.ID()] = data
		return i.ID()
	}
	settle := func(id string, how func(id string) error) {
		if p.data[id] == nil {
			return
		}
		if how(id) == nil {
			p.settled[id] = true
		}
		delete(p.data, id) // when it failed it may be either
	}
	first := finish(photo(), 70_000)
	second := finish(clip(), 230_000)
	settle(first, func(id string) error { return b.Acknowledge(id, b.entries[id].sha256) })
	third := finish(photo(), 100)
	_ = b.Refuse(third, "too small")
	_ = b.Retry(third)
	b.tend()
	settle(second, b.Drop)
	finish(photo(), 3*chunkSize)
	b.tend()
}

// TestEachCallFails lets every call of the file system fail, once and from
// there on, with one after the other of the errors that a disk has: nothing
// here decides by which one it is.
func TestEachCallFails(t *testing.T) {
	errnos := []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EROFS}
	for _, once := range []bool{true, false} {
		t.Run(fmt.Sprintf("once=%v", once), func(t *testing.T) {
			calls := 1
			for n := 0; n < calls; n++ {
				calls = dayWithOutage(t, &outage{from: n, once: once, err: errnos[n%len(errnos)]})
			}
			t.Logf("%d calls, each failed", calls)
		})
	}
}

// dayWithOutage returns how many calls there were.
func dayWithOutage(t *testing.T, o *outage) int {
	t.Helper()
	memory := disktest.NewMemory()
	hooked := &disktest.Hooked{FS: memory}
	b := newBenchOn(t, hooked, "/state")
	opening := hooked.Ops()
	o.from += opening
	hooked.Before = o.before
	p := &promises{data: map[string][]byte{}, settled: map[string]bool{}}
	hardDay(b, p)
	calls := hooked.Ops()
	when := fmt.Sprintf("with %v at %s of %s", o.err, o.where.Name, o.where.Path)
	if !o.once && b.Status().Fault == nil {
		t.Errorf("%s: Status shows no fault", when)
	}
	o.over = true
	b.tend()
	if err := b.Status().Fault; err != nil {
		t.Fatalf("%s: the cause is gone, the fault is not: %v", when, err)
	}
	after := noise(5000)
	p.tried = append(p.tried, after)
	p.data[b.put(t, photo(), after)] = after
	afterOutage(t, b, p, when)
	again := &bench{dir: b.dir, fsys: memory.Cut(disktest.All, 0), key: b.key}
	again.open(t, "/state")
	afterOutage(t, again, p, when+", and after a restart")
	return calls - opening
}

func afterOutage(t *testing.T, b *bench, p *promises, when string) {
	t.Helper()
	found := map[string]bool{}
	for _, e := range b.List() {
		found[e.ID] = true
		checkLeft(t, b, e, p, when)
		if e.State == New || e.State == Writing {
			t.Fatalf("%s: nobody writes %+v", when, e)
		}
	}
	for id := range p.data {
		if !found[id] {
			t.Fatalf("%s: item %s was finished and is not there", when, id)
		}
	}
	for id := range p.settled {
		if found[id] {
			t.Fatalf("%s: item %s was deleted and is back", when, id)
		}
	}
	if w := b.Status().Warnings; len(w) > 0 {
		t.Fatalf("%s: %q", when, w)
	}
	if err := b.record(); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if err := b.log.Verify(); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
}

func TestFullDisk(t *testing.T) {
	memory := disktest.NewMemory()
	b := newBenchOn(t, memory, "/state", func(c *Config) { c.Quota = 4 << 20 })
	kept := noise(300_000)
	id := b.put(t, photo(), kept)
	memory.Space = 600_000
	i, err := b.Create(b.key.Recipient(), photo())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Write(noise(400_000)); !errors.As(err, new(*FullError)) {
		t.Errorf("a photo that the disk cannot hold: %v", err)
	}
	if err := i.Abort(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Create(b.key.Recipient(), clip()); !errors.As(err, new(*FullError)) {
		t.Errorf("a clip when there is room for a photo only: %v", err)
	}
	memory.Space = 0
	b.put(t, clip(), noise(400_000))
	if e := b.List()[0]; e.ID != id {
		t.Errorf("the first item is now %+v", e)
	}
}

func TestFolderDeletedWhileRunning(t *testing.T) {
	b := newBench(t)
	b.put(t, photo(), noise(1000))
	i, err := b.Create(b.key.Recipient(), clip())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	_, _ = i.Write(noise(100_000)) // into a file without a name
	if err := i.Finish(); err == nil {
		t.Error("a clip was finished that is nowhere")
	}
	if b.Status().Fault == nil {
		t.Error("Status shows no fault")
	}
	data := noise(2000)
	id := b.put(t, photo(), data)
	b.tend()
	list := b.List()
	if len(list) != 1 || list[0].ID != id {
		t.Fatalf("there is %+v", list)
	}
	if _, got := b.get(t, list[0]); !bytes.Equal(got, data) {
		t.Error("the photo taken afterwards is another")
	}
	st := b.Status()
	if st.Fault != nil || len(st.Warnings) != 1 {
		t.Errorf("Status is %+v", st)
	}
}

// TestSpoolIsAFile opens a spool where none can be: it reports and recovers.
func TestSpoolIsAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "spool")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBenchOn(t, newBench(t).fsys, dir)
	if b.Status().Fault == nil {
		t.Error("Status shows no fault")
	}
	if _, err := b.Create(b.key.Recipient(), photo()); err == nil {
		t.Error("a photo was begun in a file")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	b.put(t, photo(), noise(10))
	if err := b.Status().Fault; err != nil {
		t.Error(err)
	}
}
