package gpio

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// running is a button that is read until the test ends.
type running struct {
	*Button
	t       *testing.T
	presses chan hardware.Press
	cancel  context.CancelFunc
	done    chan struct{}
}

func run(t *testing.T, b *Button) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{b, t, make(chan hardware.Press, 16), cancel, make(chan struct{})}
	go func() {
		defer close(r.done)
		b.Run(ctx, func(p hardware.Press) { r.presses <- p })
	}()
	t.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	r.cancel()
	<-r.done
}

// until waits for a status; it is bounded by the test's own timeout.
func (r *running) until(ok func(ButtonStatus) bool) ButtonStatus {
	for {
		if s := r.Status(); ok(s) {
			return s
		}
		time.Sleep(ms)
	}
}

func works(s ButtonStatus) bool { return s.Err == nil }

// A button on a line: kernel edges become gestures; a chip that goes is a fault,
// and the button works again once it is back.
func TestButtonOnALine(t *testing.T) {
	before := runtime.NumGoroutine()
	b := newBoard()
	cfg := ButtonConfig{Name: "button1", Line: "BTN1"}
	r := run(t, newButton(cfg, nil, func() (pin, error) {
		line := newLine(b, LineConfig{Line: cfg.Line})
		return line, line.In(cfg.Pull, periph.BothEdges)
	}))
	if s := r.until(works); s.Name != "button1" || s.Line != "BTN1 (gpiochip0/1)" {
		t.Errorf("status %+v", s)
	}
	now := uint64(monotonic.Now())
	b.edge(t, "BTN1", true, now)
	b.edge(t, "BTN1", false, now+100_000_000)
	want := hardware.Press{Button: "button1", Gesture: hardware.Short, At: time.Duration(now) + 100*ms}
	if got := <-r.presses; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	b.damage("open", unix.ENOENT)
	b.mu.Lock()
	_, err := unix.Write(b.find("BTN1").write, []byte{0}) // part of an edge: the line has failed
	b.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	r.until(func(s ButtonStatus) bool { return errors.Is(s.Err, unix.EIO) })
	r.until(func(s ButtonStatus) bool { return errors.Is(s.Err, os.ErrNotExist) })
	b.damage("open", 0)
	r.until(works)
	now = uint64(monotonic.Now())
	b.edge(t, "BTN1", true, now)
	b.edge(t, "BTN1", false, now+900_000_000)
	if got := <-r.presses; got.Gesture != hardware.Long {
		t.Errorf("got %+v", got)
	}
	r.stop()
	b.hangUp(t)
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(ms)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// touch is a pin of the kernel's kind, on the clock of a synctest bubble.
type touch struct {
	mu    sync.Mutex
	start time.Time
	edges chan Edge
	level periph.Level
	last  Edge
	err   error
	halts chan struct{}
}

func newTouch() *touch {
	return &touch{start: time.Now(), edges: make(chan Edge, 16), halts: make(chan struct{}, 8)}
}

func (p *touch) set(level periph.Level) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.level = level
	p.edges <- Edge{level, monotonic.Now()}
}

func (p *touch) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *touch) Read() periph.Level {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.level
}

func (p *touch) WaitForEdge(timeout time.Duration) bool {
	select {
	case p.last = <-p.edges:
		return true
	case <-p.halts:
	case <-time.After(timeout):
	}
	return false
}

func (p *touch) Halt() error {
	p.halts <- struct{}{}
	return nil
}

func (p *touch) String() string { return "touch" }
func (p *touch) LastEdge() Edge { return p.last }

func (p *touch) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// In time: a short press at once or after the wait for a double, a long one
// while it is held, a stuck button once, and a silent line whose chip goes
// within seconds.
func TestButtonInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTouch()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := newButton(ButtonConfig{Name: "b", Double: true}, nil, func() (pin, error) { return p, p.Err() })
		presses := make(chan hardware.Gesture, 4)
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.Run(ctx, func(p hardware.Press) { presses <- p.Gesture })
		}()
		after := func(d time.Duration, want ...hardware.Gesture) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			var got []hardware.Gesture
			for len(presses) > 0 {
				got = append(got, <-presses)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		after(time.Second)
		p.set(periph.High)
		after(100 * ms)
		p.set(periph.Low)
		after(299 * ms)
		after(2*ms, hardware.Short)
		p.set(periph.High)
		after(799 * ms)
		after(2*ms, hardware.Long)
		after(stuckTime)
		if s := b.Status(); !s.Stuck || s.Err != nil {
			t.Errorf("status %+v", s)
		}
		p.set(periph.Low)
		after(100 * ms)
		if b.Status().Stuck {
			t.Error("stuck after its release")
		}
		p.fail(unix.ENODEV)
		after(lookEvery)
		if s := b.Status(); !errors.Is(s.Err, unix.ENODEV) {
			t.Errorf("status %+v", s)
		}
		after(time.Minute)
		p.fail(nil)
		after(10 * time.Second)
		if s := b.Status(); s.Err != nil {
			t.Errorf("status %+v", s)
		}
		cancel()
		<-done
	})
}

// A pin of periph's, which knows no timestamps, is a button too.
func TestButtonOnAnyPin(t *testing.T) {
	p := &gpiotest.Pin{N: "BTN", EdgesChan: make(chan periph.Level)}
	r := run(t, newButton(ButtonConfig{Name: "b"}, nil, func() (pin, error) { return p, nil }))
	r.until(works)
	p.EdgesChan <- periph.High
	time.Sleep(2 * bounceTime)
	p.EdgesChan <- periph.Low
	if got := <-r.presses; got.Gesture != hardware.Short {
		t.Errorf("got %+v", got)
	}
	r.cancel()
	select {
	case p.EdgesChan <- periph.Low: // wakes it: the fake knows no Halt
	case <-r.done:
	}
}

func TestButtonWithoutItsLine(t *testing.T) {
	r := run(t, NewButton(ButtonConfig{Name: "b", Line: "gpiochip99/1"}, nil))
	s := r.until(func(s ButtonStatus) bool { return s.Err != nil && s.Err != ErrNotRead })
	if !errors.Is(s.Err, os.ErrNotExist) || s.Line != "gpiochip99/1" {
		t.Errorf("status %+v", s)
	}
	if b := NewButton(ButtonConfig{Key: 28}, nil); b.Status().Line != "key 28" {
		t.Errorf("status %+v", b.Status())
	}
}
