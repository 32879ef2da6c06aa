package m2m

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/v4l2"
	"github.com/bril-edge/bril/hardware/v4l2/v4l2test"
)

// board is a machine whose devices have the names given, in the order of their
// nodes.
func board(t *testing.T, devices map[string]v4l2test.Device) (system, *v4l2test.Kernel) {
	t.Helper()
	dir, kernel := t.TempDir(), &v4l2test.Kernel{}
	for name, d := range devices {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil { // for the glob
			t.Fatal(err)
		}
		kernel.Add(path, d)
	}
	return system{kernel, filepath.Join(dir, "video*")}, kernel
}

func TestListFindsEncodersByWhatTheyDo(t *testing.T) {
	raw := []v4l2.FourCC{v4l2.PixFmtNV12, v4l2.PixFmtYUYV, 'X'}
	s, kernel := board(t, map[string]v4l2test.Device{
		"video0":  &v4l2test.Camera{Format: v4l2.PixFmtH264, Width: 64, Height: 64},
		"video9":  &v4l2test.Encoder{Driver: "first", Card: "one", Raw: raw},
		"video10": &v4l2test.Encoder{Driver: "decoder", Raw: raw, Decodes: true},
		"video11": &v4l2test.Encoder{Driver: "second", SinglePlane: true, Raw: []v4l2.FourCC{v4l2.PixFmtYUV420}},
		"video12": &v4l2test.Encoder{Driver: "odd", Raw: []v4l2.FourCC{'X'}},
		"video13": &v4l2test.Camera{NotVideo: true},
	})
	list := s.list()
	if len(list) != 2 {
		t.Fatalf("found %+v", list)
	}
	first, second := list[0], list[1]
	if first.Driver != "first" || first.Card != "one" || filepath.Base(first.Path) != "video9" || first.MaxWidth != 1920 {
		t.Errorf("first is %+v", first)
	}
	if !first.Takes(capture.NV12) || !first.Takes(capture.YUYV) || first.Takes(capture.I420) || first.Takes(capture.MJPEG) {
		t.Errorf("first takes %v", first.Formats)
	}
	if second.Driver != "second" || !second.Takes(capture.I420) {
		t.Errorf("second is %+v", second)
	}
	if !first.Fits(1920, 1088) || first.Fits(1088, 1920) {
		t.Error("wrong about sizes")
	}
	if leaks := kernel.Leaks(); leaks != "" {
		t.Errorf("left behind: %s", leaks)
	}
}

func TestListWithFailures(t *testing.T) {
	s, kernel := board(t, map[string]v4l2test.Device{
		"video0": &v4l2test.Encoder{Raw: []v4l2.FourCC{v4l2.PixFmtNV12}},
	})
	kernel.FailStep(0, 0)
	s.list()
	for i, step := range kernel.Steps() {
		kernel.FailStep(i+1, unix.EIO)
		if list := s.list(); len(list) != 0 {
			t.Errorf("%s (step %d) fails: found %+v", step, i+1, list)
		}
		if leaks := kernel.Leaks(); leaks != "" {
			t.Errorf("%s (step %d) fails: left behind: %s", step, i+1, leaks)
		}
	}
}

func TestListOfThisMachine(t *testing.T) {
	for _, d := range List() {
		t.Logf("%+v", d)
	}
}
