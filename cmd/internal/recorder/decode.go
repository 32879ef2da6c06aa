package recorder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/clip"
	"github.com/bril-edge/bril/capture/photo"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/openh264"
)

// As for a source of raw pictures: how long after the press the first one may come,
// and the others.
const (
	patience = 2 * time.Second
	window   = 150 * time.Millisecond
)

// pick takes the photo. Of a source that delivers H.264 nothing is decoded until one
// is wanted: then from the newest key frame on, in this goroutine. At 720p that is 2.5
// to 3.3 ms of a core for each picture, 0.15 to 0.2 s for two seconds of them, and
// 14 MB meanwhile.
func (r *Recorder) pick(ctx context.Context, taker *photo.Taker, of *take) (photo.Photo, error) {
	if !of.encoded.Load() {
		p, err := taker.Take(ctx)
		if format := (*photo.FormatError)(nil); !errors.As(err, &format) {
			return p, err
		}
	}
	pressed := time.Now()
	pictures, err := r.pictures(of)
	if err != nil {
		return photo.Photo{}, fmt.Errorf("take the photo: %w", err)
	}
	defer pictures.Close()
	decoder, err := openh264.NewDecoder()
	if err != nil {
		return photo.Photo{}, fmt.Errorf("take the photo: %w", err)
	}
	defer decoder.Close()
	d := &developer{pressed: pressed, pictures: pictures, decoder: decoder, fault: errNoKey}
	p, err := taker.TakeOf(ctx, d.next)
	var none *photo.NoFrameError
	switch {
	case errors.Is(err, clip.ErrEmptied):
		err = fmt.Errorf("take the photo: %w", errEnded{})
	case errors.As(err, &none) && d.fault != nil:
		err = fmt.Errorf("take the photo: %w", &undecodable{d.fault})
	}
	return p, err
}

// pictures are those of that take only.
func (r *Recorder) pictures(of *take) (*clip.Pictures, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.take != of {
		return nil, errEnded{}
	}
	return r.cfg.Ring.Pictures(), nil
}

// developer decodes what a photo is chosen from, in its caller's goroutine. It has
// one access unit in hand: the others wait in the ring.
type developer struct {
	pressed  time.Time
	pictures *clip.Pictures
	decoder  *openh264.Decoder

	some  bool          // a picture from after the press was decoded
	first time.Duration // its PTS
	fault error         // why no picture was decoded last
}

var (
	errNoKey = errors.New("no key frame of the camera's H.264 is in memory")
	errLate  = errors.New("no more pictures in time")
)

// next returns the next picture from after the press, nil when no more are to come.
// That one is damaged is no error: others may follow.
func (d *developer) next(ctx context.Context) (*capture.Frame, error) {
	for ctx.Err() == nil {
		au, late, err := d.await(ctx)
		if errors.Is(err, errLate) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		f, err := d.decoder.Decode(au)
		if err != nil {
			d.fault = err
		}
		if f == nil {
			continue
		}
		if d.fault = nil; !late {
			continue
		}
		if !d.some {
			d.some, d.first = true, f.PTS
		}
		return f, nil
	}
	return nil, ctx.Err()
}

// await returns the next access unit while there is time for it. One that has been
// captured in time is in time, however long it took to decode those before.
func (d *developer) await(ctx context.Context) (au encoder.AccessUnit, late bool, err error) {
	until := d.pressed.Add(patience)
	if d.some {
		until = d.pressed.Add(window)
	}
	waits, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	au, late, err = d.pictures.Next(waits)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return au, late, errLate
	case err == nil && d.some && au.PTS > d.first+window:
		return au, late, errLate
	}
	return au, late, err
}

// undecodable is a source's H.264 that no photo can be made of.
type undecodable struct{ err error }

func (u *undecodable) Error() string {
	return fmt.Sprintf("no usable frame in %v: %v", patience, u.err)
}
func (u *undecodable) Unwrap() error { return u.err }

// Hint names the setting.
func (*undecodable) Hint() string {
	return "set camera.format to MJPEG, or to a raw format such as YUYV, NV12 or YU12; bril devices lists the camera's"
}
