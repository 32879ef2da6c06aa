package packagetest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// booted is a userland that systemd runs.
type booted struct {
	*userland
	leader string // process of its systemd
}

// boot starts the userland's systemd, in namespaces of its own, without a network but
// loopback. What more arguments say is for systemd-nspawn.
func (u *userland) boot(args ...string) *booted {
	u.Helper()
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		lacking(u.T, "apt install systemd-container: ", err)
	}
	if err := os.Remove(u.path("usr/sbin/policy-rc.d")); err != nil && !os.IsNotExist(err) {
		u.Fatal(err)
	}
	args = append([]string{"--directory=" + u.dir, "--boot", "--register=no", "--private-network", "--notify-ready=yes",
		"--console=pipe", "--kill-signal=SIGRTMIN+4"}, args...)
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		args = append(args, "--keep-unit") // nobody who would make one
	}
	n := listenNotices(u.T, filepath.Join(u.TempDir(), "ready"))
	var said bytes.Buffer
	cmd := exec.Command("systemd-nspawn", args...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+n.path)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		u.Fatal(err)
	}
	ended := make(chan struct{})
	var err error
	go func() { err = cmd.Wait(); close(ended) }()
	u.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // asks its systemd to go down
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Signal(syscall.SIGTERM) // at once
			<-ended
		}
	})
	ready := make(chan string, 1)
	go func() { ready <- n.try("X_NSPAWN_LEADER_PID", "READY", time.Minute) }()
	select {
	case leader := <-ready:
		if leader == "" {
			lacking(u.T, "systemd does not come up in systemd-nspawn within a minute")
		}
		go n.drain()
		return &booted{u, leader}
	case <-ended:
		lacking(u.T, "systemd-nspawn does not run here: ", err, "\n", said.String())
	}
	return nil
}

// try returns the value of name, once there was a notice of until as well; "" when
// there is none in time.
func (n notices) try(name, until string, patience time.Duration) (value string) {
	if n.conn.SetReadDeadline(time.Now().Add(patience)) != nil {
		return ""
	}
	buffer := make([]byte, 8<<10)
	for done := false; !done || value == ""; {
		length, err := n.conn.Read(buffer)
		if err != nil {
			return ""
		}
		for line := range strings.Lines(string(buffer[:length])) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
				value = v
			}
			done = done || strings.HasPrefix(line, until+"=1")
		}
	}
	return value
}

// drain reads on until the socket is closed: its systemd stops where nobody hears of
// what it reloads.
func (n notices) drain() {
	if n.conn.SetReadDeadline(time.Time{}) != nil {
		return
	}
	for buffer := make([]byte, 8<<10); ; {
		if _, err := n.conn.Read(buffer); err != nil {
			return
		}
	}
}

func (b *booted) run(args ...string) string {
	b.Helper()
	out, err := b.try(args...)
	if err != nil {
		journal, _ := b.try("journalctl", "--no-pager", "-n", "40", "-o", "cat")
		b.Fatalf("%s: %v\n%s\n%s", strings.Join(args, " "), err, out, journal)
	}
	return out
}

func (b *booted) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(b.Context(), 3*time.Minute)
	defer cancel()
	return runFor(ctx, 3*time.Minute, "nsenter", append([]string{"-t", b.leader, "-a", "--"}, args...)...)
}

// property of the service, as systemd tells.
func (b *booted) property(name string) string {
	b.Helper()
	return strings.TrimSpace(b.run("systemctl", "show", "-P", name, "bril.service"))
}

// until asks again and again, for at most a minute. Each question takes a process.
func (b *booted) until(what string, holds func() bool) {
	b.Helper()
	for end := time.Now().Add(time.Minute); !holds(); {
		if time.Now().After(end) {
			b.Fatalf("not within a minute: %s\n%s", what, b.run("journalctl", "--no-pager", "-n", "60", "-o", "cat"))
		}
	}
}
