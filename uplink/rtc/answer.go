package rtc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// ErrRefused says that the endpoint's answer does not take what was offered.
var ErrRefused = errors.New("refused by the endpoint's answer")

// checkAnswer finds, before pion does in its own words, that the endpoint does
// not take the picture: no H.264, another profile, or a lower level that it
// insists on (RFC 6184 section 8.2.2, level-asymmetry-allowed).
func (p *Publisher) checkAnswer(answer webrtc.SessionDescription) error {
	parsed, err := answer.Unmarshal()
	if err != nil {
		return fmt.Errorf("read the endpoint's answer: %w", err)
	}
	for _, media := range parsed.MediaDescriptions {
		if err := p.checkMedia(media); err != nil {
			return err
		}
	}
	return nil
}

func (p *Publisher) checkMedia(media *sdp.MediaDescription) error {
	if media.MediaName.Port.Value == 0 {
		return fmt.Errorf("%s: %w", media.MediaName.Media, ErrRefused)
	}
	if _, sends := media.Attribute(sdp.AttrKeySendOnly); sends {
		return fmt.Errorf("%s: endpoint wants to send, and these glasses receive nothing: %w", media.MediaName.Media, ErrRefused)
	}
	if media.MediaName.Media != "video" {
		return nil
	}
	for _, a := range media.Attributes {
		if a.Key == "fmtp" && strings.HasPrefix(a.Value, strconv.Itoa(payloadVideo)+" ") {
			return checkLevel(p.cfg.Video.ProfileLevelID, a.Value)
		}
	}
	return nil
}

// checkLevel compares the profile-level-id of an answer with the one offered.
func checkLevel(offered, fmtp string) error {
	_, line, _ := strings.Cut(fmtp, " ")
	parameters := map[string]string{}
	for pair := range strings.SplitSeq(line, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		parameters[strings.ToLower(key)] = strings.ToLower(value)
	}
	answered := parameters["profile-level-id"]
	if len(answered) != 6 || parameters["level-asymmetry-allowed"] == "1" {
		return nil // nothing said, or a limit on what the endpoint sends only
	}
	if level(answered) < level(offered) {
		return fmt.Errorf("H.264 level %s offered, at most %s taken: lower the size or frame rate: %w",
			levelName(offered), levelName(answered), ErrRefused)
	}
	return nil
}

// level is level_idc, ten times the level (ITU-T H.264 section A.3), from a
// profile-level-id.
func level(profileLevelID string) int {
	n, err := strconv.ParseUint(profileLevelID[len(profileLevelID)-2:], 16, 8)
	if err != nil {
		return 0
	}
	return int(n)
}

func levelName(profileLevelID string) string {
	n := level(profileLevelID)
	return fmt.Sprintf("%d.%d", n/10, n%10)
}
