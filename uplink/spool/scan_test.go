package spool

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"

	"github.com/bril-edge/bril/uplink/spool/internal/disk"
	"github.com/bril-edge/bril/uplink/spool/internal/disktest"
)

// plant puts a folder with files, or a file when there are none, into the spool.
func (b *bench) plant(t testing.TB, name string, files map[string][]byte) {
	t.Helper()
	path := filepath.Join(b.dir, name)
	write := func(path string, data []byte) {
		f, err := b.fsys.Create(path)
		if err == nil {
			_, err = f.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if files == nil {
		write(path, []byte("?"))
		return
	}
	if err := b.fsys.Mkdir(path); err != nil {
		t.Fatal(err)
	}
	for file, data := range files {
		write(filepath.Join(path, file), data)
	}
}

// sealed is a media.age with n bytes after the header line.
func sealed(t testing.TB, key *age.X25519Identity, id string, n int) []byte {
	t.Helper()
	line, err := clip().line(id)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, key.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{line, noise(n)} {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestForeign: what is not an item is set aside, shown, and in nobody's way.
func TestForeign(t *testing.T) {
	const id = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	side := []byte(`{"schema_version":1,"id":"` + id + `","state":"ready","bytes":5,"sha256":"` + strings.Repeat("0", 64) + `"}`)
	tests := []struct {
		name    string
		folder  string
		files   map[string][]byte
		problem string // empty: it is deleted, or left alone
	}{
		{"a file", "notes.txt", nil, "not an item"},
		{"a file with an item's name", id + ".ready", nil, "not an item"},
		{"a folder", "music", map[string][]byte{"a.mp3": {1}}, "not an item"},
		{"an unknown state", id + ".sent", map[string][]byte{}, "not an item"},
		{"an id of other letters", strings.ToUpper(id) + ".ready", map[string][]byte{}, "not an item"},
		{"an empty item", id + ".ready", map[string][]byte{}, "item.json"},
		{"no item.json", id + ".ready", map[string][]byte{mediaName: []byte("media")}, "item.json"},
		{"no media.age", id + ".ready", map[string][]byte{sideName: side}, "media.age"},
		{"a wrong size", id + ".ready", map[string][]byte{sideName: side, mediaName: []byte("four")}, "4 bytes instead of 5"},
		{"another state in item.json", id + ".interrupted", map[string][]byte{sideName: side, mediaName: []byte("media")}, "says ready"},
		{"an item.json that is none", id + ".ready", map[string][]byte{sideName: []byte("{"), mediaName: {}}, "item.json"},
		{"an item.json that says more", id + ".ready", map[string][]byte{sideName: []byte(`{"session":"mrs-jansen"}`), mediaName: {}}, "unknown field"},
		{"an endless item.json", id + ".ready", map[string][]byte{sideName: make([]byte, 9000), mediaName: {}}, "more than"},
		{"a clip that age does not know", id + ".writing", map[string][]byte{mediaName: noise(100_000)}, "media.age"},
		{"a clip of nothing", id + ".writing", map[string][]byte{}, ""},
		{"a clip of less than a chunk", id + ".writing", map[string][]byte{mediaName: noise(60_000)}, ""},
		{"a photo that was being written", id + ".new", map[string][]byte{mediaName: noise(100_000)}, ""},
		{"an item that was being deleted", id + ".gone", map[string][]byte{mediaName: noise(100_000)}, ""},
		{"a file system's own", "lost+found", map[string][]byte{}, ""},
		{"a long name", strings.Repeat("x", 252), nil, "not an item"},
		{"set aside before", "notes.txt.broken", nil, "set aside before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			b := newBenchOn(t, disk.OS{}, dir)
			good := b.put(t, photo(), noise(1000))
			b.plant(t, tt.folder, tt.files)
			b.open(t, dir)
			if e, err := b.Next(t.Context()); err != nil || e.ID != good {
				t.Errorf("next is %+v, %v", e, err)
			}
			list := slices.DeleteFunc(b.List(), func(e Entry) bool { return e.ID == good })
			if tt.problem == "" {
				if len(list) != 0 {
					t.Errorf("there is %+v", list)
				}
				return
			}
			if len(list) != 1 || list[0].State != Broken || !strings.Contains(list[0].Problem, tt.problem) {
				t.Fatalf("there is %+v, want a problem with %q", list, tt.problem)
			}
			if _, err := os.Lstat(filepath.Join(b.dir, list[0].ID)); err != nil {
				t.Error(err)
			}
			if renamed := list[0].ID != tt.folder; renamed != strings.HasPrefix(tt.folder, id) {
				t.Errorf("%s is now %s", tt.folder, list[0].ID)
			}
			if st := b.Status(); st.Fault != nil || len(st.Warnings) != 1 || st.Items != 1 {
				t.Errorf("Status is %+v", st)
			}
			if err := b.Drop(list[0].ID); err != nil || len(b.List()) != 1 {
				t.Errorf("Drop: %v, %+v", err, b.List())
			}
		})
	}
}

// TestForeignFolderOfAnother: one that may not be looked into is no fault of the disk.
func TestForeignFolderOfAnother(t *testing.T) {
	hooked := &disktest.Hooked{FS: disktest.NewMemory()}
	b := newBenchOn(t, hooked, "/state")
	b.plant(t, "root's", map[string][]byte{"x": {1}})
	hooked.Before = func(op disktest.Op) error {
		if op.Name == "readdir" && filepath.Base(op.Path) == "root's" {
			return syscall.EACCES
		}
		return nil
	}
	b.tend()
	if list := b.List(); len(list) != 1 || list[0].State != Broken || b.Status().Fault != nil {
		t.Errorf("there is %+v, fault %v", list, b.Status().Fault)
	}
}

// TestLinks: a link is followed nowhere, neither to read nor to delete.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	b := newBenchOn(t, disk.OS{}, dir)
	id := b.put(t, photo(), noise(1000))
	other := filepath.Join(dir, "other")
	if err := os.Rename(b.path(id, Ready), other); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, b.path(id, New)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, b.path(newID(), Ready)); err != nil {
		t.Fatal(err)
	}
	b.open(t, dir)
	for _, e := range b.List() {
		if e.State != Broken {
			t.Errorf("there is %+v", e)
		}
		if err := b.Drop(e.ID); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{mediaName, sideName} {
		if _, err := os.Stat(filepath.Join(other, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestSecondFolder: two folders of one item, which no crash leaves.
func TestSecondFolder(t *testing.T) {
	dir := t.TempDir()
	b := newBenchOn(t, disk.OS{}, dir)
	data := noise(1000)
	id := b.put(t, photo(), data)
	b.plant(t, id+".refused", map[string][]byte{"x": {1}})
	b.open(t, dir)
	b.tend()
	states := map[State]int{}
	for _, e := range b.List() {
		states[e.State]++
		if e.State == Ready {
			b.get(t, e)
		}
	}
	if !maps.Equal(states, map[State]int{Ready: 1, Broken: 1}) {
		t.Errorf("there is %+v", b.List())
	}
}

// TestTruncation cuts a clip at every place that matters.
func TestTruncation(t *testing.T) {
	const id = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := sealed(t, key, id, 3*chunkSize)
	header, err := age.ExtractHeader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	begin := len(header) + nonceSize
	const whole = chunkSize + tagSize
	for _, size := range []int{0, 1, begin - 1, begin, begin + 1, begin + whole - 1, begin + whole, begin + whole + 1, begin + 2*whole, begin + 3*whole + 5, len(file)} {
		b := newBench(t)
		b.key = key
		b.plant(t, id+".writing", map[string][]byte{mediaName: file[:size]})
		b.tend()
		want := max(size-begin, 0) / whole
		list := b.List()
		if want == 0 {
			if len(list) != 0 {
				t.Errorf("of %d bytes there is %+v", size, list)
			}
			continue
		}
		if len(list) != 1 || list[0].State != Interrupted || list[0].Bytes != int64(begin+want*whole) {
			t.Fatalf("of %d bytes there is %+v", size, list)
		}
		line, err := clip().line(id)
		if err != nil {
			t.Fatal(err)
		}
		if _, data := b.get(t, list[0]); len(data) != want*chunkSize-len(line) {
			t.Errorf("of %d bytes %d can be decrypted", size, len(data))
		}
	}
}

// FuzzScan plants two folders with any names and contents beside a good item
// and a clip that was cut off.
func FuzzScan(f *testing.F) {
	const other = "bbbbbbbbbbbbbbbbbbbbbbbbbb"
	key, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	cut := sealed(f, key, other, 100_000)[:80_000]
	f.Add(other+".writing", []byte(`{"schema_version":1}`), cut)
	f.Add(other+".ready", []byte(`{"schema_version":1,"id":"`+other+`","state":"ready","bytes":3,"sha256":"`+strings.Repeat("0", 64)+`"}`), []byte("age"))
	f.Add("x.broken", []byte(""), []byte("age-encryption.org/v1\n"))
	f.Add(".probe", []byte("null"), []byte{})
	f.Add(other+".writing", []byte("{}"), append([]byte("age-encryption.org/v1\n-> X25519 x\n"), make([]byte, 70_000)...))
	f.Fuzz(func(t *testing.T, name string, side, media []byte) {
		if name != filepath.Base(name) || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || len(name) > 200 {
			t.Skip("not a name")
		}
		const dir = "/state"
		b := newBenchOn(t, disktest.NewMemory(), dir)
		b.key = key
		data := noise(1000)
		good := b.put(t, photo(), data)
		if strings.HasPrefix(name, good) {
			t.Skip("the item's own")
		}
		b.plant(t, name, map[string][]byte{sideName: side, mediaName: media})
		b.plant(t, strings.Repeat("c", 26)+".writing", map[string][]byte{mediaName: cut})
		for range 2 {
			b.open(t, dir)
			if err := b.Status().Fault; err != nil {
				t.Errorf("a name and two files made a fault of the disk: %v", err)
			}
			found := 0
			for _, e := range b.List() {
				switch {
				case e.ID == good:
					if _, got := b.get(t, e); e.State != Ready || !bytes.Equal(got, data) {
						t.Errorf("the good item is %+v", e)
					}
					found++
				case e.ID == strings.Repeat("c", 26) && e.State == Interrupted:
					found++
				}
			}
			if found != 2 {
				t.Errorf("with %q there is %+v", name, b.List())
			}
		}
	})
}
