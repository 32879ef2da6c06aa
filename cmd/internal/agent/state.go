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

// HoldState makes a state directory, and has it for whoever makes agents one after the
// other, until the function that it returns is called: what belongs to the directory,
// and not to one agent, is then nobody else's. Errors are as those of New.
func HoldState(dir string) (release func() error, err error) {
	lock, err := openState(dir)
	if err != nil {
		return nil, err
	}
	return lock.close, nil
}

// openState makes the state directory, which holds addresses by which sessions
// can be ended and so is nobody else's, and locks it until that is closed or the
// process ends.
func openState(dir string) (*stateLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, hinted{fmt.Errorf("make the state directory: %w", err), otherState}
	}
	name := filepath.Join(dir, "lock")
	lock, err := os.OpenFile(name, os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, hinted{fmt.Errorf("lock the state directory: %w", err), otherState}
	}
	return hold(lock, ErrStateInUse, otherState)
}

// otherState is what to do about a state directory that cannot serve.
const otherState = "--state DIR chooses another directory"

// hold locks a file, or closes it. It says inUse when another process has the lock.
func hold(file *os.File, inUse error, hint string) (*stateLock, error) {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return &stateLock{file: file}, nil
	}
	file.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, hinted{fmt.Errorf("lock %s: %w", file.Name(), inUse), hint}
	}
	return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
}

// errSpoolInUse says that another agent keeps its photos and clips in the same
// place: each would take what the other is writing for something that a crash cut.
var errSpoolInUse = errors.New("spool in use by another bril")

// lockSpool locks the folder itself, in which a file would be one more to explain.
// Where that cannot be done, as on a disk that fails, there is no lock: the spool
// shows why, and tries again.
func (a *Agent) lockSpool(dir string) error {
	if a.held != nil {
		return nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		return nil
	}
	lock, err := hold(folder, errSpoolInUse, "set another spool.dir")
	if errors.Is(err, errSpoolInUse) {
		return err
	}
	a.held = lock
	return nil
}
