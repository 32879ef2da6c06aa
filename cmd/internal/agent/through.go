package agent

import (
	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/passthrough"
)

// through passes on what is encoded already.
type through struct {
	*passthrough.Encoder
	keys interface{ SkipToKey() bool } // nil where the source cannot
	sent bool                          // anything of the source
}

func newPassthrough(v session.Video, sink func(encoder.AccessUnit) error) (session.VideoEncoder, error) {
	cfg := passthrough.Config{Source: v.Name}
	if known, ok := v.Source.(interface{ ParameterSets() []byte }); ok {
		cfg.ParameterSets = known.ParameterSets()
	}
	enc, err := passthrough.New(cfg, sink)
	if err != nil {
		return nil, err
	}
	t := &through{Encoder: enc}
	t.keys, _ = v.Source.(interface{ SkipToKey() bool })
	return t, nil
}

func (t *through) State() session.EncoderState {
	return session.EncoderState{Name: "none (passed through)", Skipped: t.Dropped()}
}

func (t *through) ProfileLevelID() string {
	sps, known := t.SPS()
	if !known {
		return ""
	}
	return sps.ProfileLevelID()
}

func (t *through) Encode(f capture.Frame) error {
	defer f.Release()
	t.sent = true
	return t.Encoder.Encode(f)
}

// ForceKeyFrame skips in a file: it stands in for a camera, and a viewer that
// waits for the next key frame may wait for ten seconds. A source that has not
// begun begins with one.
func (t *through) ForceKeyFrame() {
	if t.keys != nil && t.sent {
		t.keys.SkipToKey()
	}
}

// SetBitRate has no effect: the rate is the source's.
func (*through) SetBitRate(encoder.BitRate) error { return nil }
