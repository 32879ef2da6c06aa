package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Group is the group whose members may control the daemon.
	Group = "bril"
	// maxPath is sun_path of unix(7), less its final zero.
	maxPath = 107
	// probeTime is how long a socket has to show that it is alive. A local
	// connect answers at once; it waits only for a daemon that hangs.
	probeTime = time.Second
)

// Listener is the daemon's end of a control socket.
type Listener struct {
	*net.UnixListener
	path string
	file fs.FileInfo // of the socket, to recognise it
	lock *lock

	close sync.Once
	err   error
}

// Listen makes the control socket at path, and its directory when there is
// none. The directory gets mode 0750, the socket 0660 and the group bril; where
// there is no such group, or this process may not give files to it, the socket
// is 0600.
//
// It returns ErrRunning when a daemon listens at path. What a killed daemon
// left is replaced; a symbolic link or anything but a socket is refused.
// A lock on the file path.lock keeps two daemons that start at once from
// removing each other's socket.
func Listen(path string) (*Listener, error) {
	l, err := listen(path, Group)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket %s: %w", path, err)
	}
	return l, nil
}

func listen(path, group string) (_ *Listener, err error) {
	if err := checkLength(path); err != nil {
		return nil, err
	}
	gid := lookup(group)
	if err := directory(filepath.Dir(path), gid); err != nil {
		return nil, err
	}
	lock, err := acquire(path, gid)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.release())
		}
	}()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	return bind(path, gid, lock)
}

func checkLength(path string) error {
	if len(path) <= maxPath {
		return nil
	}
	return hinted{fmt.Errorf("the path has %d bytes, a unix socket's can have %d", len(path), maxPath),
		"choose a shorter one with --control or control.socket"}
}

// lookup returns the number of a group, -1 when there is none.
func lookup(group string) int {
	g, err := user.LookupGroup(group)
	if err != nil {
		return -1
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return -1
	}
	return gid
}

// directory makes dir, or checks that nobody else can exchange files in it.
func directory(dir string, gid int) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o750)
	if errors.Is(err, fs.ErrExist) {
		return checkDirectory(dir)
	}
	if err != nil {
		return err
	}
	give(dir, gid)
	return os.Chmod(dir, 0o750) // whatever the umask is
}

func checkDirectory(dir string) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return fmt.Errorf("directory %s: %w", dir, err)
	}
	self := os.Geteuid()
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s: %w", dir, unix.ENOTDIR)
	case int(st.Uid) != self && st.Uid != 0 && self != 0:
		return fmt.Errorf("directory %s belongs to user %d, who could exchange the socket: %w", dir, st.Uid, os.ErrPermission)
	case st.Mode&unix.S_IWOTH != 0 && st.Mode&unix.S_ISVTX == 0:
		return hinted{fmt.Errorf("everybody may exchange files in directory %s: %w", dir, os.ErrPermission), "chmod o-w " + dir}
	}
	return nil
}

// give hands a file to a group. Without the right to, it stays as it is:
// private, which is the safe side.
func give(path string, gid int) bool {
	return gid >= 0 && os.Lchown(path, -1, gid) == nil
}

func running(path string) error {
	return hinted{ErrRunning, "bril status --control " + path + " shows it; --control chooses another socket"}
}

// removeStale removes the socket that a killed daemon left. Only a refused
// connection proves that nobody listens: a full backlog (EAGAIN), a time-out or
// a missing right do not.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return hinted{fmt.Errorf("there is a %s at that path already", kind(info)), "move it away, or choose another path with --control"}
	}
	conn, err := net.DialTimeout("unix", path, probeTime)
	switch {
	case err == nil:
		conn.Close()
		return running(path)
	case errors.Is(err, unix.ECONNREFUSED):
		return os.Remove(path)
	case errors.Is(err, unix.EAGAIN), errors.Is(err, os.ErrDeadlineExceeded):
		return running(path)
	}
	return fmt.Errorf("ask whether a daemon is running: %w", err)
}

func kind(info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "directory"
	case info.Mode()&fs.ModeSymlink != 0:
		return "symbolic link"
	case info.Mode().IsRegular():
		return "file"
	}
	return "special file"
}

// bind makes the socket. It takes its mode from the descriptor (unix(7); the
// kernel's unix_bind_bsd), so that there is no moment at which others could
// connect, without touching the umask of the whole process.
func bind(path string, gid int, lock *lock) (*Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var chmod error
		err := c.Control(func(fd uintptr) { chmod = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, chmod)
	}}
	listener, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	l := &Listener{UnixListener: listener.(*net.UnixListener), path: path, lock: lock}
	l.SetUnlinkOnClose(false) // it would remove whatever is at path by then
	if l.file, err = os.Lstat(path); err == nil && give(path, gid) {
		err = os.Chmod(path, 0o660)
	}
	if err != nil {
		l.UnixListener.Close()
		return nil, err
	}
	return l, nil
}

// Lend returns a listener whose Close leaves the socket to who serves it next:
// commands that come in between wait.
func (l *Listener) Lend() (net.Listener, error) {
	return lent{l.UnixListener}, l.SetDeadline(time.Time{})
}

type lent struct{ *net.UnixListener }

// Close has Accept return.
func (l lent) Close() error { return l.SetDeadline(time.Unix(1, 0)) }

// Close stops listening and removes the socket, unless another one has taken
// its place. It may be called twice.
func (l *Listener) Close() error {
	l.close.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(l.file, now) {
			l.err = os.Remove(l.path)
		}
		l.err = errors.Join(l.err, l.UnixListener.Close(), l.lock.release())
	})
	return l.err
}
