package camera

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/v4l2"
	"github.com/bril-edge/bril/hardware/v4l2/v4l2test"
)

// fakeWebcam is what blackjack/webcam tells of a scripted camera.
type fakeWebcam struct {
	formats  map[webcam.PixelFormat]string
	sizes    []webcam.FrameSize
	rates    []webcam.FrameRate
	controls map[webcam.ControlID]webcam.Control
	values   map[webcam.ControlID]int32
	set      []webcam.ControlID // in order
	refuse   map[webcam.ControlID]error
	round    int32 // values are rounded down to its multiples; 0: not
	closed   int
}

func (f *fakeWebcam) GetSupportedFormats() map[webcam.PixelFormat]string { return f.formats }

func (f *fakeWebcam) GetSupportedFrameSizes(webcam.PixelFormat) []webcam.FrameSize { return f.sizes }

func (f *fakeWebcam) GetSupportedFramerates(webcam.PixelFormat, uint32, uint32) []webcam.FrameRate {
	return f.rates
}

func (f *fakeWebcam) GetControls() map[webcam.ControlID]webcam.Control { return f.controls }

func (f *fakeWebcam) GetControl(id webcam.ControlID) (int32, error) { return f.values[id], nil }

func (f *fakeWebcam) SetControl(id webcam.ControlID, value int32) error {
	if err := f.refuse[id]; err != nil {
		return err
	}
	if f.values == nil {
		f.values = map[webcam.ControlID]int32{}
	}
	if f.round > 0 {
		value -= value % f.round
	}
	f.values[id] = value
	f.set = append(f.set, id)
	return nil
}

func (f *fakeWebcam) Close() error {
	f.closed++
	return nil
}

// bench is a machine with one scripted camera.
type bench struct {
	system
	kernel *v4l2test.Kernel
	camera *v4l2test.Camera
	webcam *fakeWebcam
	path   string
}

func newBench(t *testing.T, code v4l2.FourCC) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{
		kernel: &v4l2test.Kernel{},
		camera: &v4l2test.Camera{Format: code, Width: 16, Height: 8, BytesPerLine: 48},
		webcam: &fakeWebcam{formats: map[webcam.PixelFormat]string{webcam.PixelFormat(code): "scripted"}},
		path:   filepath.Join(dir, "video0"),
	}
	if err := os.WriteFile(b.path, nil, 0o600); err != nil { // for the glob
		t.Fatal(err)
	}
	b.kernel.Add(b.path, b.camera)
	b.system = system{
		kernel: b.kernel,
		webcam: func(string) (webCamera, error) { return b.webcam, nil },
		nodes:  filepath.Join(dir, "video*"),
		links:  filepath.Join(dir, "v4l"),
		class:  filepath.Join(dir, "class"),
		proc:   filepath.Join(dir, "proc"),
	}
	return b
}

func (b *bench) config() Config {
	return Config{Device: b.path, Width: 16, Height: 8}
}

func (b *bench) start(t *testing.T) *Camera {
	t.Helper()
	c, err := b.open(b.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error("close:", err)
		}
		if err := c.Close(); err != nil {
			t.Error("second close:", err)
		}
	})
	return c
}

// whole returns a picture of the bench's size that consists of one byte.
func whole(c *Camera, fill byte) v4l2test.Picture {
	data := make([]byte, max(c.least, 100))
	for i := range data {
		data[i] = fill
	}
	return v4l2test.Picture{Data: data}
}

func next(t *testing.T, c *Camera) capture.Frame {
	t.Helper()
	f, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var errnos = []unix.Errno{unix.EBUSY, unix.ENODEV, unix.ENOMEM}
