package origin

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestTrust(t *testing.T) {
	for _, test := range []struct {
		own, trusted, asked string
		want                string // part of the error, "" for none
	}{
		{"https://a.example/whip", "", "https://a.example/other?x=1", ""},
		{"https://a.example/whip", "", "https://A.EXAMPLE:443/", ""},
		{"https://a.example:443/whip", "", "https://a.example/", ""},
		{"http://127.0.0.1:80/whip", "", "http://127.0.0.1/", ""},
		{"https://a.example/whip", "", "https://a.example:8443/", "https://a.example:8443"},
		{"https://a.example/whip", "", "https://b.a.example/", "https://b.a.example"},
		{"https://a.example/whip", "https://b.example", "https://b.example/x", ""},
		{"https://a.example/whip", "https://b.example:8443", "https://b.example/x", "https://b.example"},
		{"https://a.example/whip", "b.example", "https://b.example/x", "https://b.example"},
		{"https://a.example/whip", "http://127.0.0.1:8080", "http://127.0.0.1:8080/", "from https to http"},
		{"http://127.0.0.1:8080/whip", "http://[::1]:8080", "http://[::1]:8080/", ""},
		{"http://127.0.0.1:8080/whip", "", "http://127.0.0.1:8081/", "http://127.0.0.1:8081"},
		{"https://a.example/whip", "", "https://x:y@a.example/", "carries a user name"},
		{"https://a.example/whip", "", "file:///etc/passwd", "not an http address"},
	} {
		own, _ := url.Parse(test.own)
		asked, _ := url.Parse(test.asked)
		trusted, err := newTrust(own, strings.Fields(test.trusted))
		if err != nil {
			t.Fatal(err)
		}
		err = trusted.check("session", asked)
		if test.want == "" && err != nil || test.want != "" && (!errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s, trusting %q, asked %s: got %v, want %q", test.own, test.trusted, test.asked, err, test.want)
		}
	}
}

func TestLocalhostIsHeldToLoopback(t *testing.T) {
	for address, allowed := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true, "192.0.2.1:80": false, "[2001:db8::1]:80": false, "nonsense": false,
	} {
		if err := loopbackOnly("tcp", address, nil); (err == nil) != allowed {
			t.Errorf("%s: %v", address, err)
		}
	}
}
