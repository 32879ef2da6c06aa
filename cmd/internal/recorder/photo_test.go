package recorder

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/capture/photo"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/uplink/spool"
)

var errTest = errors.New("refused by the test")

// A photo is in the spool when its id is returned, and the advisor hears so.
func TestPhoto(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.films()
		r.begin()
		r.pass(time.Second)
		for i, show := range []bool{false, true} {
			p, err := r.Photo(r.t.Context(), show)
			if err != nil {
				t.Fatal(err)
			}
			r.wantItems(i + 1)
			r.wantCues(session.CuePhoto)
			header, media := r.read(p.ID)
			if header.ID != p.ID || header.Kind != spool.Photo || header.Session != "showroom-1" || header.Show != show || header.Clock != spool.Confirmed {
				t.Errorf("%+v", header)
			}
			if c, err := jpeg.DecodeConfig(bytes.NewReader(media)); err != nil || c.Width != width || c.Height != height {
				t.Errorf("%+v, %v", c, err)
			}
			if p.Frames < 3 || p.ChooseMS <= 0 || p.ChooseMS > 200 {
				t.Errorf("%+v", p)
			}
		}
		if r.stored != 2 || r.claims != 2 || r.released != 2 || r.sounding != 0 {
			t.Errorf("%d were told of, of %d claims, %d with sound, %d were given back", r.stored, r.claims, r.sounding, r.released)
		}
		var s control.Status
		if r.Show(&s); !s.Recording.Armed || s.LatencyMS.Photo.Choose.P50 <= 0 {
			t.Errorf("status: %+v", s)
		}
	})
}

// Of a photo that cannot be taken or kept nothing is left, and the cause is told.
func TestPhotoRefused(t *testing.T) {
	full := func(err error) bool {
		var e *spool.FullError
		return errors.As(err, &e) && e.Hint() != ""
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	tests := map[string]struct {
		change func(*rig, *spool.Config)
		before func(*rig)
		why    func(error) bool
		claims int
	}{
		"by the session": {nil, func(r *rig) { r.refused = errTest }, is(errTest), 0},
		"no recipient": {func(r *rig, _ *spool.Config) {
			r.cfg.Recipient = func(context.Context) (age.Recipient, error) { return nil, errTest }
		}, nil, is(errTest), 0},
		"full":               {func(_ *rig, c *spool.Config) { c.Quota = 4 << 10 }, nil, full, 1},
		"full with it":       {func(_ *rig, c *spool.Config) { c.Quota = 13 << 10 }, nil, full, 1},
		"no folder":          {func(r *rig, c *spool.Config) { c.Dir = r.file() }, nil, func(err error) bool { return err != nil }, 1},
		"no longer captured": {nil, (*rig).end, is(errEnded{}), 1},
		"no taker":           {func(r *rig, _ *spool.Config) { r.cfg.Photos = func() (*photo.Taker, error) { return nil, errTest } }, nil, is(errTest), 1},
		"closed":             {nil, func(r *rig) { r.end(); r.Close() }, is(errClosed), 1},
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
				if _, err := r.Photo(r.t.Context(), false); !test.why(err) {
					t.Errorf("photo: %v", err)
				}
				r.wantItems(0)
				r.wantCues() // who asked lets the advisor hear
				if r.claims != test.claims || r.stored != 0 {
					t.Errorf("%d claims, %d were told of", r.claims, r.stored)
				}
			})
		})
	}
}

// file makes a file, which cannot be a folder.
func (r *rig) file() string {
	path := filepath.Join(r.t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return filepath.Join(path, "spool")
}

// A pause between the press and the first frame is the end of the photo: it shows
// nothing of what comes after.
func TestPhotoOfAPause(t *testing.T) {
	for name, alone := range map[string]bool{"in a conversation": false, "without one": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig, _ *spool.Config) { r.alone = alone }, func(r *rig) {
				r.begin()
				failed := make(chan error)
				go func() {
					_, err := r.Photo(r.t.Context(), false)
					failed <- err
				}()
				r.pass(time.Second)
				r.end()
				r.begin()
				r.films()
				if err := <-failed; !errors.Is(err, errEnded{}) || !strings.HasPrefix(err.Error(), "take the photo: ") {
					t.Errorf("photo: %v", err)
				}
				r.pass(time.Second)
				r.wantItems(0)
				if _, err := r.Photo(r.t.Context(), false); err != nil {
					t.Errorf("after the pause: %v", err)
				}
			})
		})
	}
}

// Several who press at once have each a photo.
func TestPhotosAtOnce(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.films()
		r.begin()
		failed := make(chan error)
		for range 5 {
			go func() {
				_, err := r.Photo(r.t.Context(), false)
				failed <- err
			}()
		}
		for range 5 {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		r.wantItems(5)
	})
}

// A photo that nobody waits for any longer is none.
func TestPhotoEndsWithItsContext(t *testing.T) {
	for _, alone := range []bool{false, true} {
		inBubble(t, func(r *rig, _ *spool.Config) { r.alone = alone }, func(r *rig) {
			r.begin()
			ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
			defer cancel()
			if _, err := r.Photo(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("photo: %v", err)
			}
			r.wantItems(0)
		})
	}
}

// A camera that runs for the photo alone has time to begin, and to get used to the
// light; the next photo, of a camera that runs, need not wait.
func TestPhotoOfACameraThatBegins(t *testing.T) {
	inBubble(t, func(r *rig, _ *spool.Config) { r.alone = true }, func(r *rig) {
		r.begin()
		go func() {
			time.Sleep(3 * time.Second)
			r.films()
		}()
		for _, wait := range []time.Duration{3*time.Second + settleTime, 0} {
			pressed := time.Now()
			p, err := r.Photo(r.t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(pressed); took < wait || took > wait+200*time.Millisecond {
				t.Errorf("it took %v, want %v", took, wait)
			}
			if p.ChooseMS > 200 {
				t.Errorf("%+v", p)
			}
		}
	})
}

func TestPhotoOfACameraThatDeliversNothing(t *testing.T) {
	for alone, wait := range map[bool]time.Duration{false: 2 * time.Second, true: firstTime} {
		inBubble(t, func(r *rig, _ *spool.Config) { r.alone = alone }, func(r *rig) {
			r.begin()
			pressed := time.Now()
			_, err := r.Photo(r.t.Context(), false)
			var none *photo.NoFrameError
			if !errors.As(err, &none) || time.Since(pressed) != wait {
				t.Errorf("photo: %v after %v, want %v", err, time.Since(pressed), wait)
			} else if strings.Count(err.Error(), "take") != 1 {
				t.Errorf("it says twice what was tried: %v", err)
			}
			r.wantItems(0)
		})
	}
}
