package session

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// blackFPS is the rate of the black picture: enough for a viewer that joins, and
// for the endpoint to know that we live.
const blackFPS = 5

// videoStage takes frames from the source through the encoder to the uplink, in
// one goroutine: nothing queues between them. A source that is not read drops
// its own oldest frames.
type videoStage struct {
	stage
	cfg   *Config
	out   *outlet
	meter *meter
	gate  keyGate
	rate  atomic.Int64 // bit rate that the encoder is to have

	video   Video // what is open; Source is nil when nothing is
	encoder VideoEncoder
	// What others read: profile-level-id for the offer, names for status.
	profile, label, encoderLabel atomic.Pointer[string]

	to      Publisher     // of the frame in hand; nil while opening
	started time.Duration // when the encoder got it
	next    uint64        // sequence number expected next
	asked   int64         // bit rate that the encoder was asked for last
}

// open opens source and encoder, up to where the endpoint can be told what comes.
func (v *videoStage) open(ctx context.Context) error {
	if v.video.Source == nil {
		video, err := v.cfg.OpenVideo(ctx)
		if err != nil {
			return err
		}
		v.video = video
	}
	if err := v.startEncoder(); err != nil {
		v.closeSource()
		return err
	}
	if err := v.learnProfile(ctx); err != nil {
		v.close()
		return err
	}
	v.showNames(v.video.Name, v.encoder.Name())
	v.well()
	return nil
}

func (v *videoStage) startEncoder() error {
	rate := v.rate.Load()
	enc, err := v.cfg.NewVideoEncoder(v.video, encoder.BitRate(rate), v.sink)
	if err != nil {
		return err
	}
	v.encoder, v.asked, v.next = enc, rate, 0
	return nil
}

// learnProfile reads a camera's own H.264 up to its first key frame, because the
// endpoint is told the profile before anything can be sent.
func (v *videoStage) learnProfile(ctx context.Context) error {
	v.to = nil
	for v.encoder.ProfileLevelID() == "" {
		f, err := v.video.Source.Next(ctx)
		if err != nil {
			return fmt.Errorf("read the first key frame of %s: %w", v.video.Name, noEOF(err))
		}
		err = v.encoder.Encode(f)
		f.Release()
		if err != nil {
			return fmt.Errorf("pass through %s: %w", v.video.Name, err)
		}
	}
	profile := v.encoder.ProfileLevelID()
	v.profile.Store(&profile)
	return nil
}

func noEOF(err error) error {
	if err == io.EOF { //nolint:errorlint // a source returns it bare
		return io.ErrUnexpectedEOF
	}
	return err
}

// captured sends what the source delivers until ctx ends.
func (v *videoStage) captured(ctx context.Context) error {
	if v.encoder == nil {
		if err := v.open(ctx); err != nil {
			return err
		}
	}
	defer v.pauseSource()
	v.to = nil
	for {
		out, err := v.out.wait(ctx)
		if err != nil {
			return err
		}
		if out != v.to { // a connection begins with a key frame
			v.to = out
			v.encoder.ForceKeyFrame()
		}
		if err := v.one(ctx); err != nil {
			if !ended(ctx, err) {
				v.close()
			}
			return err
		}
	}
}

// one takes one frame all the way.
func (v *videoStage) one(ctx context.Context) error {
	f, err := v.video.Source.Next(ctx)
	if err != nil {
		return err
	}
	v.count(f)
	v.started = monotonic.Now()
	v.meter.queue.add(v.started - f.Ready)
	if v.video.Convert != nil {
		if f, err = v.video.Convert(f); err != nil {
			v.meter.droppedCapture.Add(1)
			v.faults.report(v.component, err)
			return nil // the next frame may be whole
		}
	}
	defer f.Release()
	return v.encode(f)
}

func (v *videoStage) encode(f capture.Frame) error {
	if rate := v.rate.Load(); rate != v.asked {
		v.asked = rate
		if err := v.encoder.SetBitRate(encoder.BitRate(rate)); err != nil {
			return err
		}
	}
	if v.gate.due(v.started) {
		v.encoder.ForceKeyFrame()
	}
	before := v.meter.encoded.Load()
	if err := v.encoder.Encode(f); err != nil {
		return err
	}
	if v.meter.encoded.Load() == before {
		v.meter.droppedEncode.Add(1)
	}
	return nil
}

// count counts the frame, and those before it that the source dropped.
func (v *videoStage) count(f capture.Frame) {
	if v.next != 0 && f.Sequence > v.next {
		gap := f.Sequence - v.next
		v.meter.captured.Add(gap)
		v.meter.droppedCapture.Add(gap)
	}
	v.next = f.Sequence + 1
	v.meter.captured.Add(1)
}

// sink takes what the encoder makes. What was captured after a pause began does
// not leave.
func (v *videoStage) sink(au encoder.AccessUnit) error {
	if v.to == nil {
		return nil // read to learn the profile
	}
	ready := monotonic.Now()
	v.meter.encoded.Add(1)
	v.meter.encode.add(ready - v.started)
	if au.Key {
		v.meter.keyFrames.Add(1)
	}
	if !v.mayLeave(au.PTS) {
		v.meter.droppedSend.Add(1)
		return nil
	}
	return v.send(au, ready)
}

func (v *videoStage) send(au encoder.AccessUnit, ready time.Duration) error {
	if err := v.to.WriteVideo(au); err != nil {
		v.meter.droppedSend.Add(1)
		return nil // the session hears of a lost connection by itself
	}
	v.meter.sent.Add(1)
	v.meter.send.add(monotonic.Now() - ready)
	return nil
}

// black sends a black picture until ctx ends.
func (v *videoStage) black(ctx context.Context) error {
	b, err := newBlack(v.cfg, v.video.Format, v.out, v.rate.Load())
	if err != nil {
		return err
	}
	defer b.close()
	return b.run(ctx, &v.gate)
}

// pauseSource closes a real camera while its picture does not leave.
func (v *videoStage) pauseSource() {
	if v.video.Device && v.muted() {
		v.close()
	}
}

func (v *videoStage) close() {
	if v.encoder != nil {
		v.encoder.Close()
		v.encoder = nil
	}
	v.closeSource()
}

func (v *videoStage) closeSource() {
	if v.video.Source != nil {
		v.video.Source.Close()
		v.video.Source = nil
	}
	v.showNames("", "")
}

func (v *videoStage) showNames(camera, enc string) {
	v.label.Store(&camera)
	v.encoderLabel.Store(&enc)
}
