package v4l2

import (
	"bytes"
	"unsafe"
)

// The sizes that include/uapi/linux/videodev2.h gives the structs on every
// architecture; those that hold a pointer or a time are in structs_64bit.go and
// structs_32bit.go. The ioctl numbers are made of them, and an array below fails
// to compile when a Go struct differs.
const (
	sizeofCapability        = 104
	sizeofFmtDesc           = 64
	sizeofFrameSizeEnum     = 44
	sizeofFrameIntervalEnum = 52
	sizeofPixFormat         = 48
	sizeofPixFormatMplane   = 192
	sizeofRequestBuffers    = 20
	sizeofTimecode          = 16
	sizeofStreamParm        = 204
	sizeofQueryCtrl         = 68
	sizeofControl           = 8
	sizeofExportBuffer      = 64
	sizeofSelection         = 64
	sizeofEncoderCommand    = 40
	sizeofEventSubscription = 32
)

var (
	_ [sizeofCapability]byte        = [unsafe.Sizeof(Capability{})]byte{}
	_ [sizeofFmtDesc]byte           = [unsafe.Sizeof(FmtDesc{})]byte{}
	_ [sizeofFrameSizeEnum]byte     = [unsafe.Sizeof(FrameSizeEnum{})]byte{}
	_ [sizeofFrameIntervalEnum]byte = [unsafe.Sizeof(FrameIntervalEnum{})]byte{}
	_ [sizeofPixFormat]byte         = [unsafe.Sizeof(PixFormat{})]byte{}
	_ [sizeofPixFormatMplane]byte   = [unsafe.Sizeof(PixFormatMplane{})]byte{}
	_ [sizeofFormat]byte            = [unsafe.Sizeof(Format{})]byte{}
	_ [sizeofRequestBuffers]byte    = [unsafe.Sizeof(RequestBuffers{})]byte{}
	_ [sizeofTimecode]byte          = [unsafe.Sizeof(Timecode{})]byte{}
	_ [sizeofBuffer]byte            = [unsafe.Sizeof(Buffer{})]byte{}
	_ [sizeofBuffer]byte            = [unsafe.Sizeof(MultiBuffer{})]byte{}
	_ [sizeofPlane]byte             = [unsafe.Sizeof(Plane{})]byte{}
	_ [sizeofStreamParm]byte        = [unsafe.Sizeof(StreamParm{})]byte{}
	_ [sizeofQueryCtrl]byte         = [unsafe.Sizeof(QueryCtrl{})]byte{}
	_ [sizeofControl]byte           = [unsafe.Sizeof(Control{})]byte{}
	_ [sizeofExportBuffer]byte      = [unsafe.Sizeof(ExportBuffer{})]byte{}
	_ [sizeofSelection]byte         = [unsafe.Sizeof(Selection{})]byte{}
	_ [sizeofEncoderCommand]byte    = [unsafe.Sizeof(EncoderCommand{})]byte{}
	_ [sizeofEventSubscription]byte = [unsafe.Sizeof(EventSubscription{})]byte{}
	_ [sizeofEvent]byte             = [unsafe.Sizeof(Event{})]byte{}

	// Where an aligned member stands.
	_ [offsetofFormatUnion]byte       = [unsafe.Offsetof(Format{}.union)]byte{}
	_ [offsetofBufferTime]byte        = [unsafe.Offsetof(Buffer{}.Timestamp)]byte{}
	_ [offsetofBufferM]byte           = [unsafe.Offsetof(Buffer{}.M)]byte{}
	_ [offsetofBufferTime]byte        = [unsafe.Offsetof(MultiBuffer{}.Timestamp)]byte{}
	_ [offsetofBufferM]byte           = [unsafe.Offsetof(MultiBuffer{}.Planes)]byte{}
	_ [sizeofBuffer - 3*4 - tail]byte = [unsafe.Offsetof(Buffer{}.Length)]byte{}
	_ [sizeofBuffer - 3*4 - tail]byte = [unsafe.Offsetof(MultiBuffer{}.Length)]byte{}
	_ [offsetofEventTime]byte         = [unsafe.Offsetof(Event{}.Timestamp)]byte{}
	_ [offsetofEventID]byte           = [unsafe.Offsetof(Event{}.ID)]byte{}
)

// Capability is struct v4l2_capability.
type Capability struct {
	driver       [16]byte
	card         [32]byte
	busInfo      [32]byte
	Version      uint32 // of the kernel, 0x00060102 for 6.1.2
	Capabilities Caps   // of the physical device, all nodes together
	DeviceCaps   Caps   // of this node; valid with CapDeviceCaps
	_            [3]uint32
}

// Driver returns the driver's name, as `uvcvideo`.
func (c *Capability) Driver() string { return text(c.driver[:]) }

// Card returns the device's name.
func (c *Capability) Card() string { return text(c.card[:]) }

// BusInfo returns where the device is attached, as `usb-0000:00:14.0-1`.
func (c *Capability) BusInfo() string { return text(c.busInfo[:]) }

// Node returns what this node can do. A camera's metadata node shares
// Capabilities with its picture node; only DeviceCaps tells them apart.
func (c *Capability) Node() Caps {
	if c.Capabilities&CapDeviceCaps != 0 {
		return c.DeviceCaps
	}
	return c.Capabilities
}

// FmtDesc is struct v4l2_fmtdesc.
type FmtDesc struct {
	Index       uint32
	Type        BufType
	Flags       uint32
	description [32]byte
	PixelFormat FourCC
	MbusCode    uint32
	_           [3]uint32
}

// Description returns the driver's words for the format.
func (f *FmtDesc) Description() string { return text(f.description[:]) }

// FrameSizeEnum is struct v4l2_frmsizeenum. For a Discrete size the first two
// fields of its union are width and height: MinWidth and MaxWidth here; Discrete
// returns them by name.
type FrameSizeEnum struct {
	Index       uint32
	PixelFormat FourCC
	Type        uint32 // Discrete, Continuous, Stepwise
	MinWidth    uint32
	MaxWidth    uint32
	StepWidth   uint32
	MinHeight   uint32
	MaxHeight   uint32
	StepHeight  uint32
	_           [2]uint32
}

// Discrete returns the size in pixels when Type is Discrete.
func (f *FrameSizeEnum) Discrete() (width, height uint32) { return f.MinWidth, f.MaxWidth }

// Fract is struct v4l2_fract, in seconds where it is a frame interval.
type Fract struct{ Numerator, Denominator uint32 }

// FrameIntervalEnum is struct v4l2_frmivalenum. When Type is Discrete, Min is
// the interval.
type FrameIntervalEnum struct {
	Index         uint32
	PixelFormat   FourCC
	Width, Height uint32
	Type          uint32
	Min           Fract
	Max           Fract
	Step          Fract
	_             [2]uint32
}

// PixFormat is struct v4l2_pix_format: one memory plane.
type PixFormat struct {
	Width, Height uint32 // in pixels
	PixelFormat   FourCC
	Field         uint32
	BytesPerLine  uint32 // stride of the first plane
	SizeImage     uint32 // bytes of a whole picture
	Colorspace    uint32
	Priv          uint32
	Flags         uint32
	YcbcrEnc      uint32
	Quantization  uint32
	XferFunc      uint32
}

// PlanePixFormat is struct v4l2_plane_pix_format.
type PlanePixFormat struct {
	SizeImage    uint32
	BytesPerLine uint32
	_            [6]uint16
}

// PixFormatMplane is struct v4l2_pix_format_mplane: up to eight memory planes.
type PixFormatMplane struct {
	Width, Height uint32 // in pixels
	PixelFormat   FourCC
	Field         uint32
	Colorspace    uint32
	PlaneFmt      [8]PlanePixFormat
	NumPlanes     uint8
	Flags         uint8
	YcbcrEnc      uint8
	Quantization  uint8
	XferFunc      uint8
	_             [7]uint8
}

// Format is struct v4l2_format. Its union is read through Pix or PixMplane,
// whichever Type says.
type Format struct {
	Type  BufType
	union struct {
		_   [0]uintptr // the kernel's union holds pointers and is aligned like one
		raw [200]byte
	}
}

// Pix views the format of a single-planar queue.
func (f *Format) Pix() *PixFormat { return (*PixFormat)(unsafe.Pointer(&f.union)) }

// PixMplane views the format of a multi-planar queue.
func (f *Format) PixMplane() *PixFormatMplane { return (*PixFormatMplane)(unsafe.Pointer(&f.union)) }

// StreamParm is struct v4l2_streamparm; its union is laid out alike for capture
// and output as far as this struct goes.
type StreamParm struct {
	Type         BufType
	Capability   uint32 // CapTimePerFrame
	Mode         uint32
	TimePerFrame Fract // seconds
	ExtendedMode uint32
	Buffers      uint32
	_            [176]byte
}

// QueryCtrl is struct v4l2_queryctrl.
type QueryCtrl struct {
	ID           uint32
	Type         uint32
	name         [32]byte
	Minimum      int32
	Maximum      int32
	Step         int32
	DefaultValue int32
	Flags        uint32
	_            [2]uint32
}

// Name returns the driver's words for the control.
func (q *QueryCtrl) Name() string { return text(q.name[:]) }

// Control is struct v4l2_control.
type Control struct {
	ID    uint32
	Value int32
}

// text reads a C string that need not end in a zero.
func text(b []byte) string {
	if n := bytes.IndexByte(b, 0); n >= 0 {
		b = b[:n]
	}
	return string(b)
}

// Picture is what the formats of both kinds of queue have in common, for a
// picture in one memory plane.
type Picture struct {
	Width, Height uint32 // in pixels
	PixelFormat   FourCC
	BytesPerLine  uint32
	SizeImage     uint32
	Planes        int // memory planes
}

// SetPicture asks for p, not interlaced; zero is the driver's choice.
func (f *Format) SetPicture(p Picture) {
	if !f.Type.Multiplanar() {
		*f.Pix() = PixFormat{
			Width: p.Width, Height: p.Height, PixelFormat: p.PixelFormat, Field: FieldNone,
			BytesPerLine: p.BytesPerLine, SizeImage: p.SizeImage,
		}
		return
	}
	m := f.PixMplane()
	*m = PixFormatMplane{Width: p.Width, Height: p.Height, PixelFormat: p.PixelFormat, Field: FieldNone, NumPlanes: 1}
	m.PlaneFmt[0] = PlanePixFormat{SizeImage: p.SizeImage, BytesPerLine: p.BytesPerLine}
}

// Picture returns what the format says.
func (f *Format) Picture() Picture {
	if !f.Type.Multiplanar() {
		p := f.Pix()
		return Picture{p.Width, p.Height, p.PixelFormat, p.BytesPerLine, p.SizeImage, 1}
	}
	m := f.PixMplane()
	first := m.PlaneFmt[0]
	return Picture{m.Width, m.Height, m.PixelFormat, first.BytesPerLine, first.SizeImage, int(m.NumPlanes)}
}
