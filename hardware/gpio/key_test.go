package gpio

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"
)

// piped returns a key that reads from a pipe.
func piped(t *testing.T, code uint16) (*Key, int) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	file, err := linux{}.file(ends[0], "keys")
	if err != nil {
		t.Fatal(err)
	}
	k := NewKey(code)
	if k.events, err = newEdges(file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := k.Halt(); err != nil {
				t.Error(err)
			}
		}
		unix.Close(ends[1])
	})
	return k, ends[1]
}

func send(t *testing.T, fd int, events ...inputEvent) {
	t.Helper()
	for _, e := range events {
		if _, err := unix.Write(fd, unsafe.Slice((*byte)(unsafe.Pointer(&e)), unsafe.Sizeof(e))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKey(t *testing.T) {
	const evMsc, evSynReport = 4, 0
	k, fd := piped(t, 28)
	if k.WaitForEdge(0) || k.WaitForEdge(ms) {
		t.Error("an edge that was none")
	}
	send(t, fd,
		inputEvent{0, 999, evMsc, 4, 28}, inputEvent{1, 2000, evKey, 28, 1}, inputEvent{1, 2000, evSyn, evSynReport, 0},
		inputEvent{1, 3000, evKey, 29, 1},                                        // another key
		inputEvent{1, 250000, evKey, 28, 2}, inputEvent{1, 300000, evKey, 28, 0}) // a repeat, the release
	for i, want := range []Edge{{periph.High, 1002 * ms}, {periph.Low, 1300 * ms}} {
		if !k.WaitForEdge(-1) || k.LastEdge() != want {
			t.Errorf("edge %d: %+v, %v", i, k.LastEdge(), k.Err())
		}
	}
	// What is no input device cannot say what was lost, nor what is pressed.
	send(t, fd, inputEvent{0, 0, evSyn, synDropped, 0})
	if k.WaitForEdge(-1) || !errors.Is(k.Err(), unix.ENOTTY) {
		t.Errorf("lost events: %v", k.Err())
	}
	if bool(k.Read()) || !errors.Is(k.Err(), unix.ENOTTY) {
		t.Errorf("read: %v", k.Err())
	}
}

func TestKeyHalted(t *testing.T) {
	k, _ := piped(t, 28)
	done := make(chan bool)
	go func() { done <- k.WaitForEdge(-1) }()
	k.Halt()
	if <-done {
		t.Error("an edge after Halt")
	}
	if bool(k.Read()) || !errors.Is(k.Err(), os.ErrClosed) || k.WaitForEdge(-1) {
		t.Errorf("halted: %v", k.Err())
	}
}

func TestNoSuchKey(t *testing.T) {
	k := NewKey(28)
	k.dir = t.TempDir()
	err := k.Open()
	var advice interface{ Hint() string }
	if !errors.Is(err, os.ErrNotExist) || !errors.As(err, &advice) || k.String() != "key 28" {
		t.Errorf("got %v", err)
	}
	// A node that is no input device is passed over.
	if err := os.WriteFile(filepath.Join(k.dir, "event3"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.Open(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestKeyHints(t *testing.T) {
	err := NewKey(28).fail("open /dev/input/event3 for", unix.EACCES)
	var advice interface{ Hint() string }
	if want := "open /dev/input/event3 for key 28: permission denied"; err.Error() != want || !errors.As(err, &advice) || !strings.Contains(advice.Hint(), "group input") {
		t.Errorf("got %v, want %s and who may open it", err, want)
	}
}

// A device that cannot be asked is listed with the reason: it may have the key.
func TestInputDevices(t *testing.T) {
	dir := t.TempDir()
	if got := inputDevices(dir); len(got) != 0 {
		t.Errorf("none: %+v", got)
	}
	path := filepath.Join(dir, "event3")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := inputDevices(dir)
	if len(got) != 1 || got[0].Path != path || got[0].Error != unix.ENOTTY.Error() || got[0].Keys == nil {
		t.Errorf("no input device: %+v", got)
	}
}

func TestInputNodesInOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"event10", "event2", "mouse0"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := inputNodes(dir)
	if len(got) != 2 || filepath.Base(got[0]) != "event2" || filepath.Base(got[1]) != "event10" {
		t.Errorf("got %v", got)
	}
}

func TestKeySet(t *testing.T) {
	var s keySet
	s[28/8] = 1 << (28 % 8)
	if !s.has(28) || s.has(29) || s.has(keyMax+1) {
		t.Error("wrong bits")
	}
}
