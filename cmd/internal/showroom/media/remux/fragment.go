package remux

import (
	"errors"
	"fmt"
)

// maxSamples of one clip: ten minutes have 50,000.
const maxSamples = 1 << 17

const nonSync = 0x10000 // sample_is_non_sync_sample, section 8.8.3.1

// sample is a sample and where its bytes are in the fragmented file.
type sample struct {
	offset    int64
	size      uint32
	duration  uint32
	ptsOffset int32
	nonSync   bool
}

// defaults are a track's values where a fragment has none of its own.
type defaults struct{ duration, size, flags uint32 }

// run is what one fragment adds to one track.
type run struct {
	track   uint32
	base    uint64 // decoding time of the first sample
	hasBase bool
	samples []sample
}

// readTrex finds the defaults in a moov box's body, section 8.8.3.
func readTrex(moov []byte) (map[uint32]defaults, error) {
	found := map[uint32]defaults{}
	err := children(moov, func(kind string, body []byte) error {
		if kind != "mvex" {
			return nil
		}
		return children(body, func(kind string, body []byte) error {
			if kind != "trex" {
				return nil
			}
			f := fullBox(body)
			track := f.u32()
			f.u32() // sample description
			found[track] = defaults{f.u32(), f.u32(), f.u32()}
			if f.short {
				return errors.New("box trex is short")
			}
			return nil
		})
	})
	return found, err
}

// readMoof reads the samples that a moof box's body lists. start is where the
// box begins in the file.
func readMoof(moof []byte, start int64, trex map[uint32]defaults, left int) (runs []run, err error) {
	err = children(moof, func(kind string, body []byte) error {
		if kind != "traf" {
			return nil
		}
		r, err := readTraf(body, start, trex, left)
		left -= len(r.samples)
		runs = append(runs, r)
		return err
	})
	return runs, err
}

// traf is a track fragment while it is read.
type traf struct {
	run
	start    int64 // what offsets count from
	next     int64 // where the samples of a run without an offset begin
	defaults defaults
	left     int // samples that may still come
}

func readTraf(data []byte, start int64, trex map[uint32]defaults, left int) (run, error) {
	t := traf{start: start, next: -1, left: left}
	seen := false
	err := children(data, func(kind string, body []byte) error {
		if !seen && kind != "tfhd" {
			return fmt.Errorf("box traf begins with %q", kind)
		}
		switch kind {
		case "tfhd":
			if seen {
				return errors.New("box traf has two tfhd")
			}
			seen = true
			return t.tfhd(body, trex)
		case "tfdt":
			return t.tfdt(body)
		case "trun":
			return t.trun(body)
		}
		return nil
	})
	return t.run, err
}

// tfhd: section 8.8.7.
func (t *traf) tfhd(body []byte, trex map[uint32]defaults) error {
	f := fullBox(body)
	t.track = f.u32()
	t.defaults = trex[t.track]
	if f.flags&0x1 != 0 {
		base := f.u64()
		if base > 1<<62 {
			return fmt.Errorf("box tfhd counts from %d", base)
		}
		t.start = int64(base)
	}
	f.optional(0x2, 0) // sample description
	t.defaults.duration = f.optional(0x8, t.defaults.duration)
	t.defaults.size = f.optional(0x10, t.defaults.size)
	t.defaults.flags = f.optional(0x20, t.defaults.flags)
	if f.short {
		return errors.New("box tfhd is short")
	}
	return nil
}

// tfdt: section 8.8.12.
func (t *traf) tfdt(body []byte) error {
	f := fullBox(body)
	if f.version == 1 {
		t.base = f.u64()
	} else {
		t.base = uint64(f.u32())
	}
	if f.short || t.hasBase || len(t.samples) > 0 {
		return errors.New("box tfdt is short, or not where it belongs")
	}
	t.hasBase = true
	return nil
}

// trun: section 8.8.8.
func (t *traf) trun(body []byte) error {
	f := fullBox(body)
	count := f.u32()
	if int64(count) > int64(t.left) {
		return fmt.Errorf("there are more than %d samples", maxSamples)
	}
	t.left -= int(count)
	switch {
	case f.flags&0x1 != 0:
		t.next = t.start + int64(int32(f.u32()))
	case t.next < 0:
		t.next = t.start
	}
	first := f.optional(0x4, t.defaults.flags)
	for i := range count {
		flags := t.defaults.flags
		if i == 0 {
			flags = first
		}
		s := sample{offset: t.next, duration: f.optional(0x100, t.defaults.duration), size: f.optional(0x200, t.defaults.size)}
		s.nonSync = f.optional(0x400, flags)&nonSync != 0
		s.ptsOffset = int32(f.optional(0x800, 0))
		if f.short {
			return errors.New("box trun is short")
		}
		t.next += int64(s.size)
		t.samples = append(t.samples, s)
	}
	return nil
}
