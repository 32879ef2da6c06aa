package whip

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bril-edge/bril/uplink/origin"
)

const (
	maxFragment   = 64 << 10 // bytes
	maxLine       = 4 << 10  // bytes
	maxCandidates = 100
	maxCredential = 256 // characters of ice-ufrag and ice-pwd (RFC 8839, section 5.4)
)

// Fragment is an SDP fragment of candidates (application/trickle-ice-sdpfrag,
// RFC 8840, section 9). With everything in one bundle it describes a single
// media section, the offerer-tagged one (RFC 9725, section 4.3.2).
type Fragment struct {
	Bundle     []string // identification tags of the bundle group; none leaves the line out
	Media      string   // value of the m= line: audio 9 UDP/TLS/RTP/SAVPF 111
	Mid        string
	Ufrag      string
	Pwd        string
	Candidates []string // each as candidate:…, without a=
	End        bool     // no more candidates will come
}

// String returns the fragment as it is sent.
func (f Fragment) String() string {
	var b strings.Builder
	line := func(prefix, value string) {
		if value != "" {
			b.WriteString(prefix + value + "\r\n")
		}
	}
	if len(f.Bundle) > 0 {
		line("a=group:BUNDLE ", strings.Join(f.Bundle, " "))
	}
	line("m=", f.Media)
	line("a=mid:", f.Mid)
	line("a=ice-ufrag:", f.Ufrag)
	line("a=ice-pwd:", f.Pwd)
	for _, c := range f.Candidates {
		line("a=", c)
	}
	if f.End {
		line("a=", "end-of-candidates")
	}
	return b.String()
}

// ParseFragment reads a fragment that a server sent. Lines it does not know are
// ignored, as RFC 8840 asks. Of several media sections the first counts, with
// what stands before it.
func ParseFragment(text string) (Fragment, error) {
	session, media, err := sections(text, maxFragment)
	if err != nil {
		return Fragment{}, err
	}
	var f Fragment
	if err := f.read(session); err != nil {
		return Fragment{}, err
	}
	if len(media) > 0 {
		err = f.read(media[0])
	}
	return f, err
}

// FragmentOf returns the fragment that a description of this side holds: the
// credentials and candidates of its offerer-tagged media section, which is the
// first of the bundle group (RFC 9143, section 7.2.1).
func FragmentOf(description string) (Fragment, error) {
	session, media, err := sections(description, maxSDP)
	if err != nil {
		return Fragment{}, err
	}
	if len(media) == 0 {
		return Fragment{}, errors.New("the description has no media section")
	}
	var f Fragment
	if err := f.read(session); err != nil {
		return Fragment{}, err
	}
	tagged := media[0]
	if len(f.Bundle) > 0 {
		i := slices.IndexFunc(media, func(lines []string) bool { return slices.Contains(lines, "a=mid:"+f.Bundle[0]) })
		if i < 0 {
			return Fragment{}, fmt.Errorf("no media section has the bundle's first tag %q", f.Bundle[0])
		}
		tagged = media[i]
	}
	err = f.read(tagged)
	return f, err
}

// Apply returns a description, the answer of the session so far, with the
// credentials and candidates of f in place of its own, to be set after an ICE
// restart.
func (f Fragment) Apply(answer string) (string, error) {
	session, media, err := sections(answer, maxSDP)
	if err != nil {
		return "", err
	}
	if len(media) == 0 {
		return "", errors.New("the answer has no media section")
	}
	tagged := max(0, slices.IndexFunc(media, func(lines []string) bool {
		return f.Mid != "" && slices.Contains(lines, "a=mid:"+f.Mid)
	}))
	lines := f.replace(session)
	for i, section := range media {
		lines = append(lines, f.replace(section)...)
		if i == tagged {
			lines = append(lines, f.candidateLines()...)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n", nil
}

// replace returns the lines with f's credentials and without candidates.
func (f Fragment) replace(lines []string) []string {
	var kept []string
	for _, line := range lines {
		switch name, _ := attribute(line); name {
		case "candidate", "end-of-candidates":
			continue
		case "ice-ufrag":
			line = "a=ice-ufrag:" + f.Ufrag
		case "ice-pwd":
			line = "a=ice-pwd:" + f.Pwd
		}
		kept = append(kept, line)
	}
	return kept
}

func (f Fragment) candidateLines() []string {
	var lines []string
	for _, c := range f.Candidates {
		lines = append(lines, "a="+c)
	}
	if f.End {
		lines = append(lines, "a=end-of-candidates")
	}
	return lines
}

// read takes over what the lines of one section say.
func (f *Fragment) read(lines []string) error {
	for _, line := range lines {
		if media, found := strings.CutPrefix(line, "m="); found {
			f.Media = media
			continue
		}
		if err := f.readAttribute(attribute(line)); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fragment) readAttribute(name, value string) error {
	switch name {
	case "group":
		if tags := strings.Fields(value); len(tags) > 1 && tags[0] == "BUNDLE" {
			f.Bundle = tags[1:]
		}
	case "mid":
		f.Mid = value
	case "ice-ufrag":
		f.Ufrag = value
		return checkCredential(name, value)
	case "ice-pwd":
		f.Pwd = value
		return checkCredential(name, value)
	case "candidate":
		if len(f.Candidates) == maxCandidates {
			return fmt.Errorf("more than %d candidates", maxCandidates)
		}
		f.Candidates = append(f.Candidates, "candidate:"+value)
		return checkCandidate(value)
	case "end-of-candidates":
		f.End = true
	}
	return nil
}

func checkCredential(name, value string) error {
	if value == "" || len(value) > maxCredential || strings.ContainsAny(value, " \t") {
		return fmt.Errorf("%s of %d characters, or with a space in it", name, len(value))
	}
	return nil
}

// checkCandidate checks the fixed part: foundation, component, transport,
// priority, address, port, "typ", type (RFC 8839, section 5.1). What follows is
// ICE's matter.
func checkCandidate(value string) error {
	fields := strings.Fields(value)
	if len(fields) < 8 || fields[6] != "typ" {
		return fmt.Errorf("malformed candidate %q", origin.Clean(value))
	}
	for i, bits := range map[int]int{1: 16, 3: 32, 5: 16} {
		if _, err := strconv.ParseUint(fields[i], 10, bits); err != nil {
			return fmt.Errorf("malformed candidate %q", origin.Clean(value))
		}
	}
	return nil
}

// attribute splits a=name:value. It returns "" for any other line.
func attribute(line string) (name, value string) {
	rest, found := strings.CutPrefix(line, "a=")
	if !found {
		return "", ""
	}
	name, value, _ = strings.Cut(rest, ":")
	return name, value
}

// sections splits SDP into the lines before the first m= and those of each
// media section. Line ends may be CRLF or LF.
func sections(text string, limit int) (session []string, media [][]string, err error) {
	if len(text) > limit {
		return nil, nil, fmt.Errorf("SDP of %d bytes is longer than %d", len(text), limit)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if err := checkLine(line); err != nil {
			return nil, nil, err
		}
		switch {
		case strings.HasPrefix(line, "m="):
			media = append(media, []string{line})
		case len(media) == 0:
			session = append(session, line)
		default:
			media[len(media)-1] = append(media[len(media)-1], line)
		}
	}
	return session, media, nil
}

func checkLine(line string) error {
	if len(line) > maxLine {
		return fmt.Errorf("SDP line of %d bytes", len(line))
	}
	if len(line) < 2 || line[0] < 'a' || line[0] > 'z' || line[1] != '=' || strings.ContainsAny(line, "\r\x00") {
		return fmt.Errorf("not an SDP line: %q", origin.Clean(line))
	}
	return nil
}
