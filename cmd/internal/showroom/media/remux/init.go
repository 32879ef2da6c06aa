package remux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes of what comes before the boxes of a sample entry, in bytes: sections
// 12.1.3 and 12.2.3.
const (
	videoEntry = 78
	soundEntry = 28
)

// readTrak reads what a trak box's body says of its track.
func readTrak(trak []byte) (*track, error) {
	t := &track{}
	err := children(trak, func(kind string, body []byte) error {
		switch kind {
		case "tkhd":
			return t.tkhd(body)
		case "mdia":
			return children(body, t.mdia)
		}
		return nil
	})
	if err == nil && (t.timeScale == 0 || t.entry == nil) {
		err = errors.New("box trak has no time scale or no sample entry")
	}
	return t, err
}

// tkhd: section 8.3.2.
func (t *track) tkhd(body []byte) error {
	f := fullBox(body)
	f.times()
	t.id = f.u32()
	if f.short || len(body) < 8 {
		return errors.New("box tkhd is short")
	}
	t.size = body[len(body)-8:]
	return nil
}

// times passes over when something was made and changed.
func (f *fields) times() {
	f.u64()
	if f.version == 1 {
		f.u64()
	}
}

// mdia: sections 8.4.2 and 8.5.2.
func (t *track) mdia(kind string, body []byte) error {
	switch kind {
	case "mdhd":
		f := fullBox(body)
		f.times()
		t.timeScale = f.u32()
	case "minf", "stbl":
		return children(body, t.mdia)
	case "stsd":
		if len(body) < 8 {
			return errors.New("box stsd is short")
		}
		if n := binary.BigEndian.Uint32(body[4:]); n != 1 {
			return fmt.Errorf("box stsd has %d entries", n)
		}
		return children(body[8:], t.stsd)
	}
	return nil
}

// stsd keeps what decoders need of a sample entry: avcC by ISO/IEC 14496-15, or
// dOps by the Opus mapping, and how the picture is to be shown.
func (t *track) stsd(kind string, body []byte) error {
	fixed, needed := videoEntry, "avcC"
	switch kind {
	case "avc1", "avc3":
		t.video = true
	case "Opus":
		fixed, needed = soundEntry, "dOps"
	default:
		return fmt.Errorf("a track is neither H.264 nor Opus, but %q", kind)
	}
	if len(body) < fixed || t.entry != nil {
		return fmt.Errorf("box %s is short, or there are two", kind)
	}
	found := false
	var b boxes
	b.box(kind, func() {
		b = append(b, body[:fixed]...)
	})
	err := children(body[fixed:], func(kind string, inner []byte) error {
		found = found || kind == needed && len(inner) >= 7
		if kind == needed || kind == "colr" || kind == "pasp" {
			b.box(kind, func() { b = append(b, inner...) })
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("box %s has no %s", kind, needed)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	t.entry = bytes.Clone(b)
	return err
}
