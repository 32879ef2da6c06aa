package gpio

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	periph "periph.io/x/conn/v3/gpio"

	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// ButtonConfig says what a button is wired to: a line or a key.
type ButtonConfig struct {
	Name      string // as hardware.Press has it
	Line      string // its name on any chip, or gpiochipN/OFFSET; "" for a key
	ActiveLow bool   // of the line
	Pull      periph.Pull
	Key       uint16 // of an input device: a code of linux/input-event-codes.h
	// Double says that a second press means something: otherwise a short press
	// need not wait for it.
	Double bool
}

// debounce is how long a button's contact may bounce, by the kernel. Tactile
// switches are given as 5 to 10 ms.
const debounce = 10 * time.Millisecond

// pin is what a button needs of a line or a key; periph's pins have it too.
type pin interface {
	Read() periph.Level
	WaitForEdge(timeout time.Duration) bool
	Halt() error
	String() string
}

// stamped is a pin of the kernel, which knows more of an edge and of a failure
// than periph's interface tells.
type stamped interface {
	LastEdge() Edge
	Err() error
}

// Button is one push button, read until its context ends.
type Button struct {
	cfg  ButtonConfig
	open func() (pin, error)
	log  *slog.Logger

	wasRead bool // once; Run's

	mu     sync.Mutex
	status ButtonStatus
}

// ButtonStatus says how a button is doing.
type ButtonStatus struct {
	Name string
	Line string // or key, with its place once it was found
	Err  error  // why it does not work; nil while it does
	// Since is when it began not to.
	Since time.Time
	// Stuck is a button that has been down for longer than anyone presses it.
	Stuck bool
	Down  bool // now
}

// NewButton returns a button; Run reads it. log may be nil.
func NewButton(cfg ButtonConfig, log *slog.Logger) *Button {
	return newButton(cfg, log, func() (pin, error) { return openPin(cfg) })
}

func newButton(cfg ButtonConfig, log *slog.Logger, open func() (pin, error)) *Button {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Button{cfg: cfg, open: open, log: log, status: ButtonStatus{Name: cfg.Name, Line: cfg.place(), Err: ErrNotRead, Since: time.Now()}}
}

// ErrNotRead is the state of a button before its Run has come to read it.
var ErrNotRead = errors.New("not read yet")

func (c ButtonConfig) place() string {
	if c.Line != "" {
		return c.Line
	}
	return NewKey(c.Key).String()
}

func openPin(cfg ButtonConfig) (pin, error) {
	if cfg.Line == "" {
		key := NewKey(cfg.Key)
		return key, key.Open()
	}
	line := NewLine(LineConfig{Line: cfg.Line, ActiveLow: cfg.ActiveLow, Debounce: debounce, Consumer: "bril " + cfg.Name})
	return line, line.In(cfg.Pull, periph.BothEdges)
}

// Status returns how the button is doing.
func (b *Button) Status() ButtonStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// Run calls press for each gesture until ctx ends. A line or device that fails,
// or is not there, is tried again.
func (b *Button) Run(ctx context.Context, press func(hardware.Press)) {
	const first, last = 500 * time.Millisecond, 10 * time.Second
	wait := first
	for ctx.Err() == nil {
		worked, err := b.read(ctx, press)
		if ctx.Err() != nil {
			return
		}
		if worked {
			wait = first
		}
		b.failed(err)
		sleep(ctx, wait)
		wait = min(2*wait, last)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// read returns when the pin fails or ctx ends.
func (b *Button) read(ctx context.Context, press func(hardware.Press)) (worked bool, err error) {
	p, err := b.open()
	if err != nil {
		return false, err
	}
	defer p.Halt()                                      //nolint:errcheck // it was only read
	defer context.AfterFunc(ctx, func() { p.Halt() })() //nolint:errcheck // likewise
	down, err := level(p)
	if err != nil {
		return false, err
	}
	b.works(p)
	if !b.wasRead {
		b.wasRead = true
		if down {
			press(hardware.Press{Button: b.cfg.Name, Gesture: hardware.HeldAtStart})
		}
	}
	r := newRecogniser(b.cfg.Double, down, monotonic.Now())
	b.stuck(r.stuck, down)
	for ctx.Err() == nil {
		if err := b.one(p, &r, press); err != nil {
			return true, err
		}
	}
	return true, nil
}

// lookEvery is how often a silent line is read: until Linux 6.7 nothing else
// tells that its chip is gone (gpiolib-cdev.c, linereq_poll).
const lookEvery = 5 * time.Second

// one waits for an edge or for what the recogniser waits for.
func (b *Button) one(p pin, r *recogniser, press func(hardware.Press)) error {
	timeout := lookEvery
	if at, ok := r.deadline(); ok {
		timeout = min(timeout, max(0, at-monotonic.Now()))
	}
	var gesture hardware.Gesture
	var at time.Duration
	if p.WaitForEdge(timeout) {
		edge := lastEdge(p)
		gesture, at = r.edge(bool(edge.Level), edge.At), edge.At
	} else {
		if _, err := level(p); err != nil {
			return err
		}
		at = monotonic.Now()
		gesture = r.wake(at)
	}
	b.stuck(r.stuck, r.down)
	if gesture != "" {
		press(hardware.Press{Button: b.cfg.Name, Gesture: gesture, At: at})
	}
	return nil
}

func level(p pin) (down bool, err error) {
	down = bool(p.Read())
	if s, ok := p.(stamped); ok {
		err = s.Err()
	}
	return down, err
}

// lastEdge is of a pin that knows no more than periph asks for: what it reads now.
func lastEdge(p pin) Edge {
	if s, ok := p.(stamped); ok {
		return s.LastEdge()
	}
	return Edge{p.Read(), monotonic.Now()}
}

func (b *Button) works(p pin) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log.Info("button works", "button", b.cfg.Name, "line", p.String())
	b.status.Line, b.status.Err, b.status.Stuck = p.String(), nil, false
}

// failed logs the first of equal failures.
func (b *Button) failed(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status.Err == nil || b.status.Err.Error() != err.Error() {
		b.log.Warn("button does not work, will be tried again", "button", b.cfg.Name, "error", err)
	}
	if b.status.Err == nil {
		b.status.Since = time.Now()
	}
	b.status.Err, b.status.Stuck, b.status.Down = err, false, false
}

func (b *Button) stuck(stuck, down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if stuck && !b.status.Stuck {
		b.log.Warn("button is stuck: it has been down for longer than anyone presses it", "button", b.cfg.Name)
	}
	b.status.Stuck, b.status.Down = stuck, down
}
