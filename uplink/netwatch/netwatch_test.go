package netwatch

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAddressComesAndGoes(t *testing.T) {
	inNamespace(t)
	socket, err := open() // here: the namespace is this thread's alone
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan struct{}, 8)
	result := make(chan error, 1)
	go func() { result <- watch(ctx, socket, func() { told <- struct{}{} }) }()
	for _, verb := range []string{"add", "del"} {
		ip(t, "addr", verb, "127.0.0.9/32", "dev", "lo")
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Fatalf("addr %s: not told within 10 s", verb)
		}
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func inNamespace(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip (package iproute2)")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs root for a network namespace: %v", err)
	}
	ip(t, "link", "set", "lo", "up")
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("ip", args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("ip %v: %v", args, err)
	}
}
