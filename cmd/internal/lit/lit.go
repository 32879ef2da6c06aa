// Package lit opens cameras and microphones under the capture light: the light is
// on before a device is, and nothing leaves a device without a look at it. Nothing
// else in the agent opens one (a test in this package reads the source for it).
// What to open, and when, it does not decide.
package lit

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/hardware"
)

// CameraDevice is a camera that runs.
type CameraDevice interface {
	Next(ctx context.Context) (capture.Frame, error)
	Format() capture.VideoFormat
	Path() string
	Close() error
}

// MicrophoneDevice is a microphone that records.
type MicrophoneDevice interface {
	Next(ctx context.Context) (capture.Sound, error)
	Name() string
	Close() error
}

// System knows how to open a device. Only this package can make it do so.
type System struct {
	camera     func(camera.Config) (CameraDevice, error)
	microphone func(microphone.Config) (MicrophoneDevice, error)
}

// Machine is this machine.
func Machine() *System {
	return &System{
		camera: func(cfg camera.Config) (CameraDevice, error) {
			c, err := camera.Open(cfg)
			if err != nil {
				return nil, err // not c: a nil *Camera is not a nil interface
			}
			return c, nil
		},
		microphone: func(cfg microphone.Config) (MicrophoneDevice, error) {
			m, err := microphone.Open(cfg)
			if err != nil {
				return nil, err // as above
			}
			return m, nil
		},
	}
}

// Fake is a system of other devices, for tests.
func Fake(c func(camera.Config) (CameraDevice, error), m func(microphone.Config) (MicrophoneDevice, error)) *System {
	return &System{c, m}
}

// Devices are those of a system, under a light.
type Devices struct {
	light  *hardware.Light
	system *System
}

// New returns the devices of a system. A board without a light says so by
// hardware.NoLight.
func New(light *hardware.Light, system *System) *Devices { return &Devices{light, system} }

// Camera is a camera under the light. Its Next and Close are as the camera's own,
// but for a light that fails: that closes the camera, and is Next's error from
// then on, a *hardware.LightError.
type Camera struct {
	device CameraDevice // for nobody else: its own Next does not look at the light
	guard  *guard
}

// Camera opens a camera.
func (d *Devices) Camera(cfg camera.Config) (*Camera, error) {
	c := &Camera{}
	var err error
	c.guard, err = underLight(d.light, func() (closer, error) {
		c.device, err = d.system.camera(cfg)
		return c.device, err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Next returns the next picture: one that the light was on for.
func (c *Camera) Next(ctx context.Context) (capture.Frame, error) {
	f, err := c.device.Next(ctx)
	if dark := c.guard.check(); dark != nil {
		f.Release()
		return capture.Frame{}, dark
	}
	return f, err
}

// Format returns what the camera delivers.
func (c *Camera) Format() capture.VideoFormat { return c.device.Format() }

// Path returns the camera's device node.
func (c *Camera) Path() string { return c.device.Path() }

// Close turns the camera off, and then lets go of the light. A second call does
// nothing.
func (c *Camera) Close() error { return c.guard.close() }

// Microphone is a microphone under the light, as Camera is a camera.
type Microphone struct {
	device MicrophoneDevice // as that of a Camera
	guard  *guard
}

// Microphone opens a microphone.
func (d *Devices) Microphone(cfg microphone.Config) (*Microphone, error) {
	m := &Microphone{}
	var err error
	m.guard, err = underLight(d.light, func() (closer, error) {
		m.device, err = d.system.microphone(cfg)
		return m.device, err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Next returns the next sound: one that the light was on for.
func (m *Microphone) Next(ctx context.Context) (capture.Sound, error) {
	s, err := m.device.Next(ctx)
	if dark := m.guard.check(); dark != nil {
		return capture.Sound{}, dark
	}
	return s, err
}

// Name returns the ALSA name of the microphone.
func (m *Microphone) Name() string { return m.device.Name() }

// Close turns the microphone off, and then lets go of the light. A second call
// does nothing.
func (m *Microphone) Close() error { return m.guard.close() }

type closer interface{ Close() error }

// lookEvery is how often the light is looked at beside what is captured: as long
// as there is no connection, a device runs and nothing is fetched from it.
const lookEvery = 500 * time.Millisecond

// guard is what keeps a device under the light.
type guard struct {
	hold   *hardware.Hold
	device closer
	stop   chan struct{} // ends the watch
	watch  sync.WaitGroup
	end    sync.Once
	off    sync.Once

	mu     sync.Mutex
	failed error // the light's
	err    error // the device's, of closing it
}

// underLight is the one way to a device: lit and read back before open is called,
// and read back again before it is handed out.
func underLight(light *hardware.Light, open func() (closer, error)) (*guard, error) {
	hold, err := light.Hold()
	if err != nil {
		return nil, err
	}
	device, err := open()
	if err != nil {
		hold.Release()
		return nil, err
	}
	g := &guard{hold: hold, device: device, stop: make(chan struct{})}
	if err := g.check(); err != nil {
		return nil, err
	}
	g.watch.Go(g.look)
	return g, nil
}

func (g *guard) look() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-ticker.C:
		}
		if g.check() != nil {
			return
		}
	}
}

// check reads the light back. When it fails, or has failed before, the device is
// off by the time that this returns; once it was closed by its user, there is
// nothing to hand out any more.
func (g *guard) check() error {
	err := g.failure()
	if err == nil {
		err = g.hold.Check()
	}
	switch {
	case err == nil:
		return nil
	case g.closing():
		return os.ErrClosed
	}
	g.mu.Lock()
	if g.failed == nil {
		g.failed = err
	}
	err = g.failed
	g.mu.Unlock()
	g.turnOff()
	return err
}

func (g *guard) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// closing says that the device was closed by its user, which lets go of the light.
func (g *guard) closing() bool {
	select {
	case <-g.stop:
		return true
	default:
		return false
	}
}

func (g *guard) turnOff() {
	g.off.Do(func() {
		err := g.device.Close()
		g.hold.Release()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.err = err
	})
}

func (g *guard) close() error {
	g.end.Do(func() { close(g.stop) })
	g.turnOff()
	g.watch.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}
