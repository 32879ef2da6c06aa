package configs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The places that systemd prepares for the installed service.
const (
	systemRun   = "/run/bril"
	systemState = "/var/lib/bril"
	socketName  = "control.sock"
)

// Environment is what the default places depend on.
type Environment struct {
	Getenv  func(string) string
	TempDir string
	UID     int
	// Root is put before the system's directories; "" except in tests.
	Root string
}

// OSEnvironment returns this process's environment.
func OSEnvironment() Environment {
	return Environment{Getenv: os.Getenv, TempDir: os.TempDir(), UID: os.Geteuid()}
}

// SocketPath returns where the daemon puts its control socket: the configured
// place; else /run/bril when the daemon may write there; else
// $XDG_RUNTIME_DIR/bril; else a directory of this user's among the temporary
// files.
func (e Environment) SocketPath(configured string) string {
	if configured != "" {
		return configured
	}
	if dir := e.Root + systemRun; writable(dir) {
		return filepath.Join(dir, socketName)
	}
	return e.userSocket()
}

// FindSocket returns where a command finds the daemon: the configured place,
// or of the places that SocketPath chooses from, the first one with a socket
// that this user may use. One that exists but may not be used comes next, so
// that the error is the permission; without any it is what SocketPath returns.
func (e Environment) FindSocket(configured string) string {
	if configured != "" {
		return configured
	}
	candidates := []string{filepath.Join(e.Root+systemRun, socketName), e.userSocket()}
	for _, path := range candidates {
		if unix.Access(path, unix.W_OK) == nil {
			return path
		}
	}
	for _, path := range candidates {
		if err := unix.Access(path, unix.F_OK); err == nil || errors.Is(err, unix.EACCES) {
			return path
		}
	}
	return e.SocketPath("")
}

func (e Environment) userSocket() string {
	if dir := e.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "bril", socketName)
	}
	return filepath.Join(e.TempDir, fmt.Sprintf("bril-%d", e.UID), socketName)
}

// StatePath returns the directory for what must survive a restart: the
// configured one; else systemd's $STATE_DIRECTORY; else /var/lib/bril when it
// may be written; else $XDG_STATE_HOME/bril or ~/.local/state/bril.
func (e Environment) StatePath(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	// systemd separates several directories by colons; the unit names one.
	if dir, _, _ := strings.Cut(e.Getenv("STATE_DIRECTORY"), ":"); filepath.IsAbs(dir) {
		return dir, nil
	}
	if dir := e.Root + systemState; writable(dir) {
		return dir, nil
	}
	if dir := e.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "bril"), nil
	}
	if home := e.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "bril"), nil
	}
	return "", Problems{{Key: "control.state_dir", Message: "no place for the state: neither $STATE_DIRECTORY, " +
		systemState + ", $XDG_STATE_HOME nor $HOME can be used", Hint: "set it to a directory"}}
}

// writable reports whether dir is a directory that this process may put files
// into; a read-only file system is not.
func writable(dir string) bool {
	var st syscall.Stat_t
	return syscall.Stat(dir, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFDIR &&
		unix.Access(dir, unix.W_OK|unix.X_OK) == nil
}
