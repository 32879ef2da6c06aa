package showroom

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/cmd/internal/showroom/relay/fragment"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

const sdp = "application/sdp"

// expect checks the status and that a failure is a problem of RFC 9457.
func expect(t *testing.T, what string, answer *http.Response, body string, want int) {
	t.Helper()
	if answer.StatusCode != want {
		t.Errorf("%s: %d %s, want %d", what, answer.StatusCode, body, want)
		return
	}
	if want < 400 || answer.Request.Method == http.MethodHead {
		return
	}
	var p problem
	if err := json.Unmarshal([]byte(body), &p); err != nil || p.Status != want || p.Title == "" || p.Detail == "" {
		t.Errorf("%s: no problem details in %q: %v", what, body, err)
	}
	if got := answer.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: problem as %q", what, got)
	}
}

func TestPublishAnswers(t *testing.T) {
	url := startServer(t, Config{})
	p := rtctest.NewPublisher(t, rtctest.Options{})
	status, answer := p.Post(url+"/whip/anna", "", p.Offer())
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, answer)
	}
	h := p.Response.Header
	for key, want := range map[string]string{
		"Content-Type": sdp, "Link": `</api/sessions/anna>; rel="urn:bril:session"`,
		"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "location, link, etag, retry-after",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got := h.Get(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if etag := h.Get("ETag"); len(etag) < 6 || etag[0] != '"' || etag[len(etag)-1] != '"' {
		t.Errorf("ETag is %s", etag)
	}
	if id := strings.TrimPrefix(h.Get("Location"), "/whip/anna/"); len(id) != 24 {
		t.Errorf("Location is %q", h.Get("Location"))
	}
	for _, line := range []string{"a=ice-lite", "a=recvonly", "a=end-of-candidates", "typ host", "H264/90000", "rtx/90000", "transport-cc", "nack pli"} {
		if !strings.Contains(answer, line) {
			t.Errorf("the answer has no %q", line)
		}
	}
	for _, line := range strings.Split(answer, "\r\n") {
		if strings.HasPrefix(line, "a=candidate") && !strings.Contains(line, " 127.0.0.1 ") {
			t.Errorf("a candidate that is not loopback: %s", line)
		}
	}
}

func TestEndpointsRefuse(t *testing.T) {
	url := startServer(t, Config{})
	offer := rtctest.NewPublisher(t, rtctest.Options{}).Offer()
	whip, whep := url+"/whip/anna", url+"/whep/anna"
	for _, c := range []struct {
		name, method, url, body, contentType string
		want                                 int
	}{
		{"GET", "GET", whip, "", "", 405},
		{"HEAD", "HEAD", whip, "", "", 405},
		{"PUT", "PUT", whip, "", "", 405},
		{"PATCH on the endpoint", "PATCH", whep, "", "", 405},
		{"no content type", "POST", whip, offer, "", 415},
		{"JSON", "POST", whip, offer, "application/json", 415},
		{"empty", "POST", whip, "", sdp, 400},
		{"garbage", "POST", whip, "v=0\r\nm=\x00\xff", sdp, 400},
		{"HTML", "POST", whip, "<html>", sdp, 400},
		{"too large", "POST", whip, strings.Repeat("a=x\r\n", 20000), sdp, 413},
		{"recvonly", "POST", whip, strings.ReplaceAll(offer, "sendonly", "recvonly"), sdp, 406},
		{"sendrecv", "POST", whip, strings.ReplaceAll(offer, "sendonly", "sendrecv"), sdp, 406},
		{"no H.264", "POST", whip, strings.ReplaceAll(offer, "H264", "AV1X"), sdp, 406},
		{"no Opus", "POST", whip, strings.ReplaceAll(offer, "opus", "abcd"), sdp, 406},
		{"no fingerprint", "POST", whip, strings.ReplaceAll(offer, "a=fingerprint", "a=fingerpaint"), sdp, 400},
		{"a broken fingerprint", "POST", whip, strings.ReplaceAll(offer, "a=fingerprint:sha-256 ", "a=fingerprint:sha-256"), sdp, 400},
		{"a name with a dot", "POST", url + "/whip/an.na", offer, sdp, 404},
		{"a name too long", "POST", url + "/whip/" + strings.Repeat("a", 65), offer, sdp, 404},
		{"our own path", "POST", url + "/whip/healthz", offer, sdp, 404},
		{"a session that is not", "DELETE", whip + "/nothing", "", "", 404},
		{"nothing to play", "POST", whep, strings.ReplaceAll(offer, "sendonly", "recvonly"), sdp, 404},
		{"POST to a session", "POST", whip + "/nothing", offer, sdp, 405},
	} {
		answer, body := request(t, c.method, c.url, c.body, "Content-Type", c.contentType)
		expect(t, c.name, answer, body, c.want)
		if c.want == 405 && answer.Header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", c.name)
		}
		if strings.Contains(c.url, "/wh") && answer.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: an error without CORS", c.name)
		}
	}
}

func TestNothingToPlayYet(t *testing.T) {
	url := startServer(t, Config{})
	p, v := rtctest.NewPublisher(t, rtctest.Options{}), rtctest.NewViewer(t, rtctest.Options{})
	if status, body := p.Post(url+"/whip/anna", "", p.Offer()); status != http.StatusCreated { // and no more
		t.Fatalf("%d %s", status, body)
	}
	if status, body := v.Post(url+"/whep/anna", "", v.Offer()); status != http.StatusConflict {
		t.Errorf("%d %s, want 409", status, body)
	}
	if v.Response.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", v.Response.Header.Get("Retry-After"))
	}
}

func TestPreflight(t *testing.T) {
	url := startServer(t, Config{TokenFile: tokenFile(t, "one")})
	for _, path := range []string{"/whip/anna", "/whip/anna/id", "/whep/anna", "/whep/anna/id"} {
		answer, body := request(t, http.MethodOptions, url+path, "", "Origin", "https://elsewhere.example",
			"Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "authorization,content-type,if-match")
		expect(t, path, answer, body, http.StatusNoContent)
		h := answer.Header
		if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Headers") != "authorization, content-type, if-match" ||
			!strings.Contains(h.Get("Access-Control-Allow-Methods"), "PATCH") {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func tokenFile(t *testing.T, tokens ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	check(t, os.WriteFile(path, []byte("# of the test\n\n"+strings.Join(tokens, "\n")+"\n"), 0o600))
	return path
}

func TestTokens(t *testing.T) {
	url := startServer(t, Config{TokenFile: tokenFile(t, "one", "two")})
	p := rtctest.NewPublisher(t, rtctest.Options{})
	offer := p.Offer()
	for name, token := range map[string]string{"none": "", "wrong": "three", "almost": "on"} {
		status, body := p.Post(url+"/whip/anna", token, offer)
		if status != http.StatusUnauthorized || !strings.HasPrefix(p.Response.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, body := p.Post(url+"/whip/anna", "one", offer); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}

	other := rtctest.NewPublisher(t, rtctest.Options{})
	if status, body := other.Post(url+"/whip/anna", "two", other.Offer()); status != http.StatusConflict {
		t.Errorf("another's token: %d %s", status, body)
	}
	state := func(token string) int {
		answer, _ := request(t, http.MethodGet, url+"/api/sessions/anna", "", "Authorization", "Bearer "+token)
		return answer.StatusCode
	}
	if a, b := state("two"), state("three"); a != 200 || b != 401 {
		t.Errorf("the state answered %d and %d", a, b)
	}
	answer, body := request(t, http.MethodDelete, p.Location, "")
	expect(t, "DELETE without a token", answer, body, 401)
	answer, body = request(t, http.MethodDelete, p.Location, "", "Authorization", "Bearer two")
	expect(t, "DELETE by another", answer, body, 404)
	answer, body = request(t, http.MethodDelete, p.Location, "", "Authorization", "Bearer one")
	expect(t, "DELETE", answer, body, 200)
	other = rtctest.NewPublisher(t, rtctest.Options{})
	if status, body := other.Post(url+"/whip/anna", "two", other.Offer()); status != http.StatusCreated {
		t.Errorf("another's token, afterwards: %d %s", status, body)
	}
}

func TestPatch(t *testing.T) {
	url := startServer(t, Config{})
	p := rtctest.NewPublisher(t, rtctest.Options{})
	offer := p.Offer()
	if status, body := p.Post(url+"/whip/anna", "", offer); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	p.SetAnswer()
	rtctest.Wait(t, "connection", p.Connected())
	const candidate = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 2122260223 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
	for _, c := range []struct {
		name, match, contentType, body string
		want                           int
	}{
		{"trickle", p.ETag, fragment.ContentType, candidate, 204},
		{"the same again", p.ETag, fragment.ContentType, candidate, 204},
		{"without a content type", p.ETag, "", candidate, 415},
		{"without If-Match", "", fragment.ContentType, candidate, 428},
		{"stale", `"old"`, fragment.ContentType, candidate, 412},
		{"a restart by ETag", p.ETag, fragment.ContentType, "a=ice-ufrag:zzzz\r\na=ice-pwd:0123456789012345678901\r\n", 412},
		{"garbage", p.ETag, fragment.ContentType, "\x00\x01", 400},
		{"a candidate of nonsense", p.ETag, fragment.ContentType, "a=candidate:nonsense\r\n", 204},
	} {
		answer, body := request(t, http.MethodPatch, p.Location, c.body, "If-Match", c.match, "Content-Type", c.contentType)
		expect(t, c.name, answer, body, c.want)
	}
}

func TestICERestart(t *testing.T) {
	url := startServer(t, Config{})
	p, v := connectPair(t, url, rtctest.Options{})
	s := &stream{t: t, p: p}
	s.until(v)
	offer, err := p.PC.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	check(t, err)
	gathered := webrtc.GatheringCompletePromise(p.PC)
	check(t, p.PC.SetLocalDescription(offer))
	<-gathered
	answer, body := request(t, http.MethodPatch, p.Location, restartFragment(p.PC.LocalDescription().SDP),
		"If-Match", "*", "Content-Type", fragment.ContentType)
	expect(t, "restart", answer, body, http.StatusOK)
	if etag := answer.Header.Get("ETag"); etag == p.ETag || etag == "" {
		t.Errorf("the ETag is still %s", etag)
	}
	f, err := fragment.Parse(body)
	if err != nil || len(f.Candidates) == 0 || !f.End {
		t.Fatalf("%+v %v", f, err)
	}
	check(t, p.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: withFragment(p.Answer, f)}))
	for len(v.Video) > 0 {
		<-v.Video
	}
	s.until(v) // media goes on
	old, oldBody := request(t, http.MethodPatch, p.Location, "a=end-of-candidates\r\n", "If-Match", p.ETag, "Content-Type", fragment.ContentType)
	expect(t, "trickle for the old ICE session", old, oldBody, http.StatusPreconditionFailed)
}

// restartFragment takes the ICE lines out of a description.
func restartFragment(description string) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(description, "\r\n") {
		for _, key := range []string{"m=", "a=mid:", "a=ice-ufrag:", "a=ice-pwd:", "a=candidate:"} {
			if strings.HasPrefix(line, key) {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// withFragment puts the server's new ICE lines into its first answer.
func withFragment(answer string, f fragment.Fragment) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(answer, "\r\n") {
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			line = "a=ice-ufrag:" + f.Ufrag + "\r\n"
		case strings.HasPrefix(line, "a=ice-pwd:"):
			line = "a=ice-pwd:" + f.Password + "\r\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestEveryMatchOfDeleteIsOnce(t *testing.T) {
	url := startServer(t, Config{})
	p, v := connectPair(t, url, rtctest.Options{})
	for _, location := range []string{v.Location, p.Location} {
		answer, body := request(t, http.MethodDelete, location, "")
		expect(t, "DELETE", answer, body, 200)
	}
	// Sessions end in the background; a second DELETE finds them ending or gone.
	for _, location := range []string{v.Location, p.Location} {
		if answer, body := request(t, http.MethodDelete, location, ""); answer.StatusCode != 200 && answer.StatusCode != 404 {
			t.Errorf("second DELETE: %d %s", answer.StatusCode, body)
		}
	}
	crossed, body := request(t, http.MethodDelete, strings.Replace(p.Location, "/whip/", "/whep/", 1), "")
	expect(t, "a publisher's session as a viewer's", crossed, body, 404)
}
