package rtc

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// checkSpeech refuses a description, answer or offer, that is about anything but
// one section of Opus which the endpoint sends. A picture is refused as a whole
// and not just left out: an endpoint that tries has not understood.
func checkSpeech(d webrtc.SessionDescription) error {
	parsed, err := d.Unmarshal()
	if err != nil {
		return fmt.Errorf("read the endpoint's %s: %w", d.Type, err)
	}
	if n := candidates(parsed); n > maxCandidates {
		return fmt.Errorf("%s has %d ICE candidates, more than %d: %w", d.Type, n, maxCandidates, ErrRefused)
	}
	if n := bundles(parsed); n > 1 {
		return fmt.Errorf("%s has %d bundles: %w", d.Type, n, ErrRefused)
	}
	for _, media := range parsed.MediaDescriptions {
		if kind := media.MediaName.Media; kind != "audio" {
			return fmt.Errorf("%s has a section of %q, and these glasses receive speech only: %w", d.Type, kind, ErrRefused)
		}
	}
	if n := len(parsed.MediaDescriptions); n != 1 {
		return fmt.Errorf("%s has %d sections of sound, want 1: %w", d.Type, n, ErrRefused)
	}
	return checkSection(d.Type, parsed, parsed.MediaDescriptions[0])
}

func checkSection(kind webrtc.SDPType, s *sdp.SessionDescription, media *sdp.MediaDescription) error {
	if media.MediaName.Port.Value == 0 {
		return fmt.Errorf("%s has no sound: %w", kind, ErrRefused)
	}
	if d := direction(s, media); d == sdp.AttrKeyRecvOnly || d == sdp.AttrKeyInactive {
		return fmt.Errorf("%s says a=%s, so nothing would come: %w", kind, d, ErrRefused)
	}
	for _, a := range media.Attributes {
		if a.Key == "rtpmap" && strings.Contains(strings.ToLower(a.Value), " opus/48000") {
			return nil
		}
	}
	return fmt.Errorf("%s has no Opus: %w", kind, ErrRefused)
}

const (
	rtpHeader   = 12
	rtpVersion2 = 2 << 6
)

// parseSpeech reads an RTP packet (RFC 3550 section 5.1) without allocating; ok is
// false for one that makes no sense or carries nothing.
func parseSpeech(p []byte) (s Speech, ok bool) {
	if len(p) < rtpHeader || p[0]&0xc0 != rtpVersion2 {
		return Speech{}, false
	}
	at := rtpHeader + 4*int(p[0]&0x0f) // CSRC
	if p[0]&0x10 != 0 {                // extension, section 5.3.1
		if len(p) < at+4 {
			return Speech{}, false
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(p[at+2:]))
	}
	end := len(p)
	if p[0]&0x20 != 0 { // padding
		end -= int(p[len(p)-1])
	}
	if at >= end {
		return Speech{}, false
	}
	return Speech{
		SSRC:      binary.BigEndian.Uint32(p[8:]),
		Sequence:  binary.BigEndian.Uint16(p[2:]),
		Timestamp: binary.BigEndian.Uint32(p[4:]),
		Payload:   p[at:end],
	}, true
}
