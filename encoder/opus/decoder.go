package opus

/*
#include <stdint.h>

typedef struct OpusDecoder OpusDecoder;

#pragma weak opus_decoder_create
#pragma weak opus_decoder_destroy
#pragma weak opus_decode
#pragma weak opus_decoder_ctl
OpusDecoder *opus_decoder_create(int32_t rate, int channels, int *error);
void opus_decoder_destroy(OpusDecoder *decoder);
int opus_decode(OpusDecoder *decoder, const unsigned char *data, int32_t size, int16_t *pcm, int samples, int fec);
int opus_decoder_ctl(OpusDecoder *decoder, int request, ...);

// cgo cannot call a function with variable arguments.
static int bril_opus_reset(OpusDecoder *decoder) {
	return opus_decoder_ctl(decoder, 4028); // OPUS_RESET_STATE of opus_defines.h
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/bril-edge/bril/capture"
)

// MaxSamples is what a packet decodes to at most: 120 ms (RFC 6716, section 2.1.4).
const MaxSamples = capture.SampleRate * 120 / 1000

// Decoder decodes one stream to 48 kHz mono, whatever it was encoded from.
type Decoder struct {
	mu     sync.Mutex
	engine *C.OpusDecoder // nil once closed
}

// NewDecoder makes a decoder. Close frees it.
func NewDecoder() (*Decoder, error) {
	var code C.int
	engine := C.opus_decoder_create(capture.SampleRate, channels, &code)
	if engine == nil {
		return nil, fmt.Errorf("open opus decoder: %w", libraryError(code))
	}
	return &Decoder{engine: engine}, nil
}

// Decode decodes a packet into pcm, which has room for MaxSamples, and returns
// how many samples it wrote.
func (d *Decoder) Decode(packet []byte, pcm []int16) (int, error) {
	if len(packet) == 0 { // libopus takes that for a lost one, and makes up for it
		return 0, errors.New("decode opus: the packet is empty")
	}
	if len(pcm) < MaxSamples {
		return 0, fmt.Errorf("decode opus: room for %d samples, want %d", len(pcm), MaxSamples)
	}
	return d.run(packet, pcm[:MaxSamples], 0)
}

// Recover decodes what a packet says of the one before it, which was lost, into all
// of pcm: in-band FEC (RFC 6716, section 2.1.7). Where it says nothing that is what
// Conceal makes. Pcm is as long as the lost packet was.
func (d *Decoder) Recover(next []byte, pcm []int16) error {
	if len(next) == 0 {
		return errors.New("recover opus: the packet is empty")
	}
	_, err := d.run(next, pcm, 1)
	return err
}

// Conceal fills pcm, whose length is a multiple of 2.5 ms, with what may have been in
// packets that are lost.
func (d *Decoder) Conceal(pcm []int16) error {
	_, err := d.run(nil, pcm, 0)
	return err
}

// Reset forgets what was decoded: another stream follows.
func (d *Decoder) Reset() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.engine == nil {
		return fmt.Errorf("opus decoder: %w", os.ErrClosed)
	}
	if code := C.bril_opus_reset(d.engine); code < 0 {
		return fmt.Errorf("reset opus decoder: %w", libraryError(code))
	}
	return nil
}

func (d *Decoder) run(packet []byte, pcm []int16, fec C.int) (int, error) {
	if len(pcm) == 0 {
		return 0, errors.New("decode opus: room for no sample")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.engine == nil {
		return 0, fmt.Errorf("opus decoder: %w", os.ErrClosed)
	}
	var data *C.uchar
	if len(packet) > 0 {
		data = (*C.uchar)(&packet[0])
	}
	n := C.opus_decode(d.engine, data, C.int32_t(len(packet)), (*C.int16_t)(&pcm[0]), C.int(len(pcm)), fec)
	if n < 0 {
		return 0, fmt.Errorf("decode opus: %w", libraryError(n))
	}
	return int(n), nil
}

// Samples returns how many samples a packet decodes to (RFC 6716, section 3.1); 0
// for what is no packet.
func Samples(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	frames := 1
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(packet) < 2 {
			return 0
		}
		frames = int(packet[1] & 0x3f)
	}
	if n := frames * frameSamples(packet[0]>>3); n <= MaxSamples {
		return n
	}
	return 0
}

// HasFEC says whether Recover finds anything in a packet of one frame: the LBRR flag
// of its first channel (RFC 6716, section 4.2.3), which follows one bit for each
// 20 ms.
func HasFEC(packet []byte) bool {
	if len(packet) < 2 || packet[0]&3 != 0 || packet[0]>>3 >= 16 {
		return false
	}
	frames := max(frameSamples(packet[0]>>3)/(capture.SampleRate/50), 1)
	return packet[1]>>(7-frames)&1 == 1
}

// frameSamples reads table 2 of RFC 6716.
func frameSamples(config byte) int {
	const ms = capture.SampleRate / 1000
	switch {
	case config < 12: // SILK: 10, 20, 40 or 60 ms
		return [...]int{10, 20, 40, 60}[config%4] * ms
	case config < 16: // hybrid: 10 or 20 ms
		return [...]int{10, 20}[config%2] * ms
	}
	return 5 * ms / 2 << (config % 4) // CELT: 2.5, 5, 10 or 20 ms
}

// Close frees the decoder. It may be called twice.
func (d *Decoder) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.engine != nil {
		C.opus_decoder_destroy(d.engine)
		d.engine = nil
	}
	return nil
}
