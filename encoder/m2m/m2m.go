// Package m2m encodes pictures by a V4L2 stateful H.264 encoder, as the chips of
// boards have them. A camera's memory goes to the encoder as it is, and is copied
// only where the encoder cannot read it. It hides in what real encoders differ from
// each other, and says when one has stalled; opening it again, or another encoder
// in its place, is its caller's business.
//
// Source: https://docs.kernel.org/userspace-api/media/v4l/dev-encoder.html
package m2m

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// Config configures Open. Zero values mean the defaults named here.
type Config struct {
	Device        string              // path of the node; the first of List that fits
	Format        capture.PixelFormat // of the frames; I420
	Width, Height int                 // in pixels, even; needed
	FPS           float64             // frames a second, nominal; 30
	BitRate       encoder.BitRate     // aimed at by the device; 2.5 Mb/s
	GOP           time.Duration       // from one IDR picture to the next; 10 s
	Log           *slog.Logger        // nothing
}

func (c Config) withDefaults() Config {
	if c.Format == 0 {
		c.Format = capture.I420
	}
	if c.FPS == 0 {
		c.FPS = 30
	}
	if c.BitRate == 0 {
		c.BitRate = 2_500_000
	}
	if c.GOP == 0 {
		c.GOP = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// maxSide bounds the sizes that arithmetic here has to deal with.
const maxSide = 8192

func (c Config) validate() error {
	switch {
	case c.Width <= 0 || c.Height <= 0 || c.Width > maxSide || c.Height > maxSide || c.Width%2 != 0 || c.Height%2 != 0:
		return fmt.Errorf("hardware encoder for %dx%d: width and height must be even, up to %d", c.Width, c.Height, maxSide)
	case !(c.FPS > 0 && c.FPS <= 1000): // written so that NaN is refused
		return fmt.Errorf("hardware encoder at %g frames a second: must be from 0 to 1000", c.FPS)
	}
	return nil
}

// stallTime is how long nothing may come out while pictures are in: with what
// it takes to open the device again a little less than a second.
const stallTime = 800 * time.Millisecond

// depth is how many pictures may be in the encoder: one that it works on, and one
// behind it, so that an encoder slower than a frame's time is kept busy. More would
// only be latency.
const depth = 2

// Encoder encodes one stream of pictures. One goroutine calls Encode; the other
// methods may be called from any.
type Encoder struct {
	config Config
	system system
	sink   func(encoder.AccessUnit) error
	stall  time.Duration
	device Device
	quirks quirks

	force   atomic.Bool
	rate    atomic.Int64 // that is to be
	label   atomic.Pointer[string]
	profile atomic.Pointer[string] // profile-level-id; "" while it is not known
	skipped atomic.Uint64
	copied  atomic.Uint64
	errors  atomic.Uint64

	mu       sync.Mutex // held while encoding
	node     *v4l2.Device
	poller   *v4l2.Poller
	try      func() bool // pump, made once, so that a frame allocates nothing
	closed   bool
	controls controls
	raw      *v4l2.Queue // nil until the first picture
	coded    *v4l2.Queue
	layout   layout
	noImport string // why the device does not import; "" while it may
	free     []bool // buffers of raw that the device does not have
	flight   flight
	sets     h264.ParameterSets
	out      []byte // memory of the access unit at the sink
	failed   error

	applied   encoder.BitRate // that the device was told
	restarted time.Duration   // when the queues were started last
	progress  time.Duration   // when something went in or came out last
	began     bool            // an IDR picture went out since
	awaited   int             // pictures since a key frame was asked for, and 1; 0: none was
	bad       int             // pictures lost to errors, one behind the other
	rates     overshoot
}

// Open opens an encoder that hands each access unit to sink. Errors name the
// device; os.ErrNotExist says that this machine has none. Close frees it.
func Open(cfg Config, sink func(encoder.AccessUnit) error) (*Encoder, error) {
	return machine().open(cfg, sink)
}

func (s system) open(cfg Config, sink func(encoder.AccessUnit) error) (*Encoder, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Device == "" {
		d, err := s.find(cfg)
		if err != nil {
			return nil, err
		}
		cfg.Device = d.Path
	}
	e := &Encoder{config: cfg, system: s, sink: sink, stall: stallTime}
	e.try = e.pump
	e.rate.Store(int64(cfg.BitRate))
	if err := e.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open encoder: %w", err), e.Close())
	}
	return e, nil
}

// open sets the device up as far as is possible without a picture.
func (e *Encoder) open() (err error) {
	if e.node, err = v4l2.OpenOn(e.system.kernel, e.config.Device); err != nil {
		return err
	}
	if e.device, err = describe(e.node); err != nil {
		return fmt.Errorf("%s: %w", e.config.Device, err)
	}
	e.quirks = quirksOf(e.device.Driver)
	if e.layout.format, err = e.rawFormat(); err != nil {
		return err
	}
	e.setLabel("")
	if e.quirks.source != "" {
		e.config.Log.Debug("encoder has quirks", "encoder", e.device.Driver, "source", e.quirks.source)
	}
	if err := e.configure(); err != nil {
		return err
	}
	profile := e.controls.profileLevelID()
	e.profile.Store(&profile)
	return nil
}

// Encode takes over f and hands access units to the sink: that of f before it
// returns, unless the device takes longer than a frame's time; then those of the
// frames before, and that of f from within the next call. It returns the sink's
// error. A device that stalls is ErrStalled.
func (e *Encoder) Encode(f capture.Frame) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		f.Release()
		return e.named(os.ErrClosed)
	case e.failed != nil:
		f.Release()
		return e.failed
	}
	if err := e.encode(f); err != nil {
		e.failed = e.named(err)
	}
	return e.failed
}

func (e *Encoder) named(err error) error {
	return fmt.Errorf("encode by %s %s: %w", e.device.Driver, e.config.Device, err)
}

// encode takes over f.
func (e *Encoder) encode(f capture.Frame) error {
	if err := e.ready(&f); err != nil {
		f.Release()
		e.skipped.Add(1)
		return err
	}
	e.progress = monotonic.Now()
	if err := e.submit(f); err != nil {
		return err
	}
	frameTime := time.Duration(float64(time.Second) / e.config.FPS)
	return e.settle(0, e.progress+frameTime*9/10)
}

// ready makes everything ready for f: the queues, the controls, and room.
func (e *Encoder) ready(f *capture.Frame) error {
	if err := e.check(f); err != nil {
		return err
	}
	if err := e.collect(); err != nil {
		return err
	}
	if e.raw == nil || !e.layout.fits(f) {
		if err := e.start(f); err != nil {
			return err
		}
	}
	if err := e.adjust(f); err != nil {
		return err
	}
	return e.settle(depth-1, forever)
}

const forever = time.Duration(1<<63 - 1)

// settle hands over what comes out until no more than limit pictures are in, or
// until a moment.
func (e *Encoder) settle(limit int, until time.Duration) error {
	for {
		if err := e.collect(); err != nil {
			return err
		}
		now := monotonic.Now()
		stalls := e.progress + e.stall
		switch {
		case e.flight.count <= limit:
			return nil
		case now >= until:
			return nil
		case now >= stalls:
			return &stalled{e.flight.count, now - e.progress}
		}
		wait := min(stalls, until) - now
		if err := e.poller.WaitUntil(time.Now().Add(wait), e.try); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// ForceKeyFrame makes the next picture an IDR picture, or one soon after where
// the device has to be started anew for that.
func (e *Encoder) ForceKeyFrame() { e.force.Store(true) }

// SetBitRate changes the bitrate from the next picture on, or soon after where
// the device has to be started anew for that.
func (e *Encoder) SetBitRate(rate encoder.BitRate) error {
	e.rate.Store(int64(rate))
	return nil
}

// Name says which device encodes and how it gets its pictures.
func (e *Encoder) Name() string { return *e.label.Load() }

func (e *Encoder) setLabel(how string) {
	label := e.device.Driver + " " + e.config.Device
	if how != "" {
		label += " (" + how + ")"
	}
	if old := e.label.Load(); old == nil || *old != label {
		e.label.Store(&label)
	}
}

// ProfileLevelID returns what an offer says of the stream (RFC 6184 section
// 8.1), by what the device says that it was set to; "" while that is not known.
func (e *Encoder) ProfileLevelID() string { return *e.profile.Load() }

// Skipped returns how many pictures the device made nothing of.
func (e *Encoder) Skipped() uint64 { return e.skipped.Load() }

// Copied returns how many pictures were copied on their way to the device.
func (e *Encoder) Copied() uint64 { return e.copied.Load() }

// Errors returns how many buffers the device gave back as failed.
func (e *Encoder) Errors() uint64 { return e.errors.Load() }

// Close frees the device and gives back the pictures in it, when Encode has
// returned. A second call does nothing.
func (e *Encoder) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	errs := []error{e.stop()}
	if e.poller != nil {
		errs = append(errs, e.poller.Close())
	}
	if e.node != nil {
		errs = append(errs, e.node.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close encoder %s: %w", e.config.Device, err)
	}
	return nil
}
