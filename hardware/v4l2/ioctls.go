package v4l2

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The enumerating methods return unix.EINVAL when index is past the end.

// QueryCap says what the device is. A node that is no V4L2 device answers
// unix.ENOTTY.
func (d *Device) QueryCap() (Capability, error) {
	var c Capability
	err := d.do("VIDIOC_QUERYCAP", vidiocQueryCap, unsafe.Pointer(&c))
	return c, err
}

// EnumFmt returns format number index of a queue.
func (d *Device) EnumFmt(t BufType, index uint32) (FmtDesc, error) {
	f := FmtDesc{Type: t, Index: index}
	err := d.do("VIDIOC_ENUM_FMT", vidiocEnumFmt, unsafe.Pointer(&f))
	return f, err
}

// EnumFrameSizes returns picture size number index of a format.
func (d *Device) EnumFrameSizes(format FourCC, index uint32) (FrameSizeEnum, error) {
	f := FrameSizeEnum{PixelFormat: format, Index: index}
	err := d.do("VIDIOC_ENUM_FRAMESIZES", vidiocEnumFrameSizes, unsafe.Pointer(&f))
	return f, err
}

// EnumFrameIntervals returns frame interval number index of a format at a size.
func (d *Device) EnumFrameIntervals(format FourCC, width, height, index uint32) (FrameIntervalEnum, error) {
	f := FrameIntervalEnum{PixelFormat: format, Width: width, Height: height, Index: index}
	err := d.do("VIDIOC_ENUM_FRAMEINTERVALS", vidiocEnumFrameIntervals, unsafe.Pointer(&f))
	return f, err
}

// GetFormat returns the current format of a queue.
func (d *Device) GetFormat(t BufType) (Format, error) {
	f := Format{Type: t}
	err := d.do("VIDIOC_G_FMT", vidiocGFmt, unsafe.Pointer(&f))
	return f, err
}

// SetFormat sets the format and puts what the driver made of it into f.
func (d *Device) SetFormat(f *Format) error {
	return d.do("VIDIOC_S_FMT", vidiocSFmt, unsafe.Pointer(f))
}

// GetParm returns the frame interval and its like.
func (d *Device) GetParm(t BufType) (StreamParm, error) {
	p := StreamParm{Type: t}
	err := d.do("VIDIOC_G_PARM", vidiocGParm, unsafe.Pointer(&p))
	return p, err
}

// SetParm sets them and puts what the driver made of it into p.
func (d *Device) SetParm(p *StreamParm) error {
	return d.do("VIDIOC_S_PARM", vidiocSParm, unsafe.Pointer(p))
}

// RequestBuffers makes the driver allocate r.Count buffers, or free all of them
// when it is 0, and puts the number that it made into r. unix.EBUSY: another
// process streams, or buffers are still mapped.
func (d *Device) RequestBuffers(r *RequestBuffers) error {
	return d.do("VIDIOC_REQBUFS", vidiocReqBufs, unsafe.Pointer(r))
}

// QueryBuffer fills b for its Index, Type and Memory.
func (d *Device) QueryBuffer(b *Buffer) error {
	return d.do("VIDIOC_QUERYBUF", vidiocQueryBuf, unsafe.Pointer(b))
}

// QueryMultiBuffer is QueryBuffer of a multi-planar queue.
func (d *Device) QueryMultiBuffer(b *MultiBuffer) error {
	return d.do("VIDIOC_QUERYBUF", vidiocQueryBuf, unsafe.Pointer(b))
}

// QueueBuffer hands a buffer to the driver.
func (d *Device) QueueBuffer(b *Buffer) error {
	return d.do("VIDIOC_QBUF", vidiocQBuf, unsafe.Pointer(b))
}

// QueueMultiBuffer is QueueBuffer of a multi-planar queue.
func (d *Device) QueueMultiBuffer(b *MultiBuffer) error {
	return d.do("VIDIOC_QBUF", vidiocQBuf, unsafe.Pointer(b))
}

// DequeueBuffer takes a finished buffer from the driver. It never blocks: when
// there is none it returns unix.EAGAIN itself, which costs no allocation.
func (d *Device) DequeueBuffer(b *Buffer) error {
	return d.poll("VIDIOC_DQBUF", vidiocDQBuf, unsafe.Pointer(b))
}

// DequeueMultiBuffer is DequeueBuffer of a multi-planar queue.
func (d *Device) DequeueMultiBuffer(b *MultiBuffer) error {
	return d.poll("VIDIOC_DQBUF", vidiocDQBuf, unsafe.Pointer(b))
}

// poll is do where EAGAIN is an answer and no failure.
func (d *Device) poll(name string, request uintptr, arg unsafe.Pointer) error {
	err := d.ioctl(request, arg)
	if err == nil || errors.Is(err, unix.EAGAIN) {
		return err
	}
	return wrap(name, d.path, err)
}

// exportBuffer makes a descriptor of a memory plane, which the caller closes.
func (d *Device) exportBuffer(e *ExportBuffer) error {
	return d.do("VIDIOC_EXPBUF", vidiocExpBuf, unsafe.Pointer(e))
}

// StreamOn starts a queue.
func (d *Device) StreamOn(t BufType) error {
	return d.do("VIDIOC_STREAMON", vidiocStreamOn, unsafe.Pointer(&t))
}

// StreamOff stops a queue; all of its buffers are the caller's again.
func (d *Device) StreamOff(t BufType) error {
	return d.do("VIDIOC_STREAMOFF", vidiocStreamOff, unsafe.Pointer(&t))
}

// QueryCtrl describes a control. unix.EINVAL: the device has none of this id.
func (d *Device) QueryCtrl(id uint32) (QueryCtrl, error) {
	q := QueryCtrl{ID: id}
	err := d.do("VIDIOC_QUERYCTRL", vidiocQueryCtrl, unsafe.Pointer(&q))
	return q, err
}

// GetCtrl returns a control's value.
func (d *Device) GetCtrl(id uint32) (int32, error) {
	c := Control{ID: id}
	err := d.do("VIDIOC_G_CTRL", vidiocGCtrl, unsafe.Pointer(&c))
	return c.Value, err
}

// SetCtrl sets a control and returns the value that the driver took.
func (d *Device) SetCtrl(id uint32, value int32) (int32, error) {
	c := Control{ID: id, Value: value}
	err := d.do("VIDIOC_S_CTRL", vidiocSCtrl, unsafe.Pointer(&c))
	return c.Value, err
}

// SetSelection sets a rectangle and puts what the driver made of it into s.
func (d *Device) SetSelection(s *Selection) error {
	return d.do("VIDIOC_S_SELECTION", vidiocSSelection, unsafe.Pointer(s))
}

// EncoderCommand starts or stops an encoder. unix.ENOTTY: it knows no commands.
func (d *Device) EncoderCommand(cmd uint32) error {
	c := EncoderCommand{Cmd: cmd}
	return d.do("VIDIOC_ENCODER_CMD", vidiocEncoderCmd, unsafe.Pointer(&c))
}

// SubscribeEvent asks for events of a type; a Poller tells of them as Priority.
func (d *Device) SubscribeEvent(event uint32) error {
	s := EventSubscription{Type: event}
	return d.do("VIDIOC_SUBSCRIBE_EVENT", vidiocSubscribeEvent, unsafe.Pointer(&s))
}

// DequeueEvent puts the oldest event into e. It never blocks: unix.EAGAIN means
// that none is pending.
func (d *Device) DequeueEvent(e *Event) error {
	// The kernel says ENOENT of an empty queue on a non-blocking descriptor
	// (v4l2_event_dequeue in drivers/media/v4l2-core/v4l2-event.c).
	err := d.ioctl(vidiocDQEvent, unsafe.Pointer(e))
	switch {
	case errors.Is(err, unix.ENOENT):
		return unix.EAGAIN
	case err == nil || errors.Is(err, unix.EAGAIN):
		return err
	}
	return wrap("VIDIOC_DQEVENT", d.path, err)
}
