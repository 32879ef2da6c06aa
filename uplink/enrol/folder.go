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
)

// maxFile is in bytes; a document has some thousand.
const maxFile = 512 << 10

// ErrBusy says that another process changes the same enrolment.
var ErrBusy = errors.New("another enrolment is under way")

// folder is where an enrolment is kept. All that counts is in one file, recordFile,
// which names the key that belongs to it: a crash leaves the old enrolment or the new
// one, and at worst a key that nobody names, which the next change destroys.
//
// Root enrols in a folder of the daemon's user, who may swap it for a link at any
// moment: nothing is changed but through root, which leads nowhere else.
type folder struct {
	dir  string
	root *os.Root
	lock *os.File // the folder itself
	uid  int      // whose the files are to be; -1 for who runs this
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
	around, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return nil, fmt.Errorf("open the enrolment's directory: %w", err)
	}
	defer around.Close()
	if err := around.Mkdir(filepath.Base(dir), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the enrolment's directory: %w", err)
	}
	if f.root, err = around.OpenRoot(filepath.Base(dir)); err != nil {
		return nil, fmt.Errorf("open the enrolment's directory: %w", err)
	}
	if f.lock, err = f.root.Open("."); err == nil {
		err = f.claim(around)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// claim locks the folder and gives it to whom it belongs.
func (f *folder) claim(around *os.Root) error {
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
	info, err := around.Stat(".")
	if err != nil {
		return fmt.Errorf("open the enrolment's directory: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		f.uid, f.gid = int(owner.Uid), int(owner.Gid)
	}
	return f.own(f.lock)
}

func (f *folder) own(file *os.File) error {
	if f.uid < 0 {
		return nil
	}
	if err := file.Chown(f.uid, f.gid); err != nil {
		return fmt.Errorf("give the enrolment to the daemon's user: %w", err)
	}
	return nil
}

func (f *folder) close() {
	if f.lock != nil {
		f.lock.Close()
	}
	f.root.Close()
}

func (f *folder) step(op string) error {
	if f.before == nil {
		return nil
	}
	return f.before(op)
}

// write replaces a file; it is on the disk when write returns, and the daemon's user's
// from its first moment under its name.
func (f *folder) write(name string, data []byte) error {
	if err := f.step("write " + name); err != nil {
		return err
	}
	half := "." + name // swept, when this ends half-way
	if err := f.root.Remove(half); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := f.root.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = f.own(file)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := f.step("name " + name); err != nil {
		return err
	}
	if err := f.root.Rename(half, name); err != nil {
		return err
	}
	return f.sync()
}

// sync brings the folder's names to the disk.
func (f *folder) sync() error {
	if err := f.step("sync"); err != nil {
		return err
	}
	return f.lock.Sync()
}

// sweep removes files, and those that a crash left half written.
func (f *folder) sweep(old func(name string) bool) error {
	entries, err := fs.ReadDir(f.root.FS(), ".")
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
		if err := f.root.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("tidy the enrolment: %w", err)
		}
	}
	return f.sync()
}

func readBounded(f *os.File) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("it is far too long")
	}
	return data, err
}
