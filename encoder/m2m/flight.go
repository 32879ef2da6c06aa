package m2m

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// flight is the pictures in the device, oldest first. Output finds its input by
// its time, which the driver copies from one to the other; their numbers need not
// be the same, as there may be several coded buffers for a picture, and none.
type flight struct {
	pictures [depth]picture // a ring, so that their memory is used again
	first    int
	count    int
}

type picture struct {
	stamp      time.Duration // what the driver copies: the PTS in microseconds
	pts, ready time.Duration
	frame      capture.Frame // held until the device has read it; of a copy nothing
	index      int           // of its raw buffer
	returned   bool          // the device has read it
	lost       bool          // nothing will come of it
	full       bool          // the last coded buffer was: more may follow
	data       []byte        // what came out so far
}

func (f *flight) at(i int) *picture { return &f.pictures[(f.first+i)%depth] }

// push makes room for one more.
func (f *flight) push() *picture {
	p := f.at(f.count)
	*p = picture{data: p.data[:0]}
	f.count++
	return p
}

func (f *flight) pop() {
	f.at(0).frame.Release()
	f.first = (f.first + 1) % depth
	f.count--
}

// abandon gives up what is in the device, which has been stopped, and returns
// how many pictures that were.
func (f *flight) abandon() int {
	n := f.count
	for f.count > 0 {
		f.pop()
	}
	return n
}

// ofStamp returns the picture of a time, nil if there is none.
func (f *flight) ofStamp(stamp time.Duration) *picture {
	for i := range f.count {
		if p := f.at(i); p.stamp == stamp {
			return p
		}
	}
	return nil
}

// complete returns how many pictures, from the oldest on, are done: all up to the
// latest of which everything has come out. What an earlier one has not brought by
// then it never will.
func (f *flight) complete() int {
	for i := f.count; i > 0; i-- {
		p := f.at(i - 1)
		if p.lost || p.returned && len(p.data) > 0 && !p.full {
			return i
		}
	}
	return 0
}

// submit gives f to the device.
func (e *Encoder) submit(f capture.Frame) error {
	index := e.freeBuffer(&f)
	if index < 0 {
		f.Release()
		return errors.New("the device has given back no picture, and has no room for another")
	}
	p := e.flight.push()
	p.pts, p.ready, p.index, p.frame = f.PTS, f.Ready, index, f
	p.stamp = f.PTS.Truncate(time.Microsecond)
	parts := [1]v4l2.Part{e.layout.part(&f)}
	if !e.layout.imports {
		err := e.layout.copyTo(e.raw.Planes(index)[0], &f)
		p.frame.Release()
		if err != nil {
			return err
		}
		e.copied.Add(1)
	}
	e.free[index] = false
	err := e.raw.EnqueueFilled(index, p.stamp, parts[:])
	if err == nil || !e.layout.imports || !refusesImport(err) {
		return err
	}
	return e.refused(err)
}

// refusesImport says whether QBUF has refused memory rather than failed. A device
// without an IOMMU answers EFAULT to memory that is not contiguous, as that of a
// USB camera (vb2_dc_map_dmabuf in
// drivers/media/common/videobuf2/videobuf2-dma-contig.c).
func refusesImport(err error) bool {
	return v4l2.Unsupported(err) || errors.Is(err, unix.EFAULT)
}

// refused goes over to copies, with the picture that was refused first.
func (e *Encoder) refused(cause error) error {
	e.config.Log.Info("encoder cannot read the camera's memory, pictures are copied", "encoder", e.config.Device, "error", cause)
	e.refuse(cause)
	f := e.flight.at(e.flight.count - 1).frame
	e.flight.at(e.flight.count - 1).frame = capture.Frame{}
	e.flight.count--
	if err := e.start(&f); err != nil {
		f.Release()
		return err
	}
	return e.submit(f)
}

// freeBuffer returns the raw buffer of the frame's slot, so that the driver can
// keep what it imported, or any other that is free.
func (e *Encoder) freeBuffer(f *capture.Frame) int {
	if e.layout.imports && f.Shared.Slot < len(e.free) && e.free[f.Shared.Slot] {
		return f.Shared.Slot
	}
	for i, free := range e.free {
		if free {
			return i
		}
	}
	return -1
}

// pump takes all that the device has finished, and says whether that was
// anything, or a failure. It does not block and calls no one.
//
// Read pictures are taken first: what was made of one is there by then.
func (e *Encoder) pump() bool {
	any := false
	for {
		d, err := e.raw.Dequeue()
		if err != nil {
			if !e.empty(err) {
				return true
			}
			break
		}
		any = true
		e.read(&d)
	}
	for {
		d, err := e.coded.Dequeue()
		if err != nil {
			return !e.empty(err) || any
		}
		any = true
		e.made(&d)
		if err := e.coded.Enqueue(d.Index); err != nil {
			e.failed = err
			return true
		}
	}
}

// empty says that there is nothing to dequeue, and keeps any other error. EPIPE
// comes behind the last buffer of a drain.
func (e *Encoder) empty(err error) bool {
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EPIPE) {
		return true
	}
	e.failed = err
	return false
}

// read takes back a picture that the device has read.
func (e *Encoder) read(d *v4l2.Done) {
	e.free[d.Index] = true
	for i := range e.flight.count {
		if p := e.flight.at(i); p.index == d.Index && !p.returned {
			p.returned = true
			p.frame.Release()
		}
	}
}

// made takes what the device has made. A buffer without the time of a picture is
// headers or nothing of use; one that is marked as failed is a lost picture.
func (e *Encoder) made(d *v4l2.Done) {
	e.progress = monotonic.Now()
	p := e.flight.ofStamp(d.Time)
	if d.Flags&v4l2.BufError != 0 {
		e.errors.Add(1)
		if p != nil {
			p.lost = true
		}
		return
	}
	memory, part := e.coded.Planes(d.Index)[0], d.Parts[0]
	if part.Used <= part.Offset || part.Used > len(memory) {
		return
	}
	data := memory[part.Offset:part.Used]
	if p == nil {
		if p = e.stray(data); p == nil {
			return
		}
	}
	p.data = append(p.data, data...)
	p.full = part.Used == len(memory)
}

// stray takes a buffer without a time: parameter sets are kept, a picture is the
// oldest one's, and anything else is junk.
func (e *Encoder) stray(data []byte) *picture {
	switch c := inspect(data); {
	case c.Picture && e.flight.count > 0:
		return e.flight.at(0)
	case c.SPS || c.PPS:
		if err := e.learn(data); err != nil {
			e.failed = err
		}
	}
	return nil
}

// collect takes what has come out and hands it over.
func (e *Encoder) collect() error {
	if e.raw == nil {
		return nil
	}
	e.pump()
	for n := e.flight.complete(); n > 0; n-- {
		p := e.flight.at(0)
		err := e.deliver(p)
		e.flight.pop()
		if err != nil {
			return err
		}
	}
	if e.failed != nil {
		return e.failed
	}
	return nil
}

// persistent is how many pictures in a row may be lost to errors.
const persistent = 5

// deliver hands the access unit of a picture to the sink, if there is one.
func (e *Encoder) deliver(p *picture) error {
	if p.lost {
		e.bad++
		e.skipped.Add(1)
		e.force.Store(true) // what follows may refer to what was lost
		if e.bad >= persistent {
			return fmt.Errorf("%d pictures in a row came back as failed: %w", e.bad, unix.EIO)
		}
		return nil
	}
	e.bad = 0
	unit, err := e.assemble(p)
	if err != nil {
		return err
	}
	if len(unit.Data) == 0 {
		e.skipped.Add(1)
		return nil
	}
	return e.sink(unit)
}
