package capture

import (
	"fmt"
	"sync"
)

// Pool hands out raw frames of one size and takes them back at Release, so that
// a stream allocates only while it starts. It grows to what is in use at once.
type Pool struct {
	format        PixelFormat
	width, height int

	mu   sync.Mutex
	free []*pooled
}

type pooled struct {
	planes [3]Plane
	put    func()
}

// NewPool makes a pool of I420, NV12 or YUYV frames with rows as long as the
// format needs, rounded up to 16 bytes.
func NewPool(format PixelFormat, width, height int) (*Pool, error) {
	if width <= 0 || height <= 0 || width%2 != 0 || height%2 != 0 {
		return nil, fmt.Errorf("frames of %dx%d: width and height must be even and above zero", width, height)
	}
	if format != I420 && format != NV12 && format != YUYV {
		return nil, fmt.Errorf("frames of format %v cannot be pooled", format)
	}
	return &Pool{format: format, width: width, height: height}, nil
}

// Get returns a frame with planes of undefined content.
func (p *Pool) Get() Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b *pooled
	if n := len(p.free); n > 0 {
		b, p.free = p.free[n-1], p.free[:n-1]
	} else {
		b = p.allocate()
	}
	return Frame{Format: p.format, Width: p.width, Height: p.height, Planes: b.planes, free: b.put}
}

func (p *Pool) allocate() *pooled {
	b := &pooled{planes: newPlanes(p.format, p.width, p.height)}
	b.put = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free = append(p.free, b)
	}
	return b
}

func newPlanes(format PixelFormat, width, height int) (planes [3]Plane) {
	plane := func(stride, rows int) Plane {
		stride = (stride + 15) &^ 15
		return Plane{Data: make([]byte, stride*rows), Stride: stride}
	}
	switch format {
	case I420:
		planes[0] = plane(width, height)
		planes[1] = plane(width/2, height/2)
		planes[2] = plane(width/2, height/2)
	case NV12:
		planes[0] = plane(width, height)
		planes[1] = plane(width, height/2)
	case YUYV:
		planes[0] = plane(2*width, height)
	}
	return planes
}
