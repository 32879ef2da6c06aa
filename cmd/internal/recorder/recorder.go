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

	// Recipient returns whom items are encrypted to.
	Recipient func(ctx context.Context) (age.Recipient, error)
	// Session is the conversation's name, which goes into each item.
	Session string
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
	armed  bool         // a conversation's pictures come
	photos *photo.Taker // while armed; nil when it could not be made
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

// errNoConversation refuses what would be of nobody.
type errNoConversation struct{}

func (errNoConversation) Error() string {
	return "photos and clips are of a conversation, and none is live"
}

func (errNoConversation) Hint() string {
	return "bril live on; or set media.outside_session to take them without one"
}

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
	r.armed = on
	r.cfg.Ring.Empty()
	if old := r.photos; old != nil {
		r.saving.Go(func() { _ = old.Close() }) // it may wait for a photo in its hands
	}
	r.photos = nil
	if on {
		r.photos, r.failed = r.cfg.Photos()
	}
}

// Frame implements session.Tap.
func (r *Recorder) Frame(f *capture.Frame) {
	if r.photos != nil { // Begin and End are never called beside it
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

// Close refuses what comes, and returns once a clip that was being made is safe.
func (r *Recorder) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.arm(false)
	r.saving.Wait()
	return nil
}

// taker returns what takes a photo, if one may be taken now.
func (r *Recorder) taker() (*photo.Taker, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch err := r.mayTake(); {
	case err != nil:
		return nil, err
	case r.photos == nil:
		return nil, fmt.Errorf("make ready for photos: %w", r.failed)
	}
	return r.photos, nil
}

// mayTake needs the lock.
func (r *Recorder) mayTake() error {
	switch {
	case r.closed:
		return errClosed
	case !r.armed:
		return errNoConversation{}
	}
	return nil
}

// create begins an item of the spool.
func (r *Recorder) create(to age.Recipient, kind spool.Kind, contentType string, show bool) (*spool.Item, error) {
	now, confirmed := r.cfg.Clock()
	return r.cfg.Spool.Create(to, spool.Meta{
		Session: r.cfg.Session, Kind: kind, TakenAt: now, ClockConfirmed: confirmed,
		Show: show, ContentType: contentType,
	})
}
