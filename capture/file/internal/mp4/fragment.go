package mp4

import (
	"fmt"
	"io"
)

// The flags of tfhd (section 8.8.7) and trun (section 8.8.8).
const (
	tfhdBase        = 0x000001
	tfhdDescription = 0x000002
	tfhdDuration    = 0x000008
	tfhdSize        = 0x000010
	tfhdFlags       = 0x000020

	trunOffset     = 0x000001
	trunFirstFlags = 0x000004
	trunDuration   = 0x000100
	trunSize       = 0x000200
	trunFlags      = 0x000400
	trunShift      = 0x000800

	nonSync = 0x010000 // sample_is_non_sync_sample
)

// fragment is a place in the movie fragments of a file.
type fragment struct {
	next int64  // where to look for the next moof
	moof []byte // content of the present one, which runs alias; reused
	runs []run  // of the track, within it
	at   int    // in runs
}

// run is what is left of a trun box.
type run struct {
	fields   fields
	flags    uint32
	left     uint32 // samples
	offset   int64  // of the next sample in the file
	joined   bool   // offset follows the run before
	first    uint32 // flags of the first sample, with trunFirstFlags
	started  bool
	defaults defaults
	time     int64 // DTS of the first sample, -1 to go on from the one before
}

// load reads the next fragment that has samples of the track.
func (p *fragment) load(f *File, dts *int64) error {
	for {
		if p.next >= f.size {
			return io.EOF
		}
		h, err := f.readHeader(p.next)
		if err != nil {
			return err
		}
		p.next = h.end
		if h.kind != "moof" {
			if h.end > f.size {
				return fmt.Errorf("%w: box %q at byte %d ends at byte %d, the file at byte %d", ErrTruncated, h.kind, h.pos, h.end, f.size)
			}
			continue
		}
		if p.moof, err = h.read(f.r, f.size, maxMoof, p.moof); err != nil {
			return err
		}
		p.runs, p.at = p.runs[:0], 0
		if err := p.parse(&f.track, h.pos); err != nil {
			return fmt.Errorf("fragment at byte %d: %w", h.pos, err)
		}
		if len(p.runs) > 0 {
			if p.runs[0].time >= 0 {
				*dts = p.runs[0].time
			}
			return nil
		}
	}
}

// parse collects the runs of the track.
func (p *fragment) parse(t *track, pos int64) error {
	for moof := p.moof; len(moof) >= 8; {
		kind, body, rest, err := nextBox(moof)
		if err != nil {
			return err
		}
		moof = rest
		if kind == "traf" {
			if err := p.parseTraf(t, body, pos); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *fragment) parseTraf(t *track, b []byte, pos int64) error {
	template := run{time: -1}
	for len(b) >= 8 {
		kind, body, rest, err := nextBox(b)
		if err != nil {
			return err
		}
		b = rest
		f := fields{b: body}
		switch kind {
		case "tfhd":
			flags := f.u32() & 0xffffff
			if f.u32() != t.id {
				return nil // another track
			}
			template.offset, template.defaults = parseTfhd(&f, flags, pos, t.defaults)
		case "tfdt":
			if f.u32()>>24 == 1 {
				template.time = int64(f.u64())
			} else {
				template.time = int64(f.u32())
			}
			if template.time < 0 || template.time > 1<<60 {
				return fmt.Errorf("box %q: a time of %d", kind, uint64(template.time))
			}
		case "trun":
			if err := p.addRun(template, &f); err != nil {
				return err
			}
			template.time, template.joined = -1, true
		}
		if f.short {
			return fmt.Errorf("box %q: only %d bytes", kind, len(body))
		}
	}
	return nil
}

// parseTfhd reads the rest of a tfhd box: where the data begins, by default at
// the moof, and what samples are like.
func parseTfhd(f *fields, flags uint32, pos int64, d defaults) (int64, defaults) {
	if flags&tfhdBase != 0 {
		pos = int64(f.u64())
	}
	if flags&tfhdDescription != 0 {
		f.skip(4)
	}
	if flags&tfhdDuration != 0 {
		d.duration = f.u32()
	}
	if flags&tfhdSize != 0 {
		d.size = f.u32()
	}
	if flags&tfhdFlags != 0 {
		d.flags = f.u32()
	}
	return pos, d
}

// addRun reads the head of a trun box; its samples are read as they are asked for.
func (p *fragment) addRun(r run, f *fields) error {
	r.flags = f.u32() & 0xffffff
	r.left = f.u32()
	if r.flags&trunOffset != 0 {
		r.offset += int64(int32(f.u32()))
		r.joined = false
	}
	if r.flags&trunFirstFlags != 0 {
		r.first = f.u32()
	}
	size := 0
	for _, flag := range []uint32{trunDuration, trunSize, trunFlags, trunShift} {
		if r.flags&flag != 0 {
			size += 4
		}
	}
	if uint64(r.left)*uint64(size) > uint64(len(f.b)) || r.left > maxSamples {
		return fmt.Errorf("box \"trun\": %d samples do not fit into its %d bytes", r.left, len(f.b))
	}
	r.fields = fields{b: f.b}
	if r.left > 0 {
		p.runs = append(p.runs, r)
	}
	return nil
}

func (p *fragment) advance(dts int64) (Sample, error) {
	r := &p.runs[p.at]
	s := Sample{Offset: r.offset, Size: r.defaults.size, DTS: dts, PTS: dts, Duration: r.defaults.duration}
	flags := r.defaults.flags
	if r.flags&trunDuration != 0 {
		s.Duration = r.fields.u32()
	}
	if r.flags&trunSize != 0 {
		s.Size = r.fields.u32()
	}
	if r.flags&trunFlags != 0 {
		flags = r.fields.u32()
	}
	if r.flags&trunFirstFlags != 0 && !r.started {
		flags = r.first
	}
	if r.flags&trunShift != 0 {
		s.PTS += int64(int32(r.fields.u32()))
	}
	s.Sync, s.Fragmented = flags&nonSync == 0, true
	r.started = true
	r.offset += int64(s.Size)
	if r.left--; r.left == 0 {
		p.finish(r.offset)
	}
	return s, nil
}

// finish goes on to the next run, which may continue where this one ended.
func (p *fragment) finish(offset int64) {
	p.at++
	if p.at < len(p.runs) && p.runs[p.at].joined {
		p.runs[p.at].offset = offset
	}
}
