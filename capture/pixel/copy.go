package pixel

import (
	"fmt"

	"github.com/bril-edge/bril/capture"
)

// Copy is a picture of its own, in memory that grows to the largest picture and
// is used again.
type Copy struct {
	Frame  capture.Frame // valid until the next Take
	memory []byte
}

// Take copies a picture, with its stamps.
func (c *Copy) Take(f *capture.Frame) error {
	if err := check(f); err != nil {
		return fmt.Errorf("copy %v picture of %dx%d: %w", f.Format, f.Width, f.Height, err)
	}
	rows := layout(f)
	size := 0
	for _, r := range rows {
		size += r.bytes * r.rows
	}
	if len(c.memory) < size {
		c.memory = make([]byte, size)
	}
	c.Frame = capture.Frame{Format: f.Format, Width: f.Width, Height: f.Height,
		PTS: f.PTS, Ready: f.Ready, Sequence: f.Sequence, Missed: f.Missed}
	memory := c.memory
	for i, r := range rows {
		if r.rows == 0 {
			continue
		}
		p := capture.Plane{Data: memory[: r.bytes*r.rows : r.bytes*r.rows], Stride: r.bytes}
		if stride := f.Planes[i].Stride; stride == r.bytes || r.rows == 1 {
			copy(p.Data, f.Planes[i].Data)
		} else {
			copyPlane(p, f.Planes[i], r.bytes, r.rows)
		}
		if c.Frame.Planes[i] = p; f.Format == capture.MJPEG || f.Format == capture.H264 {
			c.Frame.Planes[i].Stride = 0
		}
		memory = memory[r.bytes*r.rows:]
	}
	return nil
}
