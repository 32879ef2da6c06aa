package camera

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What callers decide by. A device that is missing or may not be opened is
// os.ErrNotExist or os.ErrPermission, a closed camera os.ErrClosed.
var (
	ErrBusy              = errors.New("device in use")
	ErrNotCamera         = errors.New("not a camera")
	ErrUnsupportedFormat = errors.New("no usable picture format")
	ErrUnsupportedMode   = errors.New("no such size or frame rate")
	ErrGone              = errors.New("device was unplugged")
	ErrSourceChanged     = errors.New("its signal has another size now")
	ErrOutOfRange        = errors.New("value out of range")
)

// hinted is an error with what to do about it, which a user sees on a line of its
// own.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint returns what the user can do, as one line.
func (h hinted) Hint() string { return h.hint }

const hintList = "bril devices lists the cameras that are connected"

// explain says what was tried on which device, and hints at what to do about the
// cause where that is known.
func (s system) explain(tried, path string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.EBUSY):
		err = fmt.Errorf("%w by %s (%w)", ErrBusy, s.holder(path), err)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		err = fmt.Errorf("%w (%w)", ErrGone, err)
		hint = "plug it in again"
	case errors.Is(err, unix.EIO):
		hint = "where it does not come back by itself, try another cable or socket"
	case errors.Is(err, unix.ENOTTY):
		err = fmt.Errorf("%w: it does not answer as a V4L2 device (%w)", ErrNotCamera, err)
		hint = hintList
	case errors.Is(err, os.ErrNotExist):
		hint = hintList
	case errors.Is(err, os.ErrPermission):
		hint = "add the user to the group video, or start the program as a service"
	}
	err = fmt.Errorf("%s camera %s: %w", tried, path, err)
	if hint == "" {
		return err
	}
	return hinted{err, hint}
}

// holder names another process that has the device open, if /proc tells; that
// of another user shows to root only.
func (s system) holder(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	links, _ := filepath.Glob(filepath.Join(s.proc, "[0-9]*", "fd", "*")) // the pattern is well-formed
	var names []string
	last := strconv.Itoa(os.Getpid()) // of this process it is this camera itself
	for _, link := range links {
		dir := filepath.Dir(filepath.Dir(link))
		pid := filepath.Base(dir)
		if pid == last {
			continue
		}
		if target, err := os.Readlink(link); err != nil || target != path {
			continue
		}
		last = pid
		name, _ := os.ReadFile(filepath.Join(dir, "comm"))
		names = append(names, strings.TrimSpace(string(name))+" (process "+pid+")")
	}
	if len(names) == 0 {
		return "another process, or by this one"
	}
	return strings.Join(names, ", ")
}
