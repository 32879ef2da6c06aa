package v4l2

// FourCC names a pixel format by four characters, the first one lowest.
type FourCC uint32

// The pixel formats that the agent reads or writes.
const (
	PixFmtYUYV   FourCC = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24
	PixFmtNV12   FourCC = 'N' | 'V'<<8 | '1'<<16 | '2'<<24
	PixFmtYUV420 FourCC = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24
	PixFmtMJPEG  FourCC = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24
	PixFmtJPEG   FourCC = 'J' | 'P'<<8 | 'E'<<16 | 'G'<<24
	PixFmtH264   FourCC = 'H' | '2'<<8 | '6'<<16 | '4'<<24
)

// String returns the four characters.
func (f FourCC) String() string {
	b := [4]byte{byte(f), byte(f >> 8), byte(f >> 16), byte(f >> 24)}
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '.'
		}
	}
	return string(b[:])
}

// BufType is enum v4l2_buf_type: which queue of the device is meant.
type BufType uint32

// The queues of pictures.
const (
	VideoCapture       BufType = 1
	VideoOutput        BufType = 2
	VideoCaptureMplane BufType = 9
	VideoOutputMplane  BufType = 10
)

// Multiplanar says that a buffer of this queue may have several memory planes.
func (t BufType) Multiplanar() bool { return t == VideoCaptureMplane || t == VideoOutputMplane }

// Memory is enum v4l2_memory: where the buffers live.
type Memory uint32

// The kinds of buffer memory.
const (
	MemoryMMAP    Memory = 1
	MemoryUserptr Memory = 2
	MemoryDMABUF  Memory = 4
)

// Caps is the flags of struct v4l2_capability.
type Caps uint32

// The capabilities that the agent asks about.
const (
	CapVideoCapture       Caps = 0x00000001
	CapVideoOutput        Caps = 0x00000002
	CapVideoCaptureMplane Caps = 0x00001000
	CapVideoOutputMplane  Caps = 0x00002000
	CapVideoM2MMplane     Caps = 0x00004000
	CapVideoM2M           Caps = 0x00008000
	CapMetaCapture        Caps = 0x00800000
	CapStreaming          Caps = 0x04000000
	CapDeviceCaps         Caps = 0x80000000
)

// BufFlags is the flags of struct v4l2_buffer.
type BufFlags uint32

// The flags of a buffer.
const (
	BufMapped             BufFlags = 0x00000001
	BufQueued             BufFlags = 0x00000002
	BufDone               BufFlags = 0x00000004
	BufKeyframe           BufFlags = 0x00000008
	BufError              BufFlags = 0x00000040 // the data may be damaged; the queue runs on
	BufTimestampMask      BufFlags = 0x0000e000
	BufTimestampMonotonic BufFlags = 0x00002000
	BufTimestampCopy      BufFlags = 0x00004000
	BufLast               BufFlags = 0x00100000
)

// FmtFlagCompressed is V4L2_FMT_FLAG_COMPRESSED of a FmtDesc.
const FmtFlagCompressed = 0x0001

// MaxPlanes is VIDEO_MAX_PLANES: the most memory planes that a buffer has.
const MaxPlanes = 8

// The events that can be subscribed to, enum v4l2_event_type.
const (
	EventEOS          = 2 // an encoder has been drained
	EventSourceChange = 5 // the source has another format now
)

// The commands of EncoderCommand (V4L2_ENC_CMD_*).
const (
	EncoderStart = 0
	EncoderStop  = 1 // finish what was queued; the last buffer has BufLast
)

// TargetCrop is V4L2_SEL_TGT_CROP: the part of a picture that counts.
const TargetCrop = 0

// FrameSizeType and FrameIntervalType share their values: enum v4l2_frmsizetypes
// and enum v4l2_frmivaltypes.
const (
	Discrete   = 1
	Continuous = 2
	Stepwise   = 3
)

// FieldNone is V4L2_FIELD_NONE: whole pictures, not interlaced.
const FieldNone = 1

// CapTimePerFrame is V4L2_CAP_TIMEPERFRAME: the frame interval can be set.
const CapTimePerFrame = 0x1000

// The flags of a control that say that it cannot be set.
const (
	CtrlFlagDisabled = 0x0001
	CtrlFlagReadOnly = 0x0004
)

// CtrlFlagNextCtrl is V4L2_CTRL_FLAG_NEXT_CTRL: asks QueryCtrl for the first
// control behind an id.
const CtrlFlagNextCtrl = 0x80000000

// An ioctl's number: direction, size of its argument, 'V', index
// (include/uapi/asm-generic/ioctl.h; the same on amd64, arm64 and arm).
const (
	iocWrite = 1 << 30
	iocRead  = 2 << 30
	iocV     = 'V' << 8
)

const (
	vidiocQueryCap           = iocRead | sizeofCapability<<16 | iocV // index 0
	vidiocEnumFmt            = iocRead | iocWrite | sizeofFmtDesc<<16 | iocV | 2
	vidiocGFmt               = iocRead | iocWrite | sizeofFormat<<16 | iocV | 4
	vidiocSFmt               = iocRead | iocWrite | sizeofFormat<<16 | iocV | 5
	vidiocReqBufs            = iocRead | iocWrite | sizeofRequestBuffers<<16 | iocV | 8
	vidiocQueryBuf           = iocRead | iocWrite | sizeofBuffer<<16 | iocV | 9
	vidiocQBuf               = iocRead | iocWrite | sizeofBuffer<<16 | iocV | 15
	vidiocExpBuf             = iocRead | iocWrite | sizeofExportBuffer<<16 | iocV | 16
	vidiocDQBuf              = iocRead | iocWrite | sizeofBuffer<<16 | iocV | 17
	vidiocStreamOn           = iocWrite | 4<<16 | iocV | 18
	vidiocStreamOff          = iocWrite | 4<<16 | iocV | 19
	vidiocGParm              = iocRead | iocWrite | sizeofStreamParm<<16 | iocV | 21
	vidiocSParm              = iocRead | iocWrite | sizeofStreamParm<<16 | iocV | 22
	vidiocGCtrl              = iocRead | iocWrite | sizeofControl<<16 | iocV | 27
	vidiocSCtrl              = iocRead | iocWrite | sizeofControl<<16 | iocV | 28
	vidiocQueryCtrl          = iocRead | iocWrite | sizeofQueryCtrl<<16 | iocV | 36
	vidiocEnumFrameSizes     = iocRead | iocWrite | sizeofFrameSizeEnum<<16 | iocV | 74
	vidiocEnumFrameIntervals = iocRead | iocWrite | sizeofFrameIntervalEnum<<16 | iocV | 75
	vidiocEncoderCmd         = iocRead | iocWrite | sizeofEncoderCommand<<16 | iocV | 77
	vidiocDQEvent            = iocRead | sizeofEvent<<16 | iocV | 89
	vidiocSubscribeEvent     = iocWrite | sizeofEventSubscription<<16 | iocV | 90
	vidiocSSelection         = iocRead | iocWrite | sizeofSelection<<16 | iocV | 95
)
