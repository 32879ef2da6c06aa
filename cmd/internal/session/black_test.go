package session

import (
	"errors"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/encoder"
)

// TestAPauseWithoutBlack: a pause turns the camera off, also where no black can be
// made to be sent meanwhile.
func TestAPauseWithoutBlack(t *testing.T) {
	noBlack := func(r *rig) {
		inner := r.cfg.NewVideoEncoder
		r.cfg.NewVideoEncoder = func(v Video, rate encoder.BitRate, sink func(encoder.AccessUnit) error) (VideoEncoder, error) {
			if v.Source == nil {
				return nil, errors.New("no memory")
			}
			return inner(v, rate, sink)
		}
	}
	inBubble(t, true, noBlack, func(r *rig) {
		r.pass(time.Second)
		r.press(control.Pause)
		r.pass(time.Second)
		if n := r.camera.running.Load(); n != 0 {
			t.Errorf("%d cameras run in a pause", n)
		}
		r.wantFault("encoder")
		r.press(control.On)
		r.pass(time.Second)
		if n := r.camera.running.Load(); n != 1 {
			t.Errorf("%d cameras run after the pause", n)
		}
	})
}
