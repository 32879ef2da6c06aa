package h264

import (
	"bytes"
	"fmt"
)

// maxParameterSets bounds all parameter sets together, in bytes. Real streams
// have about forty.
const maxParameterSets = 64 << 10

// ParameterSets keeps the latest of each parameter set of a stream by its id;
// there may be up to 32 SPS and 256 PPS (7.4.2.1.1 and 7.4.2.2). The zero value
// has none.
type ParameterSets struct {
	sps, pps []parameterSet // in order of first appearance
	active   SPS            // the latest
	annexB   []byte         // all of them, SPS first
}

type parameterSet struct {
	id  uint8
	nal NAL
}

// Complete says that a key frame can be decoded with what is here.
func (p *ParameterSets) Complete() bool { return len(p.sps) > 0 && len(p.pps) > 0 }

// SPS returns the sequence parameter set that came last.
func (p *ParameterSets) SPS() SPS { return p.active }

// AnnexB returns all of them in Annex B format, SPS first. The memory is used
// again by Update.
func (p *ParameterSets) AnnexB() []byte { return p.annexB }

// Update takes over the parameter sets of an access unit. Nothing is allocated
// while they stay the same.
func (p *ParameterSets) Update(au []byte) error {
	changed := false
	for nal, rest := Next(au); nal != nil; nal, rest = Next(rest) {
		var err error
		var is bool
		switch nal.Type() {
		case TypeSPS:
			is, err = p.updateSPS(nal)
		case TypePPS:
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

func (p *ParameterSets) updateSPS(nal NAL) (changed bool, err error) {
	sps, err := ParseSPS(nal)
	if err != nil {
		return false, err
	}
	p.active = sps
	p.sps, changed = keep(p.sps, sps.ID, nal)
	return changed, nil
}

func (p *ParameterSets) updatePPS(nal NAL) (changed bool, err error) {
	id, _, err := ParsePPSID(nal)
	if err != nil {
		return false, err
	}
	p.pps, changed = keep(p.pps, id, nal)
	return changed, nil
}

// keep puts nal into sets in the place of the one with the same id.
func keep(sets []parameterSet, id uint8, nal NAL) ([]parameterSet, bool) {
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

func (p *ParameterSets) join() error {
	p.annexB = p.annexB[:0]
	for _, sets := range [][]parameterSet{p.sps, p.pps} {
		for _, set := range sets {
			p.annexB = AppendNAL(p.annexB, set.nal)
		}
	}
	if len(p.annexB) > maxParameterSets {
		return fmt.Errorf("parameter sets of %d bytes, more than %d are not accepted", len(p.annexB), maxParameterSets)
	}
	return nil
}
