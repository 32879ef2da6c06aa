package showroom

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRefusesToBeOpenToTheWorld(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"everything is missing", Config{Listen: "0.0.0.0:8080"}, "without TLS (--tls-cert and --tls-key, or --tls-own) and publishers' tokens (--token-file) or --require-enrolment and a data directory"},
		{"any address", Config{Listen: ":8080"}, "not loopback"},
		{"IPv6", Config{Listen: "[2001:db8::1]:80", DataDir: "x"}, "without TLS (--tls-cert and --tls-key, or --tls-own) and publishers' tokens (--token-file) or --require-enrolment"},
		{"half of TLS", Config{TLSCert: "x"}, "TLS needs a certificate and its key"},
		{"a host name", Config{Listen: "showroom.example:80"}, `listen address "showroom.example:80"`},
		{"no port", Config{Listen: "127.0.0.1"}, "missing port"},
		{"mails without a place", Config{SMTP: "smtp://mail.example:587"}, "need a data directory"},
		{"mails without an address", Config{Listen: "0.0.0.0:443", SMTP: "smtp://mail.example:587", DataDir: "x", TLSCert: "x", TLSKey: "x", TokenFile: "x"}, "links in mails need an address"},
		{"a public URL with a path", Config{PublicURL: "https://showroom.example/here"}, "not the address of a server"},
		{"a public URL without a scheme", Config{PublicURL: "showroom.example"}, "not the address of a server"},
		{"no file of hours", Config{Hours: "/does/not/exist"}, "read the office hours"},
		{"keys without a place", Config{RequireKey: true}, "access keys need a data directory"},
		{"no token file", Config{TokenFile: "/does/not/exist"}, "no such file"},
		{"two certificates", Config{TLSOwn: true, TLSCert: "x", TLSKey: "x", DataDir: "x"}, "(--tls-own) and another one (--tls-cert)"},
		{"an authority without a place", Config{TLSOwn: true}, "needs a data directory"},
		{"enrolment without a place", Config{RequireEnrolment: true, TLSCert: "x", TLSKey: "x"}, "enrolment needs a data directory"},
		{"enrolment without TLS", Config{RequireEnrolment: true, DataDir: "x"}, "enrolment needs TLS"},
		{"an address that is none", Config{Listen: "0.0.0.0:443", TLSOwn: true, RequireEnrolment: true, DataDir: "x"}, "cannot be told where to reach"},
		{"an address without TLS", Config{TLSOwn: true, DataDir: "x", PublicURL: "http://showroom.example"}, "without TLS"},
		{"a fleet of no name", Config{Fleet: "Bril Benelux"}, `the fleet's name "Bril Benelux" (--fleet)`},
		{"no certificate", Config{TLSCert: "/does/not", TLSKey: "/exist"}, "read the TLS certificate"},
	} {
		_, err := New(c.cfg)
		var refused *ConfigError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || refused.Hint == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	for text, want := range map[string]string{
		"":             "holds none",
		"# nothing\n":  "holds none",
		"two words\n":  "line 1 is not a bearer token",
		"ok\n\nschön":  "line 3 is not a bearer token",
		"one\n two \n": "",
	} {
		check(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := readTokens(path)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestAccessKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: dir, RequireKey: true})
	check(t, err)
	url := runServer(t, s)
	key := s.keys.Key("anna")
	if len(key) != 32 || s.Link(url, "anna") != url+"/anna#"+key || key == s.keys.Key("bert") {
		t.Errorf("key %q, link %s", key, s.Link(url, "anna"))
	}
	if again, err := LoadKeys(dir); err != nil || again.Key("anna") != key {
		t.Errorf("read again, it is another key: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, secretFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("secret: %v %v", info, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v %v", info, err)
	}
	testLocked(t, url, key)
	testUnlocked(t, url, key)
}

const jsonType = "application/json"

// Without the key, names in use and names that nobody uses look the same.
func testLocked(t *testing.T, url, key string) {
	for _, name := range []string{"anna", "nobody"} {
		for _, path := range []string{"/whep/" + name, "/whep/" + name + "/x"} {
			answer, body := request(t, http.MethodPost, url+path, "", "Content-Type", sdp)
			expect(t, path, answer, body, 401)
		}
		answer, body := request(t, http.MethodGet, url+"/api/sessions/"+name+"/events", "")
		expect(t, name, answer, body, 401)
		answer, body = request(t, http.MethodPost, url+"/api/sessions/"+name+"/access", `{"key":"wrong"}`, "Content-Type", jsonType)
		expect(t, name, answer, body, 403)
		answer, _ = request(t, http.MethodGet, url+"/"+name, "")
		if answer.StatusCode != 200 {
			t.Errorf("the page of %s: %d", name, answer.StatusCode)
		}
	}
	answer, body := request(t, http.MethodPost, url+"/api/sessions/bert/access", `{"key":"`+key+`"}`, "Content-Type", jsonType)
	expect(t, "another's key", answer, body, 403)
}

func testUnlocked(t *testing.T, url, key string) {
	answer, body := request(t, http.MethodPost, url+"/api/sessions/anna/access", `{"key":"`+key+`"}`, "Content-Type", jsonType)
	expect(t, "the key", answer, body, 204)
	cookies := answer.Cookies()
	if len(cookies) != 5 {
		t.Fatalf("%d cookies", len(cookies))
	}
	for _, c := range cookies {
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || !strings.HasSuffix(c.Path, "/anna") || strings.Contains(c.Value, key) {
			t.Errorf("cookie %v", c)
		}
	}
	cookie := "bril=" + cookies[0].Value
	for name, header := range map[string][2]string{"cookie": {"Cookie", cookie}, "bearer": {"Authorization", "Bearer " + key}} {
		answer, body := request(t, http.MethodPost, url+"/whep/anna", "v=0", "Content-Type", sdp, header[0], header[1])
		expect(t, name, answer, body, 400) // past the door
		answer, body = request(t, http.MethodPost, url+"/whep/bert", "v=0", "Content-Type", sdp, header[0], header[1])
		expect(t, name+" at another's", answer, body, 401)
	}
	answer, body = request(t, http.MethodPost, url+"/whep/anna", "v=0", "Content-Type", sdp, "Cookie", "bril=99999999999."+cookies[0].Value)
	expect(t, "a forged cookie", answer, body, 401)
}

func TestCookieExpires(t *testing.T) {
	keys := &Keys{secret: make([]byte, secretSize)}
	now := time.Unix(1_700_000_000, 0)
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	check(t, err)
	r.AddCookie(keys.cookies("anna", newDevice(), now, true)[0])
	if !keys.admits(r, "anna", now.Add(cookieExpiry-time.Second)) {
		t.Error("refused before its time")
	}
	if keys.admits(r, "anna", now.Add(cookieExpiry)) {
		t.Error("taken after its time")
	}
}

func TestSecretIsGuarded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, secretFile)
	check(t, os.WriteFile(path, make([]byte, secretSize), 0o644))
	if _, err := LoadKeys(dir); err == nil || !strings.Contains(err.Error(), "can be read by others") {
		t.Errorf("readable by others: %v", err)
	}
	check(t, os.Chmod(path, 0o600))
	check(t, os.WriteFile(path, []byte("short"), 0o600))
	if _, err := LoadKeys(dir); err == nil || !strings.Contains(err.Error(), "5 bytes instead of 32") {
		t.Errorf("cut short: %v", err)
	}
}

func TestPageIsAlone(t *testing.T) {
	url := startServer(t, Config{})
	answer, body := request(t, http.MethodGet, url+"/anna", "")
	expect(t, "page", answer, body, 200)
	csp := answer.Header.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "frame-ancestors 'none'", "script-src 'self'"} {
		if !strings.Contains(csp, rule) {
			t.Errorf("no %q in %q", rule, csp)
		}
	}
	if strings.Contains(body, "http://") || strings.Contains(body, "https://") {
		t.Error("the page names another server")
	}
	for _, asset := range []string{"page.css", "page.js", "player.js", "icon.svg"} {
		answer, body := request(t, http.MethodGet, url+"/assets/"+asset, "")
		expect(t, asset, answer, body, 200)
		again, _ := request(t, http.MethodGet, url+"/assets/"+asset, "", "If-None-Match", answer.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s again: %d", asset, again.StatusCode)
		}
	}
	answer, body = request(t, http.MethodGet, url+"/assets/..%2fweb.go", "")
	if answer.StatusCode != 404 {
		t.Errorf("outside the assets: %d %s", answer.StatusCode, body)
	}
	answer, body = request(t, http.MethodGet, url+"/healthz", "")
	if answer.StatusCode != 200 || body != "ok\n" {
		t.Errorf("health: %d %q", answer.StatusCode, body)
	}
}
