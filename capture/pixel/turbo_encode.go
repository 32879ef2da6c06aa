//go:build amd64 || arm64

package pixel

import (
	"bytes"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/bril-edge/bril/capture"
)

// turboEncoder encodes by the same library as turbo decodes.
type turboEncoder struct {
	name    string
	library uintptr // of dlopen
	handle  uintptr // tjhandle

	create, compressFromYUVPlanes, free, errorString, destroy uintptr

	call compression
}

// compression holds what C reads and writes through pointers; in the heap, so
// that nothing moves.
type compression struct {
	planes  [3]unsafe.Pointer
	strides [3]int32
	jpeg    uintptr // the library's memory
	size    uint64  // unsigned long
}

// tjAccurateDCT is TJFLAG_ACCURATEDCT: what libjpeg-turbo 3 does by itself.
const tjAccurateDCT = 4096

func newTurboEncoder() (*turboEncoder, error) {
	t := &turboEncoder{}
	var err error
	t.library, t.name, err = load(map[string]*uintptr{
		"tjInitCompress":          &t.create,
		"tjCompressFromYUVPlanes": &t.compressFromYUVPlanes,
		"tjFree":                  &t.free,
		"tjGetErrorStr2":          &t.errorString,
		"tjDestroy":               &t.destroy,
	})
	if err != nil {
		return nil, err
	}
	if t.handle, _, _ = purego.SyscallN(t.create); t.handle == 0 {
		_ = purego.Dlclose(t.library) // the first error is the one to tell
		return nil, fmt.Errorf("%s: tjInitCompress: out of memory", t.name)
	}
	return t, nil
}

func (t *turboEncoder) close() error {
	purego.SyscallN(t.destroy, t.handle)
	return purego.Dlclose(t.library)
}

// encode has the library find the memory as it goes: the most that a picture can
// take, which it wants otherwise, is twice the picture.
func (t *turboEncoder) encode(f *capture.Frame, quality int) ([]byte, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	c := &t.call
	*c = compression{}
	pin.Pin(c)
	for i := range c.planes {
		data := unsafe.SliceData(f.Planes[i].Data)
		pin.Pin(data)
		c.planes[i], c.strides[i] = unsafe.Pointer(data), int32(f.Planes[i].Stride)
	}
	result, _, _ := purego.SyscallN(t.compressFromYUVPlanes, t.handle,
		uintptr(unsafe.Pointer(&c.planes)), uintptr(f.Width), uintptr(unsafe.Pointer(&c.strides)), uintptr(f.Height), tj420,
		uintptr(unsafe.Pointer(&c.jpeg)), uintptr(unsafe.Pointer(&c.size)), uintptr(quality), tjAccurateDCT)
	if c.jpeg != 0 {
		defer purego.SyscallN(t.free, c.jpeg)
	}
	if int32(result) != 0 {
		text, _, _ := purego.SyscallN(t.errorString, t.handle)
		return nil, fmt.Errorf("%s: tjCompressFromYUVPlanes: %s", t.name, goString(text))
	}
	// The address is C memory, which the collector does not move; vet cannot know.
	p := *(*unsafe.Pointer)(unsafe.Pointer(&c.jpeg))
	return bytes.Clone(unsafe.Slice((*byte)(p), int(c.size))), nil
}
