package openh264

import (
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
)

func TestFirstPictureIsConstrainedBaseline31(t *testing.T) {
	var unit encoder.AccessUnit
	e, err := New(Config{Width: 1280, Height: 720}, func(u encoder.AccessUnit) error { unit = u; return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	pool, err := capture.NewPool(capture.I420, 1280, 720)
	if err != nil {
		t.Fatal(err)
	}
	f := pool.Get()
	f.PTS = 3 * time.Second
	if err := e.Encode(f); err != nil {
		t.Fatal(err)
	}
	if !unit.Key || unit.PTS != f.PTS || len(unit.Data) < 8 {
		t.Fatalf("got %+v", unit)
	}
	if sps := unit.Data[4:8]; sps[0]&0x1f != unitSPS || sps[1] != 66 || sps[2]&0x40 == 0 || sps[3] != 31 {
		t.Errorf("SPS begins %x, want profile 66 with constraint_set1 and level 31", sps)
	}
}
