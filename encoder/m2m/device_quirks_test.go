package m2m

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// venc sets the test encoder's module parameters, and sets them back when the
// test ends: see hardware/virtualboard/venc.
func venc(t *testing.T, parameters string) {
	t.Helper()
	for _, p := range strings.Fields(parameters) {
		name, value, _ := strings.Cut(p, "=")
		path := filepath.Join("/sys/module/bril_venc/parameters", name)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Skip("needs the test encoder: ", err)
		}
		if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
			t.Skip("needs root: ", err)
		}
		t.Cleanup(func() { os.WriteFile(path, before, 0o600) })
	}
}

// Each quirk by itself is tried with the agent around it, in cmd/internal/boardtest.
func TestDeviceQuirks(t *testing.T) {
	tests := []struct {
		parameters string
		size       [2]int // zero: 640x480
		lost       int    // units that may be missing of 80
		copies     bool
	}{
		{parameters: "controls_frozen=1"},
		{parameters: "split_bytes=4096 headers=3 first_buffer=2 keyframe_flag=0"},
		{parameters: "stride_align=256", copies: true},
		{parameters: "height_align=16", size: [2]int{640, 360}, copies: true},
		{parameters: "stride_align=128 height_align=32 width_align=128", size: [2]int{320, 180}, copies: true},
		{parameters: "import=2", copies: true},
		{parameters: "eio_every=9", lost: 80/9 + 2},
		{parameters: "latency_ms=60"},
		{parameters: "keyframe_control=2 bitrate_control=1 frame_rc=0 keyframe_flag=0 width_align=32 height_align=16"}, // wave5
		{parameters: "keyframe_control=1 headers=1 stride_align=64 height_align=16 first_buffer=1 split_bytes=524288"}, // Broadcom
		{parameters: "keyframe_control=1 bitrate_control=2 headers=2 stride_align=128 height_align=32"},                // Qualcomm
	}
	for _, test := range tests {
		t.Run(test.parameters, func(t *testing.T) {
			venc(t, test.parameters)
			width, height := 640, 480
			if test.size[0] > 0 {
				width, height = test.size[0], test.size[1]
			}
			l := openLive(t, width, height, 25, capture.NV12)
			for i := range 80 {
				if i == 10 {
					l.encoder.ForceKeyFrame()
				}
				if i == 40 {
					if err := l.encoder.SetBitRate(500_000); err != nil {
						t.Fatal(err)
					}
				}
				if err := l.encode(1); err != nil {
					t.Fatal(err)
				}
			}
			asked := slices.ContainsFunc(l.keys, func(i int) bool { return i > 5 && i < 45 })
			if l.units < 80-depth-test.lost || !asked {
				t.Errorf("%d units of 80, keys at %v", l.units, l.keys)
			}
			if copied := l.encoder.Copied() > 0; copied != test.copies {
				t.Errorf("%d copied: %s", l.encoder.Copied(), l.encoder.Name())
			}
			t.Logf("%s: %d units, keys at %v, %d skipped, %d errors", l.encoder.Name(), l.units, l.keys, l.encoder.Skipped(), l.encoder.Errors())
		})
	}
}

func TestDeviceStalls(t *testing.T) {
	for _, parameters := range []string{"stall_after=20", "stall_after=20 stall_until_close=1"} {
		t.Run(parameters, func(t *testing.T) {
			venc(t, parameters)
			l := openLive(t, 640, 480, 25, capture.NV12)
			for range 3 {
				before := l.units
				start := monotonic.Now()
				err := l.encode(100)
				if !errors.Is(err, ErrStalled) {
					t.Fatalf("got %v", err)
				}
				stalled := monotonic.Now()
				if err := l.encoder.Close(); err != nil {
					t.Error(err)
				}
				l.open()
				t.Logf("%d units, stalled after %v, open again after another %v", l.units-before, stalled-start, monotonic.Now()-stalled)
				if l.units-before != 20 || monotonic.Now()-stalled > time.Second {
					t.Errorf("%d units, %v to open it", l.units-before, monotonic.Now()-stalled)
				}
			}
		})
	}
}

// A stream that lives on through all of it leaves no descriptor behind.
func TestDeviceLeavesNothingOpen(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("needs /proc: ", err)
		}
		return len(entries)
	}
	run := func() {
		l := openLive(t, 640, 480, 25, capture.NV12)
		if err := l.encode(5); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.encoder.Close(), l.camera.Close()); err != nil {
			t.Error(err)
		}
		if l.out != nil {
			l.out.Close()
		}
	}
	run()
	before := count()
	for range 10 {
		run()
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
