package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/uplink/spool/audit"
	"github.com/bril-edge/bril/uplink/spool/internal/disk"
)

// What opening a link, or a folder, where a file should be says.
const (
	errLoop  = unix.ELOOP
	errIsDir = unix.EISDIR
)

// recover brings a clip into order whose writing a crash cut off. Each step can
// be repeated: a crash in between changes nothing.
func (s *Spool) recover(id string) error {
	dir := s.path(id, Writing)
	side, err := readSidecar(s.fsys, dir, id)
	if err != nil && !errors.Is(missingBroken(err), errBroken) {
		return err
	}
	if err != nil { // the file is what counts
		side = sidecar{SchemaVersion: SchemaVersion, ID: id}
	}
	found, err := s.inspect(filepath.Join(dir, mediaName))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return s.dropEmpty(id)
	case err != nil:
		return missingBroken(err)
	case side.State == Ready && found.size == side.Bytes && found.sum == side.SHA256:
		// All of it is there, only its name is missing. Whether it is durable
		// nobody knows: Finish may have failed for that.
	case found.whole == 0:
		return s.dropEmpty(id)
	default:
		side.State, side.Bytes, side.SHA256 = Interrupted, found.whole, found.wholeSum
	}
	if err := s.truncate(filepath.Join(dir, mediaName), side.Bytes); err != nil {
		return err
	}
	if err := side.write(s.fsys, dir); err != nil {
		return err
	}
	return s.promote(id, side)
}

// promote gives a folder the state that its item.json says.
func (s *Spool) promote(id string, side sidecar) error {
	if err := s.fsys.Rename(s.path(id, Writing), s.path(id, side.State)); err != nil {
		return err
	}
	if err := s.fsys.SyncDir(s.cfg.Dir); err != nil {
		return err
	}
	if err := s.load(id, side.State); err != nil {
		return err
	}
	s.cfg.Log.Warn("a clip that was not finished is kept as far as it goes", "item", id, "state", side.State, "bytes", side.Bytes)
	if s.cfg.Audit == nil || s.cfg.Audit.Last(id) == "" {
		s.mu.Lock()
		s.entries[id].fresh = true
		s.mu.Unlock()
		s.tell(audit.Capture, id, side.Bytes)
	}
	return nil
}

// dropEmpty deletes a clip of which nothing can be decrypted. Its id had been
// told, so the log has its deletion.
func (s *Spool) dropEmpty(id string) error {
	if err := s.remove(id, Writing); err != nil {
		return err
	}
	s.tell(audit.Delete, id, 0)
	return nil
}

// truncate also makes durable what is left.
func (s *Spool) truncate(path string, size int64) error {
	f, err := s.fsys.Edit(path)
	if err != nil {
		return err
	}
	err = f.Truncate(size)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// stream is what is left of a media.age.
type stream struct {
	size  int64
	sum   string
	whole int64 // size up to the last whole chunk; 0 without one
	// wholeSum is the checksum of that much.
	wholeSum string
}

// inspect reads the file once. Without the key nobody can tell a good chunk
// from a bad one, but what a power cut leaves of a file can be told: parts that
// never reached the disk are zeros, which an encrypted stream never has sixteen
// of in a row.
func (s *Spool) inspect(path string) (stream, error) {
	f, err := s.fsys.Open(path)
	if err != nil {
		return stream{}, err
	}
	defer f.Close()
	begin, err := payload(f)
	if err != nil {
		return stream{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return stream{}, err
	}
	return readStream(f, begin)
}

// payload is where the chunks of an age file begin; 0 when it ends before. A
// file that is too short for a chunk is not worth to be looked into.
func payload(f disk.File) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end < chunkSize {
		return 0, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	header, err := age.ExtractHeader(f)
	if err != nil {
		if _, seekErr := f.Seek(0, io.SeekCurrent); seekErr != nil {
			return 0, seekErr
		}
		return 0, fmt.Errorf("%w: %s: %w", errBroken, mediaName, err)
	}
	return int64(len(header)) + nonceSize, nil
}

// readStream reads an age file whose chunks begin at begin, 0 when it has none.
func readStream(r io.Reader, begin int64) (stream, error) {
	var st stream
	sum := sha256.New()
	n, err := io.CopyN(sum, r, begin)
	st.size = n
	chunk := make([]byte, chunkSize+tagSize)
	good := begin > 0
	for err == nil {
		n := 0
		n, err = io.ReadFull(r, chunk)
		sum.Write(chunk[:n])
		st.size += int64(n)
		good = good && n == len(chunk) && !bytes.Contains(chunk, make([]byte, 16))
		if good {
			st.whole, st.wholeSum = st.size, hex.EncodeToString(sum.Sum(nil))
		}
	}
	st.sum = hex.EncodeToString(sum.Sum(nil))
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return st, err
}

// end is when the retention of something captured now ends, zero when the clock
// cannot tell.
func (s *Spool) end(m Meta) time.Time {
	now, confirmed := s.cfg.Clock()
	if !confirmed {
		return time.Time{}
	}
	if m.ClockConfirmed && !m.TakenAt.IsZero() && m.TakenAt.Before(now) {
		now = m.TakenAt
	}
	return now.Add(s.cfg.Retention).UTC().Truncate(time.Second)
}
