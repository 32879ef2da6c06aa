package relay

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// offer is a client's SDP offer, checked and cut down to what will be answered:
// one H.264 and one Opus payload type. What is negotiated is decided here, so that
// pion meets no choice.
type offer struct {
	parsed       *sdp.SessionDescription
	audio, video *media // nil where the offer has no such section
}

type media struct {
	mid       string
	direction string
	codecs    []codec // in the client's order of preference
	chosen    codec
	rtx       *codec // retransmission of chosen, RFC 4588
}

type codec struct {
	payloadType uint8
	name        string // lowercase
	clockRate   uint32
	channels    uint16
	fmtp        string
}

// parseOffer reads an offer whose media all have the direction: sendonly for a
// publisher, recvonly for a viewer.
func parseOffer(text, direction string) (*offer, error) {
	o := &offer{parsed: &sdp.SessionDescription{}}
	if err := o.parsed.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if len(o.parsed.MediaDescriptions) == 0 {
		return nil, fmt.Errorf("%w: no m= line", ErrSyntax)
	}
	for _, section := range o.parsed.MediaDescriptions {
		if err := o.add(section, direction); err != nil {
			return nil, err
		}
	}
	if o.audio == nil && o.video == nil {
		return nil, fmt.Errorf("%w: it offers neither video nor audio", ErrNotAcceptable)
	}
	return o, o.checkTransport()
}

func (o *offer) add(section *sdp.MediaDescription, direction string) error {
	slot := &o.video
	switch section.MediaName.Media {
	case "audio":
		slot = &o.audio
	case "video":
	default:
		return nil // a data channel, for one: answered as rejected
	}
	if *slot != nil {
		return fmt.Errorf("%w: more than one %s track", ErrNotAcceptable, section.MediaName.Media)
	}
	m := &media{direction: directionOf(o.parsed, section), codecs: codecsOf(section)}
	mid, ok := section.Attribute(sdp.AttrKeyMID)
	if !ok || mid == "" || len(mid) > 16 {
		return fmt.Errorf("%w: %s has no usable a=mid", ErrSyntax, section.MediaName.Media)
	}
	if m.mid = mid; m.direction != direction {
		return fmt.Errorf("%w: %s is %s, it must be %s", ErrNotAcceptable, section.MediaName.Media, m.direction, direction)
	}
	*slot = m
	return nil
}

// directionOf: RFC 8866 section 6.7, a section inherits from the session and is
// sendrecv when neither says anything.
func directionOf(session *sdp.SessionDescription, section *sdp.MediaDescription) string {
	for _, direction := range []string{"sendonly", "recvonly", "inactive", "sendrecv"} {
		if _, ok := section.Attribute(direction); ok {
			return direction
		}
	}
	for _, direction := range []string{"sendonly", "recvonly", "inactive"} {
		if _, ok := session.Attribute(direction); ok {
			return direction
		}
	}
	return "sendrecv"
}

// checkTransport finds what pion would only report once the answer is half made.
func (o *offer) checkTransport() error {
	for _, key := range []string{"ice-ufrag", "ice-pwd", "fingerprint"} {
		_, found := o.parsed.Attribute(key)
		for _, section := range o.parsed.MediaDescriptions {
			_, here := section.Attribute(key)
			found = found || here
		}
		if !found {
			return fmt.Errorf("%w: no a=%s", ErrSyntax, key)
		}
	}
	return nil
}

func codecsOf(section *sdp.MediaDescription) []codec {
	byType := map[string]*codec{}
	var order []*codec
	for _, format := range section.MediaName.Formats {
		number, err := strconv.ParseUint(format, 10, 7)
		if err != nil || byType[format] != nil {
			continue
		}
		byType[format] = &codec{payloadType: uint8(number)}
		order = append(order, byType[format])
	}
	for _, attribute := range section.Attributes {
		format, value, _ := strings.Cut(attribute.Value, " ")
		c := byType[format]
		switch {
		case c == nil:
		case attribute.Key == "rtpmap":
			c.rtpmap(value)
		case attribute.Key == "fmtp":
			c.fmtp = value
		}
	}
	codecs := make([]codec, 0, len(order))
	for _, c := range order {
		codecs = append(codecs, *c)
	}
	return codecs
}

func (c *codec) rtpmap(value string) {
	parts := strings.Split(value, "/")
	c.name = strings.ToLower(parts[0])
	if len(parts) > 1 {
		rate, _ := strconv.ParseUint(parts[1], 10, 32) // 0 matches nothing
		c.clockRate = uint32(rate)
	}
	if len(parts) > 2 {
		channels, _ := strconv.ParseUint(parts[2], 10, 16)
		c.channels = uint16(channels)
	}
}

// parameter returns one value of the fmtp line; names are case-insensitive.
func (c *codec) parameter(name string) string {
	for _, pair := range strings.Split(c.fmtp, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// choose keeps the best codec by rank, the first of equals, and its retransmission.
// Rank 0 means unfit.
func (m *media) choose(rank func(*codec) int) bool {
	best := 0
	for i := range m.codecs {
		if r := rank(&m.codecs[i]); r > best {
			best, m.chosen = r, m.codecs[i]
		}
	}
	for i := range m.codecs {
		c := &m.codecs[i]
		if c.name == "rtx" && c.parameter("apt") == strconv.Itoa(int(m.chosen.payloadType)) {
			m.rtx = c
			break
		}
	}
	return best > 0
}

func rankOpus(c *codec) int {
	if c.name == "opus" && c.clockRate == 48000 && c.channels == 2 {
		return 1
	}
	return 0
}

// register tells the media engine what was chosen, with the client's own payload
// types and parameters.
func (m *media) register(engine *webrtc.MediaEngine, kind webrtc.RTPCodecType, feedback []webrtc.RTCPFeedback) error {
	mime := webrtc.MimeTypeOpus
	if kind == webrtc.RTPCodecTypeVideo {
		mime = webrtc.MimeTypeH264
	}
	parameters := m.chosen.parameters(mime)
	parameters.RTCPFeedback = feedback
	if err := engine.RegisterCodec(parameters, kind); err != nil {
		return err
	}
	if m.rtx == nil || kind != webrtc.RTPCodecTypeVideo {
		return nil
	}
	return engine.RegisterCodec(m.rtx.parameters(webrtc.MimeTypeRTX), kind)
}

func (c *codec) parameters(mime string) webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: mime, ClockRate: c.clockRate, Channels: c.channels, SDPFmtpLine: c.fmtp,
		},
		PayloadType: webrtc.PayloadType(c.payloadType),
	}
}
