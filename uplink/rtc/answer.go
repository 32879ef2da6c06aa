package rtc

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// ErrRefused says that the endpoint's answer does not take what was offered.
var ErrRefused = errors.New("refused by the endpoint's answer")

// maxCandidates bounds the addresses that an answer can have us send to, all of
// them again and again until one answers.
const maxCandidates = 64

// checkAnswer finds, before pion does in its own words, that the endpoint does
// not take what is offered: another transport, no H.264, another profile, or a
// lower level that it insists on (RFC 6184 section 8.2.2).
func (p *Publisher) checkAnswer(answer webrtc.SessionDescription) error {
	parsed, err := answer.Unmarshal()
	if err != nil {
		return fmt.Errorf("read the endpoint's answer: %w", err)
	}
	if offered := len(p.peer.GetSenders()); len(parsed.MediaDescriptions) != offered {
		return fmt.Errorf("%d media sections offered, %d answered: %w", offered, len(parsed.MediaDescriptions), ErrRefused)
	}
	if n := bundles(parsed); n > 1 {
		return fmt.Errorf("one bundle offered, %d answered: %w", n, ErrRefused)
	}
	if n := candidates(parsed); n > maxCandidates {
		return fmt.Errorf("answer has %d ICE candidates, more than %d: %w", n, maxCandidates, ErrRefused)
	}
	for _, media := range parsed.MediaDescriptions {
		if err := p.checkMedia(parsed, media); err != nil {
			return err
		}
	}
	return nil
}

func bundles(s *sdp.SessionDescription) (n int) {
	for _, a := range s.Attributes {
		if a.Key == sdp.AttrKeyGroup && strings.HasPrefix(a.Value, "BUNDLE") {
			n++
		}
	}
	return n
}

func candidates(s *sdp.SessionDescription) (n int) {
	count := func(attributes []sdp.Attribute) {
		for _, a := range attributes {
			if a.Key == sdp.AttrKeyCandidate {
				n++
			}
		}
	}
	count(s.Attributes)
	for _, media := range s.MediaDescriptions {
		count(media.Attributes)
	}
	return n
}

func (p *Publisher) checkMedia(s *sdp.SessionDescription, media *sdp.MediaDescription) error {
	name := media.MediaName.Media
	if media.MediaName.Port.Value == 0 {
		return fmt.Errorf("%s: %w", name, ErrRefused)
	}
	switch direction(s, media) {
	case sdp.AttrKeySendOnly:
		return fmt.Errorf("%s: endpoint wants to send, and these glasses receive nothing: %w", name, ErrRefused)
	case sdp.AttrKeyInactive:
		return fmt.Errorf("%s: endpoint answers a=inactive: %w", name, ErrRefused)
	}
	if name == "video" {
		return p.checkVideo(media)
	}
	return nil
}

// direction is that of the section, or else of the whole session: RFC 8866
// section 6.7.
func direction(s *sdp.SessionDescription, media *sdp.MediaDescription) string {
	for _, attributes := range [][]sdp.Attribute{media.Attributes, s.Attributes} {
		for _, a := range attributes {
			switch a.Key {
			case sdp.AttrKeySendOnly, sdp.AttrKeyRecvOnly, sdp.AttrKeySendRecv, sdp.AttrKeyInactive:
				return a.Key
			}
		}
	}
	return sdp.AttrKeySendRecv
}

func (p *Publisher) checkVideo(media *sdp.MediaDescription) error {
	if !slices.Contains(media.MediaName.Formats, strconv.Itoa(payloadVideo)) {
		return fmt.Errorf("video: no H.264 as offered (payload type %d) in the answer: %w", payloadVideo, ErrRefused)
	}
	for _, a := range media.Attributes {
		if a.Key == "fmtp" && strings.HasPrefix(a.Value, strconv.Itoa(payloadVideo)+" ") {
			return checkFormat(p.cfg.Video.ProfileLevelID, a.Value)
		}
	}
	return nil
}

// checkFormat compares an answer's format parameters of H.264 with those offered.
func checkFormat(offered, fmtp string) error {
	_, line, _ := strings.Cut(fmtp, " ")
	parameters := map[string]string{}
	for pair := range strings.SplitSeq(line, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		parameters[strings.ToLower(key)] = strings.ToLower(value)
	}
	if mode := cmp.Or(parameters["packetization-mode"], "0"); mode != "1" {
		return fmt.Errorf("H.264 packetization-mode 1 offered, %s answered: %w", mode, ErrRefused)
	}
	answered := parameters["profile-level-id"]
	if answered == "" || parameters["level-asymmetry-allowed"] == "1" {
		return nil // nothing said, or its own level: browsers and SFUs say 3.1 there and take more
	}
	return checkLevel(offered, answered)
}

// checkLevel compares profile-level-ids: RFC 6184 section 8.1, three bytes in
// hexadecimal of which the last is level_idc, ten times the level (ITU-T H.264
// section A.3).
func checkLevel(offered, answered string) error {
	id, err := hex.DecodeString(answered)
	if err != nil || len(id) != 3 {
		return fmt.Errorf("H.264 profile-level-id %q answered, not six hexadecimal digits: %w", answered, ErrRefused)
	}
	ours, err := hex.DecodeString(offered)
	if err != nil || len(ours) != 3 {
		return fmt.Errorf("H.264 profile-level-id %q offered, not six hexadecimal digits", offered)
	}
	if id[2] < ours[2] {
		return fmt.Errorf("H.264 level %s offered, at most %s taken: lower the size or frame rate: %w",
			levelName(ours[2]), levelName(id[2]), ErrRefused)
	}
	return nil
}

func levelName(levelIDC byte) string { return fmt.Sprintf("%d.%d", levelIDC/10, levelIDC%10) }
