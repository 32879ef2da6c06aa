// Package passthrough hands on H.264 that a camera or a file delivers already
// encoded. It checks that a WebRTC viewer can show it and completes its key
// frames; it never re-encodes, and never changes a slice.
package passthrough

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

var (
	// ErrFormat says that a frame is not H.264: this encoder cannot help.
	ErrFormat = errors.New("not H.264")
	// ErrNoParameterSets says that an IDR picture came and its SPS or PPS never
	// did, so that no viewer can decode it.
	ErrNoParameterSets = errors.New("H.264 without SPS and PPS")
	// ErrReordered says that the stream has B pictures, which WebRTC cannot carry:
	// RTP times would run backwards and viewers show the pictures out of order.
	ErrReordered = errors.New("H.264 with B-frames")
	// ErrNoKeyFrame says that no IDR picture came for long.
	ErrNoKeyFrame = errors.New("H.264 without IDR pictures")
)

// patience is how many pictures without an IDR at the start are dropped before
// that is an error: 20 s at 30 a second, twice the GOP that this project uses.
const patience = 600

// Config says what is passed through.
type Config struct {
	// Source is the name that errors use, for example "mp4:/media/car.mp4".
	// Empty means "H.264 source".
	Source string
	// ParameterSets are SPS and PPS in Annex B format that are known before the
	// first frame, from a file's header; optional.
	ParameterSets []byte
}

// Encoder passes access units through. One goroutine calls Encode; the other
// methods may be called from any.
type Encoder struct {
	source string
	sink   func(encoder.AccessUnit) error

	mu      sync.Mutex
	sets    h264.ParameterSets
	joined  []byte // a key frame with its parameter sets, reused
	started bool   // an IDR went out
	dropped uint64
	closed  bool
}

// New makes an encoder whose access units go to sink, from within Encode. It
// fails when the parameter sets of cfg already rule the stream out.
func New(cfg Config, sink func(encoder.AccessUnit) error) (*Encoder, error) {
	e := &Encoder{source: cfg.Source, sink: sink}
	if e.source == "" {
		e.source = "H.264 source"
	}
	if err := e.learn(cfg.ParameterSets); err != nil {
		return nil, err
	}
	return e, nil
}

// Encode passes one frame to the sink and returns the sink's error. Frames
// before the first IDR picture are dropped. The frame still belongs to the
// caller, and its memory is used until Encode returns only.
func (e *Encoder) Encode(f capture.Frame) error {
	au, err := e.prepare(f)
	if err != nil || au.Data == nil {
		return err
	}
	return e.sink(au)
}

// SPS returns the sequence parameter set in use, false before there is one. Its
// ProfileLevelID is what the SDP has to offer.
func (e *Encoder) SPS() (h264.SPS, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sets.SPS(), e.sets.Complete()
}

// ParameterSets returns a copy of the parameter sets in use, in Annex B format,
// empty before there are any.
func (e *Encoder) ParameterSets() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]byte(nil), e.sets.AnnexB()...)
}

// Dropped returns how many frames came before the first IDR picture.
func (e *Encoder) Dropped() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dropped
}

// Close makes further frames fail with os.ErrClosed. It may be called twice.
func (e *Encoder) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}

// prepare returns what goes to the sink, without Data when nothing does.
func (e *Encoder) prepare(f capture.Frame) (encoder.AccessUnit, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return encoder.AccessUnit{}, fmt.Errorf("pass %s through: %w", e.source, os.ErrClosed)
	}
	if f.Format != capture.H264 {
		return encoder.AccessUnit{}, fmt.Errorf("pass %s through: %w: frames are %v", e.source, ErrFormat, f.Format)
	}
	au := f.Planes[0].Data
	c := h264.Inspect(au)
	if err := e.check(au, c); err != nil {
		return encoder.AccessUnit{}, err
	}
	if !e.started && !c.IDR {
		return encoder.AccessUnit{}, e.drop()
	}
	e.started = true
	return encoder.AccessUnit{Data: e.complete(au, c), PTS: f.PTS, Ready: f.Ready, Key: c.IDR}, nil
}

func (e *Encoder) check(au []byte, c h264.Contents) error {
	if c.SPS || c.PPS {
		if err := e.learn(au); err != nil {
			return err
		}
	}
	switch {
	case c.B:
		return e.refuse(fmt.Errorf("%w: a picture has B slices", ErrReordered), hintReordered)
	case c.IDR && !e.sets.Complete():
		return e.refuse(fmt.Errorf("%w: a key frame came before them", ErrNoParameterSets), hintNoParameterSets)
	}
	return nil
}

// learn takes the parameter sets out of an access unit.
func (e *Encoder) learn(au []byte) error {
	if err := e.sets.Update(au); err != nil {
		return e.refuse(err, hintDamaged)
	}
	if e.sets.SPS().Reorders() {
		return e.refuse(fmt.Errorf("%w: its SPS allows %d pictures to be reordered", ErrReordered, e.sets.SPS().MaxReorder), hintReordered)
	}
	return nil
}

func (e *Encoder) drop() error {
	e.dropped++
	if e.dropped < patience {
		return nil
	}
	return e.refuse(fmt.Errorf("%w: none in the first %d pictures", ErrNoKeyFrame, e.dropped), hintNoKeyFrame)
}

// complete puts the parameter sets in front of an IDR picture that lacks them,
// behind its access unit delimiter, which has to stay the first NAL unit
// (ITU-T H.264, 7.4.1.2.3).
func (e *Encoder) complete(au []byte, c h264.Contents) []byte {
	if !c.IDR || c.SPS && c.PPS {
		return au
	}
	e.joined = e.joined[:0]
	if nal, rest := h264.Next(au); nal.Type() == h264.TypeAUD {
		e.joined = h264.AppendNAL(e.joined, nal)
		au = rest
	}
	e.joined = append(e.joined, e.sets.AnnexB()...)
	e.joined = append(e.joined, au...)
	return e.joined
}
