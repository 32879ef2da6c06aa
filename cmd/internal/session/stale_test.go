package session

import (
	"bytes"
	"testing"
	"time"

	"github.com/bril-edge/bril/encoder"
)

// late makes the rig's encoder hand over a picture from within the call for the
// next one, as the board's does.
func (r *rig) late() {
	inner := r.cfg.NewVideoEncoder
	r.cfg.NewVideoEncoder = func(v Video, rate encoder.BitRate, sink func(encoder.AccessUnit) error) (VideoEncoder, error) {
		var kept encoder.AccessUnit
		return inner(v, rate, func(au encoder.AccessUnit) error {
			au.Data = bytes.Clone(au.Data)
			last := kept
			if kept = au; last.Data == nil {
				return nil
			}
			return sink(last)
		})
	}
}

// TestALateEncoderAndANewConnection: what the encoder held when the connection
// was lost does not go out over the next one, where nobody has its key frame.
func TestALateEncoderAndANewConnection(t *testing.T) {
	inBubble(t, true, (*rig).late, func(r *rig) {
		r.pass(time.Second)
		old, _ := r.endpoint.last()
		old.lose()
		r.pass(10 * time.Second)
		p, _ := r.endpoint.last()
		if p == old {
			t.Fatal("there is no new connection")
		}
		pictures := p.pictures()
		if len(pictures) < 2 {
			t.Fatalf("%d pictures", len(pictures))
		}
		if first := pictures[0]; !first.key || first.pts < p.at {
			t.Errorf("the first picture was taken %v after the connection was made, key frame: %v", first.pts-p.at, first.key)
		}
	})
}
