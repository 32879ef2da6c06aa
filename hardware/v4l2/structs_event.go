package v4l2

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Event is struct v4l2_event.
type Event struct {
	Type      uint32
	_         uint32 // the kernel's union is aligned to 8 bytes, on arm too
	union     [64]byte
	Pending   uint32 // events behind this one
	Sequence  uint32
	Timestamp unix.Timespec // as Buffer.Timestamp on arm
	ID        uint32
	_         [8]uint32
	_         uint32
}

// ResolutionChanged says of an EventSourceChange that the size or the timing of
// the source is another one (V4L2_EVENT_SRC_CH_RESOLUTION).
func (e *Event) ResolutionChanged() bool {
	return e.Type == EventSourceChange && binary.NativeEndian.Uint32(e.union[:])&1 != 0
}

// EventSubscription is struct v4l2_event_subscription.
type EventSubscription struct {
	Type  uint32
	ID    uint32
	Flags uint32
	_     [5]uint32
}

// EncoderCommand is struct v4l2_encoder_cmd.
type EncoderCommand struct {
	Cmd   uint32
	Flags uint32
	_     [8]uint32
}

// Rect is struct v4l2_rect, in pixels.
type Rect struct {
	Left, Top     int32
	Width, Height uint32
}

// Selection is struct v4l2_selection.
type Selection struct {
	Type   BufType
	Target uint32
	Flags  uint32
	Rect   Rect
	_      [9]uint32
}
