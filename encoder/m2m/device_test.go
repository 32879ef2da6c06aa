package m2m

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// live is a real camera and a real encoder.
type live struct {
	t       *testing.T
	camera  *camera.Camera
	encoder *Encoder
	units   int
	keys    []int
	took    []time.Duration // from Encode to the sink, by unit
	started map[time.Duration]time.Duration
	out     *os.File
}

// openLive skips the test on a machine that lacks either. With BRIL_TEST_OUT the
// stream is written to that directory, to be decoded.
func openLive(t *testing.T, width, height int, fps float64, formats ...capture.PixelFormat) *live {
	t.Helper()
	if len(List()) == 0 {
		t.Skip("needs an encoder, such as the virtual board's")
	}
	l := &live{t: t, started: map[time.Duration]time.Duration{}}
	var err error
	l.camera, err = camera.Open(camera.Config{Width: width, Height: height, FPS: fps, Formats: formats, Share: true})
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, camera.ErrUnsupportedFormat) {
		t.Skip("needs a camera: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.camera.Close() })
	if dir := os.Getenv("BRIL_TEST_OUT"); dir != "" {
		if l.out, err = os.Create(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+".264")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.out.Close() })
	}
	l.open()
	t.Cleanup(func() { l.encoder.Close() })
	return l
}

func (l *live) open() {
	l.t.Helper()
	f := l.camera.Format()
	var err error
	l.encoder, err = Open(Config{Format: f.Format, Width: f.Width, Height: f.Height, FPS: f.FPS, BitRate: 1_000_000}, l.sink)
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) sink(au encoder.AccessUnit) error {
	if au.Key {
		l.keys = append(l.keys, l.units)
	}
	if c := h264.Inspect(au.Data); !c.Picture || c.IDR != au.Key || c.IDR && !(c.SPS && c.PPS) {
		l.t.Errorf("unit %d is %+v, key %v", l.units, c, au.Key)
	}
	l.units++
	l.took = append(l.took, monotonic.Now()-l.started[au.PTS])
	if l.out != nil {
		_, err := l.out.Write(au.Data)
		return err
	}
	return nil
}

// encode takes n pictures from the camera to the encoder.
func (l *live) encode(n int) error {
	l.t.Helper()
	for range n {
		f, err := l.camera.Next(l.t.Context())
		if err != nil {
			l.t.Fatal(err)
		}
		l.started[f.PTS] = monotonic.Now()
		if err := l.encoder.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

func TestDeviceEncodesTheCamerasPictures(t *testing.T) {
	for _, format := range []capture.PixelFormat{capture.NV12, capture.I420, capture.YUYV} {
		t.Run(format.String(), func(t *testing.T) {
			l := openLive(t, 640, 480, 25, format)
			n := 100
			if format == capture.NV12 {
				n = 250
			}
			before := l.camera.Counts()
			start := monotonic.Now()
			for i := range n / 50 {
				if i == 1 {
					l.encoder.ForceKeyFrame()
				}
				if err := l.encode(50); err != nil {
					t.Fatal(err)
				}
			}
			took := monotonic.Now() - start
			var longest time.Duration
			for _, d := range l.took {
				longest = max(longest, d)
			}
			lost := l.camera.Counts().Dropped - before.Dropped
			t.Logf("%s: %v, %d units of %d, %.2f a second, keys at %v, at most %v in the encoder, %d copied, %d skipped, %d lost by the camera",
				l.encoder.Name(), l.camera.Format(), l.units, n, float64(n)/took.Seconds(), l.keys, longest, l.encoder.Copied(), l.encoder.Skipped(), lost)
			if l.units != n || l.encoder.Skipped() != 0 {
				t.Errorf("%d units of %d pictures, %d skipped", l.units, n, l.encoder.Skipped())
			}
		})
	}
}
