package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bril-edge/bril/capture/clip"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/uplink/spool"
)

// running is a clip that is being made.
type running struct {
	clip  *clip.Clip
	claim session.Claim // to what it is of
	since time.Time
	id    string // "" until its folder is made; the Recorder's lock guards it

	saved   chan struct{} // closed once it is safe, or will not be
	summary clip.Summary  // of the saved clip, as what follows
	err     error
}

type noClip struct{}

func (noClip) Error() string { return "no clip is being made" }
func (noClip) Hint() string  { return "bril clip start" }

type clipRuns struct{ id string }

func (c clipRuns) Error() string { return strings.TrimSpace("a clip is being made already " + c.id) }
func (clipRuns) Hint() string    { return "bril clip stop" }

// StartClip begins a clip, with what was captured just before, and returns once
// its folder is safe. It ends by StopClip, after the longest time allowed, or with
// what is captured.
func (r *Recorder) StartClip(ctx context.Context) (control.Clip, error) {
	to, claim, err := r.ready(ctx, r.cfg.Sound)
	if err != nil {
		return control.Clip{}, err
	}
	out := &outlet{}
	c, err := r.begin(out, claim)
	if err != nil {
		claim.Release()
		return control.Clip{}, err
	}
	// The clip began with the press. Where it goes is made only now, without the
	// lock: a slow disk holds nobody up.
	item, err := r.create(to, spool.Clip, "video/mp4", false)
	if err != nil {
		c.err = err
		out.Writer = io.Discard
		gone, cancel := context.WithCancel(ctx)
		cancel()
		_, _ = c.clip.Run(gone) // lets go of the ring
		claim.Release()
		r.finished(c)
		return control.Clip{}, fmt.Errorf("store the clip: %w", err)
	}
	out.Writer = item
	r.mu.Lock()
	c.id = item.ID()
	r.mu.Unlock()
	go r.save(c, item) // Close waits for r.saving
	r.cfg.Cue(session.CueClip)
	return control.Clip{ID: item.ID()}, nil
}

// begin begins the clip in the ring. It counts as one that runs.
func (r *Recorder) begin(out io.Writer, claim session.Claim) (*running, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch err := r.mayTake(); {
	case err != nil:
		return nil, err
	case r.clip != nil:
		return nil, clipRuns{r.clip.id}
	}
	now, _ := r.cfg.Clock()
	r.clip = &running{clip: r.cfg.Ring.Begin(out, r.cfg.MaxClip), claim: claim, since: now, saved: make(chan struct{})}
	r.saving.Add(1)
	return r.clip, nil
}

// finished lets another clip begin.
func (r *Recorder) finished(c *running) {
	r.mu.Lock()
	r.clip = nil
	r.mu.Unlock()
	close(c.saved)
	r.saving.Done()
}

// outlet is a Writer that comes later.
type outlet struct{ io.Writer }

// save writes the clip until it ends, and makes it safe. Nothing cuts it short:
// what was recorded is kept.
func (r *Recorder) save(c *running, item *spool.Item) {
	defer r.finished(c)
	var early error
	c.summary, early = c.clip.Run(context.Background())
	c.claim.Release()
	var full *spool.FullError
	noRoom := errors.As(early, &full)
	switch {
	case early != nil && c.summary.Bytes == 0: // an empty file would be refused by the cloud
		c.err = errors.Join(early, item.Abort())
		r.cfg.Log.Warn("there is no clip", "item", item.ID(), "error", c.err)
		r.cfg.Cue(cueOf(noRoom, session.CueRefused))
		return
	case early != nil:
		r.cfg.Log.Warn("a clip ends early", "item", item.ID(), "error", early)
	case c.summary.End == clip.Overrun:
		r.cfg.Log.Warn("a clip ends early: the disk is too slow for it", "item", item.ID())
	}
	if c.err = item.Finish(); c.err != nil {
		r.cfg.Log.Error("a clip could not be stored whole", "item", item.ID(), "error", c.err)
		r.cfg.Cue(session.CueRefused)
		return
	}
	r.cfg.Log.Info("clip taken", "item", item.ID(), "duration", c.summary.Duration)
	r.cfg.Cue(cueOf(noRoom, session.CueClipEnd))
	r.cfg.Stored()
}

// cueOf returns what the advisor hears at the end of a clip.
func cueOf(noRoom bool, other session.Cue) session.Cue {
	if noRoom {
		return session.CueFull
	}
	return other
}

// StopClip ends the clip and returns once it is safe.
func (r *Recorder) StopClip(ctx context.Context) (control.Clip, error) {
	r.mu.Lock()
	c := r.clip
	r.mu.Unlock()
	if c == nil {
		return control.Clip{}, noClip{}
	}
	c.clip.Stop()
	select {
	case <-c.saved:
	case <-ctx.Done():
		return control.Clip{}, fmt.Errorf("store the clip: %w", ctx.Err())
	}
	if c.err != nil {
		return control.Clip{}, fmt.Errorf("store the clip: %w", c.err)
	}
	return control.Clip{ID: c.id, DurationSeconds: c.summary.Duration.Seconds()}, nil
}

// ToggleClip is what a press does.
func (r *Recorder) ToggleClip(ctx context.Context) error {
	r.mu.Lock()
	runs := r.clip != nil
	r.mu.Unlock()
	var err error
	if runs {
		_, err = r.StopClip(ctx)
	} else {
		_, err = r.StartClip(ctx)
	}
	return err
}
