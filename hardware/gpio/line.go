// Package gpio turns the board's lines into what package hardware speaks of:
// buttons into gestures, and a lamp for the light. Lines are those of the GPIO
// character device, found by name, and keys of input devices (gpio-keys). It
// decides nothing about what a press means, or when a lamp is lit.
//
// Of go-gpiocdev it uses the layer that mirrors the kernel's interface. The one
// above it panics when epoll fails, spins once a chip is unbound (its descriptor
// then polls as hung up, for ever), and cannot be told to stop by a context.
package gpio

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// What explain tells apart.
const (
	errBusy = unix.EBUSY
	errGone = unix.ENODEV
)

// LineConfig says which line, and how it is wired.
type LineConfig struct {
	// Line is its name on any chip, or gpiochipN/OFFSET.
	Line string
	// ActiveLow is a line whose low level is High here: everything below speaks of
	// active and inactive, as the kernel does.
	ActiveLow bool
	// Debounce is how long a level has to last, by the kernel; 0 is at once.
	Debounce time.Duration
	// Consumer is who uses the line, as others see it; "" is bril.
	Consumer string
}

// Line is one GPIO line as periph knows it: a gpio.PinIO. In and Out claim it
// from the kernel; until then, and after Halt, nothing is claimed. High is
// active. One goroutine calls WaitForEdge; the other methods may be called by
// others.
//
// A line that cannot be read is Low, which Err tells from one that is.
type Line struct {
	kernel kernel
	cfg    LineConfig

	mu     sync.Mutex
	place  place
	fd     int    // of the claimed line; -1 without one
	events *edges // owns fd where they are waited for
	out    bool
	quick  bool // reads take microseconds
	pull   periph.Pull
	buffer uapi.LineValues // for reads, which then allocate nothing
	edge   Edge
	failed error
}

var _ periph.PinIO = (*Line)(nil)

// NewLine returns a line. Nothing is opened yet.
func NewLine(cfg LineConfig) *Line { return newLine(linux{}, cfg) }

func newLine(k kernel, cfg LineConfig) *Line {
	if cfg.Consumer == "" {
		cfg.Consumer = "bril"
	}
	return &Line{kernel: k, cfg: cfg, fd: -1, place: place{offset: -1}}
}

// In claims the line as an input. The kernel queues 16 edges until they are
// waited for.
func (l *Line) In(pull periph.Pull, edge periph.Edge) error {
	flags := uapi.LineFlagV2Input
	switch edge {
	case periph.RisingEdge:
		flags |= uapi.LineFlagV2EdgeRising
	case periph.FallingEdge:
		flags |= uapi.LineFlagV2EdgeFalling
	case periph.BothEdges:
		flags |= uapi.LineFlagV2EdgeBoth
	}
	switch pull {
	case periph.Float:
		flags |= uapi.LineFlagV2BiasDisabled
	case periph.PullDown:
		flags |= uapi.LineFlagV2BiasPullDown
	case periph.PullUp:
		flags |= uapi.LineFlagV2BiasPullUp
	}
	var attributes []uapi.LineAttribute
	if l.cfg.Debounce > 0 {
		attributes = append(attributes, uapi.DebouncePeriod(l.cfg.Debounce).Encode())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.claim(flags, attributes...); err != nil {
		return l.fail("claim", err)
	}
	l.pull = pull
	if edge == periph.NoEdge {
		return nil
	}
	if err := l.watch(); err != nil {
		return l.fail("watch", err)
	}
	return nil
}

// Out sets the line's level, and claims it as an output if it is not one. The
// claim comes with the level: there is no moment of another one.
func (l *Line) Out(level periph.Level) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	bits := uapi.LineBitmap(0)
	if level {
		bits = 1
	}
	if l.fd < 0 || !l.out {
		if err := l.claim(uapi.LineFlagV2Output, uapi.OutputValues(bits).Encode()); err != nil {
			return l.fail("claim", err)
		}
		l.out = true
		return nil
	}
	if err := l.kernel.setValues(l.fd, uapi.LineValues{Bits: bits, Mask: 1}); err != nil {
		return l.fail("set", err)
	}
	return nil
}

// claim asks the kernel for the line, after giving back what was claimed before.
func (l *Line) claim(flags uapi.LineFlagV2, attributes ...uapi.LineAttribute) error {
	l.drop()
	at, err := find(l.kernel, l.cfg.Line)
	if err != nil {
		return err
	}
	chip, err := l.kernel.open(at.chip)
	if err != nil {
		return fmt.Errorf("open %s: %w", at.chip, err)
	}
	defer l.kernel.close(chip) //nolint:errcheck // the line has a descriptor of its own
	if l.cfg.ActiveLow {
		flags |= uapi.LineFlagV2ActiveLow
	}
	request := uapi.LineRequest{Lines: 1, Config: uapi.LineConfig{Flags: flags}}
	request.Offsets[0] = uint32(at.offset)
	copy(request.Consumer[:len(request.Consumer)-1], l.cfg.Consumer)
	for _, a := range attributes {
		request.Config.AddAttribute(uapi.LineConfigAttribute{Attr: a, Mask: 1})
	}
	if err := l.kernel.request(chip, &request); err != nil {
		return l.busy(chip, at, err)
	}
	l.place, l.fd, l.failed = at, int(request.Fd), nil
	l.quick = l.isQuick()
	return nil
}

// busy adds who has the line.
func (l *Line) busy(chip int, at place, err error) error {
	if !errors.Is(err, errBusy) {
		return err
	}
	info, infoErr := l.kernel.line(chip, at.offset)
	if infoErr != nil {
		return err
	}
	return fmt.Errorf("%v is in use by %q (%w)", at, text(info.Consumer[:]), err)
}

// quickly is how long a memory-mapped line takes at most. One behind a bus takes
// longer: a byte over I2C at 400 kHz alone takes 23 µs, a read is five of them.
const quickly = 50 * time.Microsecond

// isQuick times a read. What fails here, fails again where it is told.
func (l *Line) isQuick() bool {
	before := monotonic.Now()
	l.buffer = uapi.LineValues{Mask: 1}
	err := l.kernel.values(l.fd, &l.buffer, false)
	return err == nil && monotonic.Now()-before < quickly
}

// watch makes the claimed line one whose edges can be waited for. When it fails,
// the line is given back.
func (l *Line) watch() error {
	file, err := l.kernel.file(l.fd, l.cfg.Line)
	if err == nil {
		l.events, err = newEdges(file)
	}
	if err != nil { // either has closed it
		l.fd, l.events = -1, nil
	}
	return err
}

// drop gives the line back.
func (l *Line) drop() {
	if l.fd < 0 {
		return
	}
	if l.events != nil {
		l.events.close()
	} else {
		_ = l.kernel.close(l.fd) // the kernel takes the line back in any case
	}
	l.fd, l.events, l.out = -1, nil, false
}

func (l *Line) fail(tried string, err error) error {
	l.failed = explain(tried, "line "+l.cfg.Line, "gpio", err)
	return l.failed
}

// Halt gives the line back to the kernel, and ends WaitForEdge. A second call
// does nothing.
func (l *Line) Halt() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
	return nil
}

// Read returns the line's level, of an output too: as the chip reads it back.
func (l *Line) Read() periph.Level {
	level, _ := l.Level() // Err tells
	return level
}

// Level is Read with its error.
func (l *Line) Level() (periph.Level, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		return periph.Low, l.fail("read", os.ErrClosed)
	}
	l.buffer = uapi.LineValues{Mask: 1}
	if err := l.kernel.values(l.fd, &l.buffer, l.quick); err != nil {
		return periph.Low, l.fail("read", err)
	}
	return l.buffer.Bits&1 != 0, nil
}

// Err returns why the last call that failed did; a claim that succeeds takes it
// back.
func (l *Line) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// WaitForEdge waits for the next edge: true when there was one, which LastEdge
// then returns. A negative timeout is none. See Err after false.
func (l *Line) WaitForEdge(timeout time.Duration) bool {
	l.mu.Lock()
	events := l.events
	l.mu.Unlock()
	return events != nil && events.wait(timeout, l.take)
}

// take reads an edge; done is false when there is none yet.
func (l *Line) take(fd int) (done, ok bool) {
	edge, err := readEdge(fd)
	if errors.Is(err, unix.EAGAIN) {
		return false, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		_ = l.fail("read an edge of", err) // kept for Err
		return true, false
	}
	l.edge = edge
	return true, true
}

// struct gpio_v2_line_event: the same on all architectures.
var _ [48]byte = [unsafe.Sizeof(uapi.LineEvent{})]byte{}

func readEdge(fd int) (edge Edge, err error) {
	var event uapi.LineEvent
	b := unsafe.Slice((*byte)(unsafe.Pointer(&event)), unsafe.Sizeof(event))
	n := 0
	err = retry(func() error {
		n, err = unix.Read(fd, b)
		return err
	})
	if err != nil {
		return edge, err
	}
	if n != len(b) {
		return edge, fmt.Errorf("%d bytes of %d: %w", n, len(b), unix.EIO)
	}
	return Edge{periph.Level(event.ID == uapi.LineEventRisingEdge), time.Duration(event.Timestamp)}, nil
}

// LastEdge returns the edge that WaitForEdge saw last.
func (l *Line) LastEdge() Edge {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.edge
}

// String returns the line's name with its place, once it was claimed.
func (l *Line) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.place.chip == "" || strings.Contains(l.cfg.Line, "/") {
		return l.cfg.Line
	}
	return fmt.Sprintf("%s (%v)", l.cfg.Line, l.place)
}

// Name returns the name by which the line is looked for.
func (l *Line) Name() string { return l.cfg.Line }

// Number returns the line's number on its chip; -1 until it was claimed.
func (l *Line) Number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.place.offset
}

// Function returns what the line is claimed as.
func (l *Line) Function() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.fd < 0:
		return ""
	case l.out:
		return "Out"
	}
	return "In"
}

// Pull returns what In was asked for: the kernel's answer may be none.
func (l *Line) Pull() periph.Pull {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pull
}

// DefaultPull is not known.
func (l *Line) DefaultPull() periph.Pull { return periph.PullNoChange }

// PWM is not for a line of the character device.
func (l *Line) PWM(periph.Duty, physic.Frequency) error {
	return fmt.Errorf("line %s: no PWM (%w)", l.cfg.Line, errors.ErrUnsupported)
}
