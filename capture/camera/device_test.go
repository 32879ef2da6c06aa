package camera

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/blackjack/webcam"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// openDevice opens a real camera, BRIL_TEST_CAMERA or the first one.
func openDevice(t *testing.T, cfg Config) *Camera {
	t.Helper()
	cfg.Device = os.Getenv("BRIL_TEST_CAMERA")
	c, err := Open(cfg)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) || errors.Is(err, ErrUnsupportedFormat) {
		t.Skip("needs a camera: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestDevices(t *testing.T) {
	list, err := json.Marshal(List())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.3000s", list)
}

func TestDeviceDelivers(t *testing.T) {
	for _, format := range DefaultFormats() {
		t.Run(format.String(), func(t *testing.T) {
			cfg := Config{Formats: []capture.PixelFormat{format}, Controls: Controls{PowerLine: PowerLine50Hz}}
			c := openDevice(t, cfg)
			realStamps(t, c.Path())
			t.Logf("%s: %v, warnings %v", c.Path(), c.Format(), c.Warnings())
			measure(t, c, 60)
		})
	}
}

// realStamps makes a vivid camera stamp frames when they are taken. Otherwise it
// stamps their end before it has come, which no camera does and Next corrects.
func realStamps(t *testing.T, path string) {
	t.Helper()
	cam, err := webcam.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer cam.Close()
	for id, control := range cam.GetControls() {
		if control.Name != "Timestamp Source" {
			continue
		}
		if err := cam.SetControl(id, 1); err != nil { // start of exposure
			t.Fatal(err)
		}
	}
}

// measure takes n frames and checks their stamps.
func measure(t *testing.T, c *Camera, n int) {
	t.Helper()
	f := next(t, c)
	first, last := f, f
	f.Release()
	before, start := switches(t), monotonic.Now()
	var oldest time.Duration
	for range n {
		f := next(t, c)
		if f.PTS <= last.PTS || f.Sequence <= last.Sequence || f.Ready < f.PTS {
			t.Errorf("sequence %d at %v, ready %v, follows %d at %v", f.Sequence, f.PTS, f.Ready, last.Sequence, last.PTS)
		}
		if f.Width != c.Format().Width || len(f.Planes[0].Data) == 0 {
			t.Errorf("frame of %dx%d with %d bytes", f.Width, f.Height, len(f.Planes[0].Data))
		}
		oldest = max(oldest, f.Ready-f.PTS)
		last = f
		f.Release()
	}
	took := monotonic.Now() - start
	t.Logf("%d frames in %v by the clock and %v by their stamps: %.2f a second; at most %v old when ready; %d lost; %+v; %d wakeups a second",
		n, took, last.PTS-first.PTS, float64(n)/took.Seconds(), oldest,
		last.Sequence-first.Sequence-uint64(n), c.Counts(), int(float64(switches(t)-before)/took.Seconds()))
}

// switches returns how often a thread of this process has slept.
func switches(t *testing.T) int64 {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return int64(usage.Nvcsw)
}

func TestDeviceHoldsFrames(t *testing.T) {
	c := openDevice(t, Config{})
	var held []capture.Frame
	for range c.queue.Len() {
		held = append(held, next(t, c))
	}
	for i := range held {
		held[i].Release()
	}
	f := next(t, c)
	if err := c.Close(); err != nil {
		t.Error("close: ", err)
	}
	sum := 0
	for _, v := range f.Planes[0].Data { // would fault if it were unmapped
		sum += int(v)
	}
	t.Logf("mean of a frame after Close: %d", sum/len(f.Planes[0].Data))
	f.Release()
	if _, err := c.Next(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
	again := openDevice(t, Config{})
	measure(t, again, 5)
}

// TestDeviceStartsEachTime is about a wait that was lost when a signal met the
// driver's lock: see register in hardware/v4l2.
func TestDeviceStartsEachTime(t *testing.T) {
	for range 40 {
		c := openDevice(t, Config{})
		for range 6 { // more than there are buffers
			f := next(t, c)
			f.Release()
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeviceIsBusy(t *testing.T) {
	c := openDevice(t, Config{})
	second, err := Open(Config{Device: c.Path()})
	if err == nil {
		second.Close()
	}
	if !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	t.Log(err)
	measure(t, c, 5) // the first one is none the worse
}

// TestDeviceUnplugged takes a vivid camera away, if it may: it wants
// BRIL_TEST_UNPLUG=vivid.0, the name of the platform device.
func TestDeviceUnplugged(t *testing.T) {
	device := os.Getenv("BRIL_TEST_UNPLUG")
	if device == "" {
		t.Skip("BRIL_TEST_UNPLUG names no platform device")
	}
	driver := filepath.Join("/sys/bus/platform/drivers", strings.TrimRight(device, ".0123456789"))
	c := openDevice(t, Config{})
	f := next(t, c)
	result := make(chan error)
	go func() {
		for {
			f, err := c.Next(t.Context())
			if err != nil {
				result <- err
				return
			}
			f.Release()
		}
	}()
	start := monotonic.Now()
	if err := os.WriteFile(filepath.Join(driver, "unbind"), []byte(device), 0); err != nil {
		t.Fatal(err)
	}
	err := <-result
	t.Logf("after %v: %v", monotonic.Now()-start, err)
	if !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want ErrGone", err)
	}
	if len(f.Planes[0].Data) == 0 || f.Planes[0].Data[0] == 0 && testing.Verbose() { // would fault if it were unmapped
		t.Log("the frame begins in black")
	}
	f.Release()
	if err := c.Close(); err != nil {
		t.Error("close: ", err)
	}
	if err := os.WriteFile(filepath.Join(driver, "bind"), []byte(device), 0); err != nil {
		t.Fatal(err)
	}
	measure(t, openDevice(t, Config{}), 5)
}
