package gpio

import (
	"os"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// board is a kernel with GPIO chips. A claimed line has a pipe for a descriptor,
// into which a test writes edges.
type board struct {
	linux // for what needs no chip

	mu     sync.Mutex
	names  map[string][]string // of the lines of each chip, by its path
	order  []string
	fds    map[int]string        // open chips
	lines  map[int]*claimed      // by descriptor
	fail   map[string]unix.Errno // by call, until taken back
	takers map[string]string     // line name -> another consumer
	last   uapi.LineRequest
}

type claimed struct {
	name  string
	write int // of the pipe
	level bool
	out   bool
}

func newBoard() *board {
	return &board{
		names: map[string][]string{
			"/dev/gpiochip0": {"", "BTN1", "LED1", "TWICE"},
			"/dev/gpiochip1": {"ID_SD", "TWICE"},
		},
		order: []string{"/dev/gpiochip0", "/dev/gpiochip1"},
		fds:   map[int]string{}, lines: map[int]*claimed{}, fail: map[string]unix.Errno{}, takers: map[string]string{},
	}
}

func (b *board) failing(call string) error {
	if errno, ok := b.fail[call]; ok {
		return errno
	}
	return nil
}

func (b *board) damage(call string, errno unix.Errno) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if errno == 0 {
		delete(b.fail, call)
		return
	}
	b.fail[call] = errno
}

func (b *board) chips() []string { return b.order }

func (b *board) open(path string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.failing("open"); err != nil {
		return -1, err
	}
	if b.names[path] == nil {
		return -1, unix.ENOENT
	}
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	b.fds[fd] = path
	return fd, err
}

func (b *board) close(fd int) error {
	b.mu.Lock()
	delete(b.fds, fd)
	b.mu.Unlock()
	return b.linux.close(fd)
}

func (b *board) chip(fd int) (info uapi.ChipInfo, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	info.Lines = uint32(len(b.names[b.fds[fd]]))
	copy(info.Label[:], "pinctrl-test")
	return info, b.failing("chip")
}

func (b *board) line(fd, offset int) (info uapi.LineInfoV2, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := b.names[b.fds[fd]][offset]
	info.Offset = uint32(offset)
	copy(info.Name[:], name)
	if taker, ok := b.takers[name]; ok && name != "" {
		copy(info.Consumer[:], taker)
		info.Flags = uapi.LineFlagV2Used | uapi.LineFlagV2Output
	}
	return info, b.failing("line")
}

func (b *board) request(fd int, r *uapi.LineRequest) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.failing("request"); err != nil {
		return err
	}
	name := b.names[b.fds[fd]][r.Offsets[0]]
	if b.takers[name] != "" {
		return unix.EBUSY
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	r.Fd = int32(ends[0])
	c := &claimed{name: name, write: ends[1], out: r.Config.Flags.IsOutput()}
	for _, a := range r.Config.Attrs[:r.Config.NumAttrs] {
		if a.Attr.ID == uapi.LineAttributeIDOutputValues {
			c.level = a.Attr.Value64()&1 != 0
		}
	}
	b.last = *r
	b.lines[ends[0]] = c
	return nil
}

func (b *board) values(fd int, v *uapi.LineValues, _ bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.failing("values"); err != nil {
		return err
	}
	v.Bits = 0
	if b.lines[fd].level {
		v.Bits = 1
	}
	return nil
}

func (b *board) setValues(fd int, v uapi.LineValues) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.failing("setValues"); err != nil {
		return err
	}
	b.lines[fd].level = v.Bits&1 != 0
	return nil
}

func (b *board) file(fd int, name string) (*os.File, error) {
	b.mu.Lock()
	err := b.failing("file")
	b.mu.Unlock()
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return b.linux.file(fd, name)
}

// edge moves the line that was claimed last by a name.
func (b *board) edge(t *testing.T, name string, level bool, at uint64) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.find(name)
	if c == nil {
		t.Fatalf("%s is not claimed", name)
	}
	c.level = level
	event := uapi.LineEvent{Timestamp: at, ID: uapi.LineEventFallingEdge}
	if level {
		event.ID = uapi.LineEventRisingEdge
	}
	if _, err := unix.Write(c.write, unsafe.Slice((*byte)(unsafe.Pointer(&event)), unsafe.Sizeof(event))); err != nil {
		t.Fatal(err)
	}
}

// find returns a line that is claimed now.
func (b *board) find(name string) *claimed {
	for fd, c := range b.lines {
		if c.name == name && open(fd) {
			return c
		}
	}
	return nil
}

func open(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

// hangUp closes the writing ends, and checks that nothing else is left open.
func (b *board) hangUp(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.fds) > 0 {
		t.Errorf("chips left open: %v", b.fds)
	}
	for fd, c := range b.lines {
		// The kernel numbers descriptors anew: only a pipe without its reader proves
		// that the line was given back.
		if _, err := unix.Write(c.write, []byte{0}); err != unix.EPIPE {
			t.Errorf("line %s (%d) is still claimed: %v", c.name, fd, err)
		}
		unix.Close(c.write)
	}
}

// level returns the level of a claimed line.
func (b *board) level(name string) (level, claimed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.find(name)
	return c != nil && c.level, c != nil
}

func (b *board) flags() uapi.LineFlagV2 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last.Config.Flags
}

func names(chips []Chip) (all []string) {
	for _, c := range chips {
		for _, l := range c.Lines {
			all = append(all, l.Name)
		}
	}
	return slices.Clip(all)
}
