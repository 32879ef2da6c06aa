package opus

/*
#include <stdint.h>

typedef struct OpusDecoder OpusDecoder;

#pragma weak opus_decoder_create
#pragma weak opus_decoder_destroy
#pragma weak opus_decode
OpusDecoder *opus_decoder_create(int32_t rate, int channels, int *error);
void opus_decoder_destroy(OpusDecoder *decoder);
int opus_decode(OpusDecoder *decoder, const unsigned char *data, int32_t size, int16_t *pcm, int samples, int fec);
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
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.engine == nil {
		return 0, fmt.Errorf("opus decoder: %w", os.ErrClosed)
	}
	n := C.opus_decode(d.engine, (*C.uchar)(&packet[0]), C.int32_t(len(packet)), (*C.int16_t)(&pcm[0]), MaxSamples, 0)
	if n < 0 {
		return 0, fmt.Errorf("decode opus: %w", libraryError(n))
	}
	return int(n), nil
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
