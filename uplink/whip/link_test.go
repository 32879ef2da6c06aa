package whip

import (
	"bytes"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

func TestParseLinks(t *testing.T) {
	params := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	for _, test := range []struct {
		name    string
		headers []string
		want    []link
		bad     bool
	}{
		{"none", nil, nil, false},
		{"one", []string{`<stun:a>; rel="ice-server"`}, []link{{"stun:a", params("rel", "ice-server")}}, false},
		{"several in one header", []string{`<stun:a>; rel=ice-server, <turn:b?transport=udp> ; REL=ice-server;username="u"`},
			[]link{{"stun:a", params("rel", "ice-server")}, {"turn:b?transport=udp", params("rel", "ice-server", "username", "u")}}, false},
		{"several headers", []string{"<a>", "<b>"}, []link{{"a", params()}, {"b", params()}}, false},
		{"quoted comma, semicolon and quote", []string{`<a>; credential="p,a;s\"s\\"; rel=x,<b>`},
			[]link{{"a", params("credential", `p,a;s"s\`, "rel", "x")}, {"b", params()}}, false},
		{"first of a name counts", []string{`<a>; rel=x; rel=y`}, []link{{"a", params("rel", "x")}}, false},
		{"empty places", []string{` , <a>;;rel=x; ,, <b>;x `}, []link{{"a", params("rel", "x")}, {"b", params("x", "")}}, false},
		{"comma in the target", []string{`<a,b>`}, []link{{"a,b", params()}}, false},
		{"open target", []string{`<a`}, nil, true},
		{"open quote", []string{`<a>, <b>; x="y`}, []link{{"a", params()}}, true},
		{"open escape", []string{`<b>; x="y\`}, nil, true},
		{"no target", []string{`rel=x`, `<b>`}, []link{{"b", params()}}, true},
		{"something after the target", []string{`<a> b`}, nil, true},
		{"too many", []string{strings.Repeat("<a>,", maxLinks+1)}, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseLinks(test.headers)
			if errors.Is(err, errLink) != test.bad {
				t.Errorf("error %v", err)
			}
			if test.name == "too many" {
				if len(got) != maxLinks {
					t.Errorf("%d links", len(got))
				}
			} else if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestParseICE(t *testing.T) {
	for raw, want := range map[string]string{
		"stun:a.example":                        "stun:a.example",
		"STUN:A.example:3478":                   "stun:a.example:3478",
		"turn:a.example:3478?transport=udp":     "turn:a.example:3478?transport=udp",
		"turns:a.example:443?TRANSPORT=TCP":     "turns:a.example:443?transport=tcp",
		"turn:a.example:443%3Ftransport=tcp":    "turn:a.example:443?transport=tcp",
		"turn:[2001:db8::1]:3478":               "turn:[2001:db8::1]:3478",
		"turn:[2001:db8::1]":                    "turn:[2001:db8::1]",
		"turn:":                                 "",
		"turn":                                  "",
		"http://a.example":                      "",
		"turn:a.example:0":                      "",
		"turn:a.example:70000":                  "",
		"turn:2001:db8::1":                      "",
		"turn:a.example?transport=sctp":         "",
		"turn:a.example?x=y":                    "",
		"turn:user@a.example":                   "",
		"turn:a.example/x":                      "",
		"turn:a b":                              "",
		"turn:a.example:443\r\nX: y":            "",
		"turn:a.example%0d%0aX-Injected:%20yes": "",
	} {
		got, err := parseICE(raw)
		if want == "" && err == nil || want != "" && (err != nil || got.String() != want) {
			t.Errorf("%q: got %v, %v, want %q", raw, got, err, want)
		}
	}
}

func TestICEServersOfTheAnswer(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created(
		"Link", `<stun:127.0.0.1:3478>; rel="ice-server"`,
		"Link", `<turn:127.0.0.1:3478?transport=udp>; rel="ice-server"; username="u"; credential="p,\"w"; credential-type="password", `+
			`<turns:127.0.0.1?transport=tcp>; rel="ice-server"; username="u"; credential="x"`,
		"Link", `<turn:127.0.0.1>; rel="ice-server"; credential-type="oauth"`,
		"Link", `<https://docs.example/>; rel="help"`,
		"Link", `<turn:127.0.0.1?transport=quic>; rel="ice-server"`,
		"Link", `<open`,
	)})
	var logged bytes.Buffer
	c := newClient(t, s, func(cfg *Config) { cfg.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
	want := []ICEServer{
		{URL: "stun:127.0.0.1:3478"},
		{"turn:127.0.0.1:3478?transport=udp", "u", NewSecret(`p,"w`)},
		{"turns:127.0.0.1?transport=tcp", "u", NewSecret("x")},
	}
	if got := publish(t, c).ICEServers(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	for _, part := range []string{"oauth", "transport=quic", "malformed Link"} {
		if !strings.Contains(logged.String(), part) {
			t.Errorf("the log does not say %q:\n%s", part, logged.String())
		}
	}
}

func TestICEServerElsewhereIsRefused(t *testing.T) {
	s := serve(t, script{
		"POST /whip/a":      created("Link", `<turn:turn.example:3478>; rel="ice-server"; username="u"; credential="p"`),
		"DELETE /session/1": answers(200, ""),
	})
	_, err := newClient(t, s).Publish(t.Context(), offer)
	if !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "turn:turn.example") ||
		!strings.Contains(Hint(err), `add "turn:turn.example" to uplink.trusted_origins`) {
		t.Errorf("got %v, hint %q", err, Hint(err))
	}
	if n := len(s.got("DELETE")); n != 1 {
		t.Errorf("%d DELETE of the session that cannot be used, want 1", n)
	}
	trusting := newClient(t, s, func(cfg *Config) { cfg.TrustedOrigins = []string{"turn:turn.example"} })
	if servers := publish(t, trusting).ICEServers(); len(servers) != 1 {
		t.Errorf("when trusted: %v", servers)
	}
}

// A LiveKit server without a TURN server of its own names three public STUN
// servers: all have to be known before the configuration is opened once.
func TestICEServersElsewhereAreNamedAtOnce(t *testing.T) {
	s := serve(t, script{
		"POST /whip/a": created("Link", `<stun:b.example:19302>; rel="ice-server", <stun:127.0.0.1>; rel="ice-server", `+
			`<stun:a.example:3478>; rel="ice-server", <stun:b.example>; rel="ice-server"`),
		"DELETE /session/1": answers(200, ""),
	})
	_, err := newClient(t, s).Publish(t.Context(), offer)
	if !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "ICE server at stun:a.example, stun:b.example: not") ||
		!strings.Contains(Hint(err), `add "stun:a.example", "stun:b.example" to uplink.trusted_origins`) {
		t.Errorf("got %v, hint %q", err, Hint(err))
	}
}

func FuzzLinks(f *testing.F) {
	f.Add(`<turn:a?transport=udp>; rel="ice-server"; username="u"; credential="p,\"w", <b>`)
	f.Fuzz(func(t *testing.T, header string) {
		links, _ := parseLinks([]string{header})
		if len(links) > maxLinks {
			t.Fatalf("%d links", len(links))
		}
		for _, l := range links {
			if len(l.target) > len(header) || strings.Contains(l.target, ">") {
				t.Fatalf("target %q", l.target)
			}
			uri, err := parseICE(l.target)
			if err != nil {
				continue
			}
			again, err := parseICE(uri.String())
			if err != nil || again != uri {
				t.Fatalf("%q reads as %+v, written and read again %+v, %v", l.target, uri, again, err)
			}
		}
	})
}
