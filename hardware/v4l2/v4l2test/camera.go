package v4l2test

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
)

// Camera is a capture device with one format at one size. Its fields are set
// before Kernel.Add.
type Camera struct {
	Caps          v4l2.Caps // of the node; zero: a capture device that streams
	Multiplanar   bool
	Format        v4l2.FourCC
	Width, Height uint32
	BytesPerLine  uint32     // zero: Width
	SizeImage     uint32     // zero: 2*Width*Height
	Interval      v4l2.Fract // zero: 1/30 s
	NotVideo      bool       // every ioctl answers ENOTTY, as a terminal does
	Card, Bus     string     // what it is, and where it is attached
	Cable         bool       // it tells when the source changes
	NoExport      bool       // EXPBUF answers ENOTTY
	ClockRealtime bool       // stamps without V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC

	node
	stream   stream
	sequence uint32
	events   []v4l2.Event
}

// Picture is what Deliver puts into a buffer.
type Picture struct {
	Data     []byte
	Offset   int // of the data in the buffer, on a multi-planar camera
	Time     time.Duration
	Flags    v4l2.BufFlags
	Skip     uint32 // sequence numbers to leave out before it
	Unfilled int    // bytes by which bytesused is short of Data
}

// Deliver finishes the oldest queued buffer with the picture; without one the
// picture is lost, and its sequence number with it, as in a real driver.
func (c *Camera) Deliver(p Picture) {
	c.kernel.mu.Lock()
	defer c.kernel.mu.Unlock()
	s := &c.stream
	sequence := c.sequence + p.Skip
	c.sequence = sequence + 1
	if !s.on || len(s.queued) == 0 {
		return
	}
	d := v4l2.Done{Flags: p.Flags, Sequence: sequence, Time: p.Time}
	d.Parts[0] = v4l2.Part{Offset: p.Offset, Used: p.Offset + len(p.Data) - p.Unfilled}
	copy(s.buffers[s.queued[0]].planes[0].data[p.Offset:], p.Data)
	if !c.ClockRealtime {
		d.Flags |= v4l2.BufTimestampMonotonic
	}
	s.finish(d)
}

// ChangeSource tells that the camera's signal has another size now.
func (c *Camera) ChangeSource() {
	c.kernel.mu.Lock()
	defer c.kernel.mu.Unlock()
	e := v4l2.Event{Type: v4l2.EventSourceChange}
	(*[16]byte)(unsafe.Pointer(&e))[8] = 1 // u.src_change.changes: the resolution
	c.events = append(c.events, e)
	c.signal()
}

// SetSequence sets the number of the next picture.
func (c *Camera) SetSequence(n uint32) {
	c.kernel.mu.Lock()
	defer c.kernel.mu.Unlock()
	c.sequence = n
}

// Queued returns how many buffers wait for a picture.
func (c *Camera) Queued() int {
	c.kernel.mu.Lock()
	defer c.kernel.mu.Unlock()
	return len(c.stream.queued)
}

// Streaming says whether the camera runs.
func (c *Camera) Streaming() bool {
	c.kernel.mu.Lock()
	defer c.kernel.mu.Unlock()
	return c.stream.on
}

func (c *Camera) streams() []*stream {
	s := &c.stream
	s.node, s.planes, s.length = &c.node, 1, c.sizeImage()
	s.kind = v4l2.VideoCapture
	if c.Multiplanar {
		s.kind = v4l2.VideoCaptureMplane
	}
	return []*stream{s}
}

func (c *Camera) ioctl(number uintptr, arg unsafe.Pointer) unix.Errno {
	if c.NotVideo {
		return unix.ENOTTY
	}
	s := c.streams()[0]
	switch number {
	case queryCap:
		c.queryCap((*v4l2.Capability)(arg))
	case enumFmt:
		f := (*v4l2.FmtDesc)(arg)
		if f.Index > 0 || f.Type != s.kind {
			return unix.EINVAL
		}
		f.PixelFormat = c.Format
	case enumFrameSizes:
		f := (*v4l2.FrameSizeEnum)(arg)
		if f.Index > 0 {
			return unix.EINVAL
		}
		f.Type, f.MinWidth, f.MaxWidth = v4l2.Discrete, c.Width, c.Height
	case enumIntervals:
		f := (*v4l2.FrameIntervalEnum)(arg)
		if f.Index > 0 {
			return unix.EINVAL
		}
		f.Type, f.Min = v4l2.Discrete, c.interval()
	case gFmt, sFmt:
		return c.format((*v4l2.Format)(arg))
	case gParm, sParm:
		p := (*v4l2.StreamParm)(arg)
		p.Capability, p.TimePerFrame = v4l2.CapTimePerFrame, c.interval()
	case queryCtrl, gCtrl, sCtrl:
		return unix.EINVAL
	case subscribe:
		if !c.Cable {
			return unix.EINVAL
		}
	case dqEvent:
		return c.dequeueEvent((*v4l2.Event)(arg))
	default:
		return c.buffers(s, number, arg)
	}
	return 0
}

func (c *Camera) buffers(s *stream, number uintptr, arg unsafe.Pointer) unix.Errno {
	switch number {
	case reqBufs:
		return s.requestBuffers((*v4l2.RequestBuffers)(arg))
	case queryBuf:
		return s.queryBuffer(arg)
	case qBuf:
		return s.queue(arg)
	case dqBuf:
		errno := s.dequeue(arg)
		if errno == unix.EAGAIN && len(c.events) == 0 {
			c.quiet()
		}
		return errno
	case expBuf:
		if c.NoExport {
			return unix.ENOTTY
		}
		return s.export((*v4l2.ExportBuffer)(arg))
	case streamOn:
		s.on = true
	case streamOff:
		s.stop()
	default:
		return unix.ENOTTY
	}
	return 0
}

func (c *Camera) dequeueEvent(e *v4l2.Event) unix.Errno {
	if len(c.events) == 0 {
		return unix.ENOENT
	}
	*e = c.events[0]
	c.events = c.events[1:]
	return 0
}

func (c *Camera) queryCap(out *v4l2.Capability) {
	caps := c.Caps
	if caps == 0 {
		caps = v4l2.CapVideoCapture | v4l2.CapStreaming
		if c.Multiplanar {
			caps = v4l2.CapVideoCaptureMplane | v4l2.CapStreaming
		}
	}
	describe(out, "scripted", c.Card, caps)
	copy((*[80]byte)(unsafe.Pointer(out))[48:], c.Bus) // bus_info comes next
	out.Capabilities |= v4l2.CapMetaCapture            // of another node of the same device
}

// describe fills in what QUERYCAP answers.
func describe(out *v4l2.Capability, driver, card string, caps v4l2.Caps) {
	out.Capabilities = caps | v4l2.CapDeviceCaps
	out.DeviceCaps = caps
	text := (*[48]byte)(unsafe.Pointer(out)) // driver and card come first
	copy(text[:16], driver)
	copy(text[16:], card)
}

func (c *Camera) format(f *v4l2.Format) unix.Errno {
	stride := c.BytesPerLine
	if stride == 0 {
		stride = c.Width
	}
	switch {
	case f.Type != c.stream.kind:
		return unix.EINVAL
	case c.Multiplanar:
		pix := f.PixMplane()
		*pix = v4l2.PixFormatMplane{Width: c.Width, Height: c.Height, PixelFormat: c.Format, Field: v4l2.FieldNone, NumPlanes: 1}
		pix.PlaneFmt[0] = v4l2.PlanePixFormat{BytesPerLine: stride, SizeImage: c.sizeImage()}
	default:
		*f.Pix() = v4l2.PixFormat{
			Width: c.Width, Height: c.Height, PixelFormat: c.Format, Field: v4l2.FieldNone,
			BytesPerLine: stride, SizeImage: c.sizeImage(),
		}
	}
	return 0
}

func (c *Camera) sizeImage() uint32 {
	if c.SizeImage == 0 {
		return 2 * c.Width * c.Height
	}
	return c.SizeImage
}

func (c *Camera) interval() v4l2.Fract {
	if c.Interval == (v4l2.Fract{}) {
		return v4l2.Fract{Numerator: 1, Denominator: 30}
	}
	return c.Interval
}
