package soak

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/uplink/spool"
)

// ledger is what was promised to the presser of a button, and what was on the
// device's disk when it was killed.
type ledger struct {
	identity *age.X25519Identity // the endpoint's

	mu       sync.Mutex
	photos   map[string]bool    // ids that were returned
	begun    map[string]bool    // ids of clips whose start returned
	finished map[string]float64 // and whose stop did: with how long it said they are

	planted map[string]bool   // ids that the test has put there
	disk    map[string]onDisk // by id
	empty   map[string]bool   // clips of which there was no whole chunk when they were cut
	cut     map[string]bool   // clips that were cut and had one
}

// onDisk is an encrypted item as it was found, or will be once it is cut to its
// whole chunks.
type onDisk struct {
	sha256 string // of the encrypted file
	state  spool.State
	header spool.Header
	plain  string // checksum of what was encrypted, without the header
}

func newLedger(identity *age.X25519Identity) *ledger {
	return &ledger{
		identity: identity, photos: map[string]bool{}, begun: map[string]bool{}, finished: map[string]float64{},
		planted: map[string]bool{}, disk: map[string]onDisk{}, empty: map[string]bool{}, cut: map[string]bool{},
	}
}

func (l *ledger) note(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
}

// inspect reads the spool of an agent that is dead. check sees what each item is
// in clear.
func (l *ledger) inspect(dir string, check func(plain []byte) error) error {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range list {
		id, state, _ := strings.Cut(d.Name(), ".")
		if l.planted[id] {
			continue
		}
		path := filepath.Join(dir, d.Name())
		var itemErr error
		switch state := spool.State(state); state {
		case spool.Ready, spool.Interrupted:
			itemErr = l.whole(path, id, check)
		case spool.Writing:
			itemErr = l.half(path, id, check)
		}
		if itemErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", d.Name(), itemErr))
		}
	}
	return err
}

// whole takes in an item that waits for its upload. What it is never changes.
func (l *ledger) whole(path, id string, check func([]byte) error) error {
	side, data, err := read(path)
	if err != nil {
		return err
	}
	sum := hexSum(data)
	if sum != side.SHA256 || int64(len(data)) != side.Bytes {
		return fmt.Errorf("item.json says %d bytes with checksum %s, and there are %d with %s", side.Bytes, side.SHA256, len(data), sum)
	}
	return l.take(id, side.State, data, check)
}

// half takes in a clip that was being written: as all of it, if only its name is
// missing, or as its whole chunks.
func (l *ledger) half(path, id string, check func([]byte) error) error {
	side, data, err := read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if side.State == spool.Ready && side.SHA256 == hexSum(data) {
		return l.take(id, spool.Ready, data, check)
	}
	n := wholeChunks(data)
	if n == 0 {
		l.note(func() { l.empty[id] = true })
		return nil
	}
	l.note(func() { l.cut[id] = true })
	return l.take(id, spool.Interrupted, data[:n], check)
}

func (l *ledger) take(id string, state spool.State, data []byte, check func([]byte) error) error {
	now := onDisk{sha256: hexSum(data), state: state}
	l.mu.Lock()
	before, known := l.disk[id]
	l.mu.Unlock()
	if known {
		if now.sha256 != before.sha256 || now.state != before.state {
			return fmt.Errorf("it is %s with checksum %s, and was %s with %s", now.state, now.sha256, before.state, before.sha256)
		}
		return nil
	}
	plain, err := decrypt(data, l.identity)
	if err != nil && !(state == spool.Interrupted && errors.Is(err, io.ErrUnexpectedEOF)) {
		return err
	}
	line, body, _ := bytes.Cut(plain, []byte("\n"))
	if now.header, err = spool.ParseHeader(append(line, '\n')); err != nil {
		return err
	}
	now.plain = hexSum(body)
	l.note(func() { l.disk[id] = now })
	return check(body)
}

// sidecar is item.json.
type sidecar struct {
	SchemaVersion int         `json:"schema_version"`
	ID            string      `json:"id"`
	State         spool.State `json:"state"`
	Bytes         int64       `json:"bytes"`
	SHA256        string      `json:"sha256"`
	DeleteAfter   time.Time   `json:"delete_after,omitzero"`
}

// read reads an item's folder. Nothing else may stand in its item.json.
func read(path string) (side sidecar, data []byte, err error) {
	data, err = os.ReadFile(filepath.Join(path, "media.age"))
	if err != nil {
		return side, nil, err
	}
	text, err := os.ReadFile(filepath.Join(path, "item.json"))
	if err != nil {
		return side, data, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return side, data, d.Decode(&side)
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// wholeChunks is how long an age file is up to its last whole chunk, which has
// 64 KiB and a tag of 16 bytes; 0 without one.
func wholeChunks(data []byte) int {
	header, err := age.ExtractHeader(bytes.NewReader(data))
	begin := len(header) + 16 // the nonce
	if err != nil || len(data) < begin {
		return 0
	}
	n := (len(data) - begin) / (64<<10 + 16)
	if n == 0 {
		return 0
	}
	return begin + n*(64<<10+16)
}

// decrypt returns what can be read, also with an error.
func decrypt(data []byte, identity age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(data), identity)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(bufio.NewReader(r))
}
