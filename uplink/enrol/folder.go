package enrol

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/uplink/internal/durable"
)

// maxFile is in bytes; a document has some thousand.
const maxFile = 512 << 10

// ErrBusy says that another process changes the same enrolment.
var ErrBusy = errors.New("another enrolment is under way")

// folder is where an enrolment is kept. All that counts is in one file, recordFile,
// which names the key that belongs to it: a crash leaves the old enrolment or the new
// one, and at worst a key that nobody names, which the next change destroys.
type folder struct {
	dir  string
	lock *os.File
	uid  int // whose the files are to be; -1 for who runs this
	gid  int

	before func(op string) error // of tests, which let each step fail; nil otherwise
}

// openFolder makes the folder and locks it. What root makes belongs to the owner of
// the folder around it, who runs the daemon.
func openFolder(dir string, before func(string) error) (*folder, error) {
	f := &folder{dir: dir, uid: -1, gid: -1, before: before}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("make the enrolment's directory: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the enrolment's directory: %w", err)
	}
	lock, err := os.OpenFile(dir, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the enrolment's directory: %w", err)
	}
	f.lock = lock
	if err := f.claim(); err != nil {
		lock.Close()
		return nil, err
	}
	return f, nil
}

// claim locks the folder and gives it to whom it belongs.
func (f *folder) claim() error {
	if err := unix.Flock(int(f.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return ErrBusy
		}
		return fmt.Errorf("lock the enrolment's directory: %w", err)
	}
	if err := f.lock.Chmod(0o700); err != nil {
		return fmt.Errorf("open the enrolment's directory: %w", err)
	}
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(f.dir))
	if err != nil {
		return fmt.Errorf("open the enrolment's directory: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		f.uid, f.gid = int(owner.Uid), int(owner.Gid)
	}
	return f.own(f.dir)
}

func (f *folder) own(path string) error {
	if f.uid < 0 {
		return nil
	}
	if err := os.Lchown(path, f.uid, f.gid); err != nil {
		return fmt.Errorf("give the enrolment to the daemon's user: %w", err)
	}
	return nil
}

func (f *folder) close() { f.lock.Close() }

func (f *folder) step(op string) error {
	if f.before == nil {
		return nil
	}
	return f.before(op)
}

// write replaces a file; it is on the disk when write returns.
func (f *folder) write(name string, data []byte) error {
	path := filepath.Join(f.dir, name)
	if err := f.step("write " + name); err != nil {
		return err
	}
	if err := durable.WriteFile(path, data); err != nil {
		return err
	}
	if err := f.step("own " + name); err != nil {
		return err
	}
	return f.own(path)
}

// sweep removes files, and those that a crash left half written.
func (f *folder) sweep(old func(name string) bool) error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("tidy the enrolment: %w", err)
	}
	for _, e := range entries {
		if !old(e.Name()) && !strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := f.step("remove " + e.Name()); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(f.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("tidy the enrolment: %w", err)
		}
	}
	if err := f.step("sync"); err != nil {
		return err
	}
	return durable.SyncDir(f.dir)
}

func readBounded(f *os.File) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("it is far too long")
	}
	return data, err
}
