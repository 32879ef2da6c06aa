package v4l2_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
	"github.com/bril-edge/bril/hardware/v4l2/v4l2test"
)

// transcoder is a memory-to-memory device with a camera's buffers at its input.
type transcoder struct {
	camera, raw, coded *v4l2.Queue
	devices            [2]*v4l2.Device
}

func (x *transcoder) close() error {
	var errs []error
	for _, q := range []*v4l2.Queue{x.raw, x.coded, x.camera} {
		if q != nil {
			errs = append(errs, q.Close())
		}
	}
	for _, d := range x.devices {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return errors.Join(errs...)
}

func transcode(kernel v4l2.Kernel, multiplanar bool) (x *transcoder, err error) {
	x = &transcoder{}
	defer func() {
		if err != nil {
			err = errors.Join(err, x.close())
		}
	}()
	in, out, pictures := v4l2.VideoOutput, v4l2.VideoCapture, v4l2.VideoCapture
	if multiplanar {
		in, out, pictures = v4l2.VideoOutputMplane, v4l2.VideoCaptureMplane, v4l2.VideoCaptureMplane
	}
	if x.devices[0], err = v4l2.OpenOn(kernel, "/dev/video0"); err != nil {
		return x, err
	}
	if x.devices[1], err = v4l2.OpenOn(kernel, "/dev/video1"); err != nil {
		return x, err
	}
	for _, t := range []v4l2.BufType{out, in} {
		f := v4l2.Format{Type: t}
		f.SetPicture(v4l2.Picture{Width: 16, Height: 8, PixelFormat: v4l2.PixFmtNV12})
		if err = x.devices[1].SetFormat(&f); err != nil {
			return x, err
		}
		if got := f.Picture(); got.Width != 16 || got.Height != 8 || got.Planes != 1 {
			return x, errors.New("another format")
		}
	}
	if x.camera, err = x.devices[0].MapQueue(pictures, 3); err != nil {
		return x, err
	}
	if x.coded, err = x.devices[1].MapQueue(out, 2); err != nil {
		return x, err
	}
	if x.raw, err = x.devices[1].ImportQueue(in, 3, 1); err != nil {
		return x, err
	}
	return x, errors.Join(x.coded.Enqueue(0), x.coded.Enqueue(1), x.raw.Start(), x.coded.Start())
}

func transcoderKernel(multiplanar bool) *v4l2test.Kernel {
	kernel := &v4l2test.Kernel{}
	kernel.Add("/dev/video0", &v4l2test.Camera{Format: v4l2.PixFmtNV12, Width: 16, Height: 8, Multiplanar: multiplanar})
	kernel.Add("/dev/video1", &v4l2test.Encoder{SinglePlane: !multiplanar, Raw: []v4l2.FourCC{v4l2.PixFmtNV12}})
	return kernel
}

func TestBuffersTravelAsDMABUF(t *testing.T) {
	for _, multiplanar := range []bool{false, true} {
		kernel := transcoderKernel(multiplanar)
		x, err := transcode(kernel, multiplanar)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			x.camera.Planes(i)[0][0] = byte(40 + i)
			parts, err := x.camera.Export(i)
			if err != nil {
				t.Fatal(err)
			}
			parts[0].Used = 16 * 8 * 3 / 2
			at := time.Duration(i+1) * time.Second
			if err := x.raw.EnqueueFilled(i, at, parts); err != nil {
				t.Fatal(err)
			}
			done, err := x.coded.Dequeue()
			if err != nil || done.Time != at || done.Sequence != uint32(i) {
				t.Fatalf("%+v, %v", done, err)
			}
			got, ok := v4l2test.ReadSlice(x.coded.Planes(done.Index)[0][:done.Used()])
			if !ok || got.First != byte(40+i) || got.Count != uint32(i) {
				t.Errorf("picture %d reads %+v", i, got)
			}
			if back, err := x.raw.Dequeue(); err != nil || back.Index != i || back.Time != at {
				t.Errorf("given back %+v, %v", back, err)
			}
			if err := x.coded.Enqueue(done.Index); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.close(); err != nil {
			t.Error(err)
		}
		if leaks := kernel.Leaks(); leaks != "" {
			t.Errorf("left behind: %s", leaks)
		}
	}
}

func TestEveryFailureOfATranscoder(t *testing.T) {
	for _, multiplanar := range []bool{false, true} {
		kernel := transcoderKernel(multiplanar)
		kernel.FailStep(0, 0)
		x, err := transcode(kernel, multiplanar)
		if err != nil {
			t.Fatal(err)
		}
		x.close()
		for i, step := range kernel.Steps() {
			kernel.FailStep(i+1, unix.ENOMEM)
			if x, err = transcode(kernel, multiplanar); !errors.Is(err, unix.ENOMEM) {
				t.Errorf("%s (step %d) fails: %v", step, i+1, err)
				x.close()
			}
			if leaks := kernel.Leaks(); leaks != "" {
				t.Errorf("%s (step %d) fails: left behind: %s", step, i+1, leaks)
			}
		}
	}
}

func TestDrainTellsItsEnd(t *testing.T) {
	kernel := transcoderKernel(true)
	x, err := transcode(kernel, true)
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	d := x.devices[1]
	var e v4l2.Event
	if err := d.DequeueEvent(&e); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("before there is one: %v", err)
	}
	if err := errors.Join(d.SubscribeEvent(v4l2.EventEOS), d.EncoderCommand(v4l2.EncoderStop)); err != nil {
		t.Fatal(err)
	}
	if done, err := x.coded.Dequeue(); err != nil || done.Flags&v4l2.BufLast == 0 || done.Used() != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if err := d.DequeueEvent(&e); err != nil || e.Type != v4l2.EventEOS {
		t.Errorf("event %d, %v", e.Type, err)
	}
}

func TestWaitUntil(t *testing.T) {
	kernel, camera := newKernel()
	s := mustStart(t, kernel)
	never := func() bool { return false }
	if err := s.poller.WaitUntil(time.Now().Add(time.Millisecond), never); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	go camera.Deliver(v4l2test.Picture{Data: []byte{1}})
	if _, err := s.next(t.Context()); err != nil { // the moment that has passed is forgotten
		t.Error(err)
	}
	s.poller.Close()
	if err := s.poller.WaitUntil(time.Now().Add(time.Hour), never); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
