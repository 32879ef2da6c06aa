package showroom

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

var soundOnly = rtctest.Options{SoundOnly: true}

// liveGlasses are live at an endpoint, with a token.
func liveGlasses(t *testing.T, url, name, token string) *rtctest.Publisher {
	t.Helper()
	p := rtctest.NewPublisher(t, rtctest.Options{})
	p.Connect(url+"/whip/"+name, token)
	return p
}

// posted offers the sound of a client and returns the status and what the answer
// says of when to try again.
func posted(t *testing.T, c *rtctest.Client, endpoint, token string) (int, string) {
	t.Helper()
	status, _ := c.Post(endpoint, token, c.Offer())
	return status, c.Response.Header.Get("Retry-After")
}

// hearing is a pair of glasses that hears the customer, who has just begun to talk:
// the endpoint may still be waiting for the last of the DTLS handshake.
func hearing(t *testing.T, endpoint, token string) *rtctest.Viewer {
	t.Helper()
	ear := rtctest.NewViewer(t, soundOnly)
	offer := ear.Offer()
	status, body := http.StatusConflict, ""
	for deadline := time.Now().Add(rtctest.Timeout); status == http.StatusConflict && time.Now().Before(deadline); {
		status, body = ear.Post(endpoint, token, offer)
	}
	if status != http.StatusCreated {
		t.Fatalf("POST %s: %d %s", endpoint, status, body)
	}
	ear.SetAnswer()
	rtctest.Wait(t, "connection to "+endpoint, ear.Connected())
	return ear
}

// speak sends packets of 20 ms until stop is called.
func speak(t *testing.T, mouth *rtctest.Publisher, voice []byte) (stop func()) {
	ticker := time.NewTicker(20 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	var speaking sync.WaitGroup
	speaking.Go(func() {
		defer ticker.Stop()
		for n := uint16(0); ctx.Err() == nil; n++ {
			mouth.SendAudio(n, uint32(n)*960, voice)
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	})
	return func() {
		cancel()
		speaking.Wait()
	}
}

// The customer speaks, and the glasses that are live in the conversation hear it.
func TestTalkBack(t *testing.T) {
	url := startServer(t, Config{TokenFile: tokenFile(t, "one", "two")})
	p := liveGlasses(t, url, "anna", "one")
	if links := p.Response.Header.Values("Link"); !slices.Contains(links, `</hear/anna>; rel="urn:bril:talkback"`) {
		t.Errorf("links: %q", links)
	}
	ear := rtctest.NewViewer(t, soundOnly)
	if status, retry := posted(t, ear.Client, url+"/hear/anna", "one"); status != http.StatusConflict || retry != "2" {
		t.Errorf("while nobody speaks: %d, Retry-After %q", status, retry)
	}
	mouth := rtctest.NewPublisher(t, soundOnly)
	mouth.Connect(url+"/talk/anna", "")

	for name, c := range map[string]struct {
		token string
		want  int
	}{"none": {"", http.StatusUnauthorized}, "another's": {"two", http.StatusForbidden}} {
		if status, _ := posted(t, rtctest.NewViewer(t, soundOnly).Client, url+"/hear/anna", c.token); status != c.want {
			t.Errorf("heard with the token %s: %d", name, status)
		}
	}
	ear = hearing(t, url+"/hear/anna", "one")
	voice := []byte{0xfc, 1, 2, 3}
	stop := speak(t, mouth, voice)
	if got := rtctest.Next(t, "the customer's voice", ear.Audio); !slices.Equal(got.Payload, voice) {
		t.Errorf("heard %x", got.Payload)
	}
	viewer := rtctest.NewViewer(t, soundOnly)
	viewer.Connect(url+"/whep/anna", "")
	rtctest.Next(t, "more of the voice", ear.Audio)
	stop()
	if len(viewer.Audio) != 0 {
		t.Error("a customer hears what a customer says")
	}
	answer, body := request(t, http.MethodDelete, mouth.Location, "")
	expect(t, "end of talking", answer, body, http.StatusOK)
	if status, _ := posted(t, rtctest.NewViewer(t, soundOnly).Client, url+"/hear/anna", "one"); status != http.StatusConflict {
		t.Errorf("after it: %d", status)
	}
	answer, body = request(t, http.MethodDelete, ear.Location, "", "Authorization", "Bearer one")
	expect(t, "end of hearing", answer, body, http.StatusOK)
}

// The advisor never sees the customer: neither side can negotiate a picture.
func TestTalkBackTakesNoPicture(t *testing.T) {
	url := startServer(t, Config{})
	liveGlasses(t, url, "anna", "")
	for _, options := range []rtctest.Options{{}, {FMTP: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640028"}} {
		mouth := rtctest.NewPublisher(t, options)
		status, body := mouth.Post(url+"/talk/anna", "", mouth.Offer())
		if status != http.StatusNotAcceptable || !strings.Contains(body, "only sound") {
			t.Errorf("talking with a picture: %d %s", status, body)
		}
	}
	mouth := rtctest.NewPublisher(t, soundOnly)
	mouth.Connect(url+"/talk/anna", "")
	ear := rtctest.NewViewer(t, rtctest.Options{})
	if status, body := ear.Post(url+"/hear/anna", "", ear.Offer()); status != http.StatusNotAcceptable {
		t.Errorf("hearing with a picture: %d %s", status, body)
	}
	data := strings.Replace(rtctest.NewPublisher(t, soundOnly).Offer(), "m=audio", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:7\r\nm=audio", 1)
	if status, body := mouth.Post(url+"/talk/anna", "", data); status != http.StatusNotAcceptable {
		t.Errorf("talking with a data channel: %d %s", status, body)
	}
}

// One customer speaks at a time; the same one's new session takes the place of the old.
func TestOneSpeaker(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir(), RequireKey: true})
	check(t, err)
	url := runServer(t, s)
	liveGlasses(t, url, "anna", "")
	endpoint, key := url+"/talk/anna", s.keys.Key("anna")
	for what, token := range map[string]string{"no key": "", "another's key": s.keys.Key("bert")} {
		if status, _ := posted(t, rtctest.NewPublisher(t, soundOnly).Client, endpoint, token); status != http.StatusUnauthorized {
			t.Errorf("with %s: %d", what, status)
		}
	}
	first := rtctest.NewPublisher(t, soundOnly)
	first.Connect(endpoint, key)
	again := rtctest.NewPublisher(t, soundOnly)
	again.Connect(endpoint, key)

	visitor := func(cookie string) string { return unlocked(t, url, "anna", key, cookie) }
	talk := func(cookie string) (*http.Response, string) {
		return request(t, http.MethodPost, endpoint, rtctest.NewPublisher(t, soundOnly).Offer(), "Content-Type", sdp, "Cookie", cookie)
	}
	answer, body := talk(visitor(""))
	expect(t, "another speaker", answer, body, http.StatusConflict)
	answer, body = request(t, http.MethodDelete, first.Location, "", "Authorization", "Bearer "+key)
	expect(t, "the replaced one", answer, body, http.StatusNotFound)
	answer, body = request(t, http.MethodDelete, again.Location, "", "Authorization", "Bearer "+key)
	expect(t, "end of talking", answer, body, http.StatusOK)

	// A browser stays the same when its cookie is renewed.
	browser, other := visitor(""), visitor("")
	answer, body = talk(browser)
	expect(t, "a browser", answer, body, http.StatusCreated)
	answer, body = talk(other)
	expect(t, "another browser", answer, body, http.StatusConflict)
	answer, body = talk(visitor(other))
	expect(t, "another browser with a new cookie", answer, body, http.StatusConflict)
	renewed := visitor(browser)
	answer, body = talk(renewed)
	expect(t, "the browser with a new cookie", answer, body, http.StatusCreated)
	location := url + answer.Header.Get("Location")
	answer, body = request(t, http.MethodDelete, location, "", "Cookie", other)
	expect(t, "another browser ends it", answer, body, http.StatusNotFound)

	// Nobody can say to be another: the device is signed with the rest.
	stolen, own := strings.Split(renewed, "."), strings.Split(other, ".")
	answer, body = talk(own[0] + "." + stolen[1] + "." + own[2])
	expect(t, "a forged device", answer, body, http.StatusUnauthorized)
	answer, body = request(t, http.MethodDelete, location, "", "Cookie", browser)
	expect(t, "it ends it, also by the cookie before", answer, body, http.StatusOK)
}

// unlocked exchanges the key for a cookie, as a browser that has one already, or none.
func unlocked(t *testing.T, url, name, key, cookie string) string {
	t.Helper()
	answer, body := request(t, http.MethodPost, url+"/api/sessions/"+name+"/access", `{"key":"`+key+`"}`, "Content-Type", "application/json", "Cookie", cookie)
	expect(t, "access", answer, body, http.StatusNoContent)
	return cookieName + "=" + answer.Cookies()[0].Value
}

// What is over is over for everybody in it at once, and waits for nobody.
func TestRoomEnds(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0"})
	check(t, err)
	url := runServer(t, s)
	p := liveGlasses(t, url, "anna", "")
	mouth := rtctest.NewPublisher(t, soundOnly)
	mouth.Connect(url+"/talk/anna", "")
	ear := hearing(t, url+"/hear/anna", "")
	viewer := rtctest.NewViewer(t, rtctest.Options{})
	viewer.Connect(url+"/whep/anna", "")
	states, cancel, err := s.relay.Watch("anna")
	check(t, err)
	defer cancel()
	s.relay.End("anna")
	s.relay.End("nobody")
	for state := range states {
		if state.Phase == relay.Waiting {
			break
		}
		if state.Phase == relay.Interrupted {
			t.Error("its publisher is waited for")
		}
	}
	for _, location := range []string{p.Location, mouth.Location, ear.Location, viewer.Location} {
		answer, body := request(t, http.MethodDelete, location, "")
		expect(t, location, answer, body, http.StatusNotFound)
	}
	liveGlasses(t, url, "anna", "")
}
