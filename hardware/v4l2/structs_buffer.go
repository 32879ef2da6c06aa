package v4l2

import (
	"time"

	"golang.org/x/sys/unix"
)

// RequestBuffers is struct v4l2_requestbuffers.
type RequestBuffers struct {
	Count        uint32 // asked for; then what the driver made of it
	Type         BufType
	Memory       Memory
	Capabilities uint32
	Flags        uint8
	_            [3]uint8
}

// Timecode is struct v4l2_timecode.
type Timecode struct {
	Type, Flags                     uint32
	Frames, Seconds, Minutes, Hours uint8
	Userbits                        [4]uint8
}

// Buffer is struct v4l2_buffer of a single-planar queue. M is the union m: the
// offset to map at for MemoryMMAP, the descriptor for MemoryDMABUF.
type Buffer struct {
	Index     uint32
	Type      BufType
	BytesUsed uint32
	Flags     BufFlags
	Field     uint32
	// Timestamp has 32-bit seconds on arm. That is the layout that kernels before
	// 5.6 know as well, and CLOCK_MONOTONIC starts at boot, so nothing overflows.
	Timestamp unix.Timeval
	Timecode  Timecode
	Sequence  uint32
	Memory    Memory
	M         uintptr
	Length    uint32 // bytes of the buffer
	_         uint32
	RequestFD int32
}

// MultiBuffer is struct v4l2_buffer of a multi-planar queue. Its union m is a
// pointer here, so that the garbage collector sees it; the kernel reads through
// it and leaves it as it is.
type MultiBuffer struct {
	Index     uint32
	Type      BufType
	_         uint32 // bytesused: each plane has its own
	Flags     BufFlags
	Field     uint32
	Timestamp unix.Timeval
	Timecode  Timecode
	Sequence  uint32
	Memory    Memory
	Planes    *[MaxPlanes]Plane
	Length    uint32 // planes; asked for, then what there is
	_         uint32
	RequestFD int32
}

// Plane is struct v4l2_plane: one memory plane of a multi-planar buffer.
type Plane struct {
	BytesUsed  uint32 // from the plane's beginning on, DataOffset included
	Length     uint32
	M          uintptr // offset to map at, or descriptor
	DataOffset uint32
	_          [11]uint32
}

// ExportBuffer is struct v4l2_exportbuffer.
type ExportBuffer struct {
	Type  BufType
	Index uint32
	Plane uint32
	Flags uint32 // O_CLOEXEC and an access mode
	FD    int32  // what came of it
	_     [11]uint32
}

// timeval returns a buffer's time, in whole microseconds.
func timeval(t time.Duration) unix.Timeval { return unix.NsecToTimeval(int64(t)) }
