package media

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"filippo.io/age"
	tus "github.com/tus/tusd/v2/pkg/handler"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
	"github.com/bril-edge/bril/uplink/spool"
)

// process makes a complete upload into an item, or a refusal, and removes it. An
// error is the machine's own trouble, and process is to be called again; it is
// the same whatever an earlier call, in this process or another, had done.
//
// The order is what makes it safe: the file, what describes it, the receipt, and
// only then the upload goes. It is listed before it has a receipt, so that who
// was told that it is stored finds it.
func (s *Store) process(ctx context.Context, id string) error {
	upload, size, err := s.readUpload(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if size != upload.Size {
		return nil
	}
	kept, err := s.kept(id)
	if err != nil {
		return err
	}
	if kept.State != Stored && kept.State != Refused {
		if err := s.settle(ctx, upload, kept.Attempts); err != nil {
			return err
		}
	}
	if err := s.at("remove upload"); err != nil {
		return err
	}
	s.creating.Lock() // one that was damaged may be made anew at once
	defer s.creating.Unlock()
	return removeAll(s.uploadPaths(id)...)
}

// settle ends with a receipt on disk.
func (s *Store) settle(ctx context.Context, upload tus.FileInfo, attempts int) error {
	receipt := Receipt{ID: upload.ID, SHA256: upload.MetaData["sha256"], State: Stored}
	digest, err := digestOf(ctx, s.path(uploadsDir, upload.ID))
	if err != nil {
		return err
	}
	if digest != receipt.SHA256 {
		return s.settleDamaged(receipt, attempts+1)
	}
	item, err := s.makeItem(ctx, upload)
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		receipt.State, receipt.Reason = Refused, refused.reason
		s.log.Warn("refused an item", "id", upload.ID, "reason", refused.reason)
		return s.keep(receipt, 0)
	}
	if err != nil {
		return err
	}
	s.publish(item)
	if err := s.at("keep receipt"); err != nil {
		return err
	}
	if s.cfg.Erased(item.Session) { // just now: Erase has found the item, or this does
		_, err := s.Erase(item.Session)
		return err
	}
	return s.keep(receipt, 0)
}

func (s *Store) settleDamaged(receipt Receipt, attempts int) error {
	receipt.State = damaged
	if attempts >= maxDamaged {
		receipt.State, receipt.Reason = Refused, fmt.Sprintf("it arrived %d times without its checksum", attempts)
	}
	s.log.Warn("an upload does not have its checksum", "id", receipt.ID, "attempt", attempts)
	return s.keep(receipt, attempts)
}

// makeItem stores an item with its description and returns it.
func (s *Store) makeItem(ctx context.Context, upload tus.FileInfo) (Item, error) {
	id := upload.ID
	temps := []string{s.path(incomingDir, id+".plain"), s.path(incomingDir, id+".made")}
	defer removeAll(temps...)
	m, cut, err := s.decrypt(ctx, upload, temps[0])
	if err != nil {
		return Item{}, err
	}
	made := temps[0]
	switch m.Kind {
	case Photo:
		err = checkPhoto(made, cut)
	case Clip:
		made = temps[1]
		err = s.makeClip(temps[0], made, cut)
	}
	if err != nil {
		return Item{}, err
	}
	return s.store(ctx, upload, m, made)
}

// decrypt writes the file without its metadata line. cut says that it is not all
// of it, which only an interrupted item may be: what was authenticated is kept.
func (s *Store) decrypt(ctx context.Context, upload tus.FileInfo, to string) (m spool.Header, cut bool, err error) {
	file, err := os.Open(s.path(uploadsDir, upload.ID))
	if err != nil {
		return m, false, err
	}
	defer file.Close()
	clear, err := age.Decrypt(bufio.NewReaderSize(file, 128<<10), s.cfg.Identity)
	if err != nil {
		return m, false, orOurs(err, "it cannot be decrypted: %v")
	}
	r := bufio.NewReaderSize(readerOf(ctx, clear), 64<<10)
	if m, err = readHeader(r, upload.ID, s.cfg.ValidName); err != nil {
		return m, false, orOurs(err, "it cannot be decrypted: %v")
	}
	if s.cfg.Erased(m.Session) {
		return m, false, s.refuseErased(m.Session)
	}
	if may, err := s.cfg.MayKeep(ctx, upload.MetaData["owner"], m.Session); err != nil {
		return m, false, err
	} else if !may {
		return m, false, refuse("%s belongs to another device", m.Session)
	}
	cut, err = s.writePlain(ctx, r, to)
	if err == nil && cut && upload.MetaData["state"] != interrupted {
		err = refuse("its end is missing or damaged, and it is not marked as interrupted")
	}
	return m, cut, err
}

// writePlain copies all that can be read; cut says that this ended early.
func (s *Store) writePlain(ctx context.Context, r io.Reader, to string) (cut bool, err error) {
	if err := s.at("write plain"); err != nil {
		return false, err
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return false, err
	}
	defer file.Close()
	source := &source{r: r}
	if _, err := io.Copy(file, source); err != nil {
		return false, err // the disk's, or ctx
	}
	if ours(source.err) || ctx.Err() != nil {
		return false, errors.Join(source.err, ctx.Err())
	}
	return source.err != nil, file.Close()
}

// source ends where reading fails and keeps the error, so that the errors of
// writing are told from it.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err, err = err, io.EOF
	}
	return n, err
}

// ours says whether an error is the machine's and not the item's: those name a
// file, or are of our end.
func ours(err error) bool {
	return errors.As(err, new(*fs.PathError)) || errors.As(err, new(*os.LinkError)) || full(err) || errors.Is(err, context.Canceled)
}

// orOurs makes an error a refusal unless it is the machine's own.
func orOurs(err error, format string) error {
	if ours(err) || errors.As(err, new(*refusal)) {
		return err
	}
	return refuse(format, err)
}

// store gives the file its place, durably, and then its description.
func (s *Store) store(ctx context.Context, upload tus.FileInfo, m spool.Header, made string) (Item, error) {
	digest, err := digestOf(ctx, made)
	if err != nil {
		return Item{}, err
	}
	stat, err := os.Stat(made)
	if err != nil {
		return Item{}, err
	}
	now := s.cfg.Clock().UTC()
	item := Item{
		SchemaVersion: schemaVersion, ID: m.ID, Session: m.Session, Kind: m.Kind, ContentType: m.ContentType,
		Bytes: stat.Size(), SHA256: digest, TakenAt: m.TakenAt, ReceivedAt: now, KeptFrom: now, Show: m.Show,
		Clock: m.Clock, State: upload.MetaData["state"], UploadSHA256: upload.MetaData["sha256"], Audit: upload.MetaData["audit"],
	}
	if plausible(m, now) {
		item.KeptFrom = m.TakenAt
	}
	if err := s.makeSessionDir(m.Session); err != nil {
		return Item{}, err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"sync made", func() error { return syncFile(made) }},
		{"rename made", func() error { return os.Rename(made, s.itemPath(item)) }},
		{"sync session", func() error { return directory.Sync(s.path(sessionsDir, m.Session)) }},
		{"describe", func() error { return s.writeJSON(s.descriptionPath(item), item) }},
	} {
		if err := s.at(step.name); err != nil {
			return Item{}, err
		}
		if err := step.do(); err != nil {
			return Item{}, err
		}
	}
	return item, nil
}

func (s *Store) makeSessionDir(name string) error {
	if err := os.Mkdir(s.path(sessionsDir, name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return directory.Sync(s.path(sessionsDir)) // also of one that was made just before a crash
}

func digestOf(ctx context.Context, path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, readerOf(ctx, file)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// readerOf returns a reader that ends with ctx.
func readerOf(ctx context.Context, r io.Reader) io.Reader { return &contextReader{ctx, r} }

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
