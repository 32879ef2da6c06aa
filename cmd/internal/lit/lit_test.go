package lit

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/hardware"
)

// lamp is one whose wires a test can cut.
type lamp struct {
	mu        sync.Mutex
	lit, dark bool
	open, set error
}

func (l *lamp) Open() (hardware.Lamp, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l, l.open
}

func (l *lamp) Set(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lit = on && l.set == nil
	return l.set
}

func (l *lamp) Lit() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lit && !l.dark, nil
}

func (l *lamp) Close() error { return l.Set(false) }

func (l *lamp) cut(dark bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dark = dark
}

// device is a camera and a microphone. It looks at the lamp while it runs.
type device struct {
	t      *testing.T
	lamp   *lamp
	frames chan func() (capture.Frame, error)
	closed chan struct{}
	once   sync.Once
	lent   atomic.Int32
}

func (d *device) start() *device {
	if lit, _ := d.lamp.Lit(); !lit {
		d.t.Error("a device is opened in the dark")
	}
	d.frames, d.closed = make(chan func() (capture.Frame, error), 4), make(chan struct{})
	return d
}

func (d *device) next(ctx context.Context) (capture.Frame, error) {
	select {
	case f := <-d.frames:
		return f()
	case <-d.closed:
		return capture.Frame{}, os.ErrClosed
	case <-ctx.Done():
		return capture.Frame{}, ctx.Err()
	}
}

// give makes a frame ready; before it reaches its reader, then is called.
func (d *device) give(then func()) {
	d.lent.Add(1)
	d.frames <- func() (capture.Frame, error) {
		then()
		return capture.Frame{Width: 2}.WithFree(func() { d.lent.Add(-1) }), nil
	}
}

func (d *device) Close() error {
	d.once.Do(func() {
		if lit, _ := d.lamp.Lit(); !lit && !d.lamp.dark {
			d.t.Error("the light was out before the device")
		}
		close(d.closed)
	})
	return nil
}

type cameraDevice struct{ *device }

func (c cameraDevice) Next(ctx context.Context) (capture.Frame, error) { return c.next(ctx) }
func (cameraDevice) Format() capture.VideoFormat                       { return capture.VideoFormat{Width: 2} }
func (cameraDevice) Path() string                                      { return "/dev/fake" }

type microphoneDevice struct{ *device }

func (m microphoneDevice) Next(ctx context.Context) (capture.Sound, error) {
	f, err := m.next(ctx)
	f.Release()
	return capture.Sound{Length: time.Duration(f.Width)}, err
}
func (microphoneDevice) Name() string { return "fake" }

type rig struct {
	*Devices
	lamp   *lamp
	light  *hardware.Light
	device *device
	opened int
	broken error // of opening the device
}

func newRig(t *testing.T) *rig {
	r := &rig{lamp: &lamp{}}
	r.light = hardware.NewLight("capture light", "LED1", r.lamp.Open)
	open := func() error {
		r.opened++
		r.device = (&device{t: t, lamp: r.lamp}).start()
		return r.broken
	}
	r.Devices = New(r.light, Fake(
		func(camera.Config) (CameraDevice, error) { err := open(); return cameraDevice{r.device}, err },
		func(microphone.Config) (MicrophoneDevice, error) {
			err := open()
			return microphoneDevice{r.device}, err
		}))
	return r
}

// opened is a device of either kind.
type opened struct {
	next  func(context.Context) (got bool, err error)
	close func() error
}

var kinds = map[string]func(*rig) (opened, error){
	"camera": func(r *rig) (opened, error) {
		c, err := r.Camera(camera.Config{})
		if err != nil {
			return opened{}, err
		}
		return opened{func(ctx context.Context) (bool, error) {
			f, err := c.Next(ctx)
			got := f.Width > 0
			f.Release()
			return got, err
		}, c.Close}, nil
	},
	"microphone": func(r *rig) (opened, error) {
		m, err := r.Microphone(microphone.Config{})
		if err != nil {
			return opened{}, err
		}
		return opened{func(ctx context.Context) (bool, error) {
			s, err := m.Next(ctx)
			return s.Length > 0, err
		}, m.Close}, nil
	},
}

// eachKind runs a test in a bubble, and checks that nothing is left of it.
func eachKind(t *testing.T, test func(t *testing.T, r *rig, open func() (opened, error))) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				test(t, r, func() (opened, error) { return open(r) })
				if s := r.light.Status(); s.Holds != 0 || r.lamp.lit {
					t.Errorf("at the end: %+v, lit %v", s, r.lamp.lit)
				}
				if r.device != nil && r.device.lent.Load() != 0 {
					t.Errorf("%d frames are not released", r.device.lent.Load())
				}
			})
		})
	}
}

func TestLitWhileOpen(t *testing.T) {
	eachKind(t, func(t *testing.T, r *rig, open func() (opened, error)) {
		d, err := open()
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			r.device.give(func() {})
			if got, err := d.next(t.Context()); !got || err != nil {
				t.Errorf("next: %v, %v", got, err)
			}
		}
		if s := r.light.Status(); s.State != hardware.LightOn || s.Holds != 1 {
			t.Errorf("light %+v", s)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got, err := d.next(ctx); got || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v, %v", got, err)
		}
		for range 2 {
			if err := d.close(); err != nil {
				t.Error(err)
			}
		}
		if got, err := d.next(t.Context()); got || !errors.Is(err, os.ErrClosed) {
			t.Errorf("closed: %v, %v", got, err)
		}
	})
}

// A light that does not work keeps devices from being opened at all.
func TestNoDeviceInTheDark(t *testing.T) {
	for name, damage := range map[string]func(*lamp){
		"not there":     func(l *lamp) { l.open = os.ErrNotExist },
		"cannot be set": func(l *lamp) { l.set = syscall.EIO },
		"stays dark":    func(l *lamp) { l.dark = true },
	} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, r *rig, open func() (opened, error)) {
				damage(r.lamp)
				_, err := open()
				if dark := (*hardware.LightError)(nil); !errors.As(err, &dark) || r.opened != 0 {
					t.Errorf("got %v, and %d devices opened", err, r.opened)
				}
			})
		})
	}
}

// A device that does not open lets go of the light.
func TestDeviceDoesNotOpen(t *testing.T) {
	eachKind(t, func(t *testing.T, r *rig, open func() (opened, error)) {
		r.broken = io.ErrUnexpectedEOF
		if _, err := open(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	})
}

// A light that fails while a picture is taken keeps it back, and turns the device
// off; lighting it again does not bring the device back.
func TestLightFailsWhileLive(t *testing.T) {
	eachKind(t, func(t *testing.T, r *rig, open func() (opened, error)) {
		d, err := open()
		if err != nil {
			t.Fatal(err)
		}
		r.device.give(func() { r.lamp.cut(true) })
		for range 2 {
			if got, err := d.next(t.Context()); got || !errors.Is(err, hardware.ErrDark) {
				t.Errorf("got %v, %v", got, err)
			}
			select {
			case <-r.device.closed:
			default:
				t.Error("the device still runs")
			}
			if n := r.device.lent.Load(); n != 0 {
				t.Errorf("%d frames are kept back and not released", n)
			}
			r.lamp.cut(false)
		}
		if err := d.close(); err != nil {
			t.Error(err)
		}
		again, err := open()
		if err != nil {
			t.Fatalf("after the repair: %v", err)
		}
		again.close()
	})
}

// A light that fails while nobody fetches anything turns the device off, too.
func TestLightFailsUnwatched(t *testing.T) {
	eachKind(t, func(t *testing.T, r *rig, open func() (opened, error)) {
		d, err := open()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.lamp.cut(true)
		time.Sleep(2 * lookEvery)
		synctest.Wait()
		select {
		case <-r.device.closed:
		default:
			t.Error("the device still runs")
		}
		if _, err := d.next(t.Context()); !errors.Is(err, hardware.ErrDark) {
			t.Errorf("got %v", err)
		}
		r.lamp.cut(false)
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
}

// A light that fails while the reader waits ends the wait with its error.
func TestLightFailsInAWait(t *testing.T) {
	eachKind(t, func(t *testing.T, r *rig, open func() (opened, error)) {
		d, err := open()
		if err != nil {
			t.Fatal(err)
		}
		result := make(chan error)
		go func() {
			_, err := d.next(context.WithoutCancel(t.Context()))
			result <- err
		}()
		synctest.Wait()
		r.lamp.cut(true)
		if err := <-result; !errors.Is(err, hardware.ErrDark) {
			t.Errorf("got %v", err)
		}
		r.lamp.cut(false)
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
}

// Two devices share the light, which is on until both are closed.
func TestSharedLight(t *testing.T) {
	r := newRig(t)
	c, err := r.Camera(camera.Config{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Microphone(microphone.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if lit, _ := r.lamp.Lit(); !lit {
		t.Error("dark while the microphone runs")
	}
	m.Close()
	if lit, _ := r.lamp.Lit(); lit {
		t.Error("lit when all is closed")
	}
}

// Closing from elsewhere hands out nothing that was not looked at, and leaves no
// goroutine.
func TestCloseWhileReading(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 200 {
		r := newRig(t)
		c, err := r.Camera(camera.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		wait.Go(func() {
			for {
				r.device.give(func() {})
				f, err := c.Next(t.Context())
				f.Release()
				if err != nil {
					if !errors.Is(err, os.ErrClosed) {
						t.Errorf("got %v", err)
					}
					return
				}
			}
		})
		wait.Go(func() { c.Close() })
		wait.Wait()
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
