package m2m

import (
	"fmt"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

func inspect(data []byte) h264.Contents { return h264.Inspect(data) }

// learn keeps the parameter sets of what came out.
func (e *Encoder) learn(data []byte) error {
	known := e.sets.Complete()
	if err := e.sets.Update(data); err != nil {
		return err
	}
	if known || !e.sets.Complete() {
		return nil
	}
	return e.verify(e.sets.SPS())
}

// assemble makes an access unit of what came out for p: without filler and
// delimiters, which RTP does not carry (RFC 6184 section 5.4 lets a sender drop
// them), and with the parameter sets in front of an IDR picture. Whether it is
// one its slices say, not the driver's flag. The unit has no data when there is
// no picture, or none that can be decoded.
func (e *Encoder) assemble(p *picture) (encoder.AccessUnit, error) {
	unit := encoder.AccessUnit{PTS: p.pts, Ready: p.ready}
	c := inspect(p.data)
	if c.SPS || c.PPS {
		if err := e.learn(p.data); err != nil {
			return unit, err
		}
	}
	switch {
	case c.B:
		return unit, fmt.Errorf("%w: the encoder makes B pictures, though it was told not to", ErrUnsupported)
	case !c.Picture, !c.IDR && !e.began:
		return unit, nil
	case c.IDR && !e.sets.Complete():
		return unit, fmt.Errorf("%w: a key frame came without SPS and PPS", ErrUnsupported)
	}
	e.seen(c.IDR, p)
	e.out = e.out[:0]
	if c.IDR {
		e.out = append(e.out, e.sets.AnnexB()...)
	}
	for nal, rest := h264.Next(p.data); nal != nil; nal, rest = h264.Next(rest) {
		switch nal.Type() {
		case h264.TypeFiller, h264.TypeAUD, h264.TypeSPS, h264.TypePPS:
		default:
			e.out = h264.AppendNAL(e.out, nal)
		}
	}
	unit.Data, unit.Key = e.out, c.IDR
	return unit, nil
}
