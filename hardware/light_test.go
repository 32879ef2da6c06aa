package hardware

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bulb is a lamp whose wires a test can cut.
type bulb struct {
	mu                  sync.Mutex
	lit, stuck          bool // stuck: it stays as it is
	openErr, set, reads error
	open                int // how many are open
	lights              []bool
}

func (b *bulb) Open() (Lamp, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.openErr != nil {
		return nil, b.openErr
	}
	b.open++
	return b, nil
}

func (b *bulb) Set(on bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.set == nil && !b.stuck {
		b.lit = on
		b.lights = append(b.lights, on)
	}
	return b.set
}

func (b *bulb) Lit() (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lit, b.reads
}

func (b *bulb) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	b.lit = false // the line's default
	return nil
}

func (b *bulb) damage(how func(*bulb)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	how(b)
}

func hold(t *testing.T, l *Light) *Hold {
	t.Helper()
	h, err := l.Hold()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func want(t *testing.T, l *Light, state LightState, holds int) {
	t.Helper()
	if s := l.Status(); s.State != state || s.Holds != holds || (s.Err != nil) != (state == LightFailed) {
		t.Errorf("status %+v, want %s with %d holds", s, state, holds)
	}
}

func TestLightIsOnWhileHeld(t *testing.T) {
	b := &bulb{}
	l := NewLight("capture light", "LED1", b.Open)
	want(t, l, LightOff, 0)
	first, second := hold(t, l), hold(t, l)
	want(t, l, LightOn, 2)
	first.Release()
	first.Release() // once is enough
	if err := second.Check(); err != nil || !b.lit {
		t.Errorf("with one of two holds: %v, lit %v", err, b.lit)
	}
	if err := first.Check(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("check after release: %v", err)
	}
	second.Release()
	want(t, l, LightOff, 0)
	if b.lit {
		t.Error("lit after the last release")
	}
}

// Whatever goes wrong with a lamp, before or during a capture, is an error that
// names it, ends every capture, and is over once the lamp works again.
func TestLightFailsClosed(t *testing.T) {
	faults := []struct {
		name   string
		damage func(*bulb)
		live   bool // it shows while live, too
		want   error
	}{
		{"not there", func(b *bulb) { b.openErr = os.ErrNotExist }, false, os.ErrNotExist},
		{"taken", func(b *bulb) { b.openErr = syscall.EBUSY }, false, syscall.EBUSY},
		{"cannot be set", func(b *bulb) { b.set = syscall.EPERM }, false, syscall.EPERM},
		{"stays dark", func(b *bulb) { b.lit, b.stuck = false, true }, true, ErrDark},
		{"cannot be read", func(b *bulb) { b.reads = syscall.EIO }, true, syscall.EIO},
		{"unplugged", func(b *bulb) { b.openErr, b.set, b.reads = syscall.ENODEV, syscall.ENODEV, syscall.ENODEV }, true, syscall.ENODEV},
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			b := &bulb{}
			l := NewLight("capture light", "LED1", b.Open)
			b.damage(fault.damage)
			for range 2 {
				_, err := l.Hold()
				var of *LightError
				if !errors.Is(err, fault.want) || !errors.As(err, &of) || of.Hint() == "" || of.Component() != "light" {
					t.Fatalf("at the start: %v", err)
				}
				want(t, l, LightFailed, 0)
			}
			*b = bulb{open: b.open}
			camera, microphone := hold(t, l), hold(t, l)
			want(t, l, LightOn, 2)
			if fault.live {
				b.damage(fault.damage)
				if err := camera.Check(); !errors.Is(err, fault.want) {
					t.Errorf("while live: %v", err)
				}
				*b = bulb{open: b.open}
				again := hold(t, l)
				for _, stale := range []*Hold{camera, microphone} {
					if err := stale.Check(); err == nil {
						t.Error("a capture that was in the dark goes on")
					}
					stale.Release()
				}
				if err := again.Check(); err != nil {
					t.Errorf("after the repair: %v", err)
				}
				again.Release()
			} else {
				camera.Release()
				microphone.Release()
			}
			want(t, l, LightOff, 0)
			for range 2 {
				if err := l.Close(); err != nil || b.open != 0 {
					t.Errorf("close: %v, %d lamps open", err, b.open)
				}
			}
		})
	}
}

// A lamp that blinks while nothing is captured is steady during a capture.
func TestShowDoesNothingWhileHeld(t *testing.T) {
	b := &bulb{}
	l := NewLight("capture light", "LED1", b.Open)
	for _, on := range []bool{true, false, true} {
		if err := l.Show(on); err != nil || b.lit != on {
			t.Errorf("show %v: %v, lit %v", on, err, b.lit)
		}
	}
	want(t, l, LightOff, 0)
	h := hold(t, l)
	b.lights = nil
	for range 3 {
		if err := l.Show(false); err != nil {
			t.Error(err)
		}
	}
	if len(b.lights) != 0 || h.Check() != nil {
		t.Errorf("driven to %v while held", b.lights)
	}
	h.Release()
	b.stuck, b.lit = true, true
	if err := l.Show(false); !errors.Is(err, errBright) {
		t.Errorf("stays lit: %v", err)
	}
}

func TestClosedLight(t *testing.T) {
	b := &bulb{}
	l := NewLight("capture light", "LED1", b.Open)
	h := hold(t, l)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if !b.lit || h.Check() != nil {
		t.Error("a capture lost its light to Close")
	}
	if _, err := l.Hold(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("hold after close: %v", err)
	}
	h.Release()
	if b.lit || b.open != 0 {
		t.Errorf("lit %v, %d open after the last release", b.lit, b.open)
	}
}

func TestNoLight(t *testing.T) {
	l := NoLight()
	h := hold(t, l)
	if err := errors.Join(h.Check(), l.Show(true)); err != nil {
		t.Error(err)
	}
	want(t, l, LightNone, 1)
	h.Release()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := new(Light).Hold(); err == nil {
		t.Error("a light that nobody made can be held")
	}
}

// Two captures come and go while a third party makes it blink: whoever holds it
// never sees it dark.
func TestLightUnderContention(t *testing.T) {
	b := &bulb{}
	l := NewLight("capture light", "LED1", b.Open)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 500 {
				h, err := l.Hold()
				if err == nil {
					err = h.Check()
					h.Release()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		wait.Go(func() {
			for i := range 500 {
				if err := l.Show(i%2 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

func TestCheckAllocatesNothing(t *testing.T) {
	l := NewLight("capture light", "LED1", (&bulb{}).Open)
	h := hold(t, l)
	if n := testing.AllocsPerRun(100, func() { _ = h.Check() }); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestPattern(t *testing.T) {
	const ms = time.Millisecond
	p := Pattern{100 * ms, 200 * ms, 100 * ms, 600 * ms}
	tests := []struct {
		at   time.Duration
		on   bool
		left time.Duration
	}{
		{0, true, 100 * ms}, {99 * ms, true, ms}, {100 * ms, false, 200 * ms}, {350 * ms, true, 50 * ms},
		{400 * ms, false, 600 * ms}, {999 * ms, false, ms}, {1000 * ms, true, 100 * ms}, {1350 * ms, true, 50 * ms},
	}
	for _, test := range tests {
		if on, left := p.At(test.at); on != test.on || left != test.left {
			t.Errorf("at %v: %v for %v, want %v for %v", test.at, on, left, test.on, test.left)
		}
	}
	for _, dark := range []Pattern{nil, {0, 0}} {
		if on, left := dark.At(time.Second); on || left != 0 {
			t.Errorf("%v: %v for %v", dark, on, left)
		}
	}
}
