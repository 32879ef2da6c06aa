package whip

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/bril-edge/bril/uplink/origin"
)

const maxICEServers = 16

// ICEServer is a STUN or TURN server that the endpoint offers.
type ICEServer struct {
	URL        string // as in RFC 7064 and RFC 7065: turn:host:port?transport=tcp
	Username   string
	Credential Secret
}

type iceURI struct {
	scheme    string // stun, stuns, turn, turns
	host      string // lower case, IPv6 without brackets
	port      string // empty for the default
	transport string // udp, tcp or empty
}

func (u iceURI) hostPort() string {
	if u.port == "" {
		return u.host
	}
	return net.JoinHostPort(u.host, u.port)
}

func (u iceURI) String() string {
	text := u.scheme + ":" + origin.Bracket(u.host)
	if u.port != "" {
		text += ":" + u.port
	}
	if u.transport != "" {
		text += "?transport=" + u.transport
	}
	return text
}

var errICE = errors.New("not a STUN or TURN address like turn:host:port?transport=udp")

// parseICE reads a URI of RFC 7064 or RFC 7065. A server seen in the field
// escapes the question mark, so one round of percent-decoding is undone first.
func parseICE(raw string) (iceURI, error) {
	if text, err := url.PathUnescape(raw); err == nil {
		raw = text
	}
	scheme, rest, _ := strings.Cut(raw, ":")
	address, query, _ := strings.Cut(rest, "?")
	u := iceURI{scheme: strings.ToLower(scheme)}
	if trimICEScheme(u.scheme+":") != "" || !u.setAddress(address) {
		return iceURI{}, errICE
	}
	if query != "" {
		transport, found := strings.CutPrefix(strings.ToLower(query), "transport=")
		if !found || transport != "udp" && transport != "tcp" {
			return iceURI{}, errICE
		}
		u.transport = transport
	}
	return u, nil
}

func (u *iceURI) setAddress(address string) bool {
	host, port := address, ""
	if h, p, err := net.SplitHostPort(address); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return false
		}
		host, port = h, p
	} else if strings.HasPrefix(address, "[") && strings.HasSuffix(address, "]") {
		host = address[1 : len(address)-1]
	} else if strings.Contains(address, ":") {
		return false
	}
	u.host, u.port = strings.ToLower(host), port
	return host != "" && strings.Trim(u.host, "abcdefghijklmnopqrstuvwxyz0123456789.-_:") == ""
}

func trimICEScheme(s string) string {
	for _, scheme := range []string{"stun:", "stuns:", "turn:", "turns:"} {
		if rest, found := strings.CutPrefix(s, scheme); found {
			return rest
		}
	}
	return s
}

// iceServers picks the usable servers out of the links (RFC 9725, section 4.6).
// One that cannot be read is left out with a warning; one at an untrusted host
// is an error.
func (c *Client) iceServers(links []link) ([]ICEServer, error) {
	var servers []ICEServer
	var offered []iceURI
	for _, l := range links {
		if !l.is("ice-server") {
			continue
		}
		uri, err := parseICE(l.target)
		if kind := l.params["credential-type"]; err == nil && kind != "" && kind != "password" {
			err = fmt.Errorf("credential-type %q is not supported", origin.Clean(kind))
		}
		if err == nil && len(servers) == maxICEServers {
			err = fmt.Errorf("more than %d servers", maxICEServers)
		}
		if err != nil {
			c.log.Warn("ICE server of the endpoint left out", "server", origin.Clean(l.target), "error", err)
			continue
		}
		offered = append(offered, uri)
		servers = append(servers, ICEServer{
			URL: uri.String(), Username: l.params["username"], Credential: NewSecret(l.params["credential"]),
		})
	}
	if err := c.trust.check(offered...); err != nil {
		return nil, err
	}
	return servers, nil
}
