package hotplug

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// kernel is a message as the kernel sends it.
func kernel(head string, properties ...string) []byte {
	return []byte(head + "\x00" + strings.Join(properties, "\x00") + "\x00")
}

// udev is a message as udev sends it.
func udev(properties ...string) []byte {
	text := []byte(strings.Join(properties, "\x00") + "\x00")
	b := make([]byte, 40, 40+len(text))
	copy(b, udevMark)
	binary.BigEndian.PutUint32(b[8:], udevMagic)
	binary.NativeEndian.PutUint32(b[12:], 40)
	binary.NativeEndian.PutUint32(b[16:], 40)
	binary.NativeEndian.PutUint32(b[20:], uint32(len(text)))
	return append(b, text...)
}

// camera is what Linux 6.1 says of vivid's node.
var camera = kernel("add@/devices/platform/vivid.0/video4linux/video0", "ACTION=add",
	"DEVPATH=/devices/platform/vivid.0/video4linux/video0", "SUBSYSTEM=video4linux",
	"MAJOR=81", "MINOR=0", "DEVNAME=video0", "SEQNUM=1234")

func TestParse(t *testing.T) {
	wrong := udev("ACTION=add", "SUBSYSTEM=sound")
	binary.BigEndian.PutUint32(wrong[8:], 1)
	far := udev("ACTION=add", "SUBSYSTEM=sound")
	binary.NativeEndian.PutUint32(far[20:], 1<<32-1)
	inside := udev("ACTION=add", "SUBSYSTEM=sound")
	binary.NativeEndian.PutUint32(inside[16:], 8)
	tests := []struct {
		name    string
		message []byte
		want    event
		ok      bool
	}{
		{"of the kernel", camera, event{"add", "video4linux"}, true},
		{"of udev", udev("ACTION=add", "SUBSYSTEM=sound", "DEVNAME=/dev/snd/pcmC1D0c"), event{"add", "sound"}, true},
		{"without a subsystem", kernel("add@/module/x", "ACTION=add"), event{action: "add"}, true},
		{"without properties", kernel("add@/module/x"), event{}, false},
		{"without a NUL", []byte("add@/devices/x"), event{}, false},
		{"without a path", kernel("hello", "ACTION=add"), event{}, false},
		{"a value with a sign in it", kernel("add@/x", "ACTION=add", "SUBSYSTEM=a=b"), event{"add", "a=b"}, true},
		{"cut", camera[:len("add@/devices/platform/vivid.0/video4linux/video0")+1+len("ACTION=ad")], event{action: "ad"}, true},
		{"udev's, cut", udev("ACTION=add")[:20], event{}, false},
		{"udev's, with another number", wrong, event{}, false},
		{"udev's, past the end", far, event{}, false},
		{"udev's, in its header", inside, event{}, false},
		{"nothing", nil, event{}, false},
	}
	for _, test := range tests {
		if got, ok := parse(test.message); ok != test.ok || ok && got != test.want {
			t.Errorf("%s: got %+v, %v", test.name, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(camera)
	f.Add(udev("ACTION=change", "SUBSYSTEM=sound"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, ok := parse(b); ok && (e.action == "" || len(e.action)+len(e.subsystem) > len(b)) {
			t.Errorf("%+v", e)
		}
	})
}

// Only what comes is told, in order.
func TestWatch(t *testing.T) {
	socket, inject := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	var told []string
	done := make(chan error, 1)
	go func() {
		done <- watch(ctx, socket, func(subsystem string) {
			told = append(told, subsystem)
			if subsystem == "last" {
				cancel()
			}
		})
	}()
	inject(kernel("remove@/x", "ACTION=remove", "SUBSYSTEM=video4linux"))
	inject(camera)
	inject([]byte("junk"))
	inject(nil)
	inject(udev("ACTION=change", "SUBSYSTEM=sound"))
	inject(kernel("add@/x", "ACTION=add", "SUBSYSTEM=last"))
	if err := <-done; err != nil {
		t.Error(err)
	}
	if want := []string{"video4linux", "sound", "last"}; !slices.Equal(told, want) {
		t.Errorf("told of %q, want %q", told, want)
	}
}

func TestBrokenSocketIsAnError(t *testing.T) {
	socket, _ := pair(t)
	socket.Close()
	if err := watch(t.Context(), socket, func(string) { t.Error("called") }); err == nil {
		t.Error("no error")
	}
}

func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, func(string) {}); err != nil {
		t.Error(err)
	}
}

// A write to a device's uevent file makes the kernel send its message anew.
func TestTheKernelsOwnMessages(t *testing.T) {
	files, _ := filepath.Glob("/sys/class/net/lo/uevent")
	if len(files) == 0 {
		t.Skip("needs sysfs")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	socket, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], []byte("change"), 0); errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EROFS) {
		socket.Close()
		t.Skip("needs to write to sysfs: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	told := false
	if err := watch(ctx, socket, func(subsystem string) {
		if subsystem == "net" {
			told = true
			cancel()
		}
	}); err != nil {
		t.Error(err)
	}
	if !told {
		t.Skip("this kernel keeps its messages from this container")
	}
}

// pair stands in for the kernel: what inject sends, the socket receives.
func pair(t *testing.T) (socket *os.File, inject func([]byte)) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	sender := os.NewFile(uintptr(fds[1]), "kernel")
	t.Cleanup(func() { sender.Close() })
	return os.NewFile(uintptr(fds[0]), "uevents"), func(b []byte) {
		if _, err := sender.Write(b); err != nil {
			t.Error(err)
		}
	}
}
