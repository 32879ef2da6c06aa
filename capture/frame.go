// Package capture produces pictures and sound: from V4L2 cameras and ALSA
// microphones, from files, and from test patterns. It encodes nothing and knows
// nothing of networks.
package capture

import (
	"fmt"
	"time"
)

// PixelFormat says how the planes of a Frame are to be read.
type PixelFormat uint8

// The formats, with the V4L2 name of each and its planes.
const (
	I420  PixelFormat = 1 // V4L2_PIX_FMT_YUV420: Y, U, V; chroma at half width and height
	NV12  PixelFormat = 2 // V4L2_PIX_FMT_NV12: Y, interleaved UV at half height
	YUYV  PixelFormat = 3 // V4L2_PIX_FMT_YUYV: one plane, Y0 U Y1 V
	MJPEG PixelFormat = 4 // V4L2_PIX_FMT_MJPEG: plane 0 is one JPEG picture; stride 0
	H264  PixelFormat = 5 // V4L2_PIX_FMT_H264: plane 0 is one access unit in Annex B; stride 0
)

// String returns the name that the configuration and `bril devices` use.
func (f PixelFormat) String() string {
	switch f {
	case I420:
		return "YU12"
	case NV12:
		return "NV12"
	case YUYV:
		return "YUYV"
	case MJPEG:
		return "MJPEG"
	case H264:
		return "H264"
	}
	return fmt.Sprintf("PixelFormat(%d)", uint8(f))
}

// Plane is one plane of a picture. Rows are Stride bytes apart; what lies
// between a row's pixels and the next row is undefined. A compressed format has
// stride 0 and uses the whole of Data.
type Plane struct {
	Data   []byte
	Stride int
}

// LayOut lays the planes of a raw picture over memory that holds them one behind
// the other, as the single-planar formats of V4L2 do: the chroma planes of I420
// have half the stride (docs.kernel.org, "Planar YUV formats"). The picture has
// that many rows, and begins where the memory does.
func LayOut(format PixelFormat, stride, rows int, memory []byte) (p [3]Plane) {
	luma := stride * rows
	p[0] = Plane{Data: memory[:luma], Stride: stride}
	switch format {
	case I420:
		chroma := luma / 4
		p[1] = Plane{Data: memory[luma : luma+chroma], Stride: stride / 2}
		p[2] = Plane{Data: memory[luma+chroma : luma+2*chroma], Stride: stride / 2}
	case NV12:
		p[1] = Plane{Data: memory[luma : luma+luma/2], Stride: stride}
	}
	return p
}

// Frame is one picture, raw or compressed, on its way from a source to an
// encoder. The receiver owns it until Release and may not touch it afterwards.
type Frame struct {
	Format PixelFormat
	Width  int // in pixels, of the visible picture
	Height int
	Planes [3]Plane

	// PTS is when the picture was taken, on CLOCK_MONOTONIC: the driver's stamp
	// for a camera, the moment it was complete for a live stream, the paced
	// moment for a file.
	PTS time.Duration
	// Ready is when the frame reached this program, on CLOCK_MONOTONIC.
	Ready time.Duration
	// Sequence counts the pictures that the source took, from 0. A gap is
	// pictures that are missing before this one.
	Sequence uint64
	// Missed is how many pictures so far are missing by the source's own doing: a
	// camera that had memory to fill and did not. All others were dropped because
	// the path was behind.
	Missed uint64

	// Shared is the same memory for another device to read without a copy; nil
	// where the source cannot share it. It is the frame's until Release too.
	Shared *Shared

	free func()
}

// Shared is a frame's memory as DMA buffers. The memory is the same whenever the
// slot is, for as long as the source is open, so that an importer can keep what
// it made of it.
type Shared struct {
	Slot   int // which of the source's buffers this is, from 0
	Slots  int // how many there are
	Planes []DMABUF
}

// DMABUF is one memory plane; all planes of a picture may lie in one.
type DMABUF struct {
	FD     int // the source's; not to be closed
	Length int // in bytes
	Offset int // where the picture begins, in bytes
}

// WithFree returns f with what Release will call, once.
func (f Frame) WithFree(free func()) Frame {
	f.free = free
	return f
}

// Release hands the frame's memory back to its source. A second call does nothing.
func (f *Frame) Release() {
	if f.free == nil {
		return
	}
	free := f.free
	f.free = nil
	f.Planes, f.Shared = [3]Plane{}, nil
	free()
}

// VideoFormat is what a source delivers once it is open.
type VideoFormat struct {
	Format        PixelFormat
	Width, Height int     // in pixels
	FPS           float64 // frames a second, nominal; 0 when unknown
}

// String returns the format as `1280x720@30 YU12`.
func (v VideoFormat) String() string {
	return fmt.Sprintf("%dx%d@%g %v", v.Width, v.Height, v.FPS, v.Format)
}
