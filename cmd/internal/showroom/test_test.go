package showroom

import (
	"net/http"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// TestGlassesName: a device gets no name under which it could never be seen.
func TestGlassesName(t *testing.T) {
	for name, want := range map[string]bool{
		"anna": true, "bril-testing": true, "bril-test": false, "bril-test-9k": false, "api": false, "an/na": false, "": false,
		records.NewID(): false,
	} {
		if got := GlassesName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

// A test is an ordinary WHIP session that nobody can see.
func TestTestsAreNotShown(t *testing.T) {
	url := startServer(t, Config{TokenFile: tokenFile(t, "one")})
	for _, name := range []string{"bril-test", "bril-test-9k"} {
		p := rtctest.NewPublisher(t, rtctest.Options{})
		offer := p.Offer()
		if status, body := p.Post(url+"/whip/"+name, "", offer); status != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d %s", name, status, body)
		}
		if status, body := p.Post(url+"/whip/"+name, "one", offer); status != http.StatusCreated {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		if links := p.Response.Header.Values("Link"); len(links) > 0 {
			t.Errorf("%s has %q", name, links)
		}
		for _, path := range []string{"/", "/api/sessions/", "/hear/", "/whep/", "/talk/"} {
			answer, body := request(t, http.MethodGet, url+path+name, "", "Authorization", "Bearer one")
			expect(t, path+name, answer, body, http.StatusNotFound)
		}
		answer, body := request(t, http.MethodGet, url+"/api/sessions/"+name+"/events", "", "Authorization", "Bearer one")
		expect(t, "events of "+name, answer, body, http.StatusNotFound)
		answer, body = request(t, http.MethodDelete, p.Location, "", "Authorization", "Bearer one")
		expect(t, "DELETE", answer, body, http.StatusOK)
	}
	// A name that only begins like one is a name.
	p := rtctest.NewPublisher(t, rtctest.Options{})
	if status, body := p.Post(url+"/whip/bril-testing", "one", p.Offer()); status != http.StatusCreated || len(p.Response.Header.Values("Link")) == 0 {
		t.Errorf("%d %s", status, body)
	}
}
