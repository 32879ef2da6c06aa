package whip

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/bril-edge/bril/uplink/origin"
)

func TestNewChecksItsConfiguration(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  Config
		want string // "" is no error
	}{
		{"https", Config{URL: "https://cloud.example/whip/a?key=1"}, ""},
		{"http on 127/8", Config{URL: "http://127.8.9.1:8080/whip/a"}, ""},
		{"http on ::1", Config{URL: "http://[::1]:8080/whip/a"}, ""},
		{"http on localhost", Config{URL: "http://LocalHost:8080/whip/a"}, ""},
		{"empty", Config{}, "uplink.whip_url: must start with https://"},
		{"no scheme", Config{URL: "cloud.example/whip"}, "uplink.whip_url: must start with https://"},
		{"other scheme", Config{URL: "ftp://cloud.example/whip"}, "must start with https://"},
		{"no host", Config{URL: "https:///whip"}, "has no host"},
		{"http elsewhere", Config{URL: "http://10.0.0.7/whip"}, "use https"},
		{"http on what only looks like loopback", Config{URL: "http://127.1/whip"}, "use https"},
		{"http on a name below localhost", Config{URL: "http://a.localhost/whip"}, "use https"},
		{"password", Config{URL: "https://me:hunter2@cloud.example/"}, "put a token into uplink.token_file"},
		{"fragment", Config{URL: "https://cloud.example/#key"}, "has a fragment"},
		{"port 0", Config{URL: "https://cloud.example:0/"}, "port 0 is not 1 to 65535"},
		{"not a URL", Config{URL: "https://cloud.example/%zz?key=hunter2"}, "invalid URL escape"},
		{"line break in the token", Config{URL: "https://a", Token: NewSecret("hunter2\n")}, "uplink.token_file: the token has a space, a line break"},
		{"origin", Config{URL: "https://a", TrustedOrigins: []string{"https://b:8443", "https://c/", "turn:d", "stun:d:3478", "e", "[2001:db8::1]:3478"}}, ""},
		{"origin with a path", Config{URL: "https://a", TrustedOrigins: []string{"https://b/c"}}, `uplink.trusted_origins: entry "https://b/c": an origin has no path or query: write https://b`},
		{"origin in the clear", Config{URL: "https://a", TrustedOrigins: []string{"http://b"}}, "use https"},
		{"no origin at all", Config{URL: "https://a", TrustedOrigins: []string{"b c"}}, "neither an origin like https://host nor a host"},
		{"wildcard", Config{URL: "https://a", TrustedOrigins: []string{"*"}}, "neither an origin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.cfg)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestTrustOfICEServers(t *testing.T) {
	for _, test := range []struct {
		trusted, server string
		want            string // the entry that the hint names, "" when trusted
	}{
		{"", "turn:a.example:3478?transport=udp", ""},
		{"", "turns:A.example?transport=tcp", ""},
		{"", "stun:stun.example", `"stun:stun.example"`},
		{"", "turn:[2001:db8::1]:3478", `"turn:[2001:db8::1]"`},
		{"https://b.example:8443", "turn:b.example:3478", ""},
		{"turn:b.example", "turns:b.example:443", ""},
		{"b.example", "stun:b.example", ""},
		{"b.example:3478", "turn:b.example:3478", ""},
		{"b.example:3478", "turn:b.example:443", `"turn:b.example"`},
		{"[2001:db8::1]", "turn:[2001:db8::1]:3478", ""},
	} {
		own, _ := url.Parse("https://a.example:8443/whip")
		trusted, err := newTrust(own, strings.Fields(test.trusted))
		if err != nil {
			t.Fatal(err)
		}
		uri, err := parseICE(test.server)
		if err != nil {
			t.Fatal(err)
		}
		err = trusted.check(uri)
		var h origin.Hinted
		errors.As(err, &h)
		if test.want == "" && err != nil || test.want != "" && (!errors.Is(err, ErrUntrusted) || !strings.Contains(h.Hint(), test.want)) {
			t.Errorf("trusting %q, %s: got %v with hint %q, want %s", test.trusted, test.server, err, h.Hint(), test.want)
		}
	}
}

// What the hint names must be what the configuration takes.
func TestHintOfUntrustedIsAnEntry(t *testing.T) {
	own, _ := url.Parse("https://a.example/whip")
	for _, server := range []string{"turn:b.example:3478", "stuns:[2001:db8::1]:5349"} {
		uri, _ := parseICE(server)
		trusted, _ := newTrust(own, nil)
		var h origin.Hinted
		if !errors.As(trusted.check(uri), &h) {
			t.Fatalf("%s: no hint", server)
		}
		entry := strings.Split(h.Hint(), `"`)[1]
		trusted, err := newTrust(own, []string{entry})
		if err != nil || trusted.check(uri) != nil {
			t.Errorf("%s: entry %q: %v, and then %v", server, entry, err, trusted.check(uri))
		}
	}
}
