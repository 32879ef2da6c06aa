package recorder

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture/photo"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/openh264"
)

// In a film of two GOPs each picture is 3 brighter than the one before.
const (
	darkest = 40
	step    = 3
)

// makeFilm makes what a camera with an encoder of its own delivers.
func makeFilm(t *testing.T) (film []encoder.AccessUnit) {
	t.Helper()
	e, err := openh264.New(openh264.Config{Width: width, Height: height, FPS: 25, GOP: gop * frameTime},
		func(au encoder.AccessUnit) error {
			au.Data = bytes.Clone(au.Data)
			film = append(film, au)
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for n := range 2 * gop {
		f := picture(time.Duration(n)*frameTime, 0)
		for i, p := range f.Planes {
			for at := range p.Data {
				if p.Data[at] = 128; i == 0 {
					p.Data[at] = byte(darkest + step*n + at%2*10)
				}
			}
		}
		if err := e.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	if len(film) != 2*gop || !film[0].Key || !film[gop].Key || film[gop-1].Key {
		t.Fatalf("%d pictures", len(film))
	}
	return film
}

// numberOf returns which picture of the film a photo shows.
func numberOf(t *testing.T, media []byte) float64 {
	t.Helper()
	p, err := jpeg.Decode(bytes.NewReader(media))
	if err != nil {
		t.Fatal(err)
	}
	luma, sum := p.(*image.YCbCr), 0.0
	for y := range height {
		for x := range width {
			sum += float64(luma.Y[y*luma.YStride+x])
		}
	}
	mean := sum / (width * height) // of the full range, as it is in a JPEG
	return (mean*219/255 + 16 - darkest - 5) / step
}

func filmed(t *testing.T, change func(*rig), test func(*rig)) {
	t.Helper()
	film := makeFilm(t)
	inBubble(t, nil, func(r *rig) {
		if r.film = film; change != nil {
			change(r)
		}
		test(r)
	})
}

// A photo of a source that delivers H.264 is one of the pictures right after the
// press, wherever in a GOP that is.
func TestPhotoOfH264(t *testing.T) {
	filmed(t, nil, func(r *rig) {
		r.films()
		r.begin()
		for i, wait := range []time.Duration{10 * time.Millisecond, 400 * time.Millisecond, 3 * time.Second} {
			r.pass(wait)
			pressed := int(r.sequence) % len(r.film)
			p, err := r.Photo(r.t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			r.wantItems(i + 1)
			r.wantCues(session.CuePhoto)
			_, media := r.read(p.ID)
			if n := numberOf(t, media); n < float64(pressed)-0.5 || n > float64(pressed)+4.5 || math.Abs(n-math.Round(n)) > 0.4 {
				t.Errorf("pressed before picture %d, the photo shows %.2f", pressed, n)
			}
			if p.Frames < 3 || p.Frames > 5 || p.ChooseMS <= 0 || p.ChooseMS > 200 {
				t.Errorf("%+v", p)
			}
		}
	})
}

// What is not known yet at the press is noticed with the first frame.
func TestPhotoOfH264BeforeItsFirstFrame(t *testing.T) {
	filmed(t, nil, func(r *rig) {
		r.begin()
		failed := make(chan error)
		go func() {
			_, err := r.Photo(r.t.Context(), false)
			failed <- err
		}()
		r.pass(time.Second)
		r.films()
		if err := <-failed; err != nil {
			t.Error(err)
		}
	})
}

func TestPhotosOfH264AtOnce(t *testing.T) {
	filmed(t, nil, func(r *rig) {
		r.films()
		r.begin()
		r.pass(500 * time.Millisecond)
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

// A pause after the press ends the photo, and nothing from before it is in a later
// one: not even to decode it.
func TestPhotoOfH264AndAPause(t *testing.T) {
	filmed(t, nil, func(r *rig) {
		r.films()
		r.begin()
		r.pass(500*time.Millisecond + frameTime/2)
		failed := make(chan error)
		go func() {
			_, err := r.Photo(r.t.Context(), false)
			failed <- err
		}()
		r.pass(time.Millisecond)
		r.end()
		r.shows.Lock()
		r.sequence, r.on = 1, true // the camera is in the middle of a GOP
		r.Begin()
		r.shows.Unlock()
		if err := <-failed; !errors.Is(err, errEnded{}) || !strings.HasPrefix(err.Error(), "take the photo: ") {
			t.Errorf("photo: %v", err)
		}
		r.pass(100 * time.Millisecond)
		pressed := time.Now()
		p, err := r.Photo(r.t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		_, media := r.read(p.ID)
		if n := numberOf(t, media); n < gop-0.5 || time.Since(pressed) < 700*time.Millisecond {
			t.Errorf("the photo shows picture %.1f, after %v", n, time.Since(pressed))
		}
	})
}

func TestPhotoOfDamagedH264(t *testing.T) {
	for name, damage := range map[string]func(film []encoder.AccessUnit){
		"cut": func(film []encoder.AccessUnit) {
			for i, au := range film {
				film[i].Data = au.Data[:len(au.Data)*3/4]
			}
		},
		"no key frames": func(film []encoder.AccessUnit) {
			for i := range film {
				film[i].Key = false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			filmed(t, func(r *rig) {
				r.film = slices.Clone(r.film)
				damage(r.film)
			}, func(r *rig) {
				r.films()
				r.begin()
				r.pass(500 * time.Millisecond)
				_, err := r.Photo(r.t.Context(), false)
				var bad *undecodable
				if name == "no key frames" && !errors.Is(err, errNoKey) || !errors.As(err, &bad) || bad.Hint() == "" {
					t.Errorf("photo: %v", err)
				}
				r.wantItems(0)
			})
		})
	}
}

// A camera that stops gives none.
func TestPhotoOfH264ThatStops(t *testing.T) {
	filmed(t, nil, func(r *rig) {
		r.begin()
		for range 10 {
			r.show()
		}
		pressed := time.Now()
		_, err := r.Photo(r.t.Context(), false)
		var none *photo.NoFrameError
		if !errors.As(err, &none) || time.Since(pressed) != 2*time.Second {
			t.Errorf("photo: %v after %v", err, time.Since(pressed))
		}
	})
}
