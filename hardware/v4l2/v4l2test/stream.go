package v4l2test

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
)

// stream is one queue of a device.
type stream struct {
	node    *node
	kind    v4l2.BufType
	planes  int    // memory planes of a buffer
	length  uint32 // bytes of each
	base    int    // its first offset to map at, in pages
	on      bool
	memory  v4l2.Memory
	buffers []*buffer
	queued  []int
	done    []int
}

type buffer struct {
	planes [v4l2.MaxPlanes]memory // mapped
	fds    [v4l2.MaxPlanes]int    // imported
	state  v4l2.Done
}

// memory is a memory plane of a buffer: a DMA buffer leads to it even after it
// was unmapped, so that a test sees who still reads it.
type memory struct {
	buffer *buffer
	plane  int
	data   []byte
}

const pageSize = 4096

func (s *stream) mapped(offset int, data []byte) {
	at := offset/pageSize - s.base
	if at < 0 || s.planes == 0 || at >= len(s.buffers)*s.planes {
		return
	}
	b := s.buffers[at/s.planes]
	b.planes[at%s.planes] = memory{b, at % s.planes, data}
}

func (s *stream) forget(data []byte) {
	for _, b := range s.buffers {
		for i := range b.planes {
			if p := &b.planes[i]; p.data != nil && &p.data[0] == &data[0] {
				p.data = nil
			}
		}
	}
}

func (s *stream) requestBuffers(r *v4l2.RequestBuffers) unix.Errno {
	for _, b := range s.buffers {
		for _, p := range b.planes {
			if p.data != nil {
				return unix.EBUSY // still mapped
			}
		}
	}
	s.buffers, s.queued, s.done, s.memory = nil, nil, nil, r.Memory
	for range r.Count {
		s.buffers = append(s.buffers, &buffer{})
	}
	return 0
}

func (s *stream) size() uint32 { return (s.length + pageSize - 1) &^ (pageSize - 1) }

func (s *stream) queryBuffer(arg unsafe.Pointer) unix.Errno {
	index := (*v4l2.Buffer)(arg).Index // stands first in both
	if int(index) >= len(s.buffers) {
		return unix.EINVAL
	}
	offset := uintptr(s.base+int(index)*s.planes) * pageSize
	if !s.kind.Multiplanar() {
		b := (*v4l2.Buffer)(arg)
		b.Length, b.M = s.size(), offset
		return 0
	}
	b := (*v4l2.MultiBuffer)(arg)
	b.Length = uint32(s.planes)
	for i := range s.planes {
		b.Planes[i].Length, b.Planes[i].M = s.size(), offset+uintptr(i)*pageSize
	}
	return 0
}

func (s *stream) export(e *v4l2.ExportBuffer) unix.Errno {
	if int(e.Index) >= len(s.buffers) || int(e.Plane) >= s.planes {
		return unix.EINVAL
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return unix.EMFILE
	}
	b := s.buffers[e.Index]
	s.node.kernel.exported[fd] = memory{buffer: b, plane: int(e.Plane)}
	e.FD = int32(fd)
	return 0
}

// queue takes a buffer from the program.
func (s *stream) queue(arg unsafe.Pointer) unix.Errno {
	index := int((*v4l2.Buffer)(arg).Index)
	if index >= len(s.buffers) {
		return unix.EINVAL
	}
	for _, list := range [][]int{s.queued, s.done} {
		for _, i := range list {
			if i == index {
				return unix.EINVAL
			}
		}
	}
	b := s.buffers[index]
	if errno := s.read(b, arg); errno != 0 {
		return errno
	}
	s.queued = append(s.queued, index)
	return 0
}

// read takes over what the program says of a buffer.
func (s *stream) read(b *buffer, arg unsafe.Pointer) unix.Errno {
	b.state = v4l2.Done{}
	if !s.kind.Multiplanar() {
		in := (*v4l2.Buffer)(arg)
		if in.Memory != s.memory {
			return unix.EINVAL
		}
		b.state.Time = time.Duration(in.Timestamp.Nano())
		b.state.Parts[0] = v4l2.Part{Used: int(in.BytesUsed), FD: int(in.M), Length: int(in.Length)}
	} else {
		in := (*v4l2.MultiBuffer)(arg)
		if in.Memory != s.memory || int(in.Length) < s.planes {
			return unix.EINVAL
		}
		b.state.Time = time.Duration(in.Timestamp.Nano())
		for i, p := range in.Planes[:s.planes] {
			b.state.Parts[i] = v4l2.Part{Used: int(p.BytesUsed), Offset: int(p.DataOffset), FD: int(p.M), Length: int(p.Length)}
		}
	}
	if s.memory == v4l2.MemoryDMABUF {
		return s.attach(b)
	}
	return 0
}

func (s *stream) attach(b *buffer) unix.Errno {
	for i := range s.planes {
		part := b.state.Parts[i]
		if _, ok := s.node.kernel.exported[part.FD]; !ok || part.Length < int(s.length) {
			return unix.EINVAL // as vb2 does of one that is too small
		}
		b.fds[i] = part.FD
	}
	return 0
}

// data returns what a queued buffer holds.
func (s *stream) data(b *buffer, plane int) []byte {
	if s.memory == v4l2.MemoryDMABUF {
		m := s.node.kernel.exported[b.fds[plane]]
		return m.buffer.planes[m.plane].data
	}
	return b.planes[plane].data
}

// dequeue gives a finished buffer to the program.
func (s *stream) dequeue(arg unsafe.Pointer) unix.Errno {
	if !s.on {
		return unix.EINVAL
	}
	if len(s.done) == 0 {
		return unix.EAGAIN
	}
	index := pop(&s.done)
	d := s.buffers[index].state
	if !s.kind.Multiplanar() {
		out := (*v4l2.Buffer)(arg)
		*out = v4l2.Buffer{
			Index: uint32(index), Type: s.kind, Memory: s.memory, Flags: d.Flags, Sequence: d.Sequence,
			Timestamp: unix.NsecToTimeval(int64(d.Time)), BytesUsed: uint32(d.Parts[0].Used), Length: s.size(),
		}
		return 0
	}
	out := (*v4l2.MultiBuffer)(arg)
	planes := out.Planes
	*out = v4l2.MultiBuffer{
		Index: uint32(index), Type: s.kind, Memory: s.memory, Flags: d.Flags, Sequence: d.Sequence,
		Timestamp: unix.NsecToTimeval(int64(d.Time)), Planes: planes, Length: uint32(s.planes),
	}
	for i := range s.planes {
		planes[i].BytesUsed, planes[i].DataOffset = uint32(d.Parts[i].Used), uint32(d.Parts[i].Offset)
	}
	return 0
}

// finish gives the oldest queued buffer back as done.
func (s *stream) finish(d v4l2.Done) {
	index := pop(&s.queued)
	s.buffers[index].state = d
	s.done = append(s.done, index)
	s.node.signal()
}

func (s *stream) stop() { s.on, s.queued, s.done = false, s.queued[:0], s.done[:0] }

// pop keeps the list's memory, so that callers can count their own allocations.
func pop(list *[]int) int {
	first := (*list)[0]
	*list = append((*list)[:0], (*list)[1:]...)
	return first
}
