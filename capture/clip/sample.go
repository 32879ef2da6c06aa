package clip

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

// lengthSize is how many bytes of length precede a NAL unit in a sample of an MP4
// (ISO/IEC 14496-15, section 5.3.4.2), which is how the ring keeps them.
const lengthSize = 4

// split finds the NAL units of an access unit and returns its entry, unless it
// has no picture. The parameter sets come first in the entry, so that a sample
// can be cut out that does without them. What an MP4 has no use for, delimiters
// and filler, is left out.
func (r *Ring) split(au encoder.AccessUnit) (entry, bool) {
	r.units = r.units[:0]
	e := entry{pts: au.PTS}
	var sps, pps, idr, picture bool
	for nal, rest := h264.Next(au.Data); nal != nil; nal, rest = h264.Next(rest) {
		switch nal.Type() {
		case h264.TypeAUD, h264.TypeFiller:
			continue
		case h264.TypeSPS:
			sps = true
		case h264.TypePPS:
			pps = true
		case h264.TypeIDR:
			idr, picture = true, true
		case h264.TypeSlice, h264.TypePartitionA:
			picture = true
		}
		r.units = append(r.units, nal)
		e.size += uint32(lengthSize + len(nal))
		if isSet(nal) {
			e.sets += uint32(lengthSize + len(nal))
		}
	}
	if !au.Key || !sps || !pps || !idr {
		e.sets = 0
	}
	return e, picture
}

func isSet(nal h264.NAL) bool {
	return nal.Type() == h264.TypeSPS || nal.Type() == h264.TypePPS
}

// appendUnits gives the newest entry its bytes.
func (r *Ring) appendUnits() {
	var length [lengthSize]byte
	for _, sets := range [...]bool{true, false} {
		for _, nal := range r.units {
			if isSet(nal) == sets {
				binary.BigEndian.PutUint32(length[:], uint32(len(nal)))
				r.video.append(length[:])
				r.video.append(nal)
			}
		}
	}
}

// sameSets says whether the parameter sets are those of the last IDR picture.
func (r *Ring) sameSets() bool {
	rest := r.sets
	for _, nal := range r.units {
		if !isSet(nal) {
			continue
		}
		if len(rest) < lengthSize || int(binary.BigEndian.Uint32(rest)) != len(nal) || !bytes.HasPrefix(rest[lengthSize:], nal) {
			return false
		}
		rest = rest[lengthSize+len(nal):]
	}
	return len(rest) == 0
}

// joinSets returns the parameter sets as they are in the entry.
func (r *Ring) joinSets() []byte {
	var sets []byte
	for _, nal := range r.units {
		if isSet(nal) {
			sets = append(binary.BigEndian.AppendUint32(sets, uint32(len(nal))), nal...)
		}
	}
	return sets
}

// cutSets takes joined parameter sets apart.
func cutSets(sets []byte) (sps, pps []h264.NAL) {
	for len(sets) > 0 {
		size := binary.BigEndian.Uint32(sets)
		nal := h264.NAL(sets[lengthSize:][:size])
		if nal.Type() == h264.TypeSPS {
			sps = append(sps, nal)
		} else {
			pps = append(pps, nal)
		}
		sets = sets[lengthSize+size:]
	}
	return sps, pps
}

// maxSets is what the counts and lengths of an avcC box can say.
const maxSets = 31

func firstSPS(sets []byte) (h264.SPS, error) {
	sps, pps := cutSets(sets)
	if len(sps) == 0 || len(sps) > maxSets || len(pps) > maxSets || len(sets) > 1<<16-1 {
		return h264.SPS{}, fmt.Errorf("%d SPS and %d PPS of %d bytes do not fit a clip", len(sps), len(pps), len(sets))
	}
	return h264.ParseSPS(sps[0])
}
