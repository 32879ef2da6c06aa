// Package media is where the photos and clips of conversations arrive at the
// endpoint: encrypted uploads by tus, which are checked, decrypted and stored
// under their conversation, listed, and purged at the end of their retention.
//
// What a device was told is stored is durable: only then does it delete its own
// copy. Whatever order things end in, by a crash or a full disk, an item is
// stored once and answered for by one receipt. The package knows nothing of who
// may look at what; its user asks that before.
//
// In the data directory, all of it readable by its owner only:
//
//	age.key                   the identity that devices encrypt to
//	uploads/{id}, {id}.info   what has arrived, still encrypted
//	incoming/                 decrypted, being made; emptied at each start
//	receipts/{id}.json        what was answered
//	sessions/{name}/{id}.jpg|.mp4, {id}.json
package media

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

// MaxRetention is how long an item is kept at most: six months.
const MaxRetention = 4380 * time.Hour

// Config is what a store is made of. Zero means the default.
type Config struct {
	Dir       string              // the data directory; needed, and there
	Identity  *age.X25519Identity // needed, by LoadIdentity
	Retention time.Duration       // after it was taken; default and at most MaxRetention
	MaxSize   int64               // of one upload, in bytes; default 1 GiB
	MaxCount  int                 // uploads that are not finished; default 256
	Stall     time.Duration       // an upload that sends nothing for so long is cut; default 30 s
	ValidName func(string) bool   // of a conversation; needed
	Erased    func(string) bool   // says that a conversation was erased: what arrives of it is refused; default: none was
	MayKeep   MayKeep             // default: everybody may
	Clock     func() time.Time    // of what is kept, and how long; default time.Now
	Log       *slog.Logger        // default: none
}

// MayKeep says whether what an owner has sent may be kept in a conversation.
type MayKeep func(ctx context.Context, owner, conversation string) (bool, error)

// Error is a refusal that a client is told, with its HTTP status.
type Error struct {
	Status     int
	Detail     string
	RetryAfter string // seconds; empty for none
}

func (e *Error) Error() string { return e.Detail }

// Store keeps what has arrived. Its methods may be called from any goroutine,
// before Run too.
type Store struct {
	cfg  Config
	log  *slog.Logger
	tus  http.Handler
	lock *os.File      // of the directory
	wake chan struct{} // something is pending

	slots  chan struct{} // requests that upload
	active sync.WaitGroup
	ending context.Context // done when uploads are to end
	end    context.CancelFunc

	fault func(step string) error // of tests: what happens at a step; nil for nothing

	mu       sync.Mutex
	closed   bool
	items    map[string]map[string]Item // by conversation and ID
	watchers map[string]map[chan Event]struct{}
	pending  map[string]time.Time // complete uploads, and when they are to be worked on

	creating sync.Mutex // one upload is made at a time
}

func (c *Config) fill() {
	if c.Retention == 0 || c.Retention > MaxRetention {
		c.Retention = MaxRetention
	}
	if c.MaxSize == 0 {
		c.MaxSize = 1 << 30
	}
	if c.MaxCount == 0 {
		c.MaxCount = 256
	}
	if c.Stall == 0 {
		c.Stall = 30 * time.Second
	}
	if c.Erased == nil {
		c.Erased = func(string) bool { return false }
	}
	if c.MayKeep == nil {
		c.MayKeep = func(context.Context, string, string) (bool, error) { return true, nil }
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Open takes up what a data directory holds. It starts nothing; Close is owed.
func Open(cfg Config) (*Store, error) {
	cfg.fill()
	s := &Store{
		cfg: cfg, log: cfg.Log, wake: make(chan struct{}, 1), slots: make(chan struct{}, maxRequests),
		items: map[string]map[string]Item{}, watchers: map[string]map[chan Event]struct{}{}, pending: map[string]time.Time{},
	}
	s.ending, s.end = context.WithCancel(context.Background())
	if err := s.makeDirs(); err != nil {
		return nil, fmt.Errorf("make the media directory: %w", err)
	}
	var err error
	if s.lock, err = directory.Lock(s.path(uploadsDir)); err != nil {
		return nil, err
	}
	if err := s.recover(); err != nil {
		s.lock.Close()
		return nil, err
	}
	if s.tus, err = s.newTus(); err != nil {
		s.lock.Close()
		return nil, fmt.Errorf("set up uploads: %w", err)
	}
	return s, nil
}

func (s *Store) makeDirs() error {
	for _, dir := range []string{uploadsDir, incomingDir, receiptsDir, sessionsDir} {
		if err := os.MkdirAll(s.path(dir), 0o700); err != nil {
			return err
		}
	}
	return directory.Sync(s.cfg.Dir)
}

// Close ends running uploads, which can go on later, and gives the directory
// free. It may be called more than once.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.active.Wait()
	if err := s.lock.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("close the media directory: %w", err)
	}
	return nil
}

// Recipient is what devices encrypt to.
func (s *Store) Recipient() string { return s.cfg.Identity.Recipient().String() }

const (
	uploadsDir  = "uploads"
	incomingDir = "incoming"
	receiptsDir = "receipts"
	sessionsDir = "sessions"
)

func (s *Store) path(elements ...string) string {
	return filepath.Join(append([]string{s.cfg.Dir}, elements...)...)
}

// at is called wherever a crash or a full disk would matter.
func (s *Store) at(step string) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(step)
}

// retryAfter is how long the machine's own trouble, like a full disk, is given
// before a complete upload is tried again.
const retryAfter = 10 * time.Second

// purgeInterval is how often the store looks for what has had its time.
const purgeInterval = time.Hour

// Run works on what has arrived, one item at a time, and purges. It returns when
// ctx ends, and lets running uploads end, too; what it was working on is taken up
// at the next start. It is called once.
func (s *Store) Run(ctx context.Context) error {
	defer s.end() // the server, which ends now, too, waits for its requests
	purge := time.NewTicker(purgeInterval)
	defer purge.Stop()
	s.Purge(s.cfg.Clock())
	for ctx.Err() == nil {
		id, wait := s.next(time.Now())
		if id != "" {
			s.work(ctx, id)
			continue
		}
		retry := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-retry.C:
		case <-purge.C:
			s.Purge(s.cfg.Clock())
		}
		retry.Stop()
	}
	return nil
}

// enqueue marks an upload as complete.
func (s *Store) enqueue(id string) {
	s.mu.Lock()
	s.pending[id] = time.Time{}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ensureQueued takes up a complete upload that was not handed on, as when the disk
// failed at its end: nothing more is sent of it. One that waits goes on waiting.
func (s *Store) ensureQueued(id string) {
	s.mu.Lock()
	_, queued := s.pending[id]
	s.mu.Unlock()
	if !queued {
		s.enqueue(id)
	}
}

// next takes an upload to work on, or says how long to wait for one.
func (s *Store) next(now time.Time) (id string, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait = time.Hour
	for candidate, due := range s.pending {
		left := due.Sub(now)
		if left <= 0 {
			delete(s.pending, candidate) // before: it can become complete again meanwhile
			return candidate, 0
		}
		wait = min(wait, left)
	}
	return "", wait
}

// work does what can be done for a complete upload, and comes back to it later
// where the machine was at fault.
func (s *Store) work(ctx context.Context, id string) {
	err := s.process(ctx, id)
	if err == nil {
		return
	}
	s.mu.Lock()
	s.pending[id] = time.Now().Add(retryAfter)
	s.mu.Unlock()
	if ctx.Err() == nil {
		s.log.Error("store an upload; it is tried again", "id", id, "error", err)
	}
}
