// Package opus encodes and decodes sound by libopus, as pion/mediadevices ships
// it: 48 kHz mono, in chunks of 10 ms, to Opus packets as they are and back.
package opus

// The library is linked by mediadevices' package, whose own encoder is read
// through three generic readers (4 allocations and 5 kB a packet), sets nothing
// but the bitrate and panics when libopus refuses a chunk. So this package calls
// the same libopus itself. The declarations are libopus' stable C interface
// (opus.h of 1.x); they are weak because the archive is on mediadevices' linker
// line, not on this package's.

/*
#include <stdint.h>

typedef struct OpusEncoder OpusEncoder;

#pragma weak opus_encoder_create
#pragma weak opus_encoder_destroy
#pragma weak opus_encoder_ctl
#pragma weak opus_encode
#pragma weak opus_strerror
OpusEncoder *opus_encoder_create(int32_t rate, int channels, int application, int *error);
void opus_encoder_destroy(OpusEncoder *encoder);
int opus_encoder_ctl(OpusEncoder *encoder, int request, ...);
int32_t opus_encode(OpusEncoder *encoder, const int16_t *pcm, int samples, unsigned char *data, int32_t size);
const char *opus_strerror(int error);

// cgo cannot call a function with variable arguments.
static int bril_opus_set(OpusEncoder *encoder, int request, int32_t value) {
	return opus_encoder_ctl(encoder, request, value);
}
*/
import "C"

import (
	"fmt"
	"os"
	"sync"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"

	_ "github.com/pion/mediadevices/pkg/codec/opus" // links libopus
)

// From opus_defines.h.
const (
	applicationVoIP     = 2048
	applicationLowDelay = 2051

	setBitRate    = 4002
	setComplexity = 4010
	setInbandFEC  = 4012
	setLossPerc   = 4014

	channels = 1
	// maxPacket is more than libopus can make of 10 ms: 1275 bytes (RFC 6716, 3.4).
	maxPacket = 1500
)

// lowDelayFrom is the rate from which libopus codes mono speech by its transform
// (CELT, RFC 6716 section 4.3) by itself: linear prediction before it, which looks
// 4 ms further ahead and which in-band FEC needs, gains nothing more there.
const lowDelayFrom encoder.BitRate = 64_000

// DefaultBitRate is what mono speech and the sounds around it need to be good, and
// to be heard 4 ms sooner than at less.
const DefaultBitRate = lowDelayFrom

// The limits of libopus for one channel, ctl OPUS_SET_BITRATE.
const minBitRate, maxBitRate encoder.BitRate = 6_000, 256_000

// Config configures New. Zero values mean the defaults named here.
type Config struct {
	BitRate encoder.BitRate // DefaultBitRate
	// Complexity is from 1 to 10; 5 costs half of 10 and is hard to tell from it.
	Complexity int
	// ExpectedLoss is the share of packets expected to be lost, in percent, from
	// which libopus decides how much of its rate goes into repeating the packet
	// before (in-band FEC, RFC 6716 section 2.1.7); 0 for none.
	ExpectedLoss int
}

func (c Config) withDefaults() Config {
	if c.BitRate == 0 {
		c.BitRate = DefaultBitRate
	}
	if c.Complexity == 0 {
		c.Complexity = 5
	}
	return c
}

func (c Config) validate() error {
	if err := validateBitRate(c.BitRate); err != nil {
		return err
	}
	if c.Complexity < 1 || c.Complexity > 10 {
		return fmt.Errorf("opus complexity %d: must be from 1 to 10", c.Complexity)
	}
	if c.ExpectedLoss < 0 || c.ExpectedLoss > 100 {
		return fmt.Errorf("opus expected loss %d %%: must be from 0 to 100", c.ExpectedLoss)
	}
	return nil
}

func (c Config) application() C.int {
	if c.BitRate >= lowDelayFrom && c.ExpectedLoss == 0 {
		return applicationLowDelay
	}
	return applicationVoIP
}

func validateBitRate(rate encoder.BitRate) error {
	if rate < minBitRate || rate > maxBitRate {
		return fmt.Errorf("opus bitrate %d: must be from %d to %d bits a second", rate, minBitRate, maxBitRate)
	}
	return nil
}

// Encoder encodes one stream of sound. One goroutine calls Encode; the other
// methods may be called from any. After Close they return os.ErrClosed.
type Encoder struct {
	sink func(encoder.Packet) error

	mu     sync.Mutex
	engine *C.OpusEncoder // nil once closed
	packet [maxPacket]byte
}

// New makes an encoder that hands each packet to sink. Close frees it.
func New(config Config, sink func(encoder.Packet) error) (*Encoder, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	var code C.int
	engine := C.opus_encoder_create(capture.SampleRate, channels, config.application(), &code)
	if engine == nil {
		return nil, fmt.Errorf("open opus encoder: %w", libraryError(code))
	}
	e := &Encoder{sink: sink, engine: engine}
	if err := e.configure(config); err != nil {
		C.opus_encoder_destroy(engine)
		return nil, err
	}
	return e, nil
}

func (e *Encoder) configure(c Config) error {
	for _, option := range []struct {
		name    string
		request C.int
		value   int
	}{
		{"bitrate", setBitRate, int(c.BitRate)},
		{"complexity", setComplexity, c.Complexity},
		{"in-band FEC", setInbandFEC, min(c.ExpectedLoss, 1)},
		{"expected loss", setLossPerc, c.ExpectedLoss},
	} {
		if err := e.set(option.name, option.request, option.value); err != nil {
			return err
		}
	}
	return nil
}

func (e *Encoder) set(name string, request C.int, value int) error {
	if code := C.bril_opus_set(e.engine, request, C.int32_t(value)); code < 0 {
		return fmt.Errorf("set opus %s to %d: %w", name, value, libraryError(code))
	}
	return nil
}

// Encode hands the packet for s to the sink before it returns, and returns the
// sink's error. A packet of Opus is passed on as it is.
func (e *Encoder) Encode(s capture.Sound) error {
	switch s.Format {
	case capture.Opus:
		return e.pass(s)
	case capture.PCM16:
		return e.encode(s)
	}
	return fmt.Errorf("encode opus: sound of format %d", s.Format)
}

func (e *Encoder) pass(s capture.Sound) error {
	if len(s.Packet) == 0 {
		return fmt.Errorf("pass opus packet %d on: it is empty", s.Sequence)
	}
	if err := e.open(); err != nil {
		return err
	}
	return e.sink(encoder.Packet{Data: s.Packet, PTS: s.PTS, Length: s.Length})
}

func (e *Encoder) open() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.engine == nil {
		return fmt.Errorf("opus encoder: %w", os.ErrClosed)
	}
	return nil
}

func (e *Encoder) encode(s capture.Sound) error {
	if len(s.Samples) != capture.ChunkSamples {
		return fmt.Errorf("encode opus: chunk of %d samples, want %d", len(s.Samples), capture.ChunkSamples)
	}
	n, err := e.run(s.Samples)
	if err != nil {
		return err
	}
	return e.sink(encoder.Packet{Data: e.packet[:n], PTS: s.PTS, Length: capture.ChunkTime})
}

// run encodes samples into e.packet and returns the packet's length.
func (e *Encoder) run(samples []int16) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.engine == nil {
		return 0, fmt.Errorf("opus encoder: %w", os.ErrClosed)
	}
	n := C.opus_encode(e.engine, (*C.int16_t)(&samples[0]), capture.ChunkSamples, (*C.uchar)(&e.packet[0]), maxPacket)
	if n < 0 {
		return 0, fmt.Errorf("encode opus: %w", libraryError(C.int(n)))
	}
	return int(n), nil
}

// SetBitRate changes the rate from the next packet on.
func (e *Encoder) SetBitRate(rate encoder.BitRate) error {
	if err := validateBitRate(rate); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.engine == nil {
		return fmt.Errorf("opus encoder: %w", os.ErrClosed)
	}
	return e.set("bitrate", setBitRate, int(rate))
}

// Close frees the encoder. It may be called twice.
func (e *Encoder) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.engine != nil {
		C.opus_encoder_destroy(e.engine)
		e.engine = nil
	}
	return nil
}

// libraryError is an error code of libopus.
type libraryError C.int

func (e libraryError) Error() string {
	return fmt.Sprintf("libopus: %s (%d)", C.GoString(C.opus_strerror(C.int(e))), int(e))
}
