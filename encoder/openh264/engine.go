package openh264

// mediadevices' own Go encoder is not used, only its build of openh264: that
// encoder takes no lock for key frames and bitrate, leaks its buffer when it
// grows, copies each picture into new memory, and leaves the library's log on
// stderr, where changing the bitrate prints two warnings each time.

// #include "bridge.h"
import "C"

import (
	"fmt"
	"log/slog"
	"strings"
	"unsafe"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"

	_ "github.com/pion/mediadevices/pkg/codec/openh264" // links libopenh264
)

// engine is the C encoder. It has no lock and no closed state: Encoder has.
type engine struct {
	c   *C.Encoder
	log *slog.Logger
}

// libraryMajor is the version whose interface library.h describes.
const libraryMajor = 2

func checkVersion() error {
	var v C.Version
	C.WelsGetCodecVersionEx(&v)
	if v.major != libraryMajor {
		return fmt.Errorf("open openh264: version %d.%d.%d is linked, want %d.x", v.major, v.minor, v.revision, libraryMajor)
	}
	return nil
}

func openEngine(config Config, rate encoder.BitRate) (*engine, error) {
	if err := checkVersion(); err != nil {
		return nil, err
	}
	var code C.int
	settings := C.Settings{
		width: C.int(config.Width), height: C.int(config.Height), frameRate: C.float(config.FPS),
		bitrate: C.int(rate), level: C.int(level(config)),
	}
	c := C.bril_open(&settings, &code)
	if c == nil {
		return nil, fmt.Errorf("open openh264: %w", libraryError(code))
	}
	e := &engine{c: c, log: config.Log}
	e.drainLog()
	if code != 0 {
		e.close()
		return nil, fmt.Errorf("open openh264 for %dx%d at %g frames a second: %w", config.Width, config.Height, config.FPS, libraryError(code))
	}
	return e, nil
}

// encode appends the access unit of f to to; nothing for a skipped picture.
func (e *engine) encode(to []byte, f *capture.Frame, key bool) ([]byte, error) {
	var force C.int
	if key {
		force = 1
	}
	y, u, v := &f.Planes[0], &f.Planes[1], &f.Planes[2]
	code := C.bril_encode(e.c, cBytes(y.Data), cBytes(u.Data), cBytes(v.Data), C.int(y.Stride), C.int(u.Stride),
		C.int(f.Width), C.int(f.Height), C.longlong(f.PTS.Milliseconds()), force)
	e.drainLog()
	if code != 0 {
		return to, fmt.Errorf("encode picture %d by openh264: %w", f.Sequence, libraryError(code))
	}
	size := int(e.c.size)
	if size == 0 {
		return to, nil
	}
	to = grow(to, size)
	C.bril_copy(e.c, cBytes(to[len(to)-size:]))
	return to, nil
}

// grow lengthens b by n bytes of undefined content.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		b = append(make([]byte, 0, len(b)+2*n), b...)
	}
	return b[:len(b)+n]
}

func cBytes(b []byte) *C.uchar { return (*C.uchar)(unsafe.Pointer(unsafe.SliceData(b))) }

func (e *engine) setBitRate(rate encoder.BitRate) error {
	code := C.bril_set_bitrate(e.c, C.int(rate))
	e.drainLog()
	if code != 0 {
		return fmt.Errorf("set bitrate of openh264 to %d: %w", rate, libraryError(code))
	}
	return nil
}

func (e *engine) close() {
	C.bril_close(e.c)
	e.c = nil
}

// drainLog passes on what the library logged during the call before. Its
// warnings, mostly that frame skip is off, are about settings chosen here on
// purpose, so they are for debugging; its errors come back as codes too.
func (e *engine) drainLog() {
	n := e.c.traced
	if n == 0 {
		return
	}
	lines := C.GoStringN(&e.c.trace[0], C.int(n))
	e.c.traced = 0
	for line := range strings.Lines(lines) {
		e.log.Debug("openh264: " + strings.TrimSpace(line))
	}
}

// libraryError is an error code of openh264 (CM_RETURN in codec_def.h).
type libraryError C.int

func (e libraryError) Error() string {
	names := map[libraryError]string{
		1: "invalid parameter", 2: "unknown reason", 3: "out of memory", 4: "not initialised", 5: "unsupported data",
	}
	if name, ok := names[e]; ok {
		return fmt.Sprintf("%s (%d)", name, int(e))
	}
	return fmt.Sprintf("code %d", int(e))
}
