package v4l2test

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
)

// Encoder is a memory-to-memory H.264 encoder. It encodes each picture as soon
// as it has a buffer for it. Its fields are set before Kernel.Add, apart from
// Quirks, which SetQuirks changes.
type Encoder struct {
	Driver      string // zero: scripted-enc
	Card        string
	SinglePlane bool // queues of the single-planar API
	Raw         []v4l2.FourCC
	Decodes     bool // it is a decoder: H.264 in, Raw out
	Controls    map[uint32]v4l2.QueryCtrl
	Quirks      Quirks

	node
	raw, coded stream
	rawPix     v4l2.PixFormat
	codedPix   v4l2.PixFormat
	values     map[uint32]int32
	set        []uint32 // controls, in order
	state      encoding
}

// Quirks are in what encoders differ.
type Quirks struct {
	KeyOnlyStreaming bool // FORCE_KEY_FRAME before STREAMON is lost
	DeafToKeys       bool // FORCE_KEY_FRAME is taken, and nothing comes of it
	RateAtStart      bool // a bitrate while streaming has no effect
	HeaderOnce       bool // SPS and PPS with the first picture only
	SeparateHeader   bool // SPS and PPS in a buffer of their own
	NoKeyFlag        bool // without V4L2_BUF_FLAG_KEYFRAME
	EmptyFirst       bool // an empty buffer before the first picture
	JunkFirst        bool // a buffer of bytes that are no H.264
	Split            int  // buffers that a picture is split over
	Filler           int  // bytes of filler data behind each picture
	Align            uint32
	AlignHeight      uint32
	StallAfter       int        // pictures after which nothing comes any more
	ErrorEvery       int        // each so many pictures one is an error
	Broken           bool       // each picture is
	NoImport         bool       // REQBUFS of DMA buffers is refused
	RefuseImport     unix.Errno // of QBUF of them; 0: it takes them
	NoCommand        bool       // ENCODER_CMD answers ENOTTY
	NoSelection      bool
	HighProfile      bool // the SPS says High whatever was asked for
	Lag              int  // pictures that it keeps before one comes out
	Canned           bool // P pictures are all the same, and cost no allocation
}

// encoding is what a stream's run has come to.
type encoding struct {
	pictures int
	began    bool
	force    bool
	rate     int32
	pieces   []piece // finished, and without a buffer yet
	draining bool
	sequence uint32
	events   []v4l2.Event
}

type piece struct {
	data  []byte
	flags v4l2.BufFlags
	of    v4l2.Done
}

// SetQuirks changes what differs, from the next ioctl on.
func (e *Encoder) SetQuirks(q Quirks) {
	e.kernel.mu.Lock()
	defer e.kernel.mu.Unlock()
	e.Quirks = q
}

// Set returns the controls that were set, in order.
func (e *Encoder) Set() []uint32 {
	e.kernel.mu.Lock()
	defer e.kernel.mu.Unlock()
	return slices.Clone(e.set)
}

// Value returns a control's value.
func (e *Encoder) Value(id uint32) int32 {
	e.kernel.mu.Lock()
	defer e.kernel.mu.Unlock()
	return e.values[id]
}

// Rate returns the bitrate that is in effect.
func (e *Encoder) Rate() int32 {
	e.kernel.mu.Lock()
	defer e.kernel.mu.Unlock()
	return e.state.rate
}

// Imports says whether the pictures come as DMA buffers.
func (e *Encoder) Imports() bool {
	e.kernel.mu.Lock()
	defer e.kernel.mu.Unlock()
	return e.raw.memory == v4l2.MemoryDMABUF
}

// RawFormat returns the picture format that is set.
func (e *Encoder) RawFormat() v4l2.PixFormat {
	e.kernel.mu.Lock()
	defer e.kernel.mu.Unlock()
	return e.rawPix
}

func (e *Encoder) streams() []*stream {
	e.raw.node, e.coded.node = &e.node, &e.node
	e.raw.planes, e.coded.planes = 1, 1
	e.raw.kind, e.coded.kind = v4l2.VideoOutputMplane, v4l2.VideoCaptureMplane
	if e.SinglePlane {
		e.raw.kind, e.coded.kind = v4l2.VideoOutput, v4l2.VideoCapture
	}
	e.raw.length, e.coded.length, e.coded.base = e.rawPix.SizeImage, e.codedPix.SizeImage, 1000
	return []*stream{&e.raw, &e.coded}
}

func (e *Encoder) ioctl(number uintptr, arg unsafe.Pointer) unix.Errno {
	e.streams()
	switch number {
	case queryCap:
		e.queryCap((*v4l2.Capability)(arg))
		return 0
	case enumFmt:
		return e.enumFmt((*v4l2.FmtDesc)(arg))
	case enumFrameSizes:
		return enumSizes((*v4l2.FrameSizeEnum)(arg))
	case gFmt, sFmt:
		return e.format((*v4l2.Format)(arg), number == sFmt)
	case sParm, sSelection:
		if number == sSelection && e.Quirks.NoSelection {
			return unix.ENOTTY
		}
		return 0
	case queryCtrl, gCtrl, sCtrl:
		return e.control(number, arg)
	case subscribe:
		return 0
	case dqEvent:
		return e.dequeueEvent((*v4l2.Event)(arg))
	case encoderCmd:
		return e.command((*v4l2.EncoderCommand)(arg))
	}
	return e.stream(number, arg)
}

// stream does what concerns one of the queues.
func (e *Encoder) stream(number uintptr, arg unsafe.Pointer) unix.Errno {
	s := e.streamOf(number, arg)
	if s == nil {
		return unix.EINVAL
	}
	defer e.work()
	switch number {
	case reqBufs:
		r := (*v4l2.RequestBuffers)(arg)
		if e.Quirks.NoImport && r.Memory == v4l2.MemoryDMABUF {
			return unix.EINVAL
		}
		return s.requestBuffers(r)
	case queryBuf:
		return s.queryBuffer(arg)
	case qBuf:
		if e.Quirks.RefuseImport != 0 && s.memory == v4l2.MemoryDMABUF {
			return e.Quirks.RefuseImport
		}
		return s.queue(arg)
	case dqBuf:
		errno := s.dequeue(arg)
		if errno == unix.EAGAIN && len(e.raw.done) == 0 && len(e.coded.done) == 0 && len(e.state.events) == 0 {
			e.quiet()
		}
		return errno
	case streamOn:
		s.on = true
		e.state.rate = e.values[ctrlBitRate]
	case streamOff:
		s.stop()
		if s == &e.coded {
			e.state = encoding{rate: e.state.rate, force: e.state.force && !e.Quirks.KeyOnlyStreaming}
		}
	default:
		return unix.ENOTTY
	}
	return 0
}

func (e *Encoder) streamOf(number uintptr, arg unsafe.Pointer) *stream {
	kind := v4l2.BufType(0)
	switch number {
	case reqBufs:
		kind = (*v4l2.RequestBuffers)(arg).Type
	case streamOn, streamOff:
		kind = *(*v4l2.BufType)(arg)
	case queryBuf, qBuf, dqBuf:
		kind = (*v4l2.Buffer)(arg).Type // stands where that of a MultiBuffer does
	}
	for _, s := range []*stream{&e.raw, &e.coded} {
		if s.kind == kind {
			return s
		}
	}
	return nil
}

func (e *Encoder) queryCap(out *v4l2.Capability) {
	caps := v4l2.CapVideoM2MMplane | v4l2.CapStreaming
	if e.SinglePlane {
		caps = v4l2.CapVideoM2M | v4l2.CapStreaming
	}
	driver := e.Driver
	if driver == "" {
		driver = "scripted-enc"
	}
	describe(out, driver, e.Card, caps)
}

func (e *Encoder) enumFmt(f *v4l2.FmtDesc) unix.Errno {
	raw, coded := e.raw.kind, e.coded.kind
	if e.Decodes {
		raw, coded = coded, raw
	}
	switch {
	case f.Type == raw && int(f.Index) < len(e.Raw):
		f.PixelFormat = e.Raw[f.Index]
	case f.Type == coded && f.Index == 0:
		f.PixelFormat, f.Flags = v4l2.PixFmtH264, v4l2.FmtFlagCompressed
	default:
		return unix.EINVAL
	}
	return 0
}

func enumSizes(f *v4l2.FrameSizeEnum) unix.Errno {
	if f.Index > 0 {
		return unix.EINVAL
	}
	f.Type = v4l2.Stepwise
	f.MinWidth, f.MaxWidth, f.StepWidth = 16, 1920, 2
	f.MinHeight, f.MaxHeight, f.StepHeight = 16, 1088, 2
	return 0
}

func (e *Encoder) dequeueEvent(out *v4l2.Event) unix.Errno {
	if len(e.state.events) == 0 {
		return unix.ENOENT
	}
	*out = e.state.events[0]
	e.state.events = e.state.events[1:]
	return 0
}

func (e *Encoder) command(c *v4l2.EncoderCommand) unix.Errno {
	if e.Quirks.NoCommand {
		return unix.ENOTTY
	}
	e.state.draining = c.Cmd == v4l2.EncoderStop
	e.work()
	return 0
}
