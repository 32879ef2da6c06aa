// Package openh264 encodes pictures in software, by Cisco's openh264 as
// pion/mediadevices ships it: H.264 constrained baseline, one reference, no
// B-pictures, one slice. It holds the bitrate under a ceiling, at the cost of
// pictures where nothing else helps, and knows nothing of where its output goes.
// It also decodes, for photos of a camera that delivers H.264 itself.
package openh264

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

// Config configures New. Zero values mean the defaults named here.
type Config struct {
	Width, Height int             // in pixels, even; needed
	FPS           float64         // frames a second, nominal; 30
	BitRate       encoder.BitRate // ceiling over any 2 s; 2.5 Mb/s
	GOP           time.Duration   // from one IDR picture to the next; 10 s
	Log           *slog.Logger    // for what the library has to say; nothing
}

// The limits of Config.
const (
	minSide, maxWidth, maxHeight = 16, 3840, 2160

	minBitRate, maxBitRate encoder.BitRate = 64_000, 50_000_000

	maxFPS = 60 // the library's own
	minGOP = 100 * time.Millisecond
)

func (c Config) withDefaults() Config {
	if c.FPS == 0 {
		c.FPS = 30
	}
	if c.BitRate == 0 {
		c.BitRate = 2_500_000
	}
	if c.GOP == 0 {
		c.GOP = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Width%2 != 0 || c.Height%2 != 0 || c.Width < minSide || c.Height < minSide || c.Width > maxWidth || c.Height > maxHeight:
		return fmt.Errorf("openh264 for %dx%d: width and height must be even, from %d to %dx%d",
			c.Width, c.Height, minSide, maxWidth, maxHeight)
	case !(c.FPS >= 1 && c.FPS <= maxFPS): // written so that NaN is refused
		return fmt.Errorf("openh264 at %g frames a second: must be from 1 to %d", c.FPS, maxFPS)
	case c.GOP < minGOP:
		return fmt.Errorf("openh264 with a GOP of %v: must be at least %v", c.GOP, minGOP)
	}
	return validateBitRate(c.BitRate)
}

func validateBitRate(rate encoder.BitRate) error {
	if rate < minBitRate || rate > maxBitRate {
		return fmt.Errorf("openh264 bitrate %d: must be from %d to %d bits a second", rate, minBitRate, maxBitRate)
	}
	return nil
}

// Encoder encodes one stream of pictures. One goroutine calls Encode; the other
// methods may be called from any. After Close they return os.ErrClosed.
type Encoder struct {
	config  Config
	sink    func(encoder.AccessUnit) error
	out     []byte // memory of the access unit at the sink
	force   atomic.Bool
	skipped atomic.Uint64

	mu     sync.Mutex
	engine *engine // nil once closed
	budget *budget
	asked  encoder.BitRate // of engine
	key    time.Duration   // PTS of the last IDR picture
	began  bool            // an IDR picture went out
	needed int             // bits of the IDR picture that was thrown away last; 0 once one is out
}

// New makes an encoder that hands each access unit to sink. Close frees it.
func New(config Config, sink func(encoder.AccessUnit) error) (*Encoder, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	b := newBudget(config.BitRate, config.FPS)
	asked := b.ask(0)
	engine, err := openEngine(config, asked)
	if err != nil {
		return nil, err
	}
	return &Encoder{config: config, sink: sink, engine: engine, budget: b, asked: asked}, nil
}

// Encode hands the access unit of f to the sink before it returns, and returns
// the sink's error. The frame stays the caller's. A picture for which the
// bitrate leaves no room is skipped and counted, and the sink is not called.
func (e *Encoder) Encode(f capture.Frame) error {
	if err := e.check(&f); err != nil {
		return err
	}
	unit, err := e.encode(&f)
	if err != nil {
		return err
	}
	if len(unit.Data) == 0 {
		e.skipped.Add(1)
		return nil
	}
	return e.sink(unit)
}

// check keeps from C what would be read beyond its end.
func (e *Encoder) check(f *capture.Frame) error {
	if f.Format != capture.I420 {
		return fmt.Errorf("encode by openh264: frame of %v, want %v", f.Format, capture.I420)
	}
	if f.Width != e.config.Width || f.Height != e.config.Height {
		return fmt.Errorf("encode by openh264: frame of %dx%d, want %dx%d", f.Width, f.Height, e.config.Width, e.config.Height)
	}
	for i, p := range f.Planes {
		width, height := f.Width, f.Height
		if i > 0 {
			width, height = width/2, height/2
		}
		if p.Stride < width || len(p.Data) < (height-1)*p.Stride+width {
			return fmt.Errorf("encode by openh264: plane %d has %d bytes in rows of %d, too few for %dx%d", i, len(p.Data), p.Stride, width, height)
		}
	}
	if f.Planes[1].Stride != f.Planes[2].Stride {
		return fmt.Errorf("encode by openh264: rows of %d and %d bytes in the planes of chroma, want the same", f.Planes[1].Stride, f.Planes[2].Stride)
	}
	return nil
}

// encode returns the access unit of f, without data if the picture was skipped.
func (e *Encoder) encode(f *capture.Frame) (encoder.AccessUnit, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.engine == nil {
		return encoder.AccessUnit{}, errClosed()
	}
	e.budget.advance(f.PTS)
	unit := encoder.AccessUnit{PTS: f.PTS, Ready: f.Ready}
	var err error
	if e.keyDue(f.PTS) {
		unit.Data, err = e.encodeKey(f)
	} else {
		unit.Data, err = e.encodeNext(f)
	}
	if err != nil || len(unit.Data) == 0 {
		return encoder.AccessUnit{}, err
	}
	unit.Key = isKey(unit.Data)
	e.budget.add(f.PTS, 8*len(unit.Data), e.asked, unit.Key)
	if unit.Key {
		e.key, e.began = f.PTS, true
		e.force.Store(false)
	}
	return unit, nil
}

func (e *Encoder) keyDue(pts time.Duration) bool {
	since := pts - e.key
	return !e.began || e.force.Load() || since >= e.config.GOP || since < 0
}

// encodeKey encodes an IDR picture. One that is larger than it should be is
// thrown away and encoded once more, coarser: nothing refers to it yet, and it
// to nothing. One that would break the ceiling gets a third try, and is then
// skipped, like the pictures after it until there is room for its size.
func (e *Encoder) encodeKey(f *capture.Frame) ([]byte, error) {
	e.force.Store(true) // until one is out
	room := e.budget.room(hardLimit)
	if room < e.needed {
		return nil, nil
	}
	rate := e.budget.askKey(f.PTS, e.asked, e.needed)
	for _, most := range [...]int{min(room, e.budget.over(keyShare)), room, room} {
		data, err := e.run(f, rate, true)
		if err != nil || 8*len(data) <= most {
			e.needed = 0
			return data, err
		}
		e.needed = 8 * len(data)
		rate = e.budget.askKey(f.PTS, e.asked, e.needed)
	}
	return nil, nil
}

// encodeNext encodes a picture that refers to the one before it.
func (e *Encoder) encodeNext(f *capture.Frame) ([]byte, error) {
	if e.budget.room(limit) < e.budget.least() {
		return nil, nil // the engine has not seen it, so that the next one can refer to the last
	}
	data, err := e.run(f, e.budget.ask(f.PTS), false)
	if err != nil || 8*len(data) <= e.budget.room(hardLimit) {
		return data, err
	}
	return e.encodeKey(f) // as the decoder will not see what the engine would refer to
}

// run encodes f at a bitrate; a small change of it is not worth the call.
func (e *Encoder) run(f *capture.Frame, rate encoder.BitRate, key bool) ([]byte, error) {
	if diff := max(rate-e.asked, e.asked-rate); diff > e.asked/50 {
		if err := e.engine.setBitRate(rate); err != nil {
			return nil, err
		}
		e.asked = rate
	}
	var err error
	e.out, err = e.engine.encode(e.out[:0], f, key)
	return e.out, err
}

// ForceKeyFrame makes the next picture an IDR picture.
func (e *Encoder) ForceKeyFrame() { e.force.Store(true) }

// SetBitRate changes the ceiling from the next picture on.
func (e *Encoder) SetBitRate(rate encoder.BitRate) error {
	if err := validateBitRate(rate); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.engine == nil {
		return errClosed()
	}
	e.budget.setRate(rate)
	return nil
}

// Skipped returns how many pictures were skipped for the bitrate's sake.
func (e *Encoder) Skipped() uint64 { return e.skipped.Load() }

// Close frees the encoder. It may be called twice.
func (e *Encoder) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.engine != nil {
		e.engine.close()
		e.engine = nil
	}
	return nil
}

func errClosed() error { return fmt.Errorf("openh264 encoder: %w", os.ErrClosed) }

// isKey says whether an access unit in Annex B format is an IDR picture with its
// parameter sets in front. It looks no further than the first slice begins.
func isKey(data []byte) bool {
	var sps, pps bool
	for i := 0; i+3 < len(data); i++ {
		if data[i] != 0 || data[i+1] != 0 || data[i+2] != 1 {
			continue
		}
		switch h264.NAL(data[i+3:]).Type() {
		case h264.TypeSPS:
			sps = true
		case h264.TypePPS:
			pps = true
		case h264.TypeIDR:
			return sps && pps
		case h264.TypeSlice:
			return false
		}
	}
	return false
}
