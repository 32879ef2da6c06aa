package v4l2

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Queue is one queue of a device with its buffers mapped into memory. A camera
// has one, a memory-to-memory device one at each end.
//
// The order of its life, from the kernel's documentation of streaming I/O:
//
//	MapQueue (REQBUFS, QUERYBUF, mmap) -> Enqueue each -> Start -> Dequeue,
//	Enqueue ... -> Stop -> Close (munmap, REQBUFS 0) -> Device.Close
type Queue struct {
	dev    *Device
	typ    BufType
	memory [][][]byte // buffer, memory plane, bytes

	mu        sync.Mutex
	scratch   Buffer // what the kernel reads and writes; here, so that a frame allocates nothing
	streaming bool
	closed    bool
}

// MapQueue makes the driver allocate count buffers, or as many as it can, and
// maps them. unix.EBUSY: another process has the device. Nothing is left behind
// when it fails.
func (d *Device) MapQueue(t BufType, count int) (*Queue, error) {
	if t.Multiplanar() {
		return nil, fmt.Errorf("map the buffers of %s: multi-planar queues: %w", d.path, errors.ErrUnsupported)
	}
	request := RequestBuffers{Count: uint32(count), Type: t, Memory: MemoryMMAP}
	if err := d.RequestBuffers(&request); err != nil {
		return nil, err
	}
	q := &Queue{dev: d, typ: t}
	for i := range request.Count {
		planes, err := q.mapBuffer(i)
		if err != nil {
			return nil, errors.Join(err, q.Close())
		}
		q.memory = append(q.memory, planes)
	}
	if len(q.memory) == 0 {
		return nil, errors.Join(fmt.Errorf("map the buffers of %s: the driver gave none of %d", d.path, count), q.Close())
	}
	return q, nil
}

func (q *Queue) mapBuffer(index uint32) ([][]byte, error) {
	b := Buffer{Index: index, Type: q.typ, Memory: MemoryMMAP}
	if err := q.dev.QueryBuffer(&b); err != nil {
		return nil, err
	}
	memory, err := q.dev.mmap(int64(b.M), int(b.Length))
	if err != nil {
		return nil, fmt.Errorf("map buffer %d of %s (%d bytes): %w", index, q.dev.path, b.Length, err)
	}
	return [][]byte{memory}, nil
}

// Len returns the number of buffers.
func (q *Queue) Len() int { return len(q.memory) }

// Planes returns a buffer's memory planes. They stay mapped until Close.
func (q *Queue) Planes(index int) [][]byte { return q.memory[index] }

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

// Enqueue hands buffer index to the driver.
func (q *Queue) Enqueue(index int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.scratch = Buffer{Index: uint32(index), Type: q.typ, Memory: MemoryMMAP}
	return q.dev.QueueBuffer(&q.scratch)
}

// Dequeue takes a finished buffer: its index, size, flags, time and sequence
// number. It never blocks; unix.EAGAIN means that none is finished.
func (q *Queue) Dequeue() (Buffer, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.scratch = Buffer{Type: q.typ, Memory: MemoryMMAP}
	if err := q.dev.DequeueBuffer(&q.scratch); err != nil {
		return Buffer{}, err
	}
	if int(q.scratch.Index) >= len(q.memory) {
		return Buffer{}, fmt.Errorf("VIDIOC_DQBUF on %s: buffer %d of %d", q.dev.path, q.scratch.Index, len(q.memory))
	}
	return q.scratch, nil
}

// Close stops the queue, unmaps the buffers and has the driver free them. No
// one may touch their memory any more. A second call does nothing.
func (q *Queue) Close() error {
	errs := []error{q.Stop()}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return errs[0]
	}
	q.closed = true
	for _, planes := range q.memory {
		for _, plane := range planes {
			errs = append(errs, q.dev.munmap(plane))
		}
	}
	q.memory = nil
	free := RequestBuffers{Type: q.typ, Memory: MemoryMMAP}
	errs = append(errs, ignoreGone(q.dev.RequestBuffers(&free)))
	return errors.Join(errs...)
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
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
