package whip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/bril-edge/bril/uplink/durable"
	"github.com/bril-edge/bril/uplink/origin"
)

const (
	keptName    = "whip-sessions.json"
	keptVersion = 1
	keptMaxAge  = 24 * time.Hour // an endpoint has ended such a session long ago
	keptMax     = 8              // sessions; each crash leaves one
	keptMaxSize = 64 << 10       // bytes
)

// keptSession is a session that may be open at an endpoint.
type keptSession struct {
	URL     string    `json:"url"`
	Origin  string    `json:"origin"`
	Created time.Time `json:"created"`

	stale bool // nobody uses it any more
}

type keptFile struct {
	SchemaVersion int           `json:"schema_version"`
	Sessions      []keptSession `json:"sessions"`
}

// kept is the list of sessions to delete should this program crash, on disk.
// Failing to keep it costs a ghost session at worst, so that is logged only.
type kept struct {
	dir string // "" keeps the list in memory only
	log *slog.Logger

	mu       sync.Mutex
	sessions []keptSession
	trying   string             // the session that is being deleted as stale
	cancel   context.CancelFunc // of that

	writing sync.Mutex // orders the writes of the file
	writes  sync.WaitGroup
}

// openKept reads the list of the last run, all of it stale.
func openKept(dir string, log *slog.Logger) *kept {
	k := &kept{dir: dir, log: log}
	if dir == "" {
		return k
	}
	sessions, err := readKept(k.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("sessions of the last run are not known", "error", err)
	}
	k.sessions = sessions
	return k
}

func (k *kept) path() string { return filepath.Join(k.dir, keptName) }

func readKept(path string) ([]keptSession, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, keptMaxSize))
	if err != nil {
		return nil, err
	}
	return parseKept(data, time.Now())
}

// parseKept drops sessions that are too old, or further ahead than a clock
// without a battery may have been, and those whose origin is not their URL's.
func parseKept(data []byte, now time.Time) ([]keptSession, error) {
	var file keptFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("read %s: %w", keptName, err)
	}
	if file.SchemaVersion != keptVersion {
		return nil, fmt.Errorf("read %s: schema_version %d is not %d", keptName, file.SchemaVersion, keptVersion)
	}
	sessions := slices.DeleteFunc(file.Sessions, func(s keptSession) bool {
		u, err := url.Parse(s.URL)
		return err != nil || u.Host == "" || origin.Of(u) != s.Origin || now.Sub(s.Created).Abs() > keptMaxAge
	})
	for i := range sessions {
		sessions[i].stale = true
	}
	return sessions[max(0, len(sessions)-keptMax):], nil
}

// add keeps a session that was opened just now. The disk is written in the
// background: an fsync on an SD card must not delay the first frame.
func (k *kept) add(u *url.URL) {
	k.mu.Lock()
	k.drop(u.String())
	k.sessions = append(k.sessions, keptSession{URL: u.String(), Origin: origin.Of(u), Created: time.Now().UTC()})
	k.sessions = k.sessions[max(0, len(k.sessions)-keptMax):]
	if k.trying == u.String() {
		k.cancel() // the endpoint gave the URL again: it is ours now
	}
	k.mu.Unlock()
	k.writes.Go(k.write)
}

// remove forgets a session that is closed.
func (k *kept) remove(u *url.URL) {
	k.mu.Lock()
	k.drop(u.String())
	k.mu.Unlock()
	k.write()
}

// drop needs mu.
func (k *kept) drop(session string) {
	k.sessions = slices.DeleteFunc(k.sessions, func(s keptSession) bool { return s.URL == session })
}

// setStale leaves a session to DeleteStale. The list on disk has it already.
func (k *kept) setStale(u *url.URL) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.sessions {
		if k.sessions[i].URL == u.String() {
			k.sessions[i].stale = true
		}
	}
}

// nextStale returns a stale session to delete, with the context to do it in,
// and what to call after the one try. The session is nil when there is none or
// ctx has ended.
func (k *kept) nextStale(ctx context.Context) (*url.URL, context.Context, func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.sessions, func(s keptSession) bool { return s.stale })
	if i < 0 || ctx.Err() != nil || k.trying != "" {
		return nil, ctx, func() {}
	}
	session, err := url.Parse(k.sessions[i].URL)
	if err != nil {
		panic("whip: a kept session's URL was checked and does not parse")
	}
	ctx, k.cancel = context.WithCancel(ctx)
	k.trying = session.String()
	return session, ctx, k.tried
}

func (k *kept) tried() {
	k.mu.Lock()
	k.cancel()
	k.sessions = slices.DeleteFunc(k.sessions, func(s keptSession) bool { return s.stale && s.URL == k.trying })
	k.trying = ""
	k.mu.Unlock()
	k.write()
}

// wait returns when all that was added is on disk.
func (k *kept) wait() { k.writes.Wait() }

// write brings the file to what the list is now.
func (k *kept) write() {
	if k.dir == "" {
		return
	}
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.Lock()
	sessions := slices.Clone(k.sessions)
	k.mu.Unlock()
	if err := writeKept(k.path(), sessions); err != nil {
		k.log.Warn("open sessions are not kept for the next run", "error", err)
	}
}

// writeKept replaces the file, or removes it when there is nothing to keep. It
// returns when the directory is on disk as well.
func writeKept(path string, sessions []keptSession) error {
	if len(sessions) == 0 {
		if err := os.Remove(path); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		return durable.SyncDir(filepath.Dir(path))
	}
	data, err := json.MarshalIndent(keptFile{keptVersion, sessions}, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, data)
}
