package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/uplink/spool/internal/disk"
)

// TestNothingInClear looks for what was written, and what was said about it, in
// all that is on disk, names included, while and after it is written.
func TestNothingInClear(t *testing.T) {
	dir := t.TempDir()
	b := newBenchOn(t, disk.OS{}, dir)
	marker := []byte("MARKER-of-a-picture")
	look := func(when string) {
		t.Helper()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			for _, secret := range []string{string(marker), "mrs-jansen", "photo", "clip", "image/jpeg", "video/mp4", "taken_at", `"show"`, "confirmed"} {
				if bytes.Contains(append([]byte(path), data...), []byte(secret)) {
					t.Errorf("%s: %s holds %q", when, path, secret)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []Meta{photo(), clip()} {
		i, err := b.Create(b.key.Recipient(), m)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, err := i.Write(bytes.Repeat(marker, 5000)); err != nil {
				t.Fatal(err)
			}
			look("while it is written")
		}
		if err := i.Finish(); err != nil {
			t.Fatal(err)
		}
		look("when it is ready")
	}
	if err := b.Refuse(b.List()[0].ID, "no photo of mrs-jansen"); err != nil {
		t.Fatal(err)
	}
	look("when it was refused")
}

// TestItemJSON: what stands beside an item is what is documented, and no more.
func TestItemJSON(t *testing.T) {
	b := newBench(t)
	i, err := b.Create(b.key.Recipient(), clip())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"bytes", "delete_after", "id", "schema_version", "sha256", "state"}
	for _, state := range []State{Writing, Ready} {
		if state == Ready {
			if err := i.Finish(); err != nil {
				t.Fatal(err)
			}
		}
		data, err := os.ReadFile(filepath.Join(b.path(i.ID(), state), sideName))
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) || fields["state"] != string(state) {
			t.Errorf("it is %s", data)
		}
		for path, mode := range map[string]fs.FileMode{"": 0o700, sideName: 0o600, mediaName: 0o600} {
			info, err := os.Stat(filepath.Join(b.path(i.ID(), state), path))
			if err != nil || info.Mode().Perm() != mode {
				t.Errorf("%q has mode %v, %v", path, info.Mode(), err)
			}
		}
	}
}

// TestStandardTool lets the program age decrypt an item.
func TestStandardTool(t *testing.T) {
	tool, err := exec.LookPath("age")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("age is missing: apt install age")
		}
		t.Skip("age is missing: apt install age")
	}
	b := newBench(t)
	data := noise(300_000)
	id := b.put(t, photo(), data)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(b.key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "--decrypt", "--identity", key, filepath.Join(b.path(id, Ready), mediaName)).Output()
	if err != nil {
		t.Fatal(err)
	}
	line, got, _ := bytes.Cut(out, []byte("\n"))
	if h, err := ParseHeader(line); err != nil || h.ID != id || !bytes.Equal(got, data) {
		t.Errorf("age gives %+v, %v and %d bytes", h, err, len(got))
	}
}

// TestAllAtOnce: photos while clips are written while an upload reads, refuses,
// puts off and acknowledges, and somebody looks on.
func TestAllAtOnce(t *testing.T) {
	b := newBench(t)
	const each, writers = 8, 3
	var g errgroup.Group
	write := func(m Meta, size int) func() error {
		return func() error {
			for n := range each {
				i, err := b.Create(b.key.Recipient(), m)
				if err != nil {
					return err
				}
				for part := range chunks(noise(size+n), 30_000) {
					if _, err := i.Write(part); err != nil {
						return err
					}
				}
				if err := i.Finish(); err != nil {
					return err
				}
			}
			return nil
		}
	}
	g.Go(write(photo(), 20_000))
	g.Go(write(photo(), 40_000))
	g.Go(write(clip(), 150_000))
	stop := make(chan struct{})
	look := make(chan struct{})
	go func() {
		defer close(look)
		for {
			select {
			case <-stop:
				return
			default:
				b.tend()
				b.List()
				b.Status()
				_ = b.Retry("")
			}
		}
	}()
	seen := map[string]bool{}
	for n := 0; len(seen) < each*writers; n++ {
		e, err := b.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.get(t, e)
		switch n % 4 {
		case 0:
			err = b.Defer(e.ID, time.Now(), "later")
		case 1:
			err = b.Refuse(e.ID, "no") // and Retry brings it back
		default:
			if err = b.Acknowledge(e.ID, e.SHA256); err == nil {
				seen[e.ID] = true
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-look
	if st := b.Status(); len(b.List()) != 0 || st.Fault != nil || len(st.Warnings) != 0 {
		t.Errorf("at the end there is %v, %+v", b.List(), st)
	}
	if err := errors.Join(b.Close(), b.log.Verify()); err != nil {
		t.Error(err)
	}
	if open := b.log.Open(); len(open) != 0 {
		t.Errorf("the log misses the deletion of %v", open)
	}
	if lines := 3 * each * writers; b.logLines(t) != lines {
		t.Errorf("the log has %d lines, want %d", b.logLines(t), lines)
	}
}

func (b *bench) logLines(t *testing.T) int {
	data, err := os.ReadFile(filepath.Join(filepath.Dir(b.dir), "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte("\n"))
}

// smallDisk is set in the test that runs in its own mount namespace.
const smallDisk = "BRIL_TEST_SMALL_DISK"

// TestRealFullDisk fills a small file system of the kernel's own, in a mount
// namespace, and lets it become read-only.
func TestRealFullDisk(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		onSmallDisk(t, dir)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRealFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil && errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
		t.Skipf("no mount namespace here: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func onSmallDisk(t *testing.T, dir string) {
	mount := func(flags uintptr, data string) {
		t.Helper()
		if err := unix.Mount("tmpfs", dir, "tmpfs", flags, data); err != nil {
			t.Fatal(err)
		}
	}
	mount(0, "size=4m")
	b := newBenchOn(t, disk.OS{}, dir, func(c *Config) { c.Quota = 64 << 20 })
	kept := map[string]int{}
	var full *FullError
	for n := 0; ; n++ {
		i, err := b.Create(b.key.Recipient(), photo())
		if err == nil {
			if _, err = i.Write(noise(200_000 + n)); err == nil {
				if err = i.Finish(); err == nil {
					kept[i.ID()] = 200_000 + n
					continue
				}
			} else {
				_ = i.Abort()
			}
		}
		if !errors.As(err, &full) && !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("the disk is full: %v", err)
		}
		break
	}
	t.Logf("%d photos of 200 kB fit into 4 MiB", len(kept))
	filler := filepath.Join(dir, "filler") // what others leave of the disk: nothing
	_ = os.WriteFile(filler, make([]byte, 4<<20), 0o600)
	if i, err := b.Create(b.key.Recipient(), photo()); err == nil {
		if err = i.Finish(); err == nil {
			t.Error("a photo fits on a full disk")
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	mount(unix.MS_REMOUNT|unix.MS_RDONLY, "size=4m")
	var failed *DiskError
	if _, err := b.Create(b.key.Recipient(), photo()); !errors.As(err, &failed) || !strings.Contains(failed.Hint(), "read-only") {
		t.Errorf("a photo was begun on a read-only disk: %v", err)
	}
	if e := b.List()[0]; b.Acknowledge(e.ID, e.SHA256) == nil || b.Status().Fault == nil {
		t.Error("an item was deleted from a read-only disk")
	}
	mount(unix.MS_REMOUNT, "size=8m")
	kept[b.put(t, photo(), noise(1000))] = 1000
	b.tend()
	b.open(t, dir)
	if err := b.Status().Fault; err != nil {
		t.Error(err)
	}
	for _, e := range b.List() {
		if _, data := b.get(t, e); len(data) != kept[e.ID] || e.State != Ready {
			t.Errorf("item %+v has %d bytes", e, len(data))
		}
		delete(kept, e.ID)
	}
	if len(kept) > 0 {
		t.Errorf("%d photos are missing", len(kept))
	}
}

// BenchmarkPhoto is what lies between the JPEG and the cue.
func BenchmarkPhoto(b *testing.B) {
	dir := os.Getenv("BRIL_BENCH_DIR") // another disk than that of the temporary files
	if dir == "" {
		dir = b.TempDir()
	}
	s := newBenchOn(b, disk.OS{}, dir)
	data := noise(300_000)
	stages := map[string][]time.Duration{}
	for b.Loop() {
		begun := time.Now()
		i, err := s.Create(s.key.Recipient(), photo())
		created := time.Now()
		if err == nil {
			_, err = i.Write(data)
		}
		written := time.Now()
		if err == nil {
			err = i.Finish()
		}
		if err != nil {
			b.Fatal(err)
		}
		finished := time.Now()
		for name, d := range map[string]time.Duration{"create": created.Sub(begun), "write": written.Sub(created), "finish": finished.Sub(written), "all": finished.Sub(begun)} {
			stages[name] = append(stages[name], d)
		}
		b.StopTimer()
		if err := s.Drop(i.ID()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	for name, all := range stages {
		slices.Sort(all)
		for _, percent := range []int{50, 95} {
			ms := float64(all[(len(all)-1)*percent/100]) / float64(time.Millisecond)
			b.ReportMetric(ms, fmt.Sprintf("ms-%s-p%s", name, strconv.Itoa(percent)))
		}
	}
}
