package session

import (
	"context"
	"sync/atomic"

	"github.com/bril-edge/bril/encoder"
)

// audioStage takes sound from the source through the encoder to the uplink.
type audioStage struct {
	stage
	cfg *Config
	out *outlet

	audio   Audio
	encoder AudioEncoder
	label   atomic.Pointer[string]
	to      Publisher
}

func (a *audioStage) open(ctx context.Context) error {
	if a.audio.Source == nil {
		audio, err := a.cfg.OpenAudio(ctx)
		if err != nil {
			return err
		}
		a.audio = audio
	}
	enc, err := a.cfg.NewAudioEncoder(a.sink)
	if err != nil {
		a.close()
		return err
	}
	a.encoder = enc
	a.showName(a.audio.Name)
	a.well()
	return nil
}

// captured sends what the source delivers until ctx ends.
func (a *audioStage) captured(ctx context.Context) error {
	if a.encoder == nil {
		if err := a.open(ctx); err != nil {
			return err
		}
	}
	defer a.pauseSource()
	for {
		out, err := a.out.wait(ctx)
		if err != nil {
			return err
		}
		a.to = out
		sound, err := a.audio.Source.Next(ctx)
		if err == nil {
			err = a.encoder.Encode(sound)
		}
		if err != nil {
			if !ended(ctx, err) {
				a.close()
			}
			return err
		}
	}
}

func (a *audioStage) sink(p encoder.Packet) error {
	if a.mayLeave(p.PTS) {
		_ = a.to.WriteAudio(p) // the session hears of a lost connection by itself
	}
	return nil
}

func (a *audioStage) silent(ctx context.Context) error { return silence(ctx, a.cfg, a.out) }

// pauseSource closes a real microphone while its sound does not leave.
func (a *audioStage) pauseSource() {
	if a.audio.Device && a.muted() {
		a.close()
	}
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
