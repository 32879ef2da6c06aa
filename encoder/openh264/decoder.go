package openh264

// #cgo LDFLAGS: -Wl,-undefined,WelsCreateDecoder
// #include "decoder.h"
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

// Decoder decodes one stream of H.264 without B-pictures, 8 bit 4:2:0. It conceals
// nothing: a picture that is damaged, or refers to one that is missing, is an error.
// Its methods may be called from any goroutine.
//
// The decoder is C, and the stream may be a damaged one. What has gone wrong in such
// decoders is a change of parameters while pictures are kept, so that another SPS
// than those of the first key frame, and pictures above 3840x2160, do not reach it.
type Decoder struct {
	mu     sync.Mutex
	engine *C.DecoderEngine // nil once closed
	out    C.Decoded        // Go's memory: the engine keeps no pointer to it
	sps    []h264.NAL       // of the first key frame
	begun  bool             // a key frame was decoded, and nothing was lost since
}

// NewDecoder makes a decoder. Close frees it.
func NewDecoder() (*Decoder, error) {
	if err := checkVersion(); err != nil {
		return nil, err
	}
	var code C.long
	engine := C.bril_open_decoder(&code)
	if engine == nil {
		return nil, fmt.Errorf("open openh264's decoder: %w", libraryError(code))
	}
	return &Decoder{engine: engine}, nil
}

// Decode decodes an access unit and returns its picture as I420, with its PTS. The
// frame's memory is the decoder's, and valid until the next Decode or Close.
//
// There is no picture, and no error, before the first key frame, and after an error
// before the next one.
func (d *Decoder) Decode(au encoder.AccessUnit) (*capture.Frame, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.engine == nil {
		return nil, fmt.Errorf("openh264 decoder: %w", os.ErrClosed)
	}
	if !d.begun && !au.Key || len(au.Data) == 0 {
		return nil, nil
	}
	f, err := d.decode(au)
	if d.begun = err == nil; err != nil {
		return nil, fmt.Errorf("decode H.264 by openh264: %w", err)
	}
	return f, nil
}

func (d *Decoder) decode(au encoder.AccessUnit) (*capture.Frame, error) {
	if err := d.check(au); err != nil {
		return nil, err
	}
	d.out.timestampIn = C.ulonglong(au.PTS)
	state := C.bril_decode(d.engine, cBytes(au.Data), C.int(len(au.Data)), &d.out)
	if state != 0 {
		return nil, stateError(state)
	}
	return d.frame()
}

// check keeps from the engine what it should not see.
func (d *Decoder) check(au encoder.AccessUnit) error {
	if len(au.Data) > maxUnit {
		return fmt.Errorf("an access unit has %d bytes, want at most %d", len(au.Data), maxUnit)
	}
	first := d.sps == nil
	for nal := range h264.NALs(au.Data) {
		if nal.Type() != h264.TypeSPS {
			continue
		}
		known := false
		for _, sps := range d.sps {
			known = known || bytes.Equal(sps, nal)
		}
		switch {
		case known:
		case !first:
			return errors.New("the stream has become another one: its SPS has changed")
		default:
			if err := checkSPS(nal); err != nil {
				return err
			}
			d.sps = append(d.sps, bytes.Clone(nal))
		}
	}
	return nil
}

// maxUnit is more than a picture has: at 3840x2160 raw ones have 12 MB.
const maxUnit = 12 << 20

func checkSPS(nal h264.NAL) error {
	sps, err := h264.ParseSPS(nal)
	if err != nil {
		return err
	}
	if sps.Width*sps.Height > maxWidth*maxHeight {
		return fmt.Errorf("pictures of %dx%d, want at most %dx%d", sps.Width, sps.Height, maxWidth, maxHeight)
	}
	return nil
}

// frame returns what came out, nil if nothing did.
func (d *Decoder) frame() (*capture.Frame, error) {
	o := &d.out
	if o.ready != 1 || o.data[0] == nil {
		return nil, nil
	}
	if o.format != C.formatI420 || o.width <= 0 || o.height <= 0 || o.width%2 != 0 || o.height%2 != 0 {
		return nil, fmt.Errorf("pictures of %dx%d in format %d are not supported", o.width, o.height, o.format)
	}
	f := &capture.Frame{Format: capture.I420, Width: int(o.width), Height: int(o.height), PTS: time.Duration(o.timestampOut)}
	for i := range f.Planes {
		stride, width, height := int(o.stride[0]), f.Width, f.Height
		if i > 0 {
			stride, width, height = int(o.stride[1]), width/2, height/2
		}
		size := (height-1)*stride + width // what is visible: the last row may end with the memory
		f.Planes[i] = capture.Plane{Data: unsafe.Slice((*byte)(unsafe.Pointer(o.data[i])), size), Stride: stride}
	}
	return f, nil
}

// Close frees the decoder, and what Decode has returned. It may be called twice.
func (d *Decoder) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.engine != nil {
		C.bril_close_decoder(d.engine)
		d.engine = nil
	}
	return nil
}

// stateError is what openh264 says of an access unit (DECODING_STATE in
// codec_app_def.h): a set of flags.
type stateError C.int

func (e stateError) Error() string {
	var said []string
	for _, s := range [...]struct {
		flag stateError
		name string
	}{
		{0x01, "incomplete"}, {0x02, "a picture that it refers to is missing"}, {0x04, "damaged or not supported"},
		{0x08, "a layer is missing"}, {0x10, "parameter sets are missing"}, {0x20, "damaged"},
		{0x40, "pictures that it refers to are missing"}, {0x1000, "invalid argument"},
		{0x2000, "not initialised"}, {0x4000, "out of memory"}, {0x8000, "too large"},
	} {
		if e&s.flag != 0 {
			said = append(said, s.name)
		}
	}
	return fmt.Sprintf("%s (state %#x)", strings.Join(said, ", "), int(e))
}
