package m2m

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// codedBuffers is how many access units may wait; a large one may be split over
// as many.
const codedBuffers = 4

// copyBuffers is how many pictures can be copied: those that are in.
const copyBuffers = depth + 1

// configure sets formats, crop, rate and controls, in the order in which all
// drivers take them: coded before raw, controls before buffers.
func (e *Encoder) configure() error {
	c := e.config
	coded := v4l2.Format{Type: e.device.kind.coded}
	coded.SetPicture(v4l2.Picture{
		Width: uint32(c.Width), Height: uint32(c.Height), PixelFormat: v4l2.PixFmtH264,
		SizeImage: max(uint32(c.Width*c.Height*3/4), e.quirks.coded),
	})
	if err := e.node.SetFormat(&coded); err != nil {
		return err
	}
	if err := e.setRaw(); err != nil {
		return err
	}
	// Setting the raw format may have changed the coded one.
	coded, err := e.node.GetFormat(e.device.kind.coded)
	if err != nil {
		return err
	}
	if got := coded.Picture().PixelFormat; got != v4l2.PixFmtH264 {
		return fmt.Errorf("%s: %w: asked for H264, the driver made it %v", c.Device, ErrUnsupported, got)
	}
	if err := e.crop(); err != nil {
		return err
	}
	if err := e.setInterval(); err != nil {
		return err
	}
	return e.setControls()
}

// setRaw asks for the picture's layout, in rows as long as the camera's.
func (e *Encoder) setRaw() error {
	c, l := e.config, &e.layout
	f := v4l2.Format{Type: e.device.kind.raw}
	f.SetPicture(v4l2.Picture{
		Width: uint32(c.Width), Height: uint32(c.Height), PixelFormat: fourCC(l.format), BytesPerLine: uint32(l.asked),
	})
	if err := e.node.SetFormat(&f); err != nil {
		return err
	}
	got := f.Picture()
	row := int(got.Width)
	if l.format == capture.YUYV {
		row *= 2
	}
	l.stride, l.rows, l.size = max(int(got.BytesPerLine), row), int(got.Height), int(got.SizeImage)
	l.single = got.Planes == 1
	if got.PixelFormat != fourCC(l.format) || int(got.Width) < c.Width || l.rows < c.Height || l.stride > 4*maxSide || l.rows > 2*maxSide {
		return fmt.Errorf("%s: %w: asked for %dx%d %v, the driver made it %dx%d %v", c.Device, ErrUnsupported,
			c.Width, c.Height, fourCC(l.format), got.Width, got.Height, got.PixelFormat)
	}
	if !l.single {
		return fmt.Errorf("%s: %w: it wants %d memory planes", c.Device, ErrUnsupported, got.Planes)
	}
	return nil
}

// crop cuts off what the driver has added to the picture. One that knows no
// selections has added nothing, or shows it.
func (e *Encoder) crop() error {
	// The single-planar type stands for both: what drivers take, the core translates.
	s := v4l2.Selection{Type: v4l2.VideoOutput, Target: v4l2.TargetCrop}
	s.Rect = v4l2.Rect{Width: uint32(e.config.Width), Height: uint32(e.config.Height)}
	if err := e.node.SetSelection(&s); err != nil && !v4l2.Unsupported(err) {
		return err
	}
	return nil
}

func (e *Encoder) setInterval() error {
	p := v4l2.StreamParm{Type: e.device.kind.raw}
	p.TimePerFrame = v4l2.Fract{Numerator: 1000, Denominator: uint32(math.Round(1000 * e.config.FPS))}
	if err := e.node.SetParm(&p); err != nil && !v4l2.Unsupported(err) {
		return err
	}
	return nil
}

// start starts the queues, for pictures such as f: imported if the device can,
// else copied.
func (e *Encoder) start(f *capture.Frame) error {
	if err := e.stop(); err != nil {
		return err
	}
	l := &e.layout
	l.asked, l.imports = 0, false
	if f.Shared != nil && e.device.Takes(f.Format) {
		l.asked = f.Planes[0].Stride
	}
	if err := e.configure(); err != nil {
		return err
	}
	why := e.noImport
	if why == "" {
		why = l.refusal(f, e.device.kind.raw.Multiplanar())
	}
	if why == "" {
		var err error
		e.raw, err = e.node.ImportQueue(e.device.kind.raw, f.Shared.Slots, 1)
		switch {
		case err == nil:
			l.imports = true
			return e.run("dmabuf")
		case !v4l2.Unsupported(err):
			return err
		}
		why = e.refuse(err)
	}
	var err error
	if e.raw, err = e.node.MapQueue(e.device.kind.raw, copyBuffers); err != nil {
		return err
	}
	return e.run("copy: " + why)
}

// refuse keeps in mind that the device does not import, and why.
func (e *Encoder) refuse(err error) string {
	e.noImport = "import refused: " + errno(err)
	return e.noImport
}

func errno(err error) string {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err.Error()
}

// run starts the queues, of which raw is ready, and says how pictures come.
func (e *Encoder) run(how string) (err error) {
	e.setLabel(how)
	e.free = make([]bool, e.raw.Len())
	for i := range e.free {
		e.free[i] = true
	}
	if e.coded, err = e.node.MapQueue(e.device.kind.coded, codedBuffers); err != nil {
		return err
	}
	for i := range e.coded.Len() {
		if err := e.coded.Enqueue(i); err != nil {
			return err
		}
	}
	if err := errors.Join(e.raw.Start(), e.coded.Start()); err != nil {
		return err
	}
	now := monotonic.Now()
	e.restarted, e.progress, e.began, e.awaited = now, now, false, 0
	e.force.Store(false) // a stream begins with one
	e.rates.reset(now)
	if e.poller == nil {
		if e.poller, err = e.node.NewPoller(v4l2.Readable | v4l2.Writable); err != nil {
			return err
		}
	}
	// Where a bitrate counts only while both queues stream, it counts now.
	if e.controls.rate {
		_, err = e.set(cidBitRate, int32(e.applied))
	}
	return err
}

// stop stops the queues and gives back what is in them.
func (e *Encoder) stop() error {
	var errs []error
	for _, q := range []*v4l2.Queue{e.raw, e.coded} {
		if q != nil {
			errs = append(errs, q.Stop())
		}
	}
	e.skipped.Add(uint64(e.flight.abandon()))
	for _, q := range []*v4l2.Queue{e.raw, e.coded} {
		if q != nil {
			errs = append(errs, q.Close())
		}
	}
	e.raw, e.coded = nil, nil
	return errors.Join(errs...)
}

// drainTime is how long is waited for what is in the encoder before it is
// started anew.
const drainTime = 200 * time.Millisecond

// restart starts the device anew, for what it takes only then, without losing a
// picture.
func (e *Encoder) restart(f *capture.Frame) error {
	if e.flight.count > 0 {
		// Which lets go what it keeps; one that knows no commands keeps nothing.
		if err := e.node.EncoderCommand(v4l2.EncoderStop); err != nil && !v4l2.Unsupported(err) {
			return err
		}
		if err := e.settle(0, monotonic.Now()+drainTime); err != nil {
			return err
		}
	}
	return e.start(f)
}
