package hardware

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Lamp is what a Light drives: a GPIO line or an LED of the kernel.
type Lamp interface {
	Set(on bool) error
	// Lit reads back what the lamp is driven to. It is asked for every frame.
	Lit() (bool, error)
	Close() error
}

// ErrDark is a lamp that was lit, and reads back dark.
var ErrDark = errors.New("it was lit and reads back dark")

var (
	errBright = errors.New("it was put out and reads back lit")
	errBreak  = errors.New("it has failed during the capture")
	errNone   = errors.New("the board has none")
)

// LightError says why a light cannot be relied on.
type LightError struct {
	Light string // capture light, or what NewLight was told
	Line  string
	Err   error
}

func (e *LightError) Error() string { return e.Light + " " + e.Line + ": " + e.Err.Error() }
func (e *LightError) Unwrap() error { return e.Err }

// Component is the part that does not work, as `bril status` names it.
func (e *LightError) Component() string { return "light" }

// Hint says what to do about it.
func (e *LightError) Hint() string {
	var advice interface{ Hint() string }
	switch {
	case errors.As(e.Err, &advice):
		return advice.Hint()
	case errors.Is(e.Err, ErrDark):
		return "check the light's wiring: something else pulls its line; nothing is captured in the dark"
	}
	return "bril devices lists the lines; nothing is captured while the light does not work"
}

// Light is the capture light, or another one that shows something. While it is held it is on, and each holder checks
// that before it lets go of anything that was captured: a light that cannot be
// lit, or no longer reads back lit, ends the capture.
//
// What is read back is the line that feeds the lamp. That the lamp itself shines
// (is fitted, not broken, not covered) this cannot prove. When the process dies,
// the kernel takes the line back, and the capture has ended too.
//
// The zero Light cannot be held. Its methods may be called from several goroutines.
type Light struct {
	name string // capture light
	line string
	open func() (Lamp, error)
	none bool

	mu     sync.Mutex
	lamp   Lamp // nil while it is not open
	holds  int
	failed error // why it cannot be relied on; nil while it can
	since  time.Time
	fails  int // counts the failures
	closed bool
}

// NewLight makes a light of the lamp that open opens, and opens again after a
// failure. name says which of the board's lights it is and line what feeds it, for
// people: "capture light", "LED1". Nothing is opened yet.
func NewLight(name, line string, open func() (Lamp, error)) *Light {
	return &Light{name: name, line: line, open: open}
}

// NoLight is for a board without one. It can be held, and shows nothing.
func NoLight() *Light { return &Light{none: true} }

// Hold is one capture's claim that the light is on, without a break.
type Hold struct {
	light    *Light
	fails    int  // of the light when it was taken
	released bool // under the light's mutex
}

// Hold lights the lamp and reads that back. When it fails, nothing may be
// captured; its error is a *LightError.
func (l *Light) Hold() (*Hold, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, &LightError{l.name, l.line, os.ErrClosed}
	}
	if err := l.drive(true); err != nil {
		return nil, err
	}
	l.holds++
	return &Hold{light: l, fails: l.fails}, nil
}

// Check reads back that the lamp is lit. What was captured before a check that
// fails must not leave. After a failure every later check fails too, also when
// the lamp has been lit again for another capture: what is in hand may have been
// taken in the dark. It allocates nothing while all is well.
func (h *Hold) Check() error {
	l := h.light
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case h.released:
		return &LightError{l.name, l.line, os.ErrClosed}
	case l.none:
		return nil
	case h.fails != l.fails:
		return &LightError{l.name, l.line, errBreak}
	}
	lit, err := l.lamp.Lit()
	if err == nil && !lit {
		err = ErrDark
	}
	if err != nil {
		return l.fail(err)
	}
	return nil
}

// Release ends the claim, once the capture has stopped. The last one puts the
// light out. A second call does nothing.
func (h *Hold) Release() {
	l := h.light
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.released {
		return
	}
	h.released = true
	l.holds--
	switch {
	case l.holds > 0:
	case l.closed:
		_ = l.shut() // Close has returned; there is no one to tell
	case l.lamp != nil:
		_ = l.drive(false) // kept for Status
	}
}

// Show lights the lamp, or puts it out, as long as nothing holds it: so that one
// lamp can blink while nothing is captured. While it is held, this does nothing.
// It opens a lamp that had failed.
func (l *Light) Show(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.none || l.closed || l.holds > 0 {
		return nil
	}
	return l.drive(on)
}

// drive opens the lamp if it must, sets it, and reads back that it is set.
func (l *Light) drive(on bool) error {
	if l.none {
		return nil
	}
	if l.open == nil {
		return l.fail(errNone)
	}
	if l.lamp == nil {
		lamp, err := l.open()
		if err != nil {
			return l.fail(err)
		}
		l.lamp = lamp
	}
	if err := l.lamp.Set(on); err != nil {
		return l.fail(err)
	}
	lit, err := l.lamp.Lit()
	switch {
	case err != nil:
		return l.fail(err)
	case on && !lit:
		return l.fail(ErrDark)
	case !on && lit:
		return l.fail(errBright)
	}
	l.failed = nil
	return nil
}

// fail closes the lamp: whoever holds it finds out by the next check, and the
// next Hold opens it anew.
func (l *Light) fail(err error) error {
	if l.failed == nil {
		l.since = time.Now()
	}
	l.failed = &LightError{l.name, l.line, err}
	l.fails++
	if l.lamp != nil {
		_ = l.lamp.Close() // the first error is the one to tell
		l.lamp = nil
	}
	return l.failed
}

// Close puts the light out and gives the lamp back; when it is held, with the
// last release. It cannot be held any more. A second call does nothing.
func (l *Light) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if l.holds > 0 {
		return nil
	}
	return l.shut()
}

func (l *Light) shut() error {
	if l.lamp == nil {
		return nil
	}
	err := errors.Join(l.lamp.Set(false), l.lamp.Close())
	l.lamp = nil
	if err != nil {
		return fmt.Errorf("put out the %s %s: %w", l.name, l.line, err)
	}
	return nil
}

// LightState is what Status tells of a light.
type LightState string

// The states. A light that blinks while nothing is captured is off.
const (
	LightOn     LightState = "on"     // held, and lit when last read
	LightOff    LightState = "off"    // nothing is captured
	LightNone   LightState = "none"   // the board has none
	LightFailed LightState = "failed" // nothing can be captured
)

// LightStatus says how a light is doing.
type LightStatus struct {
	Line  string
	State LightState
	Holds int   // captures that need it
	Err   error // of LightFailed
	Since time.Time
}

// Status returns how the light is doing, as it was last driven or read.
func (l *Light) Status() LightStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := LightStatus{Line: l.line, State: LightOff, Holds: l.holds, Err: l.failed, Since: l.since}
	switch {
	case l.none:
		s.State = LightNone
	case l.failed != nil:
		s.State = LightFailed
	case l.holds > 0:
		s.State = LightOn
	}
	return s
}
