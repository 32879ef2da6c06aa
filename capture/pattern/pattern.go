// Package pattern is the camera and microphone of a board that has none: a moving
// scene with a timecode that a program reads back, and a tone that beeps when the
// scene flashes. Both are made, not captured; nothing here opens a device.
package pattern

import (
	"context"
	"fmt"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// Config says what picture to make. Zero values mean 1280x720 at 30 frames a second.
type Config struct {
	Width, Height int     // in pixels, even
	FPS           float64 // frames a second
}

// The limits of Config: below the least, the timecode's cells are too small to
// survive compression.
const (
	minWidth, minHeight = 160, 90
	maxWidth, maxHeight = 3840, 2160
	minFPS, maxFPS      = 1, 120
)

func (c Config) withDefaults() Config {
	if c.Width == 0 && c.Height == 0 {
		c.Width, c.Height = 1280, 720
	}
	if c.FPS == 0 {
		c.FPS = 30
	}
	return c
}

func (c Config) validate() error {
	if c.Width%2 != 0 || c.Height%2 != 0 {
		return fmt.Errorf("pattern of %dx%d: width and height must be even", c.Width, c.Height)
	}
	if c.Width < minWidth || c.Height < minHeight || c.Width > maxWidth || c.Height > maxHeight {
		return fmt.Errorf("pattern of %dx%d: must be from %dx%d to %dx%d",
			c.Width, c.Height, minWidth, minHeight, maxWidth, maxHeight)
	}
	if !(c.FPS >= minFPS && c.FPS <= maxFPS) { // written so that NaN is refused
		return fmt.Errorf("pattern at %g frames a second: must be from %d to %d", c.FPS, minFPS, maxFPS)
	}
	return nil
}

// Pattern is a source of I420 frames. One goroutine calls Next; Close may come
// from any.
type Pattern struct {
	config Config
	pool   *capture.Pool
	scene  *scene
	timer  *monotonic.Timer
	pace   pacer
}

// New makes a pattern. It draws what does not move, which takes some tens of
// milliseconds. Close frees it.
func New(config Config) (*Pattern, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	pool, err := capture.NewPool(capture.I420, config.Width, config.Height)
	if err != nil {
		return nil, fmt.Errorf("open pattern: %w", err)
	}
	timer, err := monotonic.NewTimer()
	if err != nil {
		return nil, fmt.Errorf("open pattern: %w", err)
	}
	return &Pattern{
		config: config, pool: pool, timer: timer,
		scene: newScene(config.Width, config.Height),
		pace:  pacer{interval: time.Duration(float64(time.Second) / config.FPS)},
	}, nil
}

// Format says what Next delivers.
func (p *Pattern) Format() capture.VideoFormat {
	return capture.VideoFormat{Format: capture.I420, Width: p.config.Width, Height: p.config.Height, FPS: p.config.FPS}
}

// Next returns the next frame at its moment. It blocks until then, ctx ends, or
// the pattern is closed (os.ErrClosed). The caller owns the frame until Release.
//
// PTS and Ready are when it was drawn, and the timecode says the same moment by
// the wall clock. A consumer that comes late gets one frame at once; those it
// missed are skipped, which Sequence shows.
func (p *Pattern) Next(ctx context.Context) (capture.Frame, error) {
	if err := p.timer.SleepUntil(ctx, p.pace.due(monotonic.Now())); err != nil {
		return capture.Frame{}, fmt.Errorf("next frame of pattern: %w", err)
	}
	f := p.pool.Get()
	f.PTS = monotonic.Now()
	f.Ready = f.PTS
	f.Sequence = p.pace.take(f.PTS)
	p.scene.draw(&f, f.PTS, monotonic.Wall(f.PTS))
	return f, nil
}

// Close ends Next. Frames that are still out stay valid. It may be called twice.
func (p *Pattern) Close() error { return p.timer.Close() }

// pacer counts time in slots of one frame each, from the first call on.
type pacer struct {
	interval time.Duration
	started  bool
	start    time.Duration // when slot 0 begins
	next     uint64        // slot of the next frame
}

// due returns when the next frame is to be made.
func (p *pacer) due(now time.Duration) time.Duration {
	if !p.started {
		p.started, p.start = true, now
	}
	return p.start + time.Duration(p.next)*p.interval
}

// take returns the slot of the frame made now. Slots that ended before are skipped.
func (p *pacer) take(now time.Duration) uint64 {
	slot := max(p.next, uint64(max(now-p.start, 0)/p.interval))
	p.next = slot + 1
	return slot
}
