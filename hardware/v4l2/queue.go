package v4l2

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Queue is one queue of a device. Its buffers are the driver's, mapped into
// memory, or another device's, imported as DMA buffers. A camera has one queue, a
// memory-to-memory device one at each end.
//
// The order of its life, from the kernel's documentation of streaming I/O:
//
//	MapQueue (REQBUFS, QUERYBUF, mmap) -> Export -> Enqueue each -> Start ->
//	Dequeue, Enqueue ... -> Stop -> Close (descriptors, munmap, REQBUFS 0) ->
//	Device.Close
//
// An importing queue has no memory of its own to map and export. It holds on to
// what was imported until Close, which so comes before that of the exporter.
type Queue struct {
	dev    *Device
	typ    BufType
	kind   Memory
	planes int        // memory planes of a buffer
	memory [][][]byte // buffer, memory plane, bytes; of an importing queue no bytes

	mu        sync.Mutex
	single    Buffer // what the kernel reads and writes; here, so that a frame allocates nothing
	multi     MultiBuffer
	parts     [MaxPlanes]Plane // of multi
	exported  []int
	streaming bool
	closed    bool
}

// Part is one memory plane of a buffer, in bytes.
type Part struct {
	Offset int // where its data begins
	Used   int // how far the data goes, counted from the plane's beginning
	// Of a DMA buffer only.
	FD     int
	Length int
}

// Done is a buffer that the driver has finished.
type Done struct {
	Index    int
	Flags    BufFlags
	Sequence uint32
	Time     time.Duration // on the clock that Flags names
	Parts    [MaxPlanes]Part
}

// Used returns how many bytes of data the buffer has.
func (d *Done) Used() int {
	used := 0
	for _, p := range d.Parts {
		used += max(p.Used-p.Offset, 0)
	}
	return used
}

// MapQueue makes the driver allocate count buffers, or as many as it can, and
// maps them. unix.EBUSY: another process has the device. Nothing is left behind
// when it fails.
func (d *Device) MapQueue(t BufType, count int) (*Queue, error) {
	q, made, err := d.newQueue(t, MemoryMMAP, count)
	if err != nil {
		return nil, err
	}
	for i := range made {
		planes, err := q.mapBuffer(i)
		q.memory = append(q.memory, planes) // in part, if it failed
		if err != nil {
			return nil, errors.Join(err, q.Close())
		}
	}
	return q, nil
}

// ImportQueue prepares the queue for count buffers of another device, each of
// that many memory planes. unix.EINVAL: the driver cannot import.
func (d *Device) ImportQueue(t BufType, count, planes int) (*Queue, error) {
	q, made, err := d.newQueue(t, MemoryDMABUF, count)
	if err != nil {
		return nil, err
	}
	q.planes = planes
	q.memory = make([][][]byte, made)
	return q, nil
}

func (d *Device) newQueue(t BufType, kind Memory, count int) (*Queue, int, error) {
	request := RequestBuffers{Count: uint32(count), Type: t, Memory: kind}
	if err := d.RequestBuffers(&request); err != nil {
		return nil, 0, err
	}
	q := &Queue{dev: d, typ: t, kind: kind, planes: 1}
	if request.Count == 0 {
		return nil, 0, errors.Join(fmt.Errorf("request buffers of %s: the driver gave none of %d", d.path, count), q.Close())
	}
	return q, int(request.Count), nil
}

func (q *Queue) mapBuffer(index int) (planes [][]byte, err error) {
	if !q.typ.Multiplanar() {
		b := Buffer{Index: uint32(index), Type: q.typ, Memory: MemoryMMAP}
		if err := q.dev.QueryBuffer(&b); err != nil {
			return nil, err
		}
		return q.mapPlane(nil, index, b.M, b.Length)
	}
	b := MultiBuffer{Index: uint32(index), Type: q.typ, Memory: MemoryMMAP, Planes: &q.parts, Length: MaxPlanes}
	if err := q.dev.QueryMultiBuffer(&b); err != nil {
		return nil, err
	}
	q.planes = min(int(b.Length), MaxPlanes)
	for _, p := range q.parts[:q.planes] {
		if planes, err = q.mapPlane(planes, index, p.M, p.Length); err != nil {
			return planes, err
		}
	}
	return planes, nil
}

func (q *Queue) mapPlane(planes [][]byte, index int, offset uintptr, length uint32) ([][]byte, error) {
	memory, err := q.dev.mmap(int64(offset), int(length))
	if err != nil {
		return planes, fmt.Errorf("map buffer %d of %s (%d bytes): %w", index, q.dev.path, length, err)
	}
	return append(planes, memory), nil
}

// Len returns the number of buffers.
func (q *Queue) Len() int { return len(q.memory) }

// Planes returns a buffer's memory planes. They stay mapped until Close.
func (q *Queue) Planes(index int) [][]byte { return q.memory[index] }

// Export makes DMA buffers of a buffer's memory planes. The descriptors are the
// queue's, open until its Close. unix.ENOTTY or EINVAL: the driver cannot.
func (q *Queue) Export(index int) ([]Part, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	parts := make([]Part, len(q.memory[index]))
	for i := range parts {
		e := ExportBuffer{Type: q.typ, Index: uint32(index), Plane: uint32(i), Flags: unix.O_CLOEXEC | unix.O_RDONLY}
		if err := q.dev.exportBuffer(&e); err != nil {
			return nil, err
		}
		q.exported = append(q.exported, int(e.FD))
		parts[i] = Part{FD: int(e.FD), Length: len(q.memory[index][i])}
	}
	return parts, nil
}

// Start starts the queue.
func (q *Queue) Start() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.dev.StreamOn(q.typ); err != nil {
		return err
	}
	q.streaming = true
	return nil
}

// Stop stops the queue; every buffer is the program's again, and mapped still.
// A device that has gone away is stopped. A second call does nothing.
func (q *Queue) Stop() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.streaming {
		return nil
	}
	q.streaming = false
	return ignoreGone(q.dev.StreamOff(q.typ))
}

// Enqueue hands the mapped buffer index to the driver, to be filled.
func (q *Queue) Enqueue(index int) error { return q.EnqueueFilled(index, 0, nil) }

// EnqueueFilled hands buffer index to the driver with what is in it, one part for
// each memory plane, and its time, which the driver copies to what it makes of
// it in whole microseconds. On an importing queue the parts name the DMA buffers;
// the driver keeps the import as long as an index always comes with the same
// ones.
func (q *Queue) EnqueueFilled(index int, at time.Duration, parts []Part) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.typ.Multiplanar() {
		return q.enqueueMulti(index, at, parts)
	}
	q.single = Buffer{Index: uint32(index), Type: q.typ, Memory: q.kind, Field: FieldNone, Timestamp: timeval(at)}
	if len(parts) > 0 {
		q.single.BytesUsed = uint32(parts[0].Used)
		q.single.Length = uint32(parts[0].Length)
		q.single.M = uintptr(parts[0].FD)
	}
	return q.dev.QueueBuffer(&q.single)
}

func (q *Queue) enqueueMulti(index int, at time.Duration, parts []Part) error {
	clear(q.parts[:q.planes])
	for i, p := range parts[:min(len(parts), q.planes)] {
		q.parts[i] = Plane{BytesUsed: uint32(p.Used), Length: uint32(p.Length), M: uintptr(p.FD), DataOffset: uint32(p.Offset)}
	}
	q.multi = MultiBuffer{
		Index: uint32(index), Type: q.typ, Memory: q.kind, Field: FieldNone, Timestamp: timeval(at),
		Planes: &q.parts, Length: uint32(q.planes),
	}
	return q.dev.QueueMultiBuffer(&q.multi)
}

// Dequeue takes a finished buffer. It never blocks; unix.EAGAIN itself means
// that none is finished.
func (q *Queue) Dequeue() (d Done, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.typ.Multiplanar() {
		err = q.dequeueMulti(&d)
	} else {
		err = q.dequeueSingle(&d)
	}
	if err == nil && d.Index >= len(q.memory) {
		err = fmt.Errorf("VIDIOC_DQBUF on %s: buffer %d of %d", q.dev.path, d.Index, len(q.memory))
	}
	return d, err
}

func (q *Queue) dequeueSingle(d *Done) error {
	b := &q.single
	*b = Buffer{Type: q.typ, Memory: q.kind}
	if err := q.dev.DequeueBuffer(b); err != nil {
		return err
	}
	*d = Done{Index: int(b.Index), Flags: b.Flags, Sequence: b.Sequence, Time: time.Duration(b.Timestamp.Nano())}
	d.Parts[0].Used = int(b.BytesUsed)
	return nil
}

func (q *Queue) dequeueMulti(d *Done) error {
	b := &q.multi
	clear(q.parts[:q.planes])
	*b = MultiBuffer{Type: q.typ, Memory: q.kind, Planes: &q.parts, Length: uint32(q.planes)}
	if err := q.dev.DequeueMultiBuffer(b); err != nil {
		return err
	}
	*d = Done{Index: int(b.Index), Flags: b.Flags, Sequence: b.Sequence, Time: time.Duration(b.Timestamp.Nano())}
	for i, p := range q.parts[:q.planes] {
		d.Parts[i].Used, d.Parts[i].Offset = int(p.BytesUsed), int(p.DataOffset)
	}
	return nil
}

// Close stops the queue, closes what was exported, unmaps the buffers and has
// the driver free them. No one may touch their memory any more. A second call
// does nothing.
func (q *Queue) Close() error {
	errs := []error{q.Stop()}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return errs[0]
	}
	q.closed = true
	for _, fd := range q.exported {
		errs = append(errs, q.dev.closeExported(fd))
	}
	for _, planes := range q.memory {
		for _, plane := range planes {
			errs = append(errs, q.dev.munmap(plane))
		}
	}
	q.memory = nil
	free := RequestBuffers{Type: q.typ, Memory: q.kind}
	errs = append(errs, ignoreGone(q.dev.RequestBuffers(&free)))
	return errors.Join(errs...)
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

func (d *Device) closeExported(fd int) error {
	if err := d.kernel.Close(fd); err != nil {
		return fmt.Errorf("close a DMA buffer of %s: %w", d.path, err)
	}
	return nil
}

func (d *Device) mmap(offset int64, length int) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, os.ErrClosed
	}
	return d.kernel.Mmap(d.fd, offset, length)
}

func (d *Device) munmap(b []byte) error {
	if err := d.kernel.Munmap(b); err != nil {
		return fmt.Errorf("unmap %d bytes at %p of %s: %w", len(b), unsafe.SliceData(b), d.path, err)
	}
	return nil
}
