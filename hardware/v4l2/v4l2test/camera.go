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
	Format        v4l2.FourCC
	Width, Height uint32
	BytesPerLine  uint32     // zero: Width
	SizeImage     uint32     // zero: 2*Width*Height
	Interval      v4l2.Fract // zero: 1/30 s
	NotVideo      bool       // every ioctl answers ENOTTY, as a terminal does
	ClockRealtime bool       // stamps without V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC

	kernel    *Kernel
	fd        int
	gone      bool
	streaming bool
	buffers   []*buffer
	queued    []int
	done      []int
	sequence  uint32
	word      [8]byte // what the eventfd is written and read with
}

type buffer struct {
	memory []byte
	state  v4l2.Buffer
}

// Picture is what Deliver puts into a buffer.
type Picture struct {
	Data     []byte
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
	sequence := c.sequence + p.Skip
	c.sequence = sequence + 1
	if !c.streaming || len(c.queued) == 0 {
		return
	}
	index := pop(&c.queued)
	b := c.buffers[index]
	copy(b.memory, p.Data)
	b.state.BytesUsed = uint32(len(p.Data) - p.Unfilled)
	b.state.Sequence = sequence
	b.state.Timestamp = unix.NsecToTimeval(int64(p.Time))
	b.state.Flags = p.Flags
	if !c.ClockRealtime {
		b.state.Flags |= v4l2.BufTimestampMonotonic
	}
	c.done = append(c.done, index)
	c.signal()
}

// SetSequence sets the number of the next picture.
func (c *Camera) SetSequence(n uint32) {
	c.kernel.mu.Lock()
	defer c.kernel.mu.Unlock()
	c.sequence = n
}

// Unplug removes the device: everything answers ENODEV from now on.
func (c *Camera) Unplug() {
	c.kernel.mu.Lock()
	defer c.kernel.mu.Unlock()
	c.gone = true
	c.signal()
}

// Queued returns how many buffers wait for a picture.
func (c *Camera) Queued() int {
	c.kernel.mu.Lock()
	defer c.kernel.mu.Unlock()
	return len(c.queued)
}

// Streaming says whether the camera runs.
func (c *Camera) Streaming() bool {
	c.kernel.mu.Lock()
	defer c.kernel.mu.Unlock()
	return c.streaming
}

func (c *Camera) signal() {
	if c.kernel.open[c.fd] == c {
		c.word = [8]byte{0: 1}
		_, _ = unix.Write(c.fd, c.word[:]) // fails only when 2^64-2 pictures wait
	}
}

// pop keeps the list's memory, so that callers can count their own allocations.
func pop(list *[]int) int {
	first := (*list)[0]
	*list = append((*list)[:0], (*list)[1:]...)
	return first
}

func (c *Camera) forget(memory []byte) {
	for _, b := range c.buffers {
		if b.memory != nil && &b.memory[0] == &memory[0] {
			b.memory = nil
		}
	}
}

const pageSize = 4096

// The ioctls, by their index (include/uapi/linux/videodev2.h).
const (
	queryCap  = 0
	gFmt      = 4
	sFmt      = 5
	reqBufs   = 8
	queryBuf  = 9
	qBuf      = 15
	dqBuf     = 17
	streamOn  = 18
	streamOff = 19
	gParm     = 21
	sParm     = 22
)

var names = [256]string{
	queryCap: "QUERYCAP", gFmt: "G_FMT", sFmt: "S_FMT", reqBufs: "REQBUFS", queryBuf: "QUERYBUF",
	qBuf: "QBUF", dqBuf: "DQBUF", streamOn: "STREAMON", gParm: "G_PARM", sParm: "S_PARM",
}

func (c *Camera) ioctl(number uintptr, arg unsafe.Pointer) unix.Errno {
	switch {
	case c.gone:
		return unix.ENODEV
	case c.NotVideo:
		return unix.ENOTTY
	}
	switch number {
	case queryCap:
		c.queryCap((*v4l2.Capability)(arg))
	case gFmt, sFmt:
		c.format((*v4l2.Format)(arg).Pix())
	case gParm, sParm:
		c.parm((*v4l2.StreamParm)(arg))
	case reqBufs:
		return c.requestBuffers((*v4l2.RequestBuffers)(arg))
	case queryBuf:
		return c.queryBuffer((*v4l2.Buffer)(arg))
	case qBuf:
		return c.queue((*v4l2.Buffer)(arg))
	case dqBuf:
		return c.dequeue((*v4l2.Buffer)(arg))
	case streamOn:
		c.streaming = true
	case streamOff:
		c.streaming, c.queued, c.done = false, nil, nil
	default:
		return unix.ENOTTY
	}
	return 0
}

func (c *Camera) queryCap(out *v4l2.Capability) {
	caps := c.Caps
	if caps == 0 {
		caps = v4l2.CapVideoCapture | v4l2.CapStreaming
	}
	out.Capabilities = v4l2.CapVideoCapture | v4l2.CapStreaming | v4l2.CapMetaCapture | v4l2.CapDeviceCaps
	out.DeviceCaps = caps
	copy((*[16]byte)(unsafe.Pointer(out))[:], "scripted") // driver comes first
}

func (c *Camera) format(out *v4l2.PixFormat) {
	*out = v4l2.PixFormat{
		Width: c.Width, Height: c.Height, PixelFormat: c.Format, Field: v4l2.FieldNone,
		BytesPerLine: c.BytesPerLine, SizeImage: c.sizeImage(),
	}
	if out.BytesPerLine == 0 {
		out.BytesPerLine = c.Width
	}
}

func (c *Camera) sizeImage() uint32 {
	if c.SizeImage == 0 {
		return 2 * c.Width * c.Height
	}
	return c.SizeImage
}

func (c *Camera) parm(out *v4l2.StreamParm) {
	out.Capability = v4l2.CapTimePerFrame
	out.TimePerFrame = c.Interval
	if c.Interval == (v4l2.Fract{}) {
		out.TimePerFrame = v4l2.Fract{Numerator: 1, Denominator: 30}
	}
}

func (c *Camera) requestBuffers(r *v4l2.RequestBuffers) unix.Errno {
	for _, b := range c.buffers {
		if b.memory != nil {
			return unix.EBUSY // still mapped
		}
	}
	c.buffers, c.queued, c.done = nil, nil, nil
	for range r.Count {
		c.buffers = append(c.buffers, &buffer{})
	}
	return 0
}

func (c *Camera) queryBuffer(b *v4l2.Buffer) unix.Errno {
	if int(b.Index) >= len(c.buffers) {
		return unix.EINVAL
	}
	b.Length = (c.sizeImage() + pageSize - 1) &^ (pageSize - 1)
	b.M = uintptr(b.Index) * pageSize
	return 0
}

func (c *Camera) queue(b *v4l2.Buffer) unix.Errno {
	if int(b.Index) >= len(c.buffers) {
		return unix.EINVAL
	}
	for _, i := range c.queued {
		if i == int(b.Index) {
			return unix.EINVAL
		}
	}
	c.queued = append(c.queued, int(b.Index))
	return 0
}

func (c *Camera) dequeue(b *v4l2.Buffer) unix.Errno {
	if !c.streaming {
		return unix.EINVAL
	}
	if len(c.done) == 0 {
		_, _ = unix.Read(c.fd, c.word[:]) // EAGAIN: was not readable
		return unix.EAGAIN
	}
	index := pop(&c.done)
	*b = c.buffers[index].state
	b.Index, b.Type, b.Memory = uint32(index), v4l2.VideoCapture, v4l2.MemoryMMAP
	return 0
}
