package session

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// audioStage takes sound from the source through the encoder to the uplink.
type audioStage struct {
	stage
	cfg    *Config
	out    *outlet
	record *record

	audio   Audio // what is open; Source is nil when nothing is
	encoder AudioEncoder
	label   atomic.Pointer[string] // for status
	to      destination            // of the sound in hand
}

func (a *audioStage) open(ctx context.Context) error {
	a.pulse.step()
	a.look()
	audio, err := a.cfg.OpenAudio(ctx)
	if err != nil {
		return err
	}
	a.audio = audio
	if a.encoder, err = a.cfg.NewAudioEncoder(a.sink); err != nil {
		a.close()
		return err
	}
	a.showName(a.audio.Name)
	return nil
}

// captured sends what the source delivers until ctx ends.
func (a *audioStage) captured(ctx context.Context) error {
	if a.audio.Source == nil {
		if err := a.open(ctx); err != nil {
			return err
		}
	}
	a.uncover()
	err := a.guarded(ctx, a.read)
	if ctx.Err() == nil {
		a.close()
	}
	return err
}

func (a *audioStage) read(ctx context.Context) error {
	for {
		if err := a.one(ctx); err != nil {
			return err
		}
	}
}

func (a *audioStage) guarded(ctx context.Context, reads func(context.Context) error) error {
	if !a.audio.Device {
		return reads(ctx)
	}
	return a.guard.guard(ctx, a.audio.Name, reads)
}

// one takes one chunk all the way. What was captured in a pause is left out
// here, what a press has overtaken in the encoder by the sink.
func (a *audioStage) one(ctx context.Context) (err error) {
	a.pulse.rest()
	if a.to, err = a.out.anywhere(ctx); err != nil {
		return err
	}
	if a.audio.Device { // another one may have nothing to say
		a.pulse.step()
	}
	a.guard.begin()
	sound, err := a.audio.Source.Next(ctx)
	a.guard.end()
	a.pulse.step()
	if err != nil || !a.mayLeave(sound.PTS, sound.PTS+sound.Length) {
		return err
	}
	if err := a.encoder.Encode(sound); err != nil {
		return err
	}
	a.passed(monotonic.Now())
	return nil
}

func (a *audioStage) sink(p encoder.Packet) error {
	if !a.mayLeave(p.PTS, p.PTS+p.Length) {
		return nil
	}
	if a.to.publisher != nil {
		_ = a.to.publisher.WriteAudio(p) // the session hears of a lost connection by itself
	}
	a.record.audio(a.to.take, p)
	return nil
}

// silent sends silence until ctx ends. A real microphone is closed meanwhile,
// without the silence waiting for that.
func (a *audioStage) silent(ctx context.Context) error {
	var closing sync.WaitGroup
	defer closing.Wait()
	if a.audio.Device {
		closing.Go(a.close)
	}
	return silence(ctx, a.cfg, a.out, a.pulse)
}

// silence returns what sends silence in place of the microphone's sound.
func (a *audioStage) silence() func(context.Context) error {
	return func(ctx context.Context) error { return silence(ctx, a.cfg, a.out, new(pulse)) }
}

func (a *audioStage) close() {
	if a.encoder != nil {
		a.encoder.Close()
		a.encoder = nil
	}
	if a.audio.Source != nil {
		a.audio.Source.Close()
		a.audio.Source = nil
	}
	a.showName("")
}

func (a *audioStage) showName(name string) { a.label.Store(&name) }
