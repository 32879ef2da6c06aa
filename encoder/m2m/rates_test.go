package m2m

import (
	"path/filepath"
	"testing"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/v4l2"
	"github.com/bril-edge/bril/hardware/v4l2/v4l2test"
)

func TestBitRates(t *testing.T) {
	for _, test := range []struct {
		name            string
		change          func(*v4l2test.Encoder)
		lowest, highest encoder.BitRate
	}{
		{"a usual one", func(*v4l2test.Encoder) {}, 25_000, 10_000_000},
		{"no such control", func(e *v4l2test.Encoder) { delete(e.Controls, cidBitRate) }, 0, 0},
		{"read only", func(e *v4l2test.Encoder) {
			e.Controls[cidBitRate] = v4l2.QueryCtrl{Minimum: 1, Maximum: 2, Flags: v4l2.CtrlFlagReadOnly}
		}, 0, 0},
		{"no range", func(e *v4l2test.Encoder) { e.Controls[cidBitRate] = v4l2.QueryCtrl{} }, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			device := scripted(v4l2test.Quirks{})
			test.change(device)
			b := newBench(t, device)
			lowest, highest, err := b.system.bitRates(Device{Path: filepath.Join(filepath.Dir(b.system.nodes), "video11")})
			if err != nil || lowest != test.lowest || highest != test.highest {
				t.Errorf("%d to %d, %v", lowest, highest, err)
			}
		})
	}
	b := newBench(t, scripted(v4l2test.Quirks{}))
	if _, _, err := b.system.bitRates(Device{Path: b.system.nodes + "none"}); err == nil {
		t.Error("a device that is not there has bit rates")
	}
}
