package agent

import (
	"context"

	"github.com/bril-edge/bril/capture/file"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/capture/pattern"
	"github.com/bril-edge/bril/cmd/internal/lit"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/opus"
)

// openAudio opens the configured source.
func (a *Agent) openAudio(ctx context.Context) (session.Audio, error) {
	a.exams.yield(ctx)
	source, err := a.audioSource()
	if err != nil {
		return session.Audio{}, err
	}
	if m, ok := source.(*lit.Microphone); ok {
		return session.Audio{Source: a.ducked(m), Name: m.Name(), Device: true}, nil
	}
	return session.Audio{Source: a.ducked(source), Name: a.cfg.Microphone.Source.String()}, nil
}

func (a *Agent) audioSource() (session.AudioSource, error) {
	m := a.cfg.Microphone
	opts := file.Options{Loop: m.Loop}
	switch m.Source.Kind {
	case configs.Auto, configs.ALSA:
		return a.devices.Microphone(microphone.Config{Device: m.Source.Path, Memory: &a.microphone, Gain: m.GainDB, Log: a.opts.Log})
	case configs.Tone:
		return pattern.NewTone()
	case configs.WAV:
		return file.OpenWAV(m.Source.Path, opts)
	case configs.Opus:
		return file.OpenOpus(m.Source.Path, opts)
	}
	return nil, unknownSource("microphone", m.Source.Kind)
}

func (a *Agent) newAudioEncoder(sink func(encoder.Packet) error) (session.AudioEncoder, error) {
	return opus.New(opus.Config{BitRate: encoder.BitRate(a.cfg.Audio.BitRate)}, sink)
}
