package relay

import (
	"encoding/hex"
	"strings"
)

// profile is the part of an H.264 profile-level-id that both sides must agree
// on (RFC 6184 section 8.2.2): all but the level.
type profile uint8

const (
	profileUnknown             profile = 0
	profileConstrainedBaseline profile = 1
	profileBaseline            profile = 2
	profileMain                profile = 3
	profileHigh                profile = 4
)

// profileOf reads a profile-level-id: profile_idc, profile-iop, level_idc in hex.
// The constrained baseline has several spellings, RFC 6184 table 5.
func profileOf(id string) profile {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 3 {
		return profileUnknown
	}
	idc, iop := b[0], b[1]
	switch {
	case idc == 0x42 && iop&0x40 != 0, idc == 0x4d && iop&0x80 != 0, idc == 0x58 && iop&0xc0 == 0xc0:
		return profileConstrainedBaseline
	case idc == 0x42, idc == 0x58 && iop&0x80 != 0:
		return profileBaseline
	case idc == 0x4d:
		return profileMain
	case idc == 0x64:
		return profileHigh
	}
	return profileUnknown
}

// rankPublished: a publisher sends what it prefers, as long as it is a profile
// that browsers decode, in packetization mode 1.
func rankPublished(c *codec) int {
	if !c.isH264() || profileOf(c.parameter("profile-level-id")) == profileUnknown {
		return 0
	}
	return 1
}

// rankViewed returns the rank of a viewer's codecs for a stream of the profile: the
// profile itself, then one whose decoders must also decode it, then any, since a
// decoder goes by the SPS in the stream and most decode more than they offer.
func rankViewed(published profile) func(*codec) int {
	return func(c *codec) int {
		if !c.isH264() {
			return 0
		}
		switch offered := profileOf(c.parameter("profile-level-id")); {
		case offered == profileUnknown:
			return 0
		case offered == published:
			return 3
		case contains(offered, published):
			return 2
		}
		return 1
	}
}

// contains: ITU-T H.264 annex A.2, a decoder of outer decodes inner.
func contains(outer, inner profile) bool {
	switch inner {
	case profileConstrainedBaseline:
		return true
	case profileMain:
		return outer == profileHigh
	}
	return false
}

func (c *codec) isH264() bool {
	return c.name == "h264" && c.clockRate == 90000 && c.parameter("packetization-mode") == "1"
}

// withLevelOf returns a viewer's fmtp line for the answer: the viewer's profile,
// as it must be, with the level that the publisher really sends. RFC 6184 section
// 8.2.2 leaves the level of what is sent to the sender under
// level-asymmetry-allowed, which browsers set.
func withLevelOf(fmtp, viewed, published string) string {
	if len(viewed) != 6 || len(published) != 6 || profileOf(published) == profileUnknown {
		return fmtp
	}
	if profileOf(viewed) == profileOf(published) {
		return strings.Replace(fmtp, viewed, published, 1)
	}
	return strings.Replace(fmtp, viewed, viewed[:4]+published[4:], 1)
}
