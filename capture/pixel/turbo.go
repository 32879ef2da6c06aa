//go:build amd64 || arm64

package pixel

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/bril-edge/bril/capture"
)

// turbo decodes by libjpeg-turbo's TurboJPEG API, version 1.4 to 3
// (turbojpeg.h), which is loaded while the program runs.
type turbo struct {
	name    string
	library uintptr // of dlopen
	handle  uintptr // tjhandle

	create, decompressHeader, decompressToYUVPlanes, decompress2, errorCode, errorString, destroy uintptr

	call   call
	planes [3][]byte // of pictures that are not 4:2:0
	pin    runtime.Pinner
}

// call holds what C reads and writes through pointers; in the heap, so that
// nothing moves.
type call struct {
	width, height, subsampling, colorspace int32
	planes                                 [3]unsafe.Pointer
	strides                                [3]int32
}

// The values of enum TJSAMP, TJPF, TJERR and TJFLAG that are used.
const (
	tj420        = 2
	tjGray       = 3
	tjPixelGray  = 6
	tjErrWarning = 0
	tjLimitScans = 32768 // guards against pictures that are made to take long
)

func newTurbo() (*turbo, error) {
	t := &turbo{}
	var err error
	t.library, t.name, err = load(map[string]*uintptr{
		"tjInitDecompress":        &t.create,
		"tjDecompressHeader3":     &t.decompressHeader,
		"tjDecompressToYUVPlanes": &t.decompressToYUVPlanes,
		"tjDecompress2":           &t.decompress2,
		"tjGetErrorCode":          &t.errorCode,
		"tjGetErrorStr2":          &t.errorString,
		"tjDestroy":               &t.destroy,
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// load loads the library, by Debian's name first, then by the one of development
// packages, and looks its functions up.
func load(functions map[string]*uintptr) (library uintptr, name string, err error) {
	var errs []error
	for _, name := range []string{"libturbojpeg.so.0", "libturbojpeg.so"} {
		library, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err == nil {
			if err = lookUp(library, functions); err == nil {
				return library, name, nil
			}
			_ = purego.Dlclose(library) // the first error is the one to tell
		}
		errs = append(errs, err)
	}
	return 0, "", errors.Join(errs...)
}

func lookUp(library uintptr, functions map[string]*uintptr) (err error) {
	for symbol, to := range functions {
		if *to, err = purego.Dlsym(library, symbol); err != nil {
			return err
		}
	}
	return nil
}

func (t *turbo) close() error {
	t.drop()
	return purego.Dlclose(t.library)
}

// drop forgets the library's state of the last picture.
func (t *turbo) drop() {
	if t.handle != 0 {
		purego.SyscallN(t.destroy, t.handle)
		t.handle = 0
	}
}

func (t *turbo) decode(out capture.Frame, data []byte) error {
	return t.afresh(func() error { return t.decompress(out, data) })
}

func (t *turbo) luma(out capture.Plane, width, height int, data []byte) error {
	return t.afresh(func() error { return t.decompressLuma(out, width, height, data) })
}

// afresh starts afresh after a picture that failed: the library goes on in the
// middle of it otherwise ("two SOI markers", seen with 2.1).
func (t *turbo) afresh(decompress func() error) error {
	if t.handle == 0 {
		if t.handle, _, _ = purego.SyscallN(t.create); t.handle == 0 {
			return fmt.Errorf("%w: %s: tjInitDecompress: out of memory", ErrBroken, t.name)
		}
	}
	defer t.pin.Unpin()
	err := decompress()
	if err != nil {
		t.drop()
	}
	return err
}

// header reads the picture's header into t.call and compares its size.
func (t *turbo) header(data []byte, width, height int) error {
	t.pin.Pin(&t.call)
	t.pin.Pin(unsafe.SliceData(data))
	c := &t.call
	result, _, _ := purego.SyscallN(t.decompressHeader, t.handle,
		uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)),
		uintptr(unsafe.Pointer(&c.width)), uintptr(unsafe.Pointer(&c.height)),
		uintptr(unsafe.Pointer(&c.subsampling)), uintptr(unsafe.Pointer(&c.colorspace)))
	if err := t.check(result); err != nil {
		return err
	}
	if int(c.width) != width || int(c.height) != height {
		return fmt.Errorf("%w: the JPEG has %dx%d", ErrBroken, c.width, c.height)
	}
	return nil
}

func (t *turbo) decompress(out capture.Frame, data []byte) error {
	if err := t.header(data, out.Width, out.Height); err != nil {
		return err
	}
	c := &t.call
	picture, err := t.layOut()
	if err != nil {
		return err
	}
	result, _, _ := purego.SyscallN(t.decompressToYUVPlanes, t.handle,
		uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)),
		uintptr(unsafe.Pointer(&c.planes)), uintptr(c.width),
		uintptr(unsafe.Pointer(&c.strides)), uintptr(c.height), tjLimitScans)
	if err := t.check(result); err != nil {
		return err
	}
	toI420(out, picture)
	return nil
}

// decompressLuma decodes to grey, for which the library transforms the luma only.
func (t *turbo) decompressLuma(out capture.Plane, width, height int, data []byte) error {
	if err := t.header(data, width, height); err != nil {
		return err
	}
	t.pin.Pin(unsafe.SliceData(out.Data))
	result, _, _ := purego.SyscallN(t.decompress2, t.handle,
		uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)),
		uintptr(unsafe.Pointer(unsafe.SliceData(out.Data))), uintptr(width), uintptr(out.Stride), uintptr(height),
		tjPixelGray, tjLimitScans)
	return t.check(result)
}

// layOut makes planes for the picture as the library wants them: chroma at its
// own sampling, sizes rounded up to whole samples (tjPlaneWidth, tjPlaneHeight).
func (t *turbo) layOut() (ycc, error) {
	c := &t.call
	h, v, err := sampling(c.subsampling)
	if err != nil {
		return ycc{}, err
	}
	picture := ycc{h: h, v: v}
	for i := range t.planes {
		stride, rows := roundUp(int(c.width), max(h, 1)), roundUp(int(c.height), max(v, 1))
		if i > 0 && h == 0 {
			c.planes[i], c.strides[i] = nil, 0
			continue
		}
		if i > 0 {
			stride, rows = stride/h, rows/v
		}
		if len(t.planes[i]) != stride*rows {
			t.planes[i] = make([]byte, stride*rows)
		}
		t.pin.Pin(&t.planes[i][0])
		c.planes[i], c.strides[i] = unsafe.Pointer(&t.planes[i][0]), int32(stride)
		picture.planes[i] = capture.Plane{Data: t.planes[i], Stride: stride}
	}
	return picture, nil
}

// sampling returns how many pixels a chroma sample of enum TJSAMP is for; 0 for
// a grey picture.
func sampling(subsampling int32) (h, v int, err error) {
	table := [...][2]int{{1, 1}, {2, 1}, {2, 2}, tjGray: {0, 0}, {1, 2}, {4, 1}}
	if subsampling < 0 || int(subsampling) >= len(table) {
		return 0, 0, fmt.Errorf("%w: JPEG with unusual chroma sampling (%d)", ErrBroken, subsampling)
	}
	return table[subsampling][0], table[subsampling][1], nil
}

// check reads the outcome of a call. A picture is shown with bytes too many in
// it, which many cameras send, but not with some missing.
func (t *turbo) check(result uintptr) error {
	if int32(result) == 0 {
		return nil
	}
	text, _, _ := purego.SyscallN(t.errorString, t.handle)
	message := goString(text)
	code, _, _ := purego.SyscallN(t.errorCode, t.handle)
	if int32(code) == tjErrWarning && strings.Contains(message, "extraneous bytes") {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrBroken, message)
}

// goString copies a C string.
func goString(address uintptr) string {
	if address == 0 {
		return ""
	}
	// The address is C memory, which the collector does not move; vet cannot know.
	p := *(*unsafe.Pointer)(unsafe.Pointer(&address))
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return strings.Clone(unsafe.String((*byte)(p), n))
}
