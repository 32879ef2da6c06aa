package pixel

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
)

// Copy is a picture of its own, in memory that grows to the largest picture and
// is used again, until Free gives it back. It is mapped, not on the heap: there
// what is given back goes to the system late, and lets garbage grow meanwhile.
type Copy struct {
	Frame  capture.Frame // valid until the next Take or Free
	memory []byte
	mapped bool
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
		c.reserve(size, 0)
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

// Size is how much memory the copy has, in bytes.
func (c *Copy) Size() int { return len(c.memory) }

// Reserve takes memory for a picture ahead: 2 ms of page faults at 720p are not left
// to Take.
func (c *Copy) Reserve(size int) {
	if len(c.memory) < size {
		c.reserve(size, unix.MAP_POPULATE)
	}
}

// reserve takes new memory, and leaves to the heap what the kernel refuses.
func (c *Copy) reserve(size, flags int) {
	c.Free()
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|flags)
	if c.memory, c.mapped = memory, err == nil; err != nil {
		c.memory = make([]byte, size)
	}
}

// Free gives the memory back. The next Take takes new.
func (c *Copy) Free() {
	if c.mapped {
		_ = unix.Munmap(c.memory) // it was mapped so
	}
	c.Frame, c.memory, c.mapped = capture.Frame{}, nil, false
}
