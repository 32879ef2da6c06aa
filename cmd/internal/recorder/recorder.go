// Package recorder takes photos and clips of what a session captures and puts them
// into the spool. It sees a session.Tap's pictures and sound and nothing else: what
// the other side of a conversation says or shows cannot get here. It decides nothing
// about the stream, and never holds it up.
package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/clip"
	"github.com/bril-edge/bril/capture/photo"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/uplink/spool"
)

// Config says what a Recorder works with. All but Stored is needed.
type Config struct {
	// Photos makes what takes the photos of a conversation, up to its next pause.
	Photos func() (*photo.Taker, error)
	Ring   *clip.Ring
	Sound  bool // clips have the advisor's own
	Spool  *spool.Spool

	// Recordable returns why nothing can be taken now, as far as that is known, and
	// Keep has what is captured come: the session's methods.
	Recordable func() error
	Keep       func(ctx context.Context, sound bool) (session.Claim, error)

	// Recipient returns whom items are encrypted to.
	Recipient func(ctx context.Context) (age.Recipient, error)
	// Session returns the conversation's name, which goes into each item.
	Session func() string
	// MaxClip is when a clip ends by itself.
	MaxClip time.Duration
	// Clock returns the time, and whether it can be believed.
	Clock func() (now time.Time, confirmed bool)

	Cue    func(session.Cue)
	Stored func() // an item is ready to be sent; nil when nobody needs to know
	Log    *slog.Logger
}

// Recorder implements session.Tap. Close ends what it has begun.
type Recorder struct {
	cfg   Config
	times times

	mu     sync.Mutex
	take   *take        // nil while nothing is shown
	photos *photo.Taker // of the take; nil when it could not be made
	failed error        // why not
	clip   *running     // nil while none is made
	closed bool

	saving sync.WaitGroup // of clips, and the end of takers
}

// New makes a Recorder.
func New(cfg Config) *Recorder {
	if cfg.Stored == nil {
		cfg.Stored = func() {}
	}
	return &Recorder{cfg: cfg}
}

// errEnded is why there is nothing of what was about to be taken.
type errEnded struct{}

func (errEnded) Error() string { return "what is captured has just ended or is paused" }
func (errEnded) Hint() string  { return "bril status" }

var errClosed = errors.New("the daemon stops")

// Begin forgets what was before, and takes photos and clips of what comes.
func (r *Recorder) Begin() { r.arm(true) }

// End forgets what there is, and finishes a clip that is being made.
func (r *Recorder) End() { r.arm(false) }

// arm lets go of the taker with all that it has seen: a photo that was begun before
// a pause gets no frame from after it.
func (r *Recorder) arm(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.take != nil {
		close(r.take.over)
		r.take = nil
	}
	r.cfg.Ring.Empty()
	if old := r.photos; old != nil {
		r.saving.Go(func() { _ = old.Close() }) // it may wait for a photo in its hands
	}
	r.photos = nil
	if on {
		r.take = newTake()
		r.photos, r.failed = r.cfg.Photos()
	}
}

// Frame implements session.Tap.
func (r *Recorder) Frame(f *capture.Frame) {
	r.take.seen(f) // Begin and End are never called beside it
	if r.photos != nil {
		r.photos.Offer(f)
	}
}

// Video implements session.Tap.
func (r *Recorder) Video(au encoder.AccessUnit) { r.cfg.Ring.Video(au) }

// Audio implements session.Tap.
func (r *Recorder) Audio(p encoder.Packet) {
	if r.cfg.Sound {
		r.cfg.Ring.Audio(p)
	}
}

// Close refuses what comes, and returns once a clip that was being made is safe. It
// is to be called when nothing is shown any more.
func (r *Recorder) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.arm(false)
	r.saving.Wait()
	return nil
}

// taker returns what takes a photo, if one may be taken now, and of which take.
func (r *Recorder) taker() (*photo.Taker, *take, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch err := r.mayTake(); {
	case err != nil:
		return nil, nil, err
	case r.photos == nil:
		return nil, nil, fmt.Errorf("make ready for photos: %w", r.failed)
	}
	return r.photos, r.take, nil
}

// mayTake needs the lock.
func (r *Recorder) mayTake() error {
	switch {
	case r.closed:
		return errClosed
	case r.take == nil:
		return errEnded{}
	}
	return nil
}

// create begins an item of the spool.
func (r *Recorder) create(to age.Recipient, kind spool.Kind, contentType string, show bool) (*spool.Item, error) {
	now, confirmed := r.cfg.Clock()
	return r.cfg.Spool.Create(to, spool.Meta{
		Session: r.cfg.Session(), Kind: kind, TakenAt: now, ClockConfirmed: confirmed,
		Show: show, ContentType: contentType,
	})
}
