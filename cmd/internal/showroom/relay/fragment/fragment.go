// Package fragment reads and writes SDP fragments
// (application/trickle-ice-sdpfrag, RFC 8840 section 9), by which a WHIP or WHEP
// client trickles candidates and restarts ICE. It keeps what ICE needs and
// refuses what no honest client sends.
package fragment

import (
	"errors"
	"fmt"
	"strings"
)

// ContentType is the media type of a fragment.
const ContentType = "application/trickle-ice-sdpfrag"

// maxCandidates bounds what one request makes the ICE agent hold. A host with
// ten addresses, three relays and both protocols stays below it.
const maxCandidates = 64

// ErrSyntax is in the chain of every error of Parse.
var ErrSyntax = errors.New("broken SDP fragment")

// Fragment is what a fragment says about ICE.
type Fragment struct {
	Ufrag, Password string // both empty when the fragment names none
	Candidates      []Candidate
	End             bool // a=end-of-candidates: no more will follow
}

// Candidate is one candidate of a media section.
type Candidate struct {
	Mid   string // a=mid of its section, empty in front of the first one
	Value string // from "candidate:" on, as in RFC 8839 section 5.1
}

// Parse reads a fragment. Attributes that ICE does not need are passed over.
func Parse(text string) (Fragment, error) {
	var f Fragment
	var mid string
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		if len(line) < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' {
			return Fragment{}, fmt.Errorf("%w: line %d is not of the form <letter>=<value>", ErrSyntax, number+1)
		}
		if line[0] == 'm' {
			mid = ""
		}
		if line[0] != 'a' {
			continue
		}
		if err := f.attribute(line[2:], &mid); err != nil {
			return Fragment{}, fmt.Errorf("%w: line %d: %w", ErrSyntax, number+1, err)
		}
	}
	if (f.Ufrag == "") != (f.Password == "") {
		return Fragment{}, fmt.Errorf("%w: ice-ufrag and ice-pwd come together", ErrSyntax)
	}
	return f, nil
}

func (f *Fragment) attribute(text string, mid *string) error {
	key, value, _ := strings.Cut(text, ":")
	switch key {
	case "mid":
		*mid = value
	case "ice-ufrag":
		// RFC 8839 section 5.4: 4 to 256 characters, the password 22 to 256.
		return set(&f.Ufrag, key, value, 4)
	case "ice-pwd":
		return set(&f.Password, key, value, 22)
	case "candidate":
		if len(f.Candidates) == maxCandidates {
			return fmt.Errorf("more than %d candidates", maxCandidates)
		}
		f.Candidates = append(f.Candidates, Candidate{Mid: *mid, Value: text})
	case "end-of-candidates":
		f.End = true
	}
	return nil
}

// set takes a credential. Bundled sections may repeat it, not change it.
func set(field *string, key, value string, shortest int) error {
	if len(value) < shortest || len(value) > 256 || strings.ContainsFunc(value, notICE) {
		return fmt.Errorf("%s is not %d to 256 ICE characters", key, shortest)
	}
	if *field != "" && *field != value {
		return fmt.Errorf("a second, different %s", key)
	}
	*field = value
	return nil
}

// notICE: ice-char of RFC 8839 section 5.1 is a letter, a digit, "+" or "/".
func notICE(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '+' && r != '/'
}

// String writes the fragment with all candidates in one pseudo media section,
// as RFC 9725 section 4.3.2 shows it for a bundle.
func (f Fragment) String() string {
	var b strings.Builder
	if f.Ufrag != "" {
		fmt.Fprintf(&b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", f.Ufrag, f.Password)
	}
	mid := "0"
	if len(f.Candidates) > 0 && f.Candidates[0].Mid != "" {
		mid = f.Candidates[0].Mid
	}
	fmt.Fprintf(&b, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:%s\r\n", mid)
	for _, c := range f.Candidates {
		fmt.Fprintf(&b, "a=%s\r\n", c.Value)
	}
	if f.End {
		b.WriteString("a=end-of-candidates\r\n")
	}
	return b.String()
}
