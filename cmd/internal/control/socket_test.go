package control

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// leave makes the socket of a daemon that was killed: nobody listens on it.
func leave(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestListenModes(t *testing.T) {
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	own, err := user.LookupGroupId(self.Gid)
	if err != nil {
		t.Fatal(err)
	}
	for group, want := range map[string]os.FileMode{"no-such-group": 0o600, own.Name: 0o660} {
		path := filepath.Join(t.TempDir(), "a", "b", "control.sock")
		l, err := listen(path, group)
		if err != nil {
			t.Fatal(err)
		}
		if got := modeOf(t, path); got != want {
			t.Errorf("group %s: socket has mode %#o, want %#o", group, got, want)
		}
		if got := modeOf(t, filepath.Dir(path)); got != 0o750 {
			t.Errorf("group %s: directory has mode %#o", group, got)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestListenRefusesTheSecondDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(path); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), path) || hintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the first daemon's socket is gone: %v", err)
	}
	conn.Close()
}

// A daemon of another version may hold no lock.
func TestListenRefusesALiveSocketWithoutLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	live, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if _, err := Listen(path); !errors.Is(err, ErrRunning) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the live socket is gone: %v", err)
	}
}

// With a full backlog a connect fails although the daemon lives.
func TestListenRefusesALiveSocketThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for {
		conn, err := net.Dial("unix", path)
		if err != nil {
			break // full
		}
		defer conn.Close()
	}
	if _, err := Listen(path); !errors.Is(err, ErrRunning) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the live socket is gone: %v", err)
	}
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	leave(t, path)
	if err := os.WriteFile(path+".lock", nil, 0o600); err != nil { // what SIGKILL leaves
		t.Fatal(err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestListenRefusesWhatIsNoSocket(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(path string) error
		want string
	}{
		"file":      {func(p string) error { return os.WriteFile(p, []byte("keep"), 0o600) }, "there is a file at that path already"},
		"directory": {func(p string) error { return os.Mkdir(p, 0o700) }, "there is a directory at that path already"},
		"FIFO":      {func(p string) error { return unix.Mkfifo(p, 0o600) }, "there is a special file at that path already"},
		"link to a stale socket": {func(p string) error {
			leave(t, p+".target")
			return os.Symlink(p+".target", p)
		}, "there is a symbolic link at that path already"},
		"link to nowhere": {func(p string) error { return os.Symlink(p+".nowhere", p) }, "there is a symbolic link at that path already"},
		"link as lock":    {func(p string) error { return os.Symlink(p+".victim", p+".lock") }, "too many levels of symbolic links"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "s")
			if err := tc.make(path); err != nil {
				t.Fatal(err)
			}
			before := names(t, dir)
			if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			if after := names(t, dir); after != before {
				t.Errorf("the directory held %s, and holds %s", before, after)
			}
		})
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name()+" "+e.Type().String())
	}
	return strings.Join(list, ", ")
}

func TestListenRefusesPlaces(t *testing.T) {
	if _, err := Listen("/" + strings.Repeat("x", maxPath)); err == nil || !strings.Contains(err.Error(), "the path has 108 bytes, a unix socket's can have 107") {
		t.Errorf("a long path: %v", err)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(open, "s")); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "everybody may exchange files in directory "+open) {
		t.Errorf("a directory open to everybody: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(file, "s")); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
}

func TestListenWhereItMayNot(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	if _, err := Listen("/proc/bril/control.sock"); err == nil {
		t.Error("made a socket below /proc")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(dir, "s")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("in a read-only directory: %v", err)
	}
}

func TestCloseLeavesAnothersSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the other's socket is gone: %v", err)
	}
}

// Many daemons start at once over a stale socket: at any time at most one has
// it, and in the end one has had it.
func TestListenRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	leave(t, path)
	var holders, had atomic.Int32
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			for range 20 {
				l, err := Listen(path)
				if errors.Is(err, ErrRunning) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d daemons have the socket", n)
				}
				had.Add(1)
				runtime.Gosched()
				holders.Add(-1)
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	if had.Load() == 0 {
		t.Error("no daemon got the socket")
	}
}

// unprivileged reports whether the test may go on: as root, whom no permission
// stops, it runs the test again as nobody instead.
func unprivileged(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	const nobody = 65534
	// By /proc, since go test keeps its binaries where nobody may not go.
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Dir, cmd.Env = "/", []string{"TMPDIR=/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
	return false
}
