// Package duck makes a microphone's sound soft while a loudspeaker beside it plays
// somebody's voice: half duplex, in place of an echo canceller. It hears of that
// voice only whether there is any.
package duck

import (
	"context"
	"time"

	"github.com/bril-edge/bril/capture"
)

const (
	softness = 0.05 // of the amplitude, -26 dB: an echo that far down does not disturb
	// attack is how fast sound becomes soft. A voice is known of some 30 ms before it
	// is heard.
	attack = 20 * time.Millisecond
	// hangover bridges the gaps between words, and what a room gives back.
	hangover = 300 * time.Millisecond
	release  = 150 * time.Millisecond
)

// Source delivers sound.
type Source interface {
	Next(ctx context.Context) (capture.Sound, error)
	Close() error
}

// Microphone is a source that is soft while a voice is heard. Packets of Opus pass
// as they are: they cannot be made softer.
type Microphone struct {
	Source
	voice func() bool
	gain  float32
	chunk [capture.ChunkSamples]int16
	heard time.Duration // PTS up to which the voice still rings
}

// New wraps a source. Voice says whether somebody is heard at this moment; it is
// called for each chunk and returns at once.
func New(s Source, voice func() bool) *Microphone {
	return &Microphone{Source: s, voice: voice, gain: 1, heard: -time.Hour}
}

// Next returns the next sound, softer where the voice is heard.
func (m *Microphone) Next(ctx context.Context) (capture.Sound, error) {
	s, err := m.Source.Next(ctx)
	if err == nil && s.Format == capture.PCM16 {
		m.soften(&s)
	}
	return s, err
}

// soften replaces the samples, which are the source's own, where they are to be
// softer.
func (m *Microphone) soften(s *capture.Sound) {
	if m.voice() {
		m.heard = s.PTS + hangover
	}
	goal, in := float32(1), release
	if s.PTS <= m.heard {
		goal, in = softness, attack
	}
	if m.gain == 1 && goal == 1 {
		return
	}
	step := (1 - softness) / (float32(in.Seconds()) * capture.SampleRate)
	soft := m.chunk[:min(len(s.Samples), len(m.chunk))]
	for i := range soft {
		if m.gain > goal {
			m.gain = max(m.gain-step, goal)
		} else {
			m.gain = min(m.gain+step, goal)
		}
		soft[i] = int16(float32(s.Samples[i]) * m.gain)
	}
	s.Samples = soft
}
