// Package photo takes the best picture of a moment out of a stream: of the first
// frame after the press and the next four the sharpest, as a JPEG that says no
// more than when it was taken and by what. While no photo is wanted it neither
// looks at the frames nor copies them. It stores nothing.
package photo

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/pixel"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// How long a photo looks, and at how much.
const (
	frames   = 5                      // of which it takes the sharpest
	window   = 150 * time.Millisecond // after the press; the first frame may come later
	patience = 2 * time.Second        // for the first frame
)

// maxLabel bounds each of the two texts in a photo, in bytes.
const maxLabel = 256

// Config says how photos are made and what is written into them.
type Config struct {
	Device   string // the name of what takes the photos; empty: none
	Software string // the program and its version; empty: none
	Quality  int    // of the JPEG, 1 to 100; 0: 90. Not of MJPEG, which stays as it is
	Rotation int    // degrees clockwise that make the source's pictures upright: 0, 90, 180, 270

	// Wall returns the time of day of a frame's stamp, for DateTimeOriginal; nil:
	// monotonic.Wall. With the zero time the photo says no time.
	Wall func(pts time.Duration) time.Time
	Log  *slog.Logger // nil: nothing is logged
}

// Photo is a picture that was taken.
type Photo struct {
	JPEG          []byte
	PTS           time.Duration // of the frame, on CLOCK_MONOTONIC
	TakenAt       time.Time     // the same by Config.Wall, as the JPEG says it
	Width, Height int           // as it is shown, upright

	// Sharpness is the variance of the Laplacian of the picture's luma, and
	// LastSharpness that of the last frame it was chosen from.
	Sharpness, LastSharpness float64
	Frames                   int // that it was chosen from

	Choose time.Duration // from Take to the choice, waiting for frames included
	Encode time.Duration // from the choice to the JPEG
}

// Taker takes photos of one source's frames.
type Taker struct {
	cfg     Config
	luma    *pixel.LumaReader
	encoder *pixel.Encoder

	want    atomic.Pointer[burst] // what Offer feeds; nil while no photo is wanted
	idle    chan *shot            // memory for frames; it holds all shots but those in use
	filled  chan *shot            // from Offer to Take; never full, as there are no more shots
	turn    chan struct{}         // holds one value while a photo is taken, or for ever once closed
	closing chan struct{}
	size    int // of a frame, as the last photo had it; for whose turn it is

	closeOnce sync.Once
	closeErr  error
}

// shot is the copy of a frame.
type shot struct {
	pixel.Copy
	of        *burst
	sharpness float64
}

// shots is how many frames are in memory: the best so far, the one that is
// looked at, and the one that comes in.
const shots = 3

// New makes a Taker. Its memory, for three frames, comes with a photo and goes with
// it.
func New(cfg Config) (*Taker, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Wall == nil {
		cfg.Wall = monotonic.Wall
	}
	cfg.Device, cfg.Software = label(cfg.Device), label(cfg.Software)
	encoder, err := pixel.NewEncoder(pixel.EncoderConfig{Quality: cfg.Quality, Rotation: cfg.Rotation, Log: cfg.Log})
	if err != nil {
		return nil, fmt.Errorf("photos: %w", err)
	}
	t := &Taker{cfg: cfg, luma: pixel.NewLumaReader(cfg.Log), encoder: encoder,
		idle: make(chan *shot, shots), filled: make(chan *shot, shots), turn: make(chan struct{}, 1), closing: make(chan struct{})}
	for range shots {
		t.idle <- &shot{}
	}
	return t, nil
}

// label makes one line of text that fits.
func label(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > maxLabel {
		s = strings.ToValidUTF8(s[:maxLabel], "") // a character cut in two is gone
	}
	return strings.TrimSpace(s)
}

// Take waits for the next frames and returns the sharpest as a JPEG. It looks at
// the first frame that is offered after the call and the next four, for at most
// 150 ms; where fewer come in that time, at these, but at one at least. A second
// Take at the same time waits its turn, and begins with the frame that is offered
// then.
//
// It ends with a *NoFrameError when no usable frame has come for 2 s, with a
// *FormatError when the source's frames have to be decoded first, for TakeOf, with
// ctx's error, or with os.ErrClosed.
func (t *Taker) Take(ctx context.Context) (Photo, error) { return t.take(ctx, t.choose) }

func (t *Taker) take(ctx context.Context, choose func(context.Context) (choice, error)) (Photo, error) {
	began := time.Now()
	if err := t.begin(ctx); err != nil {
		return Photo{}, fmt.Errorf("take photo: %w", err)
	}
	defer func() { <-t.turn }()
	defer t.giveBack()
	t.makeReady()
	choice, err := choose(ctx)
	if err != nil {
		return Photo{}, fmt.Errorf("take photo: %w", err)
	}
	defer func() { t.idle <- choice.best }()
	chosen := time.Now()
	p, err := t.develop(choice.best)
	if err != nil {
		return Photo{}, fmt.Errorf("take photo: %w", err)
	}
	p.Sharpness, p.LastSharpness, p.Frames = choice.best.sharpness, choice.last, choice.frames
	p.Choose, p.Encode = chosen.Sub(began), time.Since(chosen)
	return p, nil
}

// makeReady takes as much memory as the last photo needed, before there is a frame.
func (t *Taker) makeReady() {
	t.eachIdle(func(s *shot) { s.Reserve(t.size) })
}

// giveBack frees the frames' memory, 4 MB at 720p. A frame that Offer has in its
// hands keeps it until the next photo, or Close.
func (t *Taker) giveBack() {
	t.eachIdle(func(s *shot) {
		t.size = max(t.size, s.Size())
		s.Free()
	})
}

// eachIdle is to be called by whose turn it is. What Offer brought too late for the
// last photo is idle, too.
func (t *Taker) eachIdle(do func(*shot)) {
	for range len(t.filled) {
		t.idle <- <-t.filled
	}
	for range len(t.idle) {
		s := <-t.idle
		do(s)
		t.idle <- s
	}
}

// begin waits for this photo's turn.
func (t *Taker) begin(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-t.closing:
		return os.ErrClosed
	}
	select {
	case <-t.closing: // both were ready
		<-t.turn
		return os.ErrClosed
	default:
		return nil
	}
}

// develop makes the JPEG. A camera's own stays as it is: turning it would lose
// what the camera made of its raw picture, so that the JPEG says which way is up.
func (t *Taker) develop(s *shot) (Photo, error) {
	f := s.Frame
	p := Photo{PTS: f.PTS, TakenAt: t.cfg.Wall(f.PTS), Width: f.Width, Height: f.Height}
	if t.cfg.Rotation == 90 || t.cfg.Rotation == 270 {
		p.Width, p.Height = p.Height, p.Width
	}
	tags := exif{model: t.cfg.Device, software: t.cfg.Software, taken: p.TakenAt}
	data := f.Planes[0].Data
	if f.Format == capture.MJPEG {
		tags.rotation = t.cfg.Rotation
	} else {
		var err error
		if data, err = t.encoder.Encode(f); err != nil {
			return Photo{}, err
		}
	}
	var err error
	p.JPEG, err = pixel.Strip(make([]byte, 0, len(data)+1024), data, tags.encode())
	return p, err
}

// Close ends a Take that waits and frees what the Taker has; Offer may still be
// called. A second call does nothing.
func (t *Taker) Close() error {
	t.closeOnce.Do(func() {
		close(t.closing)
		t.turn <- struct{}{} // for ever
		t.giveBack()
		t.closeErr = t.luma.Close()
		if err := t.encoder.Close(); t.closeErr == nil {
			t.closeErr = err
		}
	})
	return t.closeErr
}
