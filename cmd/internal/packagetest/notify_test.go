package packagetest

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// notices is the other end of sd_notify(3).
type notices struct {
	conn *net.UnixConn
	path string
}

func listenNotices(t *testing.T, path string) notices {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return notices{conn, path}
}

// wait returns the value of the next notice of a name; what comes before is left.
func (n notices) wait(t *testing.T, name string, patience time.Duration) string {
	t.Helper()
	if err := n.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 8<<10)
	var seen strings.Builder
	for {
		length, err := n.conn.Read(buffer)
		if err != nil {
			t.Fatalf("no %s: %v; told was\n%s", name, err, seen.String())
		}
		seen.Write(append(buffer[:length:length], '\n'))
		for line := range strings.Lines(string(buffer[:length])) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
				return value
			}
		}
	}
}

// TestNotify runs the unit's command line as the unit's user, and is the service
// manager. It needs no systemd, so that it runs under emulation too.
func TestNotify(t *testing.T) {
	u := newUserland(t, "arm64")
	u.install(built(t, "arm64"))
	command := strings.Fields(unitValue(t, u.read("usr/lib/systemd/system/bril.service"), "ExecStart"))
	user := unitValue(t, u.read("usr/lib/systemd/system/bril.service"), "User")
	u.run("install", "-d", "-o", user, "-g", user, "-m", "750", "/run/bril")
	u.run("install", "-d", "-o", user, "-g", user, "-m", "700", "/var/lib/bril")
	u.mountProc()
	n := listenNotices(t, u.path("run/notify"))
	u.run("chown", user, "/run/notify")
	u.write("etc/bril/bril.yaml", "camera:\n  source: pattern\nuplink:\n  loopback: true\n", 0o644)

	// No group but its own, and the environment of the unit.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	args := append([]string{"--userspec=" + user + ":" + user, u.dir, "env", "-i", "NOTIFY_SOCKET=/run/notify",
		"WATCHDOG_USEC=30000000", "STATE_DIRECTORY=/var/lib/bril", "RUNTIME_DIRECTORY=/run/bril"}, command...)
	cmd := exec.CommandContext(ctx, "chroot", args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { // whose end also ends the wait for a notice
		ended <- cmd.Wait()
		_ = n.conn.SetReadDeadline(time.Now())
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		if t.Failed() {
			t.Log(log.String())
		}
	})
	n.wait(t, "READY", time.Minute)
	if status := u.run("bril", "status"); !strings.Contains(status, "state ") {
		t.Errorf("it says that it is ready, and its status is %q", status)
	}
	n.wait(t, "WATCHDOG", time.Minute)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	n.wait(t, "STOPPING", time.Minute)
	err := <-ended
	ended <- err
	if err != nil {
		t.Errorf("%s: %v", command[0], err)
	}
}

// mountProc gives the userland the kernel's /proc, which tells the board.
func (u *userland) mountProc() {
	u.Helper()
	if err := unix.Mount("proc", u.path("proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		u.Fatal("mount /proc: ", err)
	}
	u.Cleanup(func() {
		if err := unix.Unmount(u.path("proc"), unix.MNT_DETACH); err != nil {
			u.Error("unmount /proc: ", err)
		}
	})
}

// unitValue returns a setting of a unit.
func unitValue(t *testing.T, unit, name string) string {
	t.Helper()
	for line := range strings.Lines(unit) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return value
		}
	}
	t.Fatalf("the unit has no %s", name)
	return ""
}
