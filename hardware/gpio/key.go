package gpio

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// InputDevice is one input device with keys, for people and as JSON.
type InputDevice struct {
	Path string   `json:"path"` // /dev/input/event0
	Name string   `json:"name,omitempty"`
	Phys string   `json:"phys,omitempty"` // where it is attached, as gpio-keys/input0
	Keys []uint16 `json:"keys"`           // KEY_… of linux/input-event-codes.h

	Error string `json:"error,omitempty"` // why nothing more is known of it

	keyboard bool
}

// InputDevices describes the input devices that may be buttons: those with keys
// that are no keyboard, and those that cannot be asked.
func InputDevices() []InputDevice { return inputDevices("/dev/input") }

func inputDevices(dir string) []InputDevice {
	devices := []InputDevice{}
	for _, path := range inputNodes(dir) {
		d, err := describeInput(path)
		if err != nil {
			d = InputDevice{Path: path, Keys: []uint16{}, Error: err.Error()}
		}
		if err != nil || len(d.Keys) > 0 && !d.keyboard {
			devices = append(devices, d)
		}
	}
	return devices
}

func inputNodes(dir string) []string {
	nodes, _ := filepath.Glob(filepath.Join(dir, "event*")) // the pattern is well-formed
	slices.SortFunc(nodes, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return nodes
}

func openInput(path string) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

func describeInput(path string) (InputDevice, error) {
	fd, err := openInput(path)
	if err != nil {
		return InputDevice{}, err
	}
	defer unix.Close(fd)
	return describeFD(fd, path)
}

func describeFD(fd int, path string) (InputDevice, error) {
	var keys keySet
	if err := ask(fd, eviocgBitKey, unsafe.Pointer(&keys)); err != nil {
		return InputDevice{}, err
	}
	d := InputDevice{Path: path, Name: askText(fd, eviocgName), Phys: askText(fd, eviocgPhys), Keys: []uint16{}}
	for code := range uint16(keyMax + 1) {
		if keys.has(code) {
			d.Keys = append(d.Keys, code)
		}
	}
	const keyQ, keyA, keyZ = 16, 30, 44
	d.keyboard = keys.has(keyQ) && keys.has(keyA) && keys.has(keyZ)
	return d, nil
}

// askText returns "" where the device does not say.
func askText(fd int, request uintptr) string {
	var b [nameSize]byte
	if ask(fd, request, unsafe.Pointer(&b)) != nil {
		return ""
	}
	return text(b[:])
}

// Key is a key of an input device, as gpio-keys makes of a line that the board's
// device tree binds. It is read like a line that is High while pressed.
type Key struct {
	dir  string
	code uint16

	mu     sync.Mutex
	path   string
	events *edges // nil until opened
	edge   Edge
	failed error
}

// NewKey returns the key with a code of linux/input-event-codes.h, on whatever
// device has it. A keyboard is not looked at: its keys are no buttons. One
// goroutine calls Open, Read and WaitForEdge.
func NewKey(code uint16) *Key { return &Key{dir: "/dev/input", code: code} }

// Open finds the device and listens to it.
func (k *Key) Open() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop()
	path, fd, err := k.find()
	if err != nil {
		return k.fail("find", err)
	}
	if err := k.listen(path, fd); err != nil {
		return k.fail("open "+path+" for", err)
	}
	k.path, k.failed = path, nil
	return nil
}

func (k *Key) find() (path string, fd int, err error) {
	failed := hintedNoKey()
	for _, path := range inputNodes(k.dir) {
		fd, err := openInput(path)
		if err != nil {
			failed = fmt.Errorf("open %s: %w", path, err)
			continue
		}
		d, err := describeFD(fd, path)
		if err == nil && slices.Contains(d.Keys, k.code) && !d.keyboard {
			return path, fd, nil
		}
		unix.Close(fd)
	}
	return "", -1, failed
}

func hintedNoKey() error {
	return hinted{fmt.Errorf("no input device but keyboards has it (%w)", os.ErrNotExist),
		"bril devices lists the keys; is board.profile the right one?"}
}

// listen takes over fd.
func (k *Key) listen(path string, fd int) error {
	clock := int32(clockMonotonic)
	if err := ask(fd, eviocsClockID, unsafe.Pointer(&clock)); err != nil {
		unix.Close(fd)
		return err
	}
	file, err := linux{}.file(fd, path)
	if err != nil {
		return err
	}
	k.events, err = newEdges(file)
	return err
}

func (k *Key) drop() {
	if k.events != nil {
		k.events.close()
		k.events = nil
	}
}

func (k *Key) fail(tried string, err error) error {
	k.failed = explain(tried, fmt.Sprintf("key %d", k.code), "input", err)
	return k.failed
}

// Halt closes the device and ends WaitForEdge. A second call does nothing.
func (k *Key) Halt() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop()
	return nil
}

// Read returns High while the key is pressed; Low, with Err, when that cannot be
// told.
func (k *Key) Read() periph.Level {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.events == nil {
		_ = k.fail("read", os.ErrClosed)
		return periph.Low
	}
	var keys keySet
	err := error(os.ErrClosed)
	k.events.now(func(fd int) { err = ask(fd, eviocgKey, unsafe.Pointer(&keys)) })
	if err != nil {
		_ = k.fail("read", err)
	}
	return periph.Level(keys.has(k.code))
}

// WaitForEdge is as that of a Line.
func (k *Key) WaitForEdge(timeout time.Duration) bool {
	k.mu.Lock()
	events := k.events
	k.mu.Unlock()
	return events != nil && events.wait(timeout, k.take)
}

// take reads events up to one of the key. Its repeats (value 2) are none. When
// events were lost (SYN_DROPPED) the key's state is read anew.
func (k *Key) take(fd int) (done, ok bool) {
	for {
		var event inputEvent
		b := unsafe.Slice((*byte)(unsafe.Pointer(&event)), unsafe.Sizeof(event))
		n, err := unix.Read(fd, b)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return false, false
		case err == nil && n != len(b):
			err = fmt.Errorf("%d bytes of an event: %w", n, unix.EIO)
		}
		if err == nil && event.Type == evSyn && event.Code == synDropped {
			event, err = k.resync(fd)
		}
		if err != nil {
			k.mu.Lock()
			_ = k.fail("read", err) // kept for Err
			k.mu.Unlock()
			return true, false
		}
		if event.Type == evKey && event.Code == k.code && event.Value <= 1 {
			k.mu.Lock()
			k.edge = Edge{periph.Level(event.Value == 1), event.at()}
			k.mu.Unlock()
			return true, true
		}
	}
}

// From include/uapi/linux/input-event-codes.h.
const (
	evSyn      = 0
	synDropped = 3
)

// resync makes an event of the key's state.
func (k *Key) resync(fd int) (inputEvent, error) {
	var keys keySet
	if err := ask(fd, eviocgKey, unsafe.Pointer(&keys)); err != nil {
		return inputEvent{}, err
	}
	now := monotonic.Now()
	e := inputEvent{Type: evKey, Code: k.code, Sec: ulong(now / time.Second), Usec: ulong(now % time.Second / time.Microsecond)}
	if keys.has(k.code) {
		e.Value = 1
	}
	return e, nil
}

// LastEdge returns the edge that WaitForEdge saw last.
func (k *Key) LastEdge() Edge {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.edge
}

// Err returns why the last call that failed did; Open takes it back.
func (k *Key) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed
}

// String returns the key with its device, once that was found.
func (k *Key) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.path == "" {
		return fmt.Sprintf("key %d", k.code)
	}
	return fmt.Sprintf("key %d (%s)", k.code, filepath.Base(k.path))
}
