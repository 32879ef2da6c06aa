package v4l2_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
	"github.com/bril-edge/bril/hardware/v4l2/v4l2test"
)

const path = "/dev/video7"

func newKernel() (*v4l2test.Kernel, *v4l2test.Camera) {
	kernel := &v4l2test.Kernel{}
	camera := &v4l2test.Camera{Format: v4l2.PixFmtYUYV, Width: 16, Height: 8}
	kernel.Add(path, camera)
	return kernel, camera
}

// stream is a whole set-up, as a camera makes it.
type stream struct {
	device *v4l2.Device
	queue  *v4l2.Queue
	poller *v4l2.Poller
}

func start(kernel v4l2.Kernel) (s stream, err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.device, err = v4l2.OpenOn(kernel, path); err != nil {
		return s, err
	}
	if _, err = s.device.QueryCap(); err != nil {
		return s, err
	}
	if s.queue, err = s.device.MapQueue(v4l2.VideoCapture, 3); err != nil {
		return s, err
	}
	for i := range s.queue.Len() {
		if err = s.queue.Enqueue(i); err != nil {
			return s, err
		}
	}
	if err = s.queue.Start(); err != nil {
		return s, err
	}
	s.poller, err = s.device.NewPoller(v4l2.Readable)
	return s, err
}

func (s stream) close() error {
	var errs []error
	if s.poller != nil {
		errs = append(errs, s.poller.Close())
	}
	if s.queue != nil {
		errs = append(errs, s.queue.Close())
	}
	if s.device != nil {
		errs = append(errs, s.device.Close())
	}
	return errors.Join(errs...)
}

func mustStart(t *testing.T, kernel v4l2.Kernel) stream {
	t.Helper()
	s, err := start(kernel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

// next waits for a buffer and dequeues it.
func (s stream) next(ctx context.Context) (b v4l2.Done, err error) {
	wait := s.poller.Wait(ctx, func() bool {
		b, err = s.queue.Dequeue()
		return !errors.Is(err, unix.EAGAIN)
	})
	if wait != nil {
		return b, wait
	}
	return b, err
}

func TestStreamDeliversBuffers(t *testing.T) {
	kernel, camera := newKernel()
	s := mustStart(t, kernel)
	for i := range 10 {
		go camera.Deliver(v4l2test.Picture{Data: []byte{byte(i), 1, 2}, Time: time.Duration(i+1) * time.Millisecond})
		b, err := s.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b.Sequence != uint32(i) || b.Time != time.Duration(i+1)*time.Millisecond || b.Used() != 3 {
			t.Fatalf("buffer %d: sequence %d, time %v, %d bytes", i, b.Sequence, b.Time, b.Used())
		}
		if got := s.queue.Planes(b.Index)[0][0]; got != byte(i) {
			t.Errorf("buffer %d holds %d", i, got)
		}
		if err := s.queue.Enqueue(b.Index); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if leaks := kernel.Leaks(); leaks != "" {
		t.Errorf("left behind: %s", leaks)
	}
	if err := s.close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// Each system call of the set-up fails once; whatever was done before is undone.
func TestEveryFailureLeavesNothingBehind(t *testing.T) {
	kernel, _ := newKernel()
	kernel.FailStep(0, 0)
	s, err := start(kernel)
	if err != nil {
		t.Fatal(err)
	}
	steps := kernel.Steps()
	s.close()
	before := openFiles(t)
	for i, step := range steps {
		kernel.FailStep(i+1, unix.ENOMEM)
		if _, err := start(kernel); !errors.Is(err, unix.ENOMEM) {
			t.Errorf("%s (step %d) fails: got %v", step, i+1, err)
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%s (step %d) fails: %q does not name the device", step, i+1, err)
		}
		if leaks := kernel.Leaks(); leaks != "" {
			t.Errorf("%s (step %d) fails: left behind: %s", step, i+1, leaks)
		}
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files open before, %d after", before, after)
	}
}

func TestInterruptedCallsAreRetried(t *testing.T) {
	kernel, _ := newKernel()
	kernel.FailStep(0, 0)
	mustStart(t, kernel).close()
	for i, step := range kernel.Steps() {
		if step == "open" || step == "mmap" || step == "epoll" {
			continue // retried below Kernel, or never interrupted
		}
		kernel.FailStep(i+1, unix.EINTR)
		s, err := start(kernel)
		if err != nil {
			t.Errorf("%s interrupted: %v", step, err)
		}
		s.close()
	}
}

func TestWaitEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(s stream, cancel func(), camera *v4l2test.Camera)
		want error
	}{
		{"context", func(_ stream, cancel func(), _ *v4l2test.Camera) { cancel() }, context.Canceled},
		{"close", func(s stream, _ func(), _ *v4l2test.Camera) { s.poller.Close() }, os.ErrClosed},
		{"unplugged", func(_ stream, _ func(), c *v4l2test.Camera) { c.Unplug() }, unix.ENODEV},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			kernel, camera := newKernel()
			s := mustStart(t, kernel)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error)
			go func() {
				_, err := s.next(ctx)
				result <- err
			}()
			test.end(s, cancel, camera)
			if err := <-result; !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err := s.close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if leaks := kernel.Leaks(); leaks != "" {
				t.Errorf("left behind: %s", leaks)
			}
		})
	}
}

func TestWaitGoesOnWithANewContext(t *testing.T) {
	kernel, camera := newKernel()
	s := mustStart(t, kernel)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	camera.Deliver(v4l2test.Picture{Data: []byte{1}})
	if _, err := s.next(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClosedDevice(t *testing.T) {
	kernel, _ := newKernel()
	device, err := v4l2.OpenOn(kernel, path)
	if err != nil {
		t.Fatal(err)
	}
	device.Close()
	if _, err := device.QueryCap(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("QueryCap: got %v, want os.ErrClosed", err)
	}
	if _, err := device.NewPoller(v4l2.Readable); !errors.Is(err, os.ErrClosed) {
		t.Errorf("NewPoller: got %v, want os.ErrClosed", err)
	}
}

func TestFramesAllocateNothing(t *testing.T) {
	kernel, camera := newKernel()
	s := mustStart(t, kernel)
	ctx := t.Context()
	var index int
	try := func() bool {
		b, err := s.queue.Dequeue()
		index = b.Index
		return err == nil
	}
	picture := v4l2test.Picture{Data: []byte{1}}
	allocs := testing.AllocsPerRun(100, func() {
		camera.Deliver(picture)
		if err := s.poller.Wait(ctx, try); err != nil {
			t.Fatal(err)
		}
		if err := s.queue.Enqueue(index); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations a frame", allocs)
	}
}

func TestOpenKeepsTheErrno(t *testing.T) {
	if _, err := v4l2.Open(t.TempDir() + "/video0"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: got %v", err)
	}
	d, err := v4l2.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.QueryCap(); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("/dev/null: got %v, want ENOTTY", err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	return len(entries)
}
