package spool

import (
	"bytes"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/uplink/spool/internal/disktest"
)

// promises is what a scenario has been told so far.
type promises struct {
	data     map[string][]byte // finished: has to be there, whole
	settled  map[string]bool   // deleted: must not come back
	tried    [][]byte          // all that was ever begun
	moving   string            // an item that is being deleted: may be either
	recorded int               // bytes of the running clip that were synced
}

// day is a day of a pair of glasses: three photos and two clips, of which some
// are uploaded, refused, dropped. each is called for every change of promises.
func day(t *testing.T, b *bench, p *promises) {
	t.Helper()
	finish := func(m Meta, size int) string {
		data := noise(size)
		p.tried = append(p.tried, data)
		i, err := b.Create(b.key.Recipient(), m)
		if err != nil {
			t.Fatal(err)
		}
		for part := range chunks(data, 50_000) {
			if m.Kind == Clip {
				time.Sleep(SyncEvery)
			}
			if _, err := i.Write(part); err != nil {
				t.Fatal(err)
			}
			if m.Kind == Clip {
				p.recorded = int(i.size-i.head) / (chunkSize + tagSize) * chunkSize
			}
		}
		p.recorded = 0
		if err := i.Finish(); err != nil {
			t.Fatal(err)
		}
		p.data[i.ID()] = data
		return i.ID()
	}
	settle := func(id string, how func(id string) error) {
		p.moving = id
		if err := how(id); err != nil {
			t.Fatal(err)
		}
		delete(p.data, id)
		p.moving, p.settled[id] = "", true
	}
	first := finish(photo(), 70_000)
	second := finish(clip(), 230_000)
	settle(first, func(id string) error { return b.Acknowledge(id, b.entries[id].sha256) })
	third := finish(photo(), 100)
	for _, step := range []func() error{
		func() error { return b.Refuse(third, "too small") },
		b.record,
		func() error { return b.Retry(third) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	finish(clip(), 1000)
	settle(second, b.Drop)
	finish(photo(), 3*chunkSize)
	b.tend()
}

func chunks(data []byte, size int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			n := min(size, len(data))
			if !yield(data[:n]) {
				return
			}
			data = data[n:]
		}
	}
}

// TestPowerCut pulls the battery after every single call of the file system, in
// every way in which one may lose what was not synced.
func TestPowerCut(t *testing.T) {
	for _, loss := range disktest.Losses() {
		t.Run(loss.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := disktest.NewMemory()
				hooked := &disktest.Hooked{FS: memory}
				p := &promises{data: map[string][]byte{}, settled: map[string]bool{}}
				b := newBenchOn(t, hooked, "/state")
				hooked.After = func(op disktest.Op) {
					if reads(op) {
						return
					}
					left := memory.Cut(loss, uint64(op.N))
					afterCut(t, b, left, p, fmt.Sprintf("after op %d, %s of %s", op.N, op.Name, op.Path))
				}
				day(t, b, p)
				t.Logf("%d calls, the power cut after each that changed something", hooked.Ops())
			})
		})
	}
}

// reads tells that a call changes nothing.
func reads(op disktest.Op) bool {
	return op.Name == "read" || op.Name == "readdir" || op.Name == "lstat" || op.Name == "open"
}

// afterCut opens what a power cut left and holds it against the promises.
func afterCut(t *testing.T, b *bench, left *disktest.Memory, p *promises, when string) {
	t.Helper()
	again := &bench{dir: b.dir, fsys: left, key: b.key}
	again.open(t, "/state")
	found := map[string]Entry{}
	for _, e := range again.List() {
		found[e.ID] = e
		checkLeft(t, again, e, p, when)
	}
	for id := range p.data {
		if e, ok := found[id]; id != p.moving && (!ok || e.State == Interrupted) {
			t.Fatalf("%s: item %s was finished and is now %+v", when, id, e)
		}
	}
	for id := range p.settled {
		if _, ok := found[id]; ok {
			t.Fatalf("%s: item %s was deleted and is back", when, id)
		}
	}
	checkRecorded(t, again, found, p, when)
	if err := again.Status().Fault; err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if err := again.log.Verify(); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	twice := &bench{dir: b.dir, fsys: left.Cut(disktest.All, 0), key: b.key}
	twice.open(t, "/state")
	for _, e := range twice.List() {
		if found[e.ID].SHA256 != e.SHA256 {
			t.Fatalf("%s: what Open made of it is not durable: %+v became %+v", when, found[e.ID], e)
		}
		delete(found, e.ID)
	}
	for e := range maps.Values(found) {
		t.Fatalf("%s: what Open made of it is not durable: %+v", when, e)
	}
}

// checkLeft judges one item that is still there.
func checkLeft(t *testing.T, b *bench, e Entry, p *promises, when string) {
	t.Helper()
	if e.State == Broken {
		t.Fatalf("%s: a power cut alone made something broken: %+v", when, e)
	}
	_, data := b.get(t, e)
	if want, ok := p.data[e.ID]; ok && !bytes.Equal(data, want) {
		t.Fatalf("%s: item %s has %d bytes that are not those finished", when, e.ID, len(data))
	}
	for _, tried := range p.tried {
		if bytes.Equal(data, tried) || e.State == Interrupted && bytes.HasPrefix(tried, data) {
			return
		}
	}
	t.Fatalf("%s: %s item %s has %d bytes that nobody wrote", when, e.State, e.ID, len(data))
}

// checkRecorded wants of a clip that was running what had been synced of it.
func checkRecorded(t *testing.T, b *bench, found map[string]Entry, p *promises, when string) {
	t.Helper()
	if p.recorded == 0 {
		return
	}
	for _, e := range found {
		if e.State == Interrupted && e.Bytes >= int64(p.recorded) {
			return
		}
	}
	t.Fatalf("%s: of the clip there should be %d bytes, there is %v", when, p.recorded, found)
}

// TestPowerCutInRecovery pulls the battery again while Open brings into order
// what the first time left.
func TestPowerCutInRecovery(t *testing.T) {
	for _, loss := range disktest.Losses() {
		t.Run(loss.String(), func(t *testing.T) {
			memory := disktest.NewMemory()
			b := newBenchOn(t, memory, "/state")
			p := &promises{data: map[string][]byte{}, settled: map[string]bool{}}
			kept := noise(100_000)
			p.tried = [][]byte{kept}
			p.data[b.put(t, photo(), kept)] = kept
			i, err := b.Create(b.key.Recipient(), clip())
			if err != nil {
				t.Fatal(err)
			}
			p.tried = append(p.tried, noise(200_000))
			if _, err := i.Write(p.tried[1]); err != nil {
				t.Fatal(err)
			}
			if err := i.file.Sync(); err != nil {
				t.Fatal(err)
			}
			p.recorded = 3 * chunkSize
			first := memory.Cut(disktest.Nothing, 0)
			hooked := &disktest.Hooked{FS: first}
			hooked.After = func(op disktest.Op) {
				if reads(op) {
					return
				}
				left := first.Cut(loss, uint64(op.N))
				afterCut(t, b, left, p, fmt.Sprintf("after op %d of recovery, %s of %s", op.N, op.Name, op.Path))
			}
			again := &bench{dir: b.dir, fsys: hooked, key: b.key}
			again.open(t, "/state")
		})
	}
}
