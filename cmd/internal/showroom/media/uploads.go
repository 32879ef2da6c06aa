package media

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/filestore"
	tus "github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/exp/slog"

	"github.com/bril-edge/bril/uplink/spool"
)

// BasePath is where uploads are made.
const BasePath = "/api/uploads/"

const (
	maxRequests = 32              // that upload at once; devices send one item at a time
	maxRequest  = time.Hour       // of one request; who is slower goes on with another
	lockTimeout = 5 * time.Second // who holds an upload's lock is asked to let go, and does so at once
	reserve     = 16 << 20        // bytes that are kept free on the disk
)

// newTus sets up what speaks the protocol: the core and creation.
func (s *Store) newTus() (http.Handler, error) {
	files := filestore.New(s.path(uploadsDir))
	files.DirModePerm, files.FileModePerm = 0o700, 0o600
	composer := tus.NewStoreComposer()
	composer.UseCore(uploadStore{files, s})
	composer.UseLocker(&locker{held: map[string]holder{}})
	return tus.NewHandler(tus.Config{
		StoreComposer: composer, BasePath: BasePath, MaxSize: s.cfg.MaxSize,
		DisableDownload: true, DisableTermination: true, DisableConcatenation: true,
		Cors: &tus.CorsConfig{Disable: true},
		PreUploadCreateCallback: func(hook tus.HookEvent) (tus.HTTPResponse, tus.FileInfoChanges, error) {
			return s.admit(hook.Context, hook.Upload)
		},
		NetworkTimeout: s.cfg.Stall, AcquireLockTimeout: lockTimeout,
		GracefulRequestCompletionTimeout: 100 * time.Millisecond, // files need none
		Logger:                           slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1})),
	})
}

// Sender is who uploads.
type Sender struct {
	Owner string          // may be empty
	Until context.Context // what is still being sent is refused when it ends
}

// ServeUpload answers requests below BasePath, but for receipts. The body may be
// as large and as slow as an upload is.
func (s *Store) ServeUpload(w http.ResponseWriter, r *http.Request, from Sender) error {
	id := strings.TrimPrefix(r.URL.Path, BasePath)
	if id != "" && !spool.ValidID(id) {
		return &Error{Status: http.StatusNotFound, Detail: "this cannot be the ID of an upload"}
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return &Error{Status: http.StatusServiceUnavailable, Detail: "too many uploads at once", RetryAfter: "5"}
	}
	if !s.begin() {
		return &Error{Status: http.StatusServiceUnavailable, Detail: "the server ends", RetryAfter: "5"}
	}
	defer s.active.Done()
	request := newRequest(w, r)
	request.owner = from.Owner
	defer request.close()
	defer context.AfterFunc(s.ending, func() { request.end(tus.ErrServerShutdown) })()
	defer context.AfterFunc(from.Until, func() {
		request.end(answer(http.StatusForbidden, "who sends this has lost the right to"))
	})()
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, request))
	r.Body = request
	http.StripPrefix(BasePath, s.tus).ServeHTTP(&problemWriter{ResponseWriter: w, request: request}, r)
	return nil
}

func (s *Store) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.active.Add(1)
	}
	return !s.closed
}

const hexDigits = "0123456789abcdef"

// madeOf says whether a text has only characters of a set.
func madeOf(text, set string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(set, r) })
}

// Ready and interrupted are the states that items are uploaded in.
const (
	ready       = "ready"
	interrupted = "interrupted" // a crash cut the recording: its last chunk is missing
)

// admit checks the metadata of a new upload, which is all that is kept of it.
func (s *Store) admit(ctx context.Context, info tus.FileInfo) (none tus.HTTPResponse, changes tus.FileInfoChanges, err error) {
	m := info.MetaData
	switch {
	case !spool.ValidID(m["id"]):
		err = refuseTus(http.StatusBadRequest, "Upload-Metadata: id must be 26 characters of a-z and 2-7")
	case len(m["sha256"]) != 2*sha256.Size || !madeOf(m["sha256"], hexDigits):
		err = refuseTus(http.StatusBadRequest, "Upload-Metadata: sha256 must be 64 hexadecimal digits in lower case")
	case m["state"] != ready && m["state"] != interrupted:
		err = refuseTus(http.StatusBadRequest, "Upload-Metadata: state must be %s or %s", ready, interrupted)
	case len(m["audit"]) > 2*sha512.Size || !madeOf(m["audit"], hexDigits):
		err = refuseTus(http.StatusBadRequest, "Upload-Metadata: audit must be a hash in hexadecimal digits, or empty")
	}
	owner := ""
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		owner = r.owner
	}
	return none, tus.FileInfoChanges{ID: m["id"], MetaData: tus.MetaData{
		"id": m["id"], "sha256": m["sha256"], "state": m["state"], "audit": m["audit"], "owner": owner,
	}}, err
}

// uploadStore is tusd's store of files with what it lacks: it never makes an
// upload twice, bounds them, and is durable before an upload is called complete.
type uploadStore struct {
	filestore.FileStore
	s *Store
}

func (u uploadStore) NewUpload(ctx context.Context, info tus.FileInfo) (tus.Upload, error) {
	u.s.creating.Lock()
	defer u.s.creating.Unlock()
	if err := u.s.mayCreate(info); err != nil {
		return nil, err
	}
	made, err := u.FileStore.NewUpload(ctx, info)
	if err != nil {
		_ = removeAll(u.s.uploadPaths(info.ID)...)
		return nil, u.s.storeError(err)
	}
	return &upload{made, u.s, info.ID}, nil
}

// mayCreate refuses what is known already: the device asks for the receipt first.
func (s *Store) mayCreate(info tus.FileInfo) error {
	kept, err := s.kept(info.ID)
	if err != nil {
		return s.storeError(err)
	}
	given := info.MetaData["sha256"]
	switch {
	case (kept.State == Stored || kept.State == Refused) && kept.SHA256 != given:
		return refuseTus(http.StatusConflict, "the ID is taken by an item with another checksum")
	case kept.State == Stored:
		return refuseTus(http.StatusConflict, "the item is stored already; ask for its receipt")
	case kept.State == Refused:
		return refuseTus(http.StatusUnprocessableEntity, "the item was refused: %s", kept.Reason)
	}
	existing, _, err := s.readUpload(info.ID)
	if err == nil {
		if existing.MetaData["sha256"] != given || existing.Size != info.Size {
			return refuseTus(http.StatusConflict, "the ID is taken by an upload with another checksum or length")
		}
		return refuseTus(http.StatusConflict, "the upload was begun already; ask for its offset by HEAD")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return s.storeError(err)
	}
	return s.room(info.Size)
}

// room bounds what uploads take: their number, and the disk. An item needs space
// for itself, decrypted and made into what is stored.
func (s *Store) room(size int64) error {
	list, err := s.uploadIDs()
	if err != nil {
		return s.storeError(err)
	}
	if len(list) >= s.cfg.MaxCount && !s.evict(list) {
		return refuseTus(http.StatusServiceUnavailable, "%d uploads have been begun and not finished", len(list))
	}
	available, err := free(s.path(uploadsDir))
	if err != nil {
		return s.storeError(err)
	}
	if available < 3*size+reserve {
		return s.storeError(errFull)
	}
	return nil
}

var errFull = answer(http.StatusInsufficientStorage, "the server's disk is full")

// storeError is what a client is told of the machine's own trouble.
func (s *Store) storeError(err error) error {
	if full(err) || errors.Is(err, errFull) {
		s.log.Error("take an upload: the disk is full", "directory", s.cfg.Dir)
		return errFull
	}
	if errors.As(err, new(tus.Error)) {
		return err
	}
	s.log.Error("take an upload", "error", err)
	return answer(http.StatusInternalServerError, "")
}

// GetUpload passes over what a crash has left without a description.
func (u uploadStore) GetUpload(ctx context.Context, id string) (tus.Upload, error) {
	if _, _, err := u.s.readUpload(id); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, tus.ErrNotFound
		}
		return nil, u.s.storeError(err)
	}
	found, err := u.FileStore.GetUpload(ctx, id)
	if err != nil {
		return nil, u.s.storeError(err)
	}
	return &upload{found, u.s, id}, nil
}

type upload struct {
	tus.Upload
	s  *Store
	id string
}

// WriteChunk keeps what it could write when the disk is full: the upload goes on
// from there.
func (u *upload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	n, err := u.Upload.WriteChunk(ctx, offset, faultyReader{src, u.s})
	if err != nil {
		err = u.s.storeError(err)
	}
	return n, err
}

// faultyReader lets tests fill the disk while an upload is written.
type faultyReader struct {
	io.Reader
	s *Store
}

func (f faultyReader) Read(p []byte) (int, error) {
	if err := f.s.at("write upload"); err != nil {
		return 0, err
	}
	return f.Reader.Read(p)
}

// FinishUpload makes the upload durable and hands it on.
func (u *upload) FinishUpload(context.Context) error {
	if err := u.s.at("finish upload"); err != nil {
		return u.s.storeError(err)
	}
	for _, path := range append(u.s.uploadPaths(u.id), u.s.path(uploadsDir)) {
		if err := syncFile(path); err != nil {
			return u.s.storeError(err)
		}
	}
	u.s.enqueue(u.id)
	return nil
}

// uploadPaths are an upload's own files, the description first: without it there
// is no upload.
func (s *Store) uploadPaths(id string) []string {
	return []string{s.path(uploadsDir, id+".info"), s.path(uploadsDir, id)}
}

// readUpload returns what is known of an upload and how many bytes have arrived.
// What a crash has left without a readable description is removed, and no more.
func (s *Store) readUpload(id string) (info tus.FileInfo, size int64, err error) {
	paths := s.uploadPaths(id)
	text, err := os.ReadFile(paths[0])
	if err != nil {
		return info, 0, err
	}
	if json.Unmarshal(text, &info) != nil || info.ID != id || info.MetaData["id"] != id || info.Size < 0 {
		if err := removeAll(paths...); err != nil {
			return info, 0, err
		}
		return info, 0, fs.ErrNotExist
	}
	stat, err := os.Stat(paths[1])
	if err != nil {
		return info, 0, err
	}
	return info, stat.Size(), nil
}

// uploadIDs lists the uploads that have a description.
func (s *Store) uploadIDs() (list []string, err error) {
	paths, err := filepath.Glob(s.path(uploadsDir, "*.info"))
	for _, path := range paths {
		if id := strings.TrimSuffix(filepath.Base(path), ".info"); spool.ValidID(id) {
			list = append(list, id)
		}
	}
	return list, err
}

// Unfinished returns how many uploads are still to become an item. One to which
// nothing has been added for minutes is not counted: it may never go on.
func (s *Store) Unfinished() (n int) {
	list, err := s.uploadIDs()
	if err != nil {
		s.log.Error("list uploads", "error", err)
	}
	for _, id := range list {
		if !s.idle(id, stillness, time.Now()) {
			n++
		}
	}
	return n
}

const (
	stillness   = 5 * time.Minute
	expiry      = 24 * time.Hour   // of an upload to which nothing is added
	emptyExpiry = 10 * time.Minute // of one that has no byte, when its place is wanted
)

// evict makes place for one upload by removing one without a byte.
func (s *Store) evict(list []string) bool {
	for _, id := range list {
		if s.idle(id, emptyExpiry, time.Now()) {
			if _, size, err := s.readUpload(id); err == nil && size == 0 {
				return removeAll(s.uploadPaths(id)...) == nil
			}
		}
	}
	return false
}

// idle says whether nothing was added to an upload for so long.
func (s *Store) idle(id string, since time.Duration, now time.Time) bool {
	stat, err := os.Stat(s.path(uploadsDir, id))
	return err != nil || now.Sub(stat.ModTime()) > since
}
