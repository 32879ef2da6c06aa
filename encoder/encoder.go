// Package encoder holds what all encoders share: their output types and units.
// The encoders themselves are its subpackages; each takes what capture
// delivers. None of them knows where its output goes.
package encoder

import "time"

// BitRate is in bits per second.
type BitRate int64

// AccessUnit is one encoded picture: H.264 in Annex B format (ITU-T H.264,
// Annex B), each NAL unit behind a start code of three or four bytes.
type AccessUnit struct {
	// Data belongs to the encoder and is valid until its sink returns.
	Data []byte
	// PTS is the PTS of the frame that it shows, on CLOCK_MONOTONIC.
	PTS time.Duration
	// Ready is the Ready of that frame: when it reached this program.
	Ready time.Duration
	// Key says that it is an IDR picture with its SPS and PPS in front.
	Key bool
}

// Packet is one packet of encoded sound: Opus (RFC 6716), 48 kHz.
type Packet struct {
	// Data belongs to the encoder and is valid until its sink returns.
	Data []byte
	// PTS is when its first sample was taken, on CLOCK_MONOTONIC.
	PTS    time.Duration
	Length time.Duration
}
