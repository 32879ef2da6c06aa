package spool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/uplink/spool/audit"
	"github.com/bril-edge/bril/uplink/spool/internal/disk"
)

// noon is when tests take place.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func confirmed() (time.Time, bool) { return noon, true }

// bench is a spool with its key, on some file system.
type bench struct {
	*Spool
	dir  string
	fsys disk.FS
	log  *audit.Log
	key  *age.X25519Identity
}

func newBench(t testing.TB, change ...func(*Config)) *bench {
	t.Helper()
	return newBenchOn(t, disk.OS{}, t.TempDir(), change...)
}

func newBenchOn(t testing.TB, fsys disk.FS, dir string, change ...func(*Config)) *bench {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{dir: filepath.Join(dir, "spool"), fsys: fsys, key: key}
	b.open(t, dir, change...)
	return b
}

// open opens the same folder again, as after a crash.
func (b *bench) open(t testing.TB, dir string, change ...func(*Config)) {
	t.Helper()
	var err error
	if b.log, err = audit.OpenOn(b.fsys, filepath.Join(dir, "audit.log")); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: b.dir, Clock: confirmed, Audit: b.log}
	for _, c := range change {
		c(&cfg)
	}
	if b.Spool, err = open(b.fsys, cfg); err != nil {
		t.Fatal(err)
	}
}

func photo() Meta {
	return Meta{Session: "mrs-jansen", Kind: Photo, TakenAt: noon, ClockConfirmed: true, ContentType: "image/jpeg"}
}

func clip() Meta {
	return Meta{Session: "mrs-jansen", Kind: Clip, TakenAt: noon, ClockConfirmed: true, ContentType: "video/mp4"}
}

// noise is n bytes that look like nothing else, not even like n+1 of them.
func noise(n int) []byte {
	b := make([]byte, n)
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(n))
	rand.NewChaCha8(seed).Read(b)
	return b
}

// put writes an item and returns its id.
func (b *bench) put(t testing.TB, m Meta, data []byte) string {
	t.Helper()
	i, err := b.Create(b.key.Recipient(), m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := i.Finish(); err != nil {
		t.Fatal(err)
	}
	return i.ID()
}

// get is what the endpoint gets of an item.
func (b *bench) get(t testing.TB, e Entry) (Header, []byte) {
	t.Helper()
	f, err := b.Spool.Open(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cipher, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(cipher); hex.EncodeToString(sum[:]) != e.SHA256 || int64(len(cipher)) != e.Bytes {
		t.Fatalf("item %s has %d bytes with another checksum than its entry says", e.ID, len(cipher))
	}
	plain, err := decrypt(b.key, cipher)
	if err != nil && (e.State != Interrupted || err != io.ErrUnexpectedEOF) {
		t.Fatalf("decrypt %s item: %v", e.State, err)
	}
	line, data, _ := bytes.Cut(plain, []byte("\n"))
	h, err := ParseHeader(append(line, '\n'))
	if err != nil {
		t.Fatal(err)
	}
	return h, data
}

func decrypt(key age.Identity, cipher []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(cipher), key)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestPhotoGoesThrough(t *testing.T) {
	b := newBench(t)
	data := noise(300_000)
	id := b.put(t, photo(), data)
	e, err := b.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if e.ID != id || e.State != Ready || e.Kind != Photo || !e.DeleteAfter.Equal(noon.Add(DefaultRetention)) {
		t.Errorf("the entry is %+v", e)
	}
	h, got := b.get(t, e)
	if !bytes.Equal(got, data) || h.Session != "mrs-jansen" || h.ID != id || h.Clock != Confirmed || !h.TakenAt.Equal(noon) {
		t.Errorf("the endpoint gets %+v and %d bytes", h, len(got))
	}
	if err := b.Acknowledge(id, "00"); err == nil {
		t.Error("another checksum was taken for an acknowledgement")
	}
	if err := b.Acknowledge(id, e.SHA256); err != nil {
		t.Fatal(err)
	}
	if list := b.List(); len(list) != 0 {
		t.Errorf("after the acknowledgement there is %v", list)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.log.Verify(); err != nil {
		t.Error(err)
	}
}
