// Package camera takes pictures from a V4L2 camera. It finds the camera, chooses
// a format, sets its controls, and hands out the driver's own buffers without
// copying them. It converts nothing (see capture/pixel) and never waits for a
// consumer: one that is behind gets the newest picture.
package camera

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// Camera is a camera that runs. One goroutine calls Next; Release and Close may
// come from others.
type Camera struct {
	path     string
	identity identity
	system   system
	device   *v4l2.Device
	kind     v4l2.BufType // of its queue
	poller   *v4l2.Poller
	format   capture.VideoFormat
	stride   int
	least    int  // bytes that a whole raw picture has
	newest   bool // older pictures may be dropped: each stands for itself
	listens  bool // the driver tells when the source changes

	warnings []error
	try      func() bool // take, made once, so that a frame allocates nothing

	mu     sync.Mutex
	queue  *v4l2.Queue
	lent   []bool          // by buffer: a frame that was not released yet
	frames []capture.Frame // by buffer: what does not change from picture to picture
	stamp  stamper
	event  v4l2.Event
	older  waiting // with newer the last pictures, of which older may be none
	newer  waiting
	late   int           // how often in a row older was returned
	queued int           // buffers that the driver can fill
	missed uint64        // pictures that it did not take though it had some
	had    int           // buffers that it could fill when take began
	filled int           // of them
	empty  bool          // all were, before or with the last picture
	taken  capture.Frame // what take found, or why it did not
	failed error
	closed bool
	counts Counts
}

// Counts says what became of the pictures that reached no one.
type Counts struct {
	Dropped uint64 // given back unseen because Next came late
	Damaged uint64 // marked by the driver as damaged, or too short
}

// Open opens the camera, sets it up and starts it. Errors name the device: see
// the Err variables, os.ErrNotExist and os.ErrPermission. When it fails the
// camera is off and nothing is left open.
func Open(cfg Config) (*Camera, error) { return machine().open(cfg) }

func (s system) open(cfg Config) (*Camera, error) {
	cfg = cfg.withDefaults()
	path, err := s.locate(cfg)
	if err != nil {
		return nil, err
	}
	device, err := v4l2.OpenOn(s.kernel, path)
	if err != nil {
		return nil, s.explain("open", path, errors.Unwrap(err))
	}
	c := &Camera{path: path, system: s, device: device}
	c.try = c.take
	if err := c.setUp(cfg); err != nil {
		_ = c.Close() // what failed first is what to tell
		return nil, err
	}
	level := slog.LevelWarn
	if known := cfg.Memory.remember(cfg.Device, c.identity); known {
		level = slog.LevelDebug // it was told
	}
	for _, warning := range c.warnings {
		cfg.Log.Log(context.Background(), level, "camera differs from its configuration", "camera", path, "error", warning)
	}
	return c, nil
}

func (c *Camera) setUp(cfg Config) error {
	capability, err := c.system.capability(c.device)
	if err != nil {
		return err
	}
	c.kind, c.identity = queueOf(capability), c.system.identity(c.path, capability)
	if err = c.configure(cfg); err == nil {
		err = c.prepare(cfg)
	}
	if err == nil {
		err = c.start()
	}
	if err != nil && !errors.Is(err, ErrUnsupportedFormat) && !errors.Is(err, ErrOutOfRange) {
		return c.system.explain("start", c.path, err)
	}
	if err != nil {
		return fmt.Errorf("start camera %s: %w", c.path, err)
	}
	return nil
}

// prepare maps the buffers and lays a frame over each.
func (c *Camera) prepare(cfg Config) (err error) {
	if c.queue, err = c.device.MapQueue(c.kind, c.buffers(cfg)); err != nil {
		return err
	}
	c.lent = make([]bool, c.queue.Len())
	share := cfg.Share
	for i := range c.queue.Len() {
		memory := c.queue.Planes(i)
		if len(memory) != 1 || len(memory[0]) < c.least {
			return fmt.Errorf("%w: the driver's buffers have %d bytes in %d parts, a picture of %v needs %d in one",
				ErrUnsupportedFormat, len(memory[0]), len(memory), c.format, c.least)
		}
		frame := capture.Frame{
			Format: c.format.Format, Width: c.format.Width, Height: c.format.Height,
			Planes: planes(c.format, c.stride, memory[0]),
		}
		if share {
			share = c.share(&frame, i, cfg.Log)
		}
		c.frames = append(c.frames, frame.WithFree(func() { c.release(i) }))
		if err := c.queue.Enqueue(i); err != nil {
			return err
		}
		c.queued++
	}
	return nil
}

// buffers returns how many there are to be. A camera needs two to fill while the
// encoder holds what it was given: with shared memory one that it reads, one
// behind it, and one on the way.
func (c *Camera) buffers(cfg Config) int {
	switch {
	case cfg.Buffers > 0:
		return cfg.Buffers
	case !c.newest:
		return 8
	case cfg.Share:
		return 6
	}
	return 4
}

// share exports a buffer, if the driver can: the camera works without.
func (c *Camera) share(frame *capture.Frame, index int, log *slog.Logger) bool {
	parts, err := c.queue.Export(index)
	if err != nil {
		log.Debug("the camera's memory cannot be shared", "camera", c.path, "error", err)
		return false
	}
	shared := &capture.Shared{Slot: index, Slots: c.queue.Len()}
	for _, p := range parts {
		shared.Planes = append(shared.Planes, capture.DMABUF{FD: p.FD, Length: p.Length})
	}
	frame.Shared = shared
	return true
}

func (c *Camera) start() (err error) {
	// Only where a cable brings the picture does the driver know this event.
	err = c.device.SubscribeEvent(v4l2.EventSourceChange)
	if c.listens = err == nil; err != nil && !v4l2.Unsupported(err) {
		return err
	}
	if err := c.queue.Start(); err != nil {
		return err
	}
	events := v4l2.Readable
	if c.listens {
		events |= v4l2.Priority
	}
	c.poller, err = c.device.NewPoller(events)
	return err
}

// Path returns the camera's device node.
func (c *Camera) Path() string { return c.path }

// Format returns what the camera delivers, as the driver said.
func (c *Camera) Format() capture.VideoFormat { return c.format }

// Warnings returns in what the camera differs from its Config: size, rate, and
// controls that it does not have or sets otherwise.
func (c *Camera) Warnings() []error { return c.warnings }

// Counts returns what has been lost so far.
func (c *Camera) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// Next returns the next picture. It blocks until there is one, ctx ends, or the
// camera is closed (os.ErrClosed) or unplugged (ErrGone). Of pictures that waited
// the last two are returned, and only the newest one to a caller that stays
// behind; older ones go back to the driver and leave a gap in Sequence. H.264
// comes in order and whole.
//
// The caller owns the frame until Release; the driver then reuses its memory.
// As long as all buffers are lent, the camera takes no pictures.
func (c *Camera) Next(ctx context.Context) (capture.Frame, error) {
	err := c.poller.Wait(ctx, c.try)
	c.mu.Lock()
	defer c.mu.Unlock()
	frame := c.taken
	c.taken = capture.Frame{}
	if err == nil {
		err = c.failed
	}
	if err != nil {
		return capture.Frame{}, c.explainRead(err)
	}
	return frame, nil
}

// explainRead finds out whether an I/O error means that the camera is gone:
// drivers report either one, by what they noticed first.
func (c *Camera) explainRead(err error) error {
	if ctxErr := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded); ctxErr {
		return err
	}
	if errors.Is(err, unix.EIO) {
		if _, ask := c.device.QueryCap(); errors.Is(ask, unix.ENODEV) {
			err = ask
		}
	}
	return c.system.explain("read", c.path, err)
}

// take dequeues what is finished and returns whether Next has something to
// return. It runs in the poller's wait and does not block.
func (c *Camera) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.had, c.filled = c.queued, 0
	for c.failed == nil && !c.closed {
		b, err := c.queue.Dequeue()
		if errors.Is(err, unix.EAGAIN) {
			if err = c.sourceChanged(); err == nil {
				return c.choose()
			}
		}
		if err != nil {
			c.failed = err
			break
		}
		frame, ok := c.frame(&b)
		if !ok {
			c.counts.Damaged++
			c.giveBack(b.Index)
			continue
		}
		if !c.newest {
			c.lend(waiting{b.Index, frame, true})
			return true
		}
		if c.older.ok {
			c.drop(c.older)
		}
		c.older, c.newer = c.newer, waiting{b.Index, frame, true}
	}
	if c.closed {
		c.failed = os.ErrClosed
	}
	return true
}

// waiting is a picture that was dequeued and not returned yet.
type waiting struct {
	index int
	frame capture.Frame
	ok    bool
}

// patience is how often in a row a picture is returned while a newer one waits.
// A moment without the processor makes a consumer late once or twice, and costs
// no picture; one that is too slow is behind for good, and gets the newest.
const patience = 10

// choose lends the picture that is due.
func (c *Camera) choose() bool {
	switch {
	case !c.newer.ok:
		return false
	case !c.older.ok:
		c.late = 0
		c.lend(c.newer)
		c.newer = waiting{}
	case c.late < patience:
		c.late++
		c.lend(c.older)
		c.older = waiting{}
	default:
		c.drop(c.older)
		c.lend(c.newer)
		c.older, c.newer = waiting{}, waiting{}
	}
	return true
}

func (c *Camera) lend(w waiting) { c.taken, c.lent[w.index] = w.frame, true }

func (c *Camera) drop(w waiting) {
	c.counts.Dropped++
	c.giveBack(w.index)
}

// sourceChanged fails once the pictures have another size than was set up.
func (c *Camera) sourceChanged() error {
	if c.listens && c.device.DequeueEvent(&c.event) == nil && c.event.ResolutionChanged() {
		return ErrSourceChanged
	}
	return nil
}

// frame makes a frame of a dequeued buffer, unless the picture is damaged.
func (c *Camera) frame(b *v4l2.Done) (capture.Frame, bool) {
	now := monotonic.Now()
	before := c.stamp.count
	sequence := c.stamp.sequence(b.Sequence)
	if gap := sequence - before; gap > 1 && !c.empty {
		c.missed += gap - 1
	}
	c.queued--
	c.filled++
	c.empty = c.filled >= c.had
	if b.Flags&v4l2.BufError != 0 || b.Used() < max(c.least, 1) {
		return capture.Frame{}, false
	}
	f := c.frames[b.Index]
	memory, part := c.queue.Planes(b.Index)[0], b.Parts[0]
	switch {
	case part.Used > len(memory):
		return capture.Frame{}, false
	case c.least == 0: // compressed
		f.Planes[0].Data = memory[part.Offset:part.Used]
	case part.Offset > 0:
		f.Planes = planes(c.format, c.stride, memory[part.Offset:])
	}
	if f.Shared != nil {
		f.Shared.Planes[0].Offset = part.Offset
	}
	f.Ready = now
	f.PTS = c.stamp.time(b, now)
	f.Sequence, f.Missed = sequence, c.missed
	return f, true
}

// giveBack hands a buffer to the driver again.
func (c *Camera) giveBack(index int) {
	c.lent[index] = false
	c.queued++
	if err := c.queue.Enqueue(index); err != nil && c.failed == nil {
		c.failed = err
	}
}

func (c *Camera) release(index int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lent[index] {
		return
	}
	if !c.closed {
		c.giveBack(index)
		return
	}
	c.lent[index] = false
	_ = c.free() // Close has returned; there is no one to tell
}

// Close turns the camera off, whatever frames are still out, and ends Next. The
// buffers and the device are freed with the last frame's Release, as someone may
// be reading it. A second call does nothing.
func (c *Camera) Close() error {
	off := c.turnOff()
	if c.poller != nil {
		// Not under the lock: this waits for Next, which may be in take.
		off = errors.Join(off, c.poller.Close())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := errors.Join(off, c.free()); err != nil {
		return fmt.Errorf("close camera %s: %w", c.path, err)
	}
	return nil
}

func (c *Camera) turnOff() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.queue == nil {
		return nil
	}
	return c.queue.Stop()
}

// free closes queue and device once no frame is out.
func (c *Camera) free() error {
	for _, lent := range c.lent {
		if lent {
			return nil
		}
	}
	var err error
	if c.queue != nil {
		err = c.queue.Close()
	}
	return errors.Join(err, c.device.Close())
}
