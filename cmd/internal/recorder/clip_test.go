package recorder

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/bril-edge/bril/capture/clip"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/uplink/spool"
)

// wantClip checks that an item is a clip of that length, with sound.
func (r *rig) wantClip(id string, length time.Duration) {
	r.t.Helper()
	header, media := r.read(id)
	if header.ID != id || header.Kind != spool.Clip || header.Session != "showroom-1" {
		r.t.Errorf("%+v", header)
	}
	file, err := mp4.DecodeFile(bytes.NewReader(media))
	if err != nil || len(file.Moov.Traks) != 2 {
		r.t.Fatalf("%v: %d bytes", err, len(media))
	}
	var total, scale uint64
	for _, segment := range file.Segments {
		for _, fragment := range segment.Fragments {
			samples, err := fragment.GetFullSamples(file.Moov.Mvex.Trexs[0])
			if err != nil {
				r.t.Fatal(err)
			}
			for _, s := range samples {
				total += uint64(s.Dur)
			}
		}
	}
	scale = uint64(file.Moov.Traks[0].Mdia.Mdhd.Timescale)
	if got := float64(total) / float64(scale); math.Abs(got-length.Seconds()) > 0.1 {
		r.t.Errorf("a clip of %.2f s, want %v", got, length)
	}
}

// start begins a clip, which must succeed.
func (r *rig) start() string {
	r.t.Helper()
	c, err := r.StartClip(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return c.ID
}

// A clip has the pre-roll in front, and is safe when stop returns.
func TestClip(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.films()
		r.begin()
		r.pass(5 * time.Second)
		id := r.start()
		r.wantCues(session.CueClip)
		var s control.Status
		if r.Show(&s); s.Recording.Clip != id || s.Recording.ClipSince.IsZero() || s.Recording.RingBytes == 0 {
			t.Errorf("status: %+v", s.Recording)
		}
		r.pass(4 * time.Second)
		c, err := r.StopClip(r.t.Context())
		if err != nil || c.ID != id {
			t.Fatalf("stop: %+v, %v", c, err)
		}
		if c.DurationSeconds < 6 || c.DurationSeconds > 7.1 { // pre-roll and recording, and at most a GOP
			t.Errorf("%v s", c.DurationSeconds)
		}
		r.wantCues(session.CueClipEnd)
		r.wantItems(1)
		r.wantClip(id, time.Duration(c.DurationSeconds*float64(time.Second)))
		if r.Show(&s); s.Recording.Clip != "" || r.stored != 1 || r.released != 1 || r.sounding != 1 {
			t.Errorf("status: %+v; %d were told of", s.Recording, r.stored)
		}
	})
}

func TestClipTwice(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.films()
		r.begin()
		if _, err := r.StopClip(r.t.Context()); !errors.Is(err, noClip{}) {
			t.Errorf("stop without a clip: %v", err)
		}
		r.pass(time.Second)
		id := r.start()
		if _, err := r.StartClip(r.t.Context()); !errors.Is(err, clipRuns{id}) {
			t.Errorf("start twice: %v", err)
		}
		r.pass(time.Second)
		if err := r.ToggleClip(r.t.Context()); err != nil {
			t.Errorf("toggle: %v", err)
		}
		r.wantItems(1)
		if err := r.ToggleClip(r.t.Context()); err != nil {
			t.Errorf("toggle: %v", err)
		}
		r.pass(time.Second)
		if err := r.ToggleClip(r.t.Context()); err != nil {
			t.Errorf("toggle: %v", err)
		}
		r.wantItems(2)
	})
}

// However a clip ends by itself, what it has is kept, and the advisor hears of it.
func TestClipEnds(t *testing.T) {
	tests := map[string]struct {
		change func(*rig, *spool.Config)
		end    func(*rig)
		cue    session.Cue
		length time.Duration
	}{
		"limit":    {nil, func(r *rig) { r.pass(20 * time.Second) }, session.CueClipEnd, 12 * time.Second},
		"pause":    {nil, func(r *rig) { r.pass(3 * time.Second); r.end(); synctest.Wait() }, session.CueClipEnd, 5 * time.Second},
		"shutdown": {nil, func(r *rig) { r.pass(3 * time.Second); r.silence(); r.Close() }, session.CueClipEnd, 5 * time.Second},
		"full":     {func(_ *rig, c *spool.Config) { c.Quota = 260 << 10 }, func(r *rig) { r.pass(20 * time.Second) }, session.CueFull, 4500 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, test.change, func(r *rig) {
				r.films()
				r.begin()
				r.pass(2 * time.Second) // its first picture is the pre-roll's
				id := r.start()
				test.end(r)
				r.wantItems(1)
				r.wantCues(session.CueClip, test.cue)
				r.wantClip(id, test.length)
				if r.released != 1 || r.stored != 1 {
					t.Errorf("%d claims were given back, %d clips told of", r.released, r.stored)
				}
				if _, err := r.StopClip(r.t.Context()); !errors.Is(err, noClip{}) {
					t.Errorf("stop: %v", err)
				}
			})
		})
	}
}

// A clip that cannot be made is refused, and another may begin.
func TestClipRefused(t *testing.T) {
	full := func(err error) bool {
		var e *spool.FullError
		return errors.As(err, &e)
	}
	tests := map[string]struct {
		change func(*rig, *spool.Config)
		before func(*rig)
		why    func(error) bool
	}{
		"by the session": {nil, func(r *rig) { r.refused = errTest }, func(err error) bool { return errors.Is(err, errTest) }},
		"no recipient": {func(r *rig, _ *spool.Config) {
			r.cfg.Recipient = func(context.Context) (age.Recipient, error) { return nil, errTest }
		}, nil, func(err error) bool { return errors.Is(err, errTest) }},
		"full":               {func(_ *rig, c *spool.Config) { c.Quota = 4 << 10 }, nil, full},
		"no folder":          {func(r *rig, c *spool.Config) { c.Dir = r.file() }, nil, func(err error) bool { return err != nil }},
		"no longer captured": {nil, (*rig).end, func(err error) bool { return errors.Is(err, errEnded{}) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, test.change, func(r *rig) {
				r.films()
				r.begin()
				r.pass(time.Second)
				if test.before != nil {
					test.before(r)
				}
				for range 2 {
					if _, err := r.StartClip(r.t.Context()); !test.why(err) {
						t.Errorf("start: %v", err)
					}
				}
				if _, err := r.StopClip(r.t.Context()); !errors.Is(err, noClip{}) {
					t.Errorf("stop: %v", err)
				}
				r.wantItems(0)
				r.wantCues()
			})
		})
	}
}

// Of a clip without a picture nothing is kept.
func TestClipWithoutAPicture(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.begin()
		r.start()
		r.pass(time.Second)
		if _, err := r.StopClip(r.t.Context()); !errors.Is(err, clip.ErrNoPicture) {
			t.Errorf("stop: %v", err)
		}
		r.wantItems(0)
		r.wantCues(session.CueClip, session.CueRefused)
		r.start()
		r.end()
		synctest.Wait()
		r.wantItems(0)
	})
}

// Nor of one whose first pictures do not fit.
func TestClipWithoutRoom(t *testing.T) {
	inBubble(t, func(_ *rig, c *spool.Config) { c.Quota = 14 << 10 }, func(r *rig) {
		r.films()
		r.begin()
		r.pass(time.Second)
		r.start()
		r.pass(time.Second)
		r.wantItems(0)
		r.wantCues(session.CueClip, session.CueFull)
	})
}

// No clip shows anything from before a pause.
func TestClipForgetsWhatWasBefore(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.films()
		r.begin()
		r.pass(5 * time.Second)
		r.end()
		r.pass(frameTime / 2)
		r.begin()
		id := r.start()
		r.pass(3 * time.Second)
		if _, err := r.StopClip(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		r.wantClip(id, 3*time.Second)
	})
}

// stuck is a recipient for whom nothing is encrypted until it is let go: as slow as
// the slowest disk.
type stuck struct {
	age.Recipient
	let chan struct{}
}

func (s stuck) Wrap(key []byte) ([]*age.Stanza, error) {
	<-s.let
	return s.Recipient.Wrap(key)
}

// A disk that takes for ever holds up who waits for it, and nobody else: the
// session's calls take no time on the bubble's clock.
func TestASlowDiskHoldsNobodyUp(t *testing.T) {
	let := make(chan struct{})
	inBubble(t, func(r *rig, _ *spool.Config) {
		let = make(chan struct{})
		r.cfg.Recipient = func(context.Context) (age.Recipient, error) {
			return stuck{r.identity.Recipient(), let}, nil
		}
	}, func(r *rig) {
		r.begin()
		for range 50 {
			r.show()
			r.pass(frameTime)
		}
		started, taken := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := r.StartClip(r.t.Context())
			started <- err
		}()
		go func() {
			_, err := r.Photo(r.t.Context(), false)
			taken <- err
		}()
		synctest.Wait()
		for range 75 {
			before := time.Now()
			r.show()
			var s control.Status
			r.Show(&s)
			if took := time.Since(before); took != 0 {
				t.Fatalf("a picture took %v", took)
			}
			r.pass(frameTime)
		}
		before := time.Now()
		r.end()
		r.begin()
		r.show()
		if took := time.Since(before); took != 0 {
			t.Errorf("a pause took %v", took)
		}
		select {
		case err := <-started:
			t.Errorf("start: %v", err)
		case err := <-taken:
			t.Errorf("photo: %v", err)
		default:
		}
		close(let)
		if err := <-started; err != nil {
			t.Error(err)
		}
		if err := <-taken; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		list := r.wantItems(2)
		for _, e := range list {
			if e.Kind == spool.Clip {
				r.wantClip(e.ID, 5*time.Second) // what was captured in the meantime is in it
			}
		}
	})
}
