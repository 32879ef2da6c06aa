package session

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/notice"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// brokenTime is how long no picture may be whole until the source counts as
// failed. A single damaged one, as a bad USB cable makes now and then, is only
// counted.
const brokenTime = time.Second

// lastTime is how long viewers see the last picture of a camera that has failed.
const lastTime = 2 * time.Second

// videoStage takes frames from the source through the encoder to the uplink, in
// one goroutine: nothing queues between them. A source that is not read drops
// its own oldest frames.
type videoStage struct {
	stage
	cfg     *Config
	out     *outlet
	record  *record
	meter   *meter
	gate    keyGate
	spacing spacing
	rate    atomic.Int64 // bit rate that the encoder is to have
	thinner thinner
	fixed   atomic.Bool // what the source delivers cannot be thinned

	video   Video // what is open; Source is nil when nothing is
	encoder VideoEncoder
	// What others read: profile-level-id for the offer, the rest for status.
	profile, label, encoderLabel, warning atomic.Pointer[string]

	to               destination   // of the frame in hand; nowhere while opening
	shown            capture.Frame // the frame in hand while the Tap sees it: its address costs nothing
	started          time.Duration // when the encoder got it
	pts              time.Duration // of it
	before           time.Duration // when the encoder got the frame before
	came, cameBefore time.Duration // when the camera had the frame in hand, and the one before, ready
	stale            time.Duration // PTS up to which what the encoder makes was for a connection before; 0 for none
	earlier          time.Duration // and for a take before
	tallied          EncoderState  // what the meter and status know of the encoder
	whole            time.Duration // when the last picture was not broken
	expects          uint64        // sequence number expected next; 0 for any
	missed           uint64        // by the source, up to the last frame
	asked            int64         // bit rate that the encoder was asked for last
}

// open opens source and encoder, up to where the endpoint can be told what comes.
func (v *videoStage) open(ctx context.Context) error {
	v.pulse.step()
	v.look()
	video, err := v.cfg.OpenVideo(ctx)
	if err != nil {
		return err
	}
	v.video, v.whole = video, monotonic.Now()
	v.fixed.Store(!thinnable(video))
	if err := v.startEncoder(ctx); err != nil {
		v.close()
		return err
	}
	v.label.Store(&video.Name)
	v.tally()
	return nil
}

func (v *videoStage) startEncoder(ctx context.Context) error {
	rate := v.rate.Load()
	enc, err := v.cfg.NewVideoEncoder(v.video, encoder.BitRate(rate), v.sink)
	if err != nil {
		return &failure{"encoder", err}
	}
	v.encoder, v.asked, v.tallied = enc, rate, EncoderState{}
	v.pts = 0 // of another source it says nothing
	v.spacing = spacing{}
	if thinnable(v.video) {
		v.spacing.every = v.cfg.KeyFrameEvery
	}
	return v.guarded(ctx, v.learnProfile)
}

// learnProfile reads a camera's own H.264 up to its first key frame, because the
// endpoint is told the profile before anything can be sent.
func (v *videoStage) learnProfile(ctx context.Context) error {
	v.to = destination{}
	for v.encoder.ProfileLevelID() == "" {
		f, err := v.next(ctx)
		if err != nil {
			return fmt.Errorf("read the first key frame of %s: %w", v.video.Name, noEOF(err))
		}
		if err := v.encoder.Encode(f); err != nil {
			return &failure{"encoder", err}
		}
	}
	profile := v.encoder.ProfileLevelID()
	v.profile.Store(&profile)
	return nil
}

// noEOF keeps a stream that ends before its first key frame from looking like
// one that was played.
func noEOF(err error) error {
	if err == io.EOF { //nolint:errorlint // a source returns it bare
		return io.ErrUnexpectedEOF
	}
	return err
}

// captured sends what the source delivers until ctx ends.
func (v *videoStage) captured(ctx context.Context) error {
	if v.video.Source == nil {
		if err := v.open(ctx); err != nil {
			return err
		}
	}
	v.uncover()
	v.to = destination{}
	err := v.guarded(ctx, v.read)
	if ctx.Err() == nil {
		v.close()
	}
	return err
}

func (v *videoStage) read(ctx context.Context) error {
	for {
		if err := v.one(ctx); err != nil {
			return err
		}
	}
}

// guarded watches the reads of a real camera: other sources may have nothing to
// say for as long as they like.
func (v *videoStage) guarded(ctx context.Context, reads func(context.Context) error) error {
	if !v.video.Device {
		return reads(ctx)
	}
	return v.guard.guard(ctx, v.video.Name, reads)
}

// one takes one frame all the way.
func (v *videoStage) one(ctx context.Context) error {
	v.pulse.rest()
	to, err := v.out.anywhere(ctx)
	if err != nil {
		return err
	}
	v.pulse.step()
	if to != v.to {
		v.turn(to)
	}
	f, err := v.next(ctx)
	if err != nil {
		return err
	}
	v.show(f)
	if v.thin(f) {
		return nil
	}
	v.before, v.started, v.pts = v.started, monotonic.Now(), f.PTS
	v.cameBefore, v.came = v.came, f.Ready
	v.count(f)
	if !v.mayLeave(f.PTS, f.PTS) { // captured in a pause
		v.meter.droppedSend.Add(1)
		f.Release()
		return nil
	}
	v.meter.queue.Add(v.started - f.Ready)
	return v.process(f)
}

// next reads a frame: at once, where a camera delivers it.
func (v *videoStage) next(ctx context.Context) (capture.Frame, error) {
	if !v.video.Device {
		v.pulse.rest()
	}
	v.guard.begin()
	f, err := v.video.Source.Next(ctx)
	v.guard.end()
	v.pulse.step()
	return f, err
}

// process converts and encodes f, which it owns.
func (v *videoStage) process(f capture.Frame) (err error) {
	if v.video.Convert != nil {
		if f, err = v.video.Convert(f); err != nil {
			return v.broken(err)
		}
		v.meter.copied.Add(1)
	}
	v.whole = v.started
	return v.encode(f)
}

// turn goes over to another destination. A connection and a take begin with a key
// frame, and without counting as dropped what nobody was to see.
func (v *videoStage) turn(to destination) {
	from := v.to
	v.to = to
	connected := to.publisher != nil && to.publisher != from.publisher
	taken := to.take != 0 && to.take != from.take
	if connected {
		v.stale = v.pts
	}
	if taken {
		v.earlier = v.pts
	}
	if connected || taken {
		v.expects, v.spacing.asked = 0, true
		v.forceKeyFrame()
	}
}

// forceKeyFrame serves everybody who waits for one.
func (v *videoStage) forceKeyFrame() {
	v.encoder.ForceKeyFrame()
	v.gate.made(monotonic.Now())
}

// show shows the Tap what may leave, without a copy.
func (v *videoStage) show(f capture.Frame) {
	if v.to.take == 0 || !v.mayLeave(f.PTS, f.PTS) {
		return
	}
	v.shown = f
	v.record.frame(v.to.take, &v.shown)
	v.shown = capture.Frame{}
}

// broken counts a picture that could not be converted, and says when it is one
// too many.
func (v *videoStage) broken(err error) error {
	v.meter.droppedCapture.Add(1)
	if v.started-v.whole < brokenTime {
		return nil
	}
	return err
}

// encode encodes f, which the encoder takes over.
func (v *videoStage) encode(f capture.Frame) error {
	if rate := v.rate.Load(); rate != v.asked {
		v.asked = rate
		if err := v.encoder.SetBitRate(encoder.BitRate(rate)); err != nil {
			f.Release()
			return &failure{"encoder", err}
		}
	}
	v.spacing.next(f.PTS)
	if v.gate.due(v.started) || v.to.take != 0 && v.spacing.overdue() {
		v.forceKeyFrame()
		v.spacing.made(f.PTS)
	}
	err := v.encoder.Encode(f)
	v.tally()
	if err != nil {
		return &failure{"encoder", err}
	}
	v.passed(v.started)
	return nil
}

// tally takes over what the encoder says of itself: it may have become another
// one meanwhile.
func (v *videoStage) tally() {
	now := v.encoder.State()
	v.meter.droppedEncode.Add(now.Skipped - v.tallied.Skipped)
	v.meter.copied.Add(now.Copied - v.tallied.Copied)
	if now.Name != v.tallied.Name {
		name := now.Name // copied for this case only: it allocates
		v.encoderLabel.Store(&name)
	}
	if now.Warning != v.tallied.Warning {
		warning := now.Warning
		v.warning.Store(&warning)
	}
	v.tallied = now
}

// count counts the frame, and those that are missing before it.
func (v *videoStage) count(f capture.Frame) {
	if v.expects != 0 && f.Sequence > v.expects {
		gap := f.Sequence - v.expects
		missed := min(f.Missed-v.missed, gap)
		v.meter.captured.Add(gap - missed)
		v.meter.droppedCapture.Add(gap - missed)
		v.meter.missed.Add(missed)
	}
	v.expects, v.missed = f.Sequence+1, f.Missed
	v.meter.captured.Add(1)
}

// sink takes what the encoder makes. What was captured before a press, and is
// ready only after it, leaves; what was captured after it does not. What an
// encoder kept until there was another connection goes into the recording only: a
// viewer there begins with a key frame. So does another recording.
func (v *videoStage) sink(au encoder.AccessUnit) error {
	if v.to == (destination{}) {
		return nil // read to learn the profile
	}
	ready := monotonic.Now()
	v.meter.encoded.Add(1)
	v.meter.encode.Add(ready - v.startedAt(au.PTS))
	if au.Key {
		v.meter.keyFrames.Add(1)
		v.spacing.made(au.PTS)
	}
	if !v.mayLeave(au.PTS, au.PTS) {
		v.meter.droppedSend.Add(1)
		return nil
	}
	v.send(au, ready)
	if v.earlier == 0 || au.PTS > v.earlier {
		v.record.video(v.to.take, au)
	}
	return nil
}

// startedAt returns when the encoder got a frame: the one in hand, or the one
// before it.
func (v *videoStage) startedAt(pts time.Duration) time.Duration {
	if pts < v.pts {
		return v.before
	}
	return v.started
}

// cameAt returns when the camera had that frame ready.
func (v *videoStage) cameAt(pts time.Duration) time.Duration {
	if pts < v.pts {
		return v.cameBefore
	}
	return v.came
}

// send sends to whom there is: to nobody while only the recording goes on.
func (v *videoStage) send(au encoder.AccessUnit, ready time.Duration) {
	if v.to.alone {
		return
	}
	if v.to.publisher == nil || v.stale != 0 && au.PTS <= v.stale {
		v.meter.droppedSend.Add(1)
		return
	}
	if err := v.to.publisher.WriteVideo(au); err != nil {
		v.meter.droppedSend.Add(1)
		return // the session hears of a lost connection by itself
	}
	now := monotonic.Now()
	v.meter.sent.Add(1)
	v.meter.rate.add(now)
	v.meter.send.Add(now - ready)
	v.meter.total.Add(now - v.cameAt(au.PTS))
}

// black sends a black picture until ctx ends. A real camera is closed meanwhile,
// without the picture waiting for that.
func (v *videoStage) black(ctx context.Context) error {
	var closing sync.WaitGroup
	defer closing.Wait()
	format := v.video.Format
	if v.video.Device {
		closing.Go(v.close) // also where there is no black
	}
	b, err := newStill(v.cfg, format, notice.Black, v.out, encoder.BitRate(v.rate.Load()))
	if err != nil {
		return &failure{"encoder", err}
	}
	defer b.close()
	return b.run(ctx, &v.gate, v.pulse)
}

// notice returns what sends a notice in place of the camera's picture, once
// viewers have seen the last one for a while: most failures are over by then.
func (v *videoStage) notice() func(context.Context) error {
	last, format, rate := v.started, v.video.Format, encoder.BitRate(v.rate.Load())
	draw := func(f capture.Frame) { notice.Draw(f, v.cfg.Notice) }
	return func(ctx context.Context) error {
		if last != 0 {
			sleep(ctx, last+lastTime-monotonic.Now())
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s, err := newStill(v.cfg, format, draw, v.out, rate)
		if err != nil {
			return err
		}
		defer s.close()
		return s.run(ctx, &v.gate, new(pulse)) // the stage rests meanwhile
	}
}

func (v *videoStage) close() {
	if v.encoder != nil {
		v.encoder.Close()
		v.encoder = nil
	}
	if v.video.Source != nil {
		v.video.Source.Close()
		v.video.Source = nil
	}
	v.showNothing()
}

func (v *videoStage) showNothing() {
	nothing := ""
	v.label.Store(&nothing)
	v.encoderLabel.Store(&nothing)
	v.warning.Store(&nothing)
}
