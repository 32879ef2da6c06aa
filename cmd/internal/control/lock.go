package control

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock is a locked file beside the socket. Its holder alone may remove or make
// the socket; the kernel frees it with the process.
type lock struct{ file *os.File }

// acquire takes the lock of the socket at path, or returns ErrRunning.
func acquire(path string, gid int) (*lock, error) {
	name := path + ".lock"
	for {
		// Reading is enough for flock. Members of the group may, so that what a
		// daemon started by hand as root left does not keep the service out.
		f, err := os.OpenFile(name, os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o640)
		if err != nil {
			return nil, err
		}
		give(name, gid)
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, running(path)
			}
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if current(f, name) {
			return &lock{f}, nil
		}
		f.Close() // locked a file that its last holder has just removed
	}
}

// current reports whether f is still the file at name.
func current(f *os.File, name string) bool {
	held, err1 := f.Stat()
	there, err2 := os.Lstat(name)
	return err1 == nil && err2 == nil && os.SameFile(held, there)
}

// release removes the file while it is still locked: who opened it before and
// locks it afterwards sees in acquire that it is gone.
func (l *lock) release() error {
	return errors.Join(os.Remove(l.file.Name()), l.file.Close())
}
