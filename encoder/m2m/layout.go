package m2m

import (
	"fmt"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// layout is how pictures lie in the device's buffers.
type layout struct {
	format capture.PixelFormat
	stride int  // bytes from row to row
	rows   int  // of luma, with those that are cut off again
	size   int  // bytes of a whole picture
	single bool // one memory plane

	asked   int // stride that was asked for
	imports bool
}

// fits says whether the queues are right for f as they are.
func (l *layout) fits(f *capture.Frame) bool {
	return !l.imports || f.Shared != nil && f.Planes[0].Stride == l.asked
}

// rawFormat returns the format in which the device gets frames of the
// configuration's.
func (e *Encoder) rawFormat() (capture.PixelFormat, error) {
	format := e.config.Format
	switch {
	case e.device.Takes(format):
		return format, nil
	case format == capture.I420 && e.device.Takes(capture.NV12):
		return capture.NV12, nil
	}
	return 0, fmt.Errorf("%s: %w: it takes %v, not %v", e.config.Device, ErrUnsupported, e.device.Formats, format)
}

// check keeps out what would be read beyond its end.
func (e *Encoder) check(f *capture.Frame) error {
	c := e.config
	if f.Format != c.Format || f.Width != c.Width || f.Height != c.Height {
		return fmt.Errorf("%w: %dx%d %v, want %dx%d %v", ErrUnsupported, f.Width, f.Height, f.Format, c.Width, c.Height, c.Format)
	}
	for i, r := range rows(f.Format, f.Width, f.Height) {
		p := f.Planes[i]
		if r.count > 0 && (p.Stride < r.bytes || len(p.Data) < p.Stride*(r.count-1)+r.bytes) {
			return fmt.Errorf("%w: plane %d has %d bytes in rows of %d, too few for %dx%d", ErrUnsupported, i, len(p.Data), p.Stride, f.Width, f.Height)
		}
	}
	return nil
}

type rowsOf struct{ bytes, count int }

func rows(format capture.PixelFormat, w, h int) [3]rowsOf {
	switch format {
	case capture.NV12:
		return [3]rowsOf{{w, h}, {w, h / 2}}
	case capture.YUYV:
		return [3]rowsOf{{2 * w, h}}
	}
	return [3]rowsOf{{w, h}, {w / 2, h / 2}, {w / 2, h / 2}}
}

// refusal says why the device cannot read the frame's memory as it lies, "" if
// it can. A picture in rows of another length would come out slanted, and one of
// more rows, such as 1088 for 1080, with its colours shifted.
func (l *layout) refusal(f *capture.Frame, multiplanar bool) string {
	switch s := f.Shared; {
	case s == nil:
		return "the camera's memory cannot be shared"
	case len(s.Planes) != 1 || !l.single || f.Format != l.format:
		return "the encoder wants another format"
	case f.Planes[0].Stride != l.stride:
		return fmt.Sprintf("the encoder wants rows of %d bytes, the camera has %d", l.stride, f.Planes[0].Stride)
	case f.Height != l.rows && f.Format != capture.YUYV:
		return fmt.Sprintf("the encoder wants %d rows", l.rows)
	case s.Planes[0].Offset != 0 && !multiplanar:
		return "the picture does not begin where the camera's memory does"
	case s.Planes[0].Length-s.Planes[0].Offset < l.size:
		return fmt.Sprintf("the encoder wants %d bytes, the camera has %d", l.size, s.Planes[0].Length)
	}
	return ""
}

// part describes the frame's memory, or that of a copy, to the device.
func (l *layout) part(f *capture.Frame) v4l2.Part {
	if !l.imports {
		return v4l2.Part{Used: l.size}
	}
	p := f.Shared.Planes[0]
	return v4l2.Part{FD: p.FD, Length: p.Length, Offset: p.Offset, Used: p.Offset + l.size}
}

// copyTo copies f, row by row, into memory of the device.
func (l *layout) copyTo(memory []byte, f *capture.Frame) error {
	if len(memory) < l.size || l.stride*l.rows > len(memory) {
		return fmt.Errorf("%w: the device's buffer has %d bytes, a picture %d", ErrUnsupported, len(memory), l.size)
	}
	to := capture.LayOut(l.format, l.stride, l.rows, memory)
	if f.Format == capture.I420 && l.format == capture.NV12 {
		copyRows(to[0], f.Planes[0], f.Width, f.Height)
		interleave(to[1], f.Planes[1], f.Planes[2], f.Width/2, f.Height/2)
		return nil
	}
	for i, r := range rows(f.Format, f.Width, f.Height) {
		copyRows(to[i], f.Planes[i], r.bytes, r.count)
	}
	return nil
}

func copyRows(to, from capture.Plane, bytes, count int) {
	if to.Stride == from.Stride && count > 0 {
		copy(to.Data, from.Data[:from.Stride*(count-1)+bytes])
		return
	}
	for y := range count {
		copy(to.Data[y*to.Stride:], from.Data[y*from.Stride:][:bytes])
	}
}

// interleave makes the chroma plane of NV12 of those of I420.
func interleave(to, u, v capture.Plane, width, height int) {
	for y := range height {
		row := to.Data[y*to.Stride:][:2*width]
		us, vs := u.Data[y*u.Stride:][:width], v.Data[y*v.Stride:][:width]
		for x := range us {
			row[2*x], row[2*x+1] = us[x], vs[x]
		}
	}
}
