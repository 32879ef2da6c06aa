package relay

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/cmd/internal/showroom/relay/fragment"
)

// newID returns 144 random bits, so that no one finds another's session.
func newID() string {
	var b [18]byte
	rand.Read(b[:]) // never fails, crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// etagOf names the ICE session by its ufrag, which changes with each restart.
func etagOf(description string) string {
	f := credentialsOf(description)
	return `"` + f.Ufrag + `"`
}

// Trickle takes a client's further candidates: RFC 9725 section 4.3.2. match is the
// If-Match of the request. A repeated request changes nothing.
func (s *Session) Trickle(match string, f fragment.Fragment) error {
	s.signalling.Lock()
	defer s.signalling.Unlock()
	if match != s.etag && match != "*" {
		return ErrStale
	}
	if f.Ufrag != "" && f.Ufrag != s.remoteUfrag() {
		return fmt.Errorf("%w: the fragment's ice-ufrag is another", ErrStale)
	}
	s.addCandidates(f)
	return nil
}

// addCandidates passes over candidates that pion cannot read, such as those of a
// transport to come: to a lite agent they are a courtesy, it learns the path
// from the client's checks.
func (s *Session) addCandidates(f fragment.Fragment) {
	for _, c := range f.Candidates {
		mid := c.Mid
		if err := s.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.Value, SDPMid: &mid}); err != nil {
			s.relay.log.Debug("pass over a candidate", "session", s.name, "error", err)
		}
	}
}

// Restarts says whether the fragment asks for an ICE restart: it names credentials
// other than the current ones.
func (s *Session) Restarts(f fragment.Fragment) bool {
	s.signalling.Lock()
	defer s.signalling.Unlock()
	return f.Ufrag != "" && f.Ufrag != s.remoteUfrag()
}

// Restart restarts ICE with the client's new credentials and candidates: RFC 9725
// section 4.3.3. It returns the relay's own and the new ETag. The media session
// goes on.
func (s *Session) Restart(ctx context.Context, f fragment.Fragment) (own fragment.Fragment, etag string, err error) {
	s.signalling.Lock()
	defer s.signalling.Unlock()
	text, err := s.offer.restarted(f)
	if err != nil {
		return own, "", err
	}
	description := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}
	if err := s.pc.SetRemoteDescription(description); err != nil {
		return own, "", fmt.Errorf("restart ICE: %w", err)
	}
	if err := s.answerLocally(ctx); err != nil {
		return own, "", fmt.Errorf("restart ICE: %w", err)
	}
	s.addCandidates(f)
	return credentialsOf(s.pc.LocalDescription().SDP), s.etag, nil
}

func (s *Session) remoteUfrag() string {
	if d := s.pc.RemoteDescription(); d != nil {
		return credentialsOf(d.SDP).Ufrag
	}
	return ""
}

// restarted is the session's offer as it would be sent again with new ICE
// credentials: JSEP, RFC 8829 section 5.2.2, counts up the version.
func (o *offer) restarted(f fragment.Fragment) (string, error) {
	o.parsed.Origin.SessionVersion++
	o.parsed.Attributes = withCredentials(o.parsed.Attributes, f)
	for _, section := range o.parsed.MediaDescriptions {
		section.Attributes = withCredentials(section.Attributes, f)
	}
	text, err := o.parsed.Marshal()
	if err != nil {
		return "", fmt.Errorf("write the offer again: %w", err)
	}
	return string(text), nil
}

// withCredentials replaces ICE credentials where there are some and drops the old
// candidates.
func withCredentials(attributes []sdp.Attribute, f fragment.Fragment) []sdp.Attribute {
	kept := attributes[:0]
	for _, a := range attributes {
		switch a.Key {
		case "candidate", "end-of-candidates":
			continue
		case "ice-ufrag":
			a.Value = f.Ufrag
		case "ice-pwd":
			a.Value = f.Password
		}
		kept = append(kept, a)
	}
	return kept
}

// credentialsOf takes what a fragment holds out of a whole description. Bundled
// sections repeat it; the first one's candidates stand for all.
func credentialsOf(description string) fragment.Fragment {
	var f fragment.Fragment
	seen := map[string]bool{}
	mid := ""
	for _, line := range strings.Split(description, "\n") {
		line = strings.TrimSuffix(line, "\r")
		key, value, _ := strings.Cut(strings.TrimPrefix(line, "a="), ":")
		switch {
		case key == "mid" && mid == "":
			mid = value
		case key == "ice-ufrag" && f.Ufrag == "":
			f.Ufrag = value
		case key == "ice-pwd" && f.Password == "":
			f.Password = value
		case key == "candidate" && !seen[value]:
			seen[value] = true
			f.Candidates = append(f.Candidates, fragment.Candidate{Value: "candidate:" + value})
		case key == "end-of-candidates":
			f.End = true
		}
	}
	for i := range f.Candidates {
		f.Candidates[i].Mid = mid
	}
	return f
}
