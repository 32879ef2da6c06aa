package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder/h264"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// H264 delivers the access units of an H.264 file in Annex B format, paced, the
// slices as they are in the file. The first is a key frame. One goroutine calls
// Next; the other methods may be called from any.
type H264 struct {
	media  media
	opts   Options
	pacer  *pacer
	format capture.VideoFormat
	sets   []byte // parameter sets, Annex B
	sps    h264.SPS
	units  buffers

	mu       sync.Mutex
	demuxer  demuxer
	pending  pending // the next frame
	end      time.Duration
	sequence uint64
	lastPTS  time.Duration
	err      error // what ended the stream
	closed   bool
}

// demuxer finds access units in a file, at media times that rise from any value.
type demuxer interface {
	// next appends the next access unit, or the next key frame, to dst, which
	// aliases nothing of the demuxer. io.EOF is the end of the file.
	next(dst []byte, keyOnly bool) (accessUnit, error)
	rewind() error
	// mark returns a function that comes back to the present place.
	mark() (back func() error)
}

type accessUnit struct {
	data  []byte
	media time.Duration
	end   time.Duration // media plus its length
	key   bool
}

// pending is an access unit that waits for its moment.
type pending struct {
	buf *buffer // nil: it has to be read
	key bool
	due time.Duration
}

// probed is how many access units are looked at for B slices when a file is
// opened: encoders that use them do so from the first pictures on.
const probed = 16

func newH264(m media, opts Options, d demuxer, sets []byte, fps float64) (*H264, error) {
	v := &H264{media: m, opts: opts, demuxer: d, sets: sets}
	if err := v.probe(); err != nil {
		return nil, err
	}
	v.format = capture.VideoFormat{Format: capture.H264, Width: v.sps.Width, Height: v.sps.Height, FPS: fps}
	var err error
	v.pacer, err = newPacer()
	return v, err
}

// probe refuses what no viewer could show, and goes back to the beginning.
func (v *H264) probe() error {
	au, err := v.demuxer.next(nil, true)
	if err == io.EOF {
		return withHint(errors.New("H.264 without a key frame (IDR)"), convert(v.media.kind))
	}
	if err != nil {
		return err
	}
	if err := v.learn(au.data); err != nil {
		return err
	}
	buf := au.data
	for range probed {
		au, err := v.demuxer.next(buf[:0], false)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if buf = au.data; h264.Inspect(buf).B {
			return withHint(errors.New("H.264 with B-frames, which WebRTC cannot carry"), hintBFrames)
		}
	}
	return v.demuxer.rewind()
}

// learn takes the parameter sets from the first key frame, unless the file's
// header gave them.
func (v *H264) learn(au []byte) error {
	if len(v.sets) == 0 {
		for nal := range h264.NALs(au) {
			if t := nal.Type(); t == h264.TypeSPS || t == h264.TypePPS {
				v.sets = h264.AppendNAL(v.sets, nal)
			}
		}
	}
	c := h264.Inspect(v.sets)
	if !c.SPS || !c.PPS {
		return withHint(errors.New("H.264 without SPS and PPS in front of its first key frame"), convert(v.media.kind))
	}
	for nal := range h264.NALs(v.sets) {
		if nal.Type() != h264.TypeSPS {
			continue
		}
		var err error
		if v.sps, err = h264.ParseSPS(nal); err != nil {
			return withHint(err, convert(v.media.kind))
		}
	}
	if v.sps.Reorders() {
		return withHint(fmt.Errorf("H.264 with B-frames, which WebRTC cannot carry: its SPS allows %d pictures to be reordered", v.sps.MaxReorder),
			hintBFrames)
	}
	return nil
}

// Format returns what the file holds. FPS is nominal.
func (v *H264) Format() capture.VideoFormat { return v.format }

// SPS returns the sequence parameter set that the file begins with.
func (v *H264) SPS() h264.SPS { return v.sps }

// ParameterSets returns the SPS and PPS that the file begins with, in Annex B format.
func (v *H264) ParameterSets() []byte { return v.sets }

// Next returns the next frame at the moment that it is due, or io.EOF. It blocks
// until then, until ctx ends, or until Close (os.ErrClosed). A frame keeps its
// memory until Release.
func (v *H264) Next(ctx context.Context) (capture.Frame, error) {
	for {
		ticket := v.pacer.ticket()
		at, err := v.peek()
		if err == nil {
			err = v.pacer.wait(ctx, at, ticket)
		}
		switch {
		case err == errWoken:
			continue
		case errors.Is(err, os.ErrClosed):
			return capture.Frame{}, v.media.fail("read", os.ErrClosed)
		case err != nil:
			return capture.Frame{}, err
		}
		if f, ok := v.take(at); ok {
			return f, nil
		}
	}
}

// SkipToKey makes the next frame the next key frame in the file, at once; with
// Loop it may be the one at the beginning. It returns false, and changes nothing,
// when there is none.
func (v *H264) SkipToKey() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.err != nil || !v.pacer.begun {
		return !v.closed && v.err == nil // not begun: the first frame is one
	}
	if !v.pending.key {
		back, end, base, was := v.demuxer.mark(), v.end, v.pacer.base, v.pending
		if v.load(true) != nil {
			v.end, v.pacer.base, v.pending = end, base, was
			if err := back(); err != nil {
				v.err = v.media.fail("read", err)
			}
			return false
		}
		if was.buf != nil {
			was.buf.put()
		}
	}
	now := max(monotonic.Now(), v.lastPTS+time.Millisecond)
	v.pacer.base += now - v.pending.due
	v.pending.due = now
	v.pacer.wake()
	return true
}

// Close ends a blocked Next and closes the file. Frames that were delivered stay
// valid. It may be called twice.
func (v *H264) Close() error {
	err := v.pacer.close()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	return errors.Join(err, v.media.Close())
}

// peek returns when the next frame is due, reading it when needed.
func (v *H264) peek() (time.Duration, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return 0, os.ErrClosed
	}
	if v.err == nil && v.pending.buf == nil {
		if err := v.load(!v.pacer.begun); err == io.EOF {
			v.err = io.EOF
		} else if err != nil {
			v.err = v.media.fail("read", err)
		}
	}
	if v.err != nil {
		return 0, v.err
	}
	if lag := monotonic.Now() - v.pending.due; lag > maxLag {
		v.pacer.base += lag
		v.pending.due += lag
	}
	return v.pending.due, nil
}

// load reads the next access unit into pending.
func (v *H264) load(keyOnly bool) error {
	buf := v.units.get()
	au, err := v.demuxer.next(buf.data[:0], keyOnly)
	if err == io.EOF && v.opts.Loop && v.pacer.begun {
		au, err = v.again(buf)
	}
	if err != nil {
		buf.put()
		return err
	}
	v.pacer.begin(v.opts.Start, au.media)
	buf.data, v.end = au.data, au.end
	v.pending = pending{buf: buf, key: au.key, due: v.pacer.due(au.media)}
	return nil
}

// again goes back to the first key frame, whose time follows the end of the file.
func (v *H264) again(buf *buffer) (accessUnit, error) {
	if err := v.demuxer.rewind(); err != nil {
		return accessUnit{}, err
	}
	au, err := v.demuxer.next(buf.data[:0], true)
	if err == nil {
		v.pacer.base += v.end - au.media
	}
	return au, err
}

// take turns the pending access unit into a frame, unless SkipToKey has put
// another in its place meanwhile.
func (v *H264) take(at time.Duration) (capture.Frame, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.pending
	if v.closed || p.buf == nil || p.due != at {
		return capture.Frame{}, false
	}
	f := capture.Frame{
		Format: capture.H264, Width: v.format.Width, Height: v.format.Height,
		Planes: [3]capture.Plane{{Data: p.buf.data}},
		PTS:    at, Ready: monotonic.Now(), Sequence: v.sequence,
	}
	v.pending, v.lastPTS = pending{}, at
	v.sequence++
	return f.WithFree(p.buf.put), true
}
