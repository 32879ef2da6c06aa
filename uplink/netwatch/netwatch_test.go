package netwatch

import (
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAddressesAndLinksComeAndGo(t *testing.T) {
	inNamespace(t)
	socket, err := open() // here: the namespace is this thread's alone
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan struct{}, 8)
	result := make(chan error, 1)
	go func() { result <- watch(ctx, socket, func() { told <- struct{}{} }) }()
	for _, args := range [][]string{
		{"addr", "add", "127.0.0.9/32", "dev", "lo"},
		{"addr", "del", "127.0.0.9/32", "dev", "lo"},
		{"link", "add", "one", "type", "veth", "peer", "name", "two"},
		{"link", "set", "one", "up"},
		{"link", "set", "one", "down"},
		{"link", "del", "one"},
	} {
		ip(t, args...)
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Fatalf("ip %v: not told within 10 s", args)
		}
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// Many messages are told as one, also while there is no quiet between them.
func TestChangesAreToldTogether(t *testing.T) {
	socket, inject := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := make(chan struct{})
	result := make(chan error, 1)
	go func() { result <- watch(ctx, socket, func() { told <- struct{}{} }) }()
	start := time.Now()
	var after time.Duration
	for quiet := time.NewTicker(settle / 4); after == 0; {
		inject(message(unix.RTM_NEWADDR, nil))
		select {
		case <-told:
			after = time.Since(start)
		case <-quiet.C:
		}
	}
	if after < patience || after > 3*patience {
		t.Errorf("told after %v of one message every %v, want %v", after, settle/4, patience)
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestEndDuringCallback(t *testing.T) {
	socket, inject := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	inject(message(unix.RTM_DELADDR, nil))
	if err := watch(ctx, socket, cancel); err != nil {
		t.Error(err)
	}
}

func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, func() { t.Error("called") }); err != nil {
		t.Error(err)
	}
}

func TestBrokenSocketIsAnError(t *testing.T) {
	socket, _ := pair(t)
	socket.Close()
	if err := watch(t.Context(), socket, func() { t.Error("called") }); err == nil {
		t.Error("no error")
	}
}

// pair stands in for the kernel: what inject sends, the socket receives.
func pair(t *testing.T) (socket *os.File, inject func([]byte)) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	kernel := os.NewFile(uintptr(fds[1]), "kernel")
	t.Cleanup(func() { kernel.Close() })
	return os.NewFile(uintptr(fds[0]), "rtnetlink"), func(b []byte) {
		if _, err := kernel.Write(b); err != nil {
			t.Error(err)
		}
	}
}

func message(kind uint16, body []byte) []byte {
	b := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	binary.NativeEndian.PutUint32(b, uint32(unix.SizeofNlMsghdr+len(body)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	return append(b, body...)
}

// link is a struct ifinfomsg with flags that have changed.
func link(changed uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[12:], changed)
	return b
}

func TestWhatCounts(t *testing.T) {
	newAddr, other := message(unix.RTM_NEWADDR, make([]byte, 8)), message(unix.RTM_NEWNEIGH, make([]byte, 12))
	long := slices.Clone(newAddr)
	binary.NativeEndian.PutUint32(long, 1<<31)
	short := slices.Clone(other)
	binary.NativeEndian.PutUint32(short, 3)
	cases := []struct {
		name     string
		datagram []byte
		want     bool
	}{
		{"new address", newAddr, true},
		{"address gone", message(unix.RTM_DELADDR, nil), true},
		{"link gone", message(unix.RTM_DELLINK, nil), true},
		{"link switched", message(unix.RTM_NEWLINK, link(unix.IFF_UP|unix.IFF_RUNNING)), true},
		{"link news of another kind", message(unix.RTM_NEWLINK, link(unix.IFF_PROMISC)), false},
		{"cut link", message(unix.RTM_NEWLINK, link(unix.IFF_UP)[:15]), false},
		{"neighbour", other, false},
		{"second of two", slices.Concat(other, newAddr), true},
		{"behind an odd length", slices.Concat(message(unix.RTM_NEWNEIGH, make([]byte, 3)), []byte{0}, newAddr), true},
		{"length past the end", long, false},
		{"length below a header", slices.Concat(short, newAddr), false},
		{"cut header", newAddr[:15], false},
		{"nothing", nil, false},
	}
	for _, c := range cases {
		if got := counts(c.datagram); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func FuzzCounts(f *testing.F) {
	f.Add(message(unix.RTM_NEWADDR, make([]byte, 8)))
	f.Add(slices.Concat(message(unix.RTM_NEWNEIGH, make([]byte, 3)), message(unix.RTM_NEWLINK, link(unix.IFF_UP))))
	f.Fuzz(func(_ *testing.T, b []byte) { counts(b) })
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
