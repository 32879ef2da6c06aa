package clip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// ErrNoPicture says that a clip ended before there was a picture to begin with.
var ErrNoPicture = errors.New("no picture was captured")

const (
	// cadence is how much time a fragment holds: what a cut file loses.
	cadence = 500 * time.Millisecond
	// maxFragment ends a fragment sooner, in bytes: it bounds a clip's buffer.
	maxFragment = 512 << 10
	// grace is how long a clip waits at its limit for pictures that were taken
	// before it and are still in the encoder.
	grace = 500 * time.Millisecond
)

// End says why a clip ended.
type End uint8

// The ends of a clip.
const (
	Stopped End = 1 // by Stop
	Limit   End = 2 // it is as long as it may be
	Emptied End = 3 // by Ring.Empty: the conversation pauses, or is over
	Resized End = 4 // the encoder went over to pictures of another size or profile
	Overrun End = 5 // the writer was so slow that the ring was full: the clip's end is missing
)

// String returns the end in a word.
func (e End) String() string {
	switch e {
	case Stopped:
		return "stopped"
	case Limit:
		return "limit"
	case Emptied:
		return "emptied"
	case Resized:
		return "resized"
	case Overrun:
		return "overrun"
	}
	return fmt.Sprintf("End(%d)", uint8(e))
}

// Summary says what was written. It counts whole fragments only.
type Summary struct {
	End           End
	Start         time.Duration // PTS of its first picture
	PreRoll       time.Duration // how much of it is from before it was begun
	Duration      time.Duration
	Width, Height int
	Pictures      int
	Packets       int // of sound
	Bytes         int64
}

// Clip is one clip on its way out of the ring.
//
//	Begin ──> waiting ──an IDR picture──> running ──Stop, limit, Empty, another size──> ended ──all written──> done
//	                                         └────────────the ring is full──────────────> lost ─────────────────^
type Clip struct {
	ring     *Ring
	w        io.Writer
	press    time.Duration // when it was begun
	deadline time.Duration // what is taken from then on is not in it
	signals  chan struct{} // something changed; holds one

	// Guarded by ring.mu.
	ran     bool
	started bool
	origin  time.Duration // PTS of its first picture
	cursor  uint64        // the next picture to be written
	audio   uint64        // and packet
	wakeAt  time.Duration // PTS with which a fragment is complete
	ended   End
	until   time.Duration // when it ended
	last    uint64        // once ended: the number after its last picture's
	silent  uint64        // and packet's
	lost    bool          // what it needs next is gone

	// Run's own.
	sets     []byte // parameter sets in its avcC box
	changed  bool   // others are in the stream
	fragment fragment
	summary  Summary
}

const forever = time.Duration(1<<63 - 1)

func newClip(r *Ring, w io.Writer, limit time.Duration) *Clip {
	c := &Clip{ring: r, w: w, press: r.config.Now(), deadline: forever, signals: make(chan struct{}, 1)}
	if limit > 0 {
		c.deadline = c.press + limit
	}
	return c
}

// startAt begins the clip with that picture. Its sound begins with it.
func (c *Clip) startAt(number uint64) {
	e := c.ring.video.entries.at(number)
	c.started, c.origin, c.cursor = true, e.pts, number
	c.wakeAt = e.pts + cadence
	c.audio = max(c.ring.audio.entries.base, c.ring.audioFloor)
	c.signal()
}

// holds says whether the ring keeps something for the clip.
func (c *Clip) holds() bool { return c.started && !c.lost && (c.ended == 0 || c.cursor < c.last) }

func (c *Clip) end(why End, at time.Duration) {
	if c.ended != 0 {
		return
	}
	if at >= c.deadline {
		why, at = Limit, c.deadline
	}
	c.ended, c.until = why, at
	c.last, c.silent = c.ring.video.entries.next, c.ring.audio.entries.next
	c.signal()
}

func (c *Clip) lose() {
	c.lost = true
	c.signal()
}

func (c *Clip) signal() {
	select {
	case c.signals <- struct{}{}:
	default:
	}
}

// Stop ends the clip with what was captured up to now; its last picture stands
// until now. It does not wait for Run.
func (c *Clip) Stop() {
	c.ring.mu.Lock()
	defer c.ring.mu.Unlock()
	c.end(Stopped, c.ring.config.Now())
}

// Run writes the clip until it has ended and all of it is written, each fragment
// by one Write, the first with the file's header. A clip that ends by itself or
// is overrun is whole as far as it goes, and no error: see Summary.End. With an
// error, from the writer, because ctx ended or because there was no picture at
// all, the fragments that were written can be played too.
//
// The moment of Stop or Empty ends the last picture, so that the clip is as long
// as its pre-roll and its recording; that picture may then stand for longer than
// the others.
func (c *Clip) Run(ctx context.Context) (Summary, error) {
	if !c.register() {
		return Summary{}, errors.New("write clip: it was run before")
	}
	defer c.release()
	limit := c.timer()
	defer limit.Stop()
	for ctx.Err() == nil {
		switch c.plan() {
		case finished:
			return c.finish()
		case ready:
			if err := c.write(); err != nil {
				return c.summary, fmt.Errorf("write clip after %v: %w", c.summary.Duration, err)
			}
			continue
		}
		select {
		case <-c.signals:
		case <-limit.C:
			c.endAtLimit()
		case <-ctx.Done():
		}
	}
	return c.summary, fmt.Errorf("write clip after %v: %w", c.summary.Duration, context.Cause(ctx))
}

func (c *Clip) register() bool {
	c.ring.mu.Lock()
	defer c.ring.mu.Unlock()
	first := !c.ran
	c.ran = true
	return first
}

// timer goes off when no picture of a time past the limit came to say so.
func (c *Clip) timer() *time.Timer {
	if c.deadline == forever {
		t := time.NewTimer(time.Hour)
		t.Stop()
		return t
	}
	return time.NewTimer(c.deadline + grace - c.ring.config.Now())
}

func (c *Clip) endAtLimit() {
	c.ring.mu.Lock()
	defer c.ring.mu.Unlock()
	c.end(Limit, c.deadline)
}

// release lets the ring forget what it kept for the clip.
func (c *Clip) release() {
	r := c.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clips = slices.DeleteFunc(r.clips, func(other *Clip) bool { return other == c })
	r.trim(r.newest())
}

func (c *Clip) finish() (Summary, error) {
	c.ring.mu.Lock()
	defer c.ring.mu.Unlock()
	c.summary.End = c.ended
	if c.lost {
		c.summary.End = Overrun
	}
	if c.summary.Pictures == 0 {
		return c.summary, fmt.Errorf("write clip (%v): %w", c.summary.End, ErrNoPicture)
	}
	return c.summary, nil
}

// write writes the fragment that was planned, unless the ring lost it meanwhile.
func (c *Clip) write() error {
	f := &c.fragment
	if f.first {
		c.begin()
	}
	if !c.fill() {
		return nil // lost, as the next plan says
	}
	c.commit()
	n, err := c.w.Write(f.buffer)
	if err == nil && n < len(f.buffer) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	c.summary.Pictures += len(f.video)
	c.summary.Packets += len(f.audio)
	c.summary.Bytes += int64(n)
	c.summary.Duration = ticksToTime(f.videoTime+total(f.video), videoScale)
	return nil
}

// begin notes what the first fragment says about the clip.
func (c *Clip) begin() {
	c.summary.Start = c.origin
	c.summary.PreRoll = max(0, c.press-c.origin)
	c.summary.Width, c.summary.Height = c.fragment.sps.Width, c.fragment.sps.Height
}
