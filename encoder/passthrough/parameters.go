package passthrough

import (
	"bytes"
	"fmt"

	"github.com/bril-edge/bril/encoder/h264"
)

// maxParameterSets bounds all parameter sets together, in bytes. Real streams
// have about forty.
const maxParameterSets = 64 << 10

// parameterSets keeps the latest of each parameter set by its id; a stream may
// have up to 32 SPS and 256 PPS (ITU-T H.264, 7.4.2.1.1 and 7.4.2.2).
type parameterSets struct {
	sps, pps []parameterSet // in order of first appearance
	active   h264.SPS       // the latest
	annexB   []byte         // all of them, SPS first
}

type parameterSet struct {
	id  uint8
	nal h264.NAL
}

// complete says that a key frame can be decoded with what is here.
func (p *parameterSets) complete() bool { return len(p.sps) > 0 && len(p.pps) > 0 }

// update takes over the parameter sets of an access unit. Nothing is allocated
// while they stay the same.
func (p *parameterSets) update(au []byte) error {
	changed := false
	for nal, rest := h264.Next(au); nal != nil; nal, rest = h264.Next(rest) {
		var err error
		var is bool
		switch nal.Type() {
		case h264.TypeSPS:
			is, err = p.updateSPS(nal)
		case h264.TypePPS:
			is, err = p.updatePPS(nal)
		}
		if err != nil {
			return err
		}
		changed = changed || is
	}
	if changed {
		return p.join()
	}
	return nil
}

func (p *parameterSets) updateSPS(nal h264.NAL) (changed bool, err error) {
	sps, err := h264.ParseSPS(nal)
	if err != nil {
		return false, err
	}
	p.active = sps
	p.sps, changed = keep(p.sps, sps.ID, nal)
	return changed, nil
}

func (p *parameterSets) updatePPS(nal h264.NAL) (changed bool, err error) {
	id, _, err := h264.ParsePPSID(nal)
	if err != nil {
		return false, err
	}
	p.pps, changed = keep(p.pps, id, nal)
	return changed, nil
}

// keep puts nal into sets in the place of the one with the same id.
func keep(sets []parameterSet, id uint8, nal h264.NAL) ([]parameterSet, bool) {
	for i := range sets {
		if sets[i].id != id {
			continue
		}
		if bytes.Equal(sets[i].nal, nal) {
			return sets, false
		}
		sets[i].nal = bytes.Clone(nal)
		return sets, true
	}
	return append(sets, parameterSet{id: id, nal: bytes.Clone(nal)}), true
}

func (p *parameterSets) join() error {
	p.annexB = p.annexB[:0]
	for _, sets := range [][]parameterSet{p.sps, p.pps} {
		for _, set := range sets {
			p.annexB = h264.AppendNAL(p.annexB, set.nal)
		}
	}
	if len(p.annexB) > maxParameterSets {
		return fmt.Errorf("parameter sets of %d bytes, more than %d are not accepted", len(p.annexB), maxParameterSets)
	}
	return nil
}
