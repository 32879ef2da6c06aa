package clip

import (
	"context"
	"errors"
	"slices"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

// ErrEmptied says that the ring was emptied, and what came before it is not shown
// any more.
var ErrEmptied = errors.New("what was captured is forgotten")

// Pictures reads access units out of the ring, as they can be decoded: from an IDR
// picture on, each after the one before. Its methods are for one goroutine.
type Pictures struct {
	ring    *Ring
	signals chan struct{} // a picture came, or the ring was emptied; holds one

	// Guarded by ring.mu.
	cursor uint64 // the next picture
	begin  uint64 // the first that came after the Pictures were made
	whole  bool   // the picture before cursor was read, or it is an IDR picture
	gone   bool   // by Empty

	sample, data []byte // memory of the access unit in hand
}

// Pictures returns those since the newest IDR picture, and those that will come.
// The ring keeps none for it: where Next is late it goes on at an IDR picture.
// Close ends it.
func (r *Ring) Pictures() *Pictures {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &Pictures{ring: r, signals: make(chan struct{}, 1), cursor: r.video.entries.next, begin: r.video.entries.next}
	if r.keys.len() > 0 {
		p.cursor, p.whole = *r.keys.at(r.keys.next - 1), true
	}
	r.readers = append(r.readers, p)
	return p
}

// Next returns the next access unit, in Annex B format, and whether it came after
// the Pictures were made; it waits for one. Its data is valid until the next call.
// It ends with ErrEmptied after Ring.Empty, or with ctx's error.
func (p *Pictures) Next(ctx context.Context) (au encoder.AccessUnit, late bool, err error) {
	for {
		e, late, ok, err := p.read()
		if err != nil {
			return encoder.AccessUnit{}, false, err
		}
		if ok {
			p.data, err = h264.AppendAnnexB(p.data[:0], p.sample, lengthSize)
			return encoder.AccessUnit{Data: p.data, PTS: e.pts, Key: e.key()}, late, err
		}
		select {
		case <-p.signals:
		case <-ctx.Done():
			return encoder.AccessUnit{}, false, ctx.Err()
		}
	}
}

// read copies the next access unit into p.sample, if there is one.
func (p *Pictures) read() (e entry, late, ok bool, err error) {
	p.ring.mu.Lock()
	defer p.ring.mu.Unlock()
	if p.gone {
		return entry{}, false, false, ErrEmptied
	}
	video := &p.ring.video
	if p.cursor < video.entries.base {
		p.cursor, p.whole = video.entries.base, false
	}
	for ; p.cursor < video.entries.next; p.cursor++ {
		e = *video.entries.at(p.cursor)
		if p.whole = p.whole || e.key(); !p.whole {
			continue
		}
		p.sample = video.read(p.sample[:0], &e, 0, e.size)
		late = p.cursor >= p.begin
		p.cursor++
		return e, late, true, nil
	}
	return entry{}, false, false, nil
}

func (p *Pictures) signal() {
	select {
	case p.signals <- struct{}{}:
	default:
	}
}

// Close ends it. It may be called twice.
func (p *Pictures) Close() {
	p.ring.mu.Lock()
	defer p.ring.mu.Unlock()
	p.ring.readers = slices.DeleteFunc(p.ring.readers, func(other *Pictures) bool { return other == p })
}
