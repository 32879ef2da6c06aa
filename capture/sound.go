package capture

import "time"

// The one shape of raw sound inside the agent: whatever a microphone or a file
// delivers is brought to it where it enters.
const (
	SampleRate   = 48000                 // samples a second
	ChunkSamples = 480                   // samples of one chunk
	ChunkTime    = 10 * time.Millisecond // length of one chunk
)

// SoundFormat says which of a Sound's fields holds the sound.
type SoundFormat uint8

// The formats of sound.
const (
	PCM16 SoundFormat = 1 // Samples: 48 kHz, mono, signed 16 bit
	Opus  SoundFormat = 2 // Packet: one Opus packet (RFC 6716), passed through
)

// Sound is what a microphone or a sound file delivers at a time. What it refers
// to belongs to the source and is valid until the next call of Next.
type Sound struct {
	Format  SoundFormat
	Samples []int16       // PCM16: ChunkSamples of them
	Packet  []byte        // Opus
	Length  time.Duration // ChunkTime for PCM16

	// PTS is when the first sample was taken, on CLOCK_MONOTONIC.
	PTS time.Duration
	// Sequence counts the chunks that the source took, from 0. A gap is chunks
	// dropped because the path was behind.
	Sequence uint64
}
