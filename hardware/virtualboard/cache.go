package virtualboard

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lock keeps others from building in the same cache. What Prepare returns stays
// as it is when they build theirs.
func (b *builder) lock() (unlock func() error, err error) {
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(b.cache, "lock"))
	if err != nil {
		return nil, err
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		return f.Close, nil
	}
	b.say("waiting for another build of the virtual board")
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			return f.Close, nil
		}
		if err != unix.EINTR {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
		}
	}
}

// keep writes a file of the cache under a name that tells its content, so that it
// is never another's, and returns its path. Older ones of the kind go, but for
// those of today, of which a board may be about to start.
func (b *builder) keep(kind string, content []byte) (string, error) {
	sum := sha256.Sum256(content)
	path := filepath.Join(b.cache, kind+"-"+hex.EncodeToString(sum[:6]))
	older, err := filepath.Glob(filepath.Join(b.cache, kind+"-*"))
	if err != nil {
		return "", err
	}
	for _, o := range older {
		if info, err := os.Stat(o); err == nil && o != path && time.Since(info.ModTime()) > 24*time.Hour {
			if err := os.Remove(o); err != nil {
				return "", err
			}
		}
	}
	now := time.Now()
	if os.Chtimes(path, now, now) == nil {
		return path, nil
	}
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return "", err
	}
	return path, os.Rename(path+".new", path)
}
