package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrStateInUse says that another agent keeps its files in the same place: it
// would take the other's session for one that a crash has left, and end it.
var ErrStateInUse = errors.New("state directory in use by another bril")

// stateLock is held while an agent keeps its files somewhere.
type stateLock struct {
	file *os.File
	once sync.Once
	err  error
}

// close may be called twice.
func (l *stateLock) close() error {
	l.once.Do(func() { l.err = l.file.Close() })
	return l.err
}

// openState makes the state directory, which holds addresses by which sessions
// can be ended and so is nobody else's, and locks it until that is closed or the
// process ends.
func openState(dir string) (*stateLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	name := filepath.Join(dir, "lock")
	lock, err := os.OpenFile(name, os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, hinted{fmt.Errorf("lock %s: %w", name, ErrStateInUse), "--state DIR chooses another directory"}
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return &stateLock{file: lock}, nil
}
