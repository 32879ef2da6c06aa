package soak

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/uplink/spool"
)

// planted are broken items: by what List calls them, the state they end in.
type planted map[string]string

const (
	refused   = string(spool.Refused)
	setAside  = string(spool.Broken)
	photoLine = `{"schema_version":1,"id":%q,"kind":"photo","session":%q,"taken_at":"2026-05-04T10:00:00Z","clock":"unconfirmed","show":false,"content_type":"image/jpeg"}` + "\n"
)

// plant puts into a spool what no endpoint takes, and what is no item at all. All
// of it is older than what will be taken, so it comes first.
func plant(t *testing.T, dir string, l *ledger) planted {
	t.Helper()
	p := planted{}
	p.again(t, dir, l)
	write(t, filepath.Join(dir, "note.txt"), []byte("not an item"))
	p["note.txt"] = setAside
	return p
}

// again plants once more.
func (p planted) again(t *testing.T, dir string, l *ledger) {
	t.Helper()
	before := maps.Clone(p)
	noise := make([]byte, 100_000)
	rand.Read(noise)
	p.item(t, dir, noise, len(noise), hexSum(noise), refused) // not encrypted to anybody

	id := newID()
	whole := encrypted(t, l, fmt.Sprintf(photoLine, id, conversation)+"not a photo")
	p.as(t, dir, id, whole, len(whole), hexSum(whole), refused)

	id = newID()
	rotten := encrypted(t, l, fmt.Sprintf(photoLine, id, conversation)+string(noise))
	sum := hexSum(rotten)
	rotten[50_000] ^= 1
	p.as(t, dir, id, rotten, len(rotten), sum, refused)

	p.item(t, dir, noise[:1000], len(noise), hexSum(noise), setAside) // its end is missing
	id = newID()
	write(t, filepath.Join(dir, id+".ready", "media.age"), noise[:1000]) // nothing describes it
	p[id+".ready.broken"] = setAside

	l.note(func() {
		for name := range p {
			if _, old := before[name]; !old {
				l.planted[strings.TrimSuffix(name, ".ready.broken")] = true
			}
		}
	})
}

func (p planted) item(t *testing.T, dir string, data []byte, size int, sum, end string) {
	t.Helper()
	p.as(t, dir, newID(), data, size, sum, end)
}

// as plants an item under an id, and notes how it will end.
func (p planted) as(t *testing.T, dir, id string, data []byte, size int, sum, end string) {
	t.Helper()
	folder := filepath.Join(dir, id+".ready")
	side, err := json.Marshal(sidecar{SchemaVersion: 1, ID: id, State: spool.Ready, Bytes: int64(size), SHA256: sum, DeleteAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "media.age"), data)
	write(t, filepath.Join(folder, "item.json"), side)
	if end == setAside {
		id += ".ready.broken"
	}
	p[id] = end
}

// settled says whether something in the spool is one of them, at its end.
func (p planted) settled(i control.SpoolItem) bool { return p[i.ID] == i.State }

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

func encrypted(t *testing.T, l *ledger, plain string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, l.identity.Recipient())
	if err == nil {
		_, err = w.Write([]byte(plain))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
