package clip

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

// shown gives the ring pictures from number from on, 25 a second, a key frame each
// ten, and returns what was given.
func shown(r *Ring, s *stream, from, count, size int) (given []encoder.AccessUnit) {
	for n := from; n < from+count; n++ {
		au := s.unit(time.Duration(n)*40*time.Millisecond, n%10 == 0, size)
		r.Video(au)
		given = append(given, au)
	}
	return given
}

// next wants that access unit, but for the delimiter, which the ring has left out.
func next(t *testing.T, p *Pictures, want encoder.AccessUnit, late bool) {
	t.Helper()
	got, gotLate, err := p.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var units []byte
	for nal := range h264.NALs(want.Data) {
		if nal.Type() != h264.TypeAUD {
			units = h264.AppendNAL(units, nal)
		}
	}
	if got.PTS != want.PTS || got.Key != want.Key || gotLate != late || !bytes.Equal(got.Data, units) {
		t.Fatalf("picture at %v, key %v, late %v; want %v, %v, %v", got.PTS, got.Key, gotLate, want.PTS, want.Key, late)
	}
}

func TestPictures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newStream(1, 64, 48), NewRing(Config{})
		given := shown(r, s, 0, 24, 3000)
		p := r.Pictures()
		defer p.Close()
		given = append(given, shown(r, s, 24, 2, 3000)...)
		for n := 20; n < 26; n++ { // from the newest key frame on
			next(t, p, given[n], n >= 24)
		}
		waits, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := p.Next(waits); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("where there is none: %v", err)
		}
		came := make(chan encoder.AccessUnit)
		go func() {
			time.Sleep(time.Second)
			came <- shown(r, s, 26, 1, 3000)[0]
		}()
		waiting := time.Now()
		au, late, err := p.Next(t.Context())
		if want := <-came; err != nil || au.PTS != want.PTS || !late || time.Since(waiting) != time.Second {
			t.Errorf("%v, %v, %v after %v", au.PTS, late, err, time.Since(waiting))
		}
	})
}

// Nothing from before Empty is read, and nothing goes on after it.
func TestPicturesEndWithEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newStream(1, 64, 48), NewRing(Config{})
		given := shown(r, s, 0, 15, 3000)
		p := r.Pictures()
		next(t, p, given[10], false)
		r.Empty()
		shown(r, s, 20, 3, 3000)
		for range 2 {
			if _, _, err := p.Next(t.Context()); !errors.Is(err, ErrEmptied) {
				t.Errorf("after Empty: %v", err)
			}
		}
		waiting := r.Pictures()
		for range 3 {
			_, _, _ = waiting.Next(t.Context())
		}
		failed := make(chan error)
		go func() {
			_, _, err := waiting.Next(t.Context())
			failed <- err
		}()
		synctest.Wait()
		r.Empty()
		if err := <-failed; !errors.Is(err, ErrEmptied) {
			t.Errorf("while it waits: %v", err)
		}

		// The next are in the middle of a GOP, of which the beginning is forgotten.
		after := r.Pictures()
		given = shown(r, s, 35, 6, 3000)
		next(t, after, given[5], true)
		for range 2 {
			p.Close()
			waiting.Close()
			after.Close()
		}
		if len(r.readers) != 0 {
			t.Errorf("%d are kept", len(r.readers))
		}
	})
}

// The ring does not wait: who is late goes on at a key frame.
func TestPicturesThatAreLate(t *testing.T) {
	s, r := newStream(1, 64, 48), NewRing(Config{})
	given := shown(r, s, 0, 13, 20_000)
	p := r.Pictures()
	defer p.Close()
	next(t, p, given[10], false)
	given = append(given, shown(r, s, 13, 200, 20_000)...)
	au, late, err := p.Next(t.Context())
	if err != nil || !au.Key || !late {
		t.Fatalf("key %v, late %v, %v", au.Key, late, err)
	}
	for n := int(au.PTS/(40*time.Millisecond)) + 1; n < 213; n++ {
		next(t, p, given[n], true)
	}
}
