package whip

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/bril-edge/bril/uplink/origin"
)

// trust decides which servers media may pass: the endpoint's host, those of the
// trusted origins, and those that the configuration adds for this alone.
type trust map[string]bool // host or host:port of STUN and TURN servers

// newTrust reads entries of two kinds. An origin (https://host:port) is trusted
// with the token, by package origin, and its host as a STUN or TURN server on
// any port. A host, host:port or stun:, stuns:, turn: or turns: URI is trusted as
// such a server only.
func newTrust(endpoint *url.URL, entries []string) (trust, error) {
	t := trust{strings.ToLower(endpoint.Hostname()): true}
	for _, entry := range entries {
		if err := t.add(entry); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t trust) add(entry string) error {
	if origin.IsEntry(entry) {
		u, err := origin.ParseEntry(entry)
		if err != nil {
			return err
		}
		t[strings.ToLower(u.Hostname())] = true
		return nil
	}
	uri, err := parseICE("turn:" + trimICEScheme(entry))
	if err != nil {
		return origin.EntryError(entry, fmt.Errorf("neither an origin like https://host nor a host: %w", err))
	}
	t[uri.hostPort()] = true
	return nil
}

// check says whether media may go through STUN or TURN servers. The token
// never goes there, but the media and this device's address do. It names all
// that are not trusted at once: some endpoints offer several public ones.
func (t trust) check(servers ...iceURI) error {
	var elsewhere []string
	for _, s := range servers {
		if !t[s.host] && !t[s.hostPort()] {
			elsewhere = append(elsewhere, s.scheme+":"+origin.Bracket(s.host))
		}
	}
	if elsewhere == nil {
		return nil
	}
	slices.Sort(elsewhere)
	return origin.Untrusted("ICE server", slices.Compact(elsewhere)...)
}
