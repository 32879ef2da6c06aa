package whip

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

const problemJSON = "application/problem+json"

func TestRefusals(t *testing.T) {
	page := []string{"Content-Type", "text/html; charset=utf-8"}
	for _, test := range []struct {
		name      string
		handler   http.HandlerFunc
		is        error
		permanent bool
		text      string // part of the error
		hint      string // part of the hint
	}{
		{"400", answers(400, ""), ErrRefused, true, "400 Bad Request", ""},
		{"401", answers(401, ""), ErrUnauthorized, true, "401 Unauthorized", "check the token in uplink.token_file"},
		{"401 as a page", answers(401, "<html>", page...), ErrUnauthorized, true, "401", "uplink.token_file"},
		{"403", answers(403, ""), ErrUnauthorized, true, "403 Forbidden", "uplink.token_file"},
		{"404", answers(404, ""), ErrNotFound, false, "404 Not Found", "check the path of uplink.whip_url"},
		{"404 as a page", answers(404, "<html>", page...), ErrNotWHIP, true, "a web page", "is this a WHIP endpoint?"},
		{"405", answers(405, ""), ErrNotWHIP, true, "405", "is this a WHIP endpoint?"},
		{"406", answers(406, ""), ErrRefused, true, "406", "H.264 and Opus"},
		{"409", answers(409, ""), ErrConflict, false, "another publisher holds the stream", "end the other session"},
		{"410", answers(410, ""), ErrNotFound, false, "410", ""},
		{"415", answers(415, ""), ErrRefused, true, "415", "does not take application/sdp"},
		{"422", answers(422, ""), ErrRefused, true, "422", ""},
		{"429", answers(429, "", "Retry-After", "3"), ErrBusy, false, "429 Too Many Requests", ""},
		{"500", answers(500, ""), errUnexpected, false, "500 Internal Server Error", ""},
		{"501", answers(501, ""), ErrNotWHIP, true, "501", ""},
		{"502 as a page", answers(502, "<html>", page...), errUnexpected, false, "502 Bad Gateway", ""},
		{"503", answers(503, "", "Retry-After", "3"), ErrBusy, false, "503 Service Unavailable", ""},
		{"200 as a page", answers(200, "<!DOCTYPE HTML>", page...), ErrNotWHIP, true, "a web page", "is this a WHIP endpoint?"},
		{"200 as a page that hides it", answers(200, " \n<!doctype html>"), ErrNotWHIP, true, "a web page", ""},
		{"201 as a page", answers(201, "<html>", "Content-Type", "text/html", "Location", "/session/1"), ErrNotWHIP, true, "a web page", ""},
		{"200 with an answer", answers(200, answer, "Content-Type", typeSDP, "Location", "/session/1"), errUnexpected, false, "200 OK: not the status that RFC 9725 asks for, which is 201 Created", ""},
		{"202", answers(202, ""), errUnexpected, false, "202 Accepted", ""},
		{"204", answers(204, ""), errUnexpected, false, "204 No Content", ""},
		{"201 without an answer", answers(201, "", "Content-Type", typeSDP, "Location", "/session/1"), nil, false, "carries no SDP answer", ""},
		{"201 with something else", answers(201, "{}", "Content-Type", "application/json", "Location", "/session/1"), nil, false, `not SDP: it does not start with v=0 (content type "application/json")`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, script{"POST /whip/a": test.handler, "DELETE /session/1": answers(200, "")})
			_, err := newClient(t, s).Publish(t.Context(), offer)
			var e *Error
			if !errors.As(err, &e) || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.text) {
				t.Fatalf("got %v, want %v saying %q", err, test.is, test.text)
			}
			if Permanent(err) != test.permanent || !strings.Contains(Hint(err), test.hint) {
				t.Errorf("permanent %v, hint %q", Permanent(err), Hint(err))
			}
			if !strings.HasPrefix(err.Error(), "publish to "+s.URL+"/whip/a: ") {
				t.Errorf("%v does not start with what was tried on what", err)
			}
			located := strings.Contains(test.name, "with an answer") || strings.HasPrefix(test.name, "201")
			if n := len(s.got("DELETE")); (n == 1) != located {
				t.Errorf("%d DELETE of the session that came with it", n)
			}
		})
	}
}

func TestUnauthorizedWithoutToken(t *testing.T) {
	s := serve(t, script{"POST /whip/a": answers(401, "")})
	_, err := newClient(t, s, func(cfg *Config) { cfg.Token = Secret{} }).Publish(t.Context(), offer)
	if hint := Hint(err); !strings.Contains(hint, "asks for a token: set uplink.token_file") {
		t.Errorf("hint %q", hint)
	}
}

func TestProblemDetails(t *testing.T) {
	long := strings.Repeat("é", 300)
	for _, test := range []struct {
		name, kind, body string
		want             string
	}{
		{"both", problemJSON, `{"type":"urn:x","title":"No room","detail":"all 8 are taken","status":503}`, "No room: all 8 are taken"},
		{"with a charset", problemJSON + "; charset=utf-8", `{"title":"No room"}`, "No room"},
		{"detail only", problemJSON, `{"detail":"taken"}`, "taken"},
		{"the same twice", problemJSON, `{"title":"taken","detail":"taken"}`, "taken"},
		{"a field of the wrong type", problemJSON, `{"detail":7,"title":"No room"}`, "No room"},
		{"plain JSON", "application/json", `{"status":"error","error":"path is in use"}`, "path is in use"},
		{"JSON under the type asked for", typeSDP, `{"error":"room name cannot be empty"}`, "room name cannot be empty"},
		{"plain text", "text/plain", "no\tsuch\r\nroom\n", "no such room"},
		{"escape sequences", "text/plain", "\x1b[31mred\x1b[0m\u202egnp\u0000\xff", "[31mred[0mgnp\ufffd"},
		{"long", problemJSON, `{"detail":"` + long + `"}`, strings.Repeat("é", 200) + "…"},
		{"the token", problemJSON, `{"detail":"bad token ` + token + `"}`, "bad token [secret]"},
		{"not JSON", problemJSON, "oops", ""},
		{"other type", "application/xml", "<error/>", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, script{"POST /whip/a": answers(500, test.body, "Content-Type", test.kind)})
			_, err := newClient(t, s).Publish(t.Context(), offer)
			var e *Error
			if !errors.As(err, &e) || e.Problem.String() != test.want || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("got %q in %v, want %q", e.Problem, err, test.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	s := serve(t, script{"POST /whip/a": answers(503, "", "Retry-After", "7")})
	_, err := newClient(t, s).Publish(t.Context(), offer)
	if origin.RetryAfter(err) != 7*time.Second || origin.RetryAfter(errors.New("other")) != 0 || Hint(errors.New("other")) != "" {
		t.Errorf("%v asks for %v", err, origin.RetryAfter(err))
	}
}

func TestErrorsShowNoQuery(t *testing.T) {
	s := serve(t, nil)
	s.Close()
	for _, u := range []string{s.URL, "https://" + strings.TrimPrefix(s.URL, "http://")} {
		c := newClient(t, s, func(cfg *Config) { cfg.URL = u + "/whip/a?key=hunter2" })
		_, err := c.Publish(t.Context(), offer)
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "/whip/a?…: dial tcp") {
			t.Errorf("got %v", err)
		}
		if Permanent(err) {
			t.Errorf("a refused connection is permanent: %v", err)
		}
	}
}

func TestTLS(t *testing.T) {
	plain := serve(t, nil)
	good, roots := secureServer(t, time.Hour, "127.0.0.1")
	expired, expiredRoots := secureServer(t, -time.Hour, "127.0.0.1")
	misnamed, misnamedRoots := secureServer(t, time.Hour, "192.0.2.1")
	for _, test := range []struct {
		name, url string
		roots     *x509.CertPool
		is        error
		hint      string
	}{
		{"good", good, roots, nil, ""},
		{"unknown authority", good, expiredRoots, ErrCertificate, "by an authority that this machine knows"},
		{"expired", expired, expiredRoots, ErrCertificate, "this machine's clock"},
		{"other name", misnamed, misnamedRoots, ErrCertificate, "made for this host name"},
		{"https to an http port", "https" + strings.TrimPrefix(plain.URL, "http"), nil, ErrNotWHIP, "this port speaks plain http"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(Config{URL: test.url, RootCAs: test.roots})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = c.Publish(t.Context(), offer)
			if !errors.Is(err, test.is) || Permanent(err) != (test.is != nil) || !strings.Contains(Hint(err), test.hint) {
				t.Errorf("%v, hint %q", err, Hint(err))
			}
		})
	}
}

// secureServer starts a WHIP endpoint with a certificate of its own for an
// address, valid for a time from now, or until then.
func secureServer(t *testing.T, valid time.Duration, address string) (string, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(address)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(created())
	s.Config.ErrorLog = quiet
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return s.URL, roots
}
