package showroom

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// stub stands before a real server, which has the pages, the picture and the photos,
// and answers for what a test wants to decide itself: calls and appointments.
type stub struct {
	t     *testing.T
	url   string
	real  string
	asked chan ask
	kept  []ask         // asked, and not looked for yet
	heard chan struct{} // packets of the customer's voice, while a test listens

	mu      sync.Mutex
	answers map[string]answer // by method and path
	call    string            // the call event's data; empty for none
	turned  chan struct{}     // closed with the next one
	down    bool              // nothing is answered
	voice   *webrtc.PeerConnection
	voices  int // that have been, which numbers them
}

// ask is what a page asked for with more than a GET.
type ask struct{ what, body, authorization string }

type answer struct {
	status int
	body   string
}

// cid is not of the form that the server's own conversations have.
const cid = "call-1"

func startStub(t *testing.T) *stub {
	t.Helper()
	s := &stub{t: t, asked: make(chan ask, 256), heard: make(chan struct{}), answers: map[string]answer{}, turned: make(chan struct{})}
	s.real = startServer(t, Config{DataDir: t.TempDir()})
	target, err := url.Parse(s.real)
	check(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, proxy) }))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		s.hangUp()
	})
	s.url = server.URL
	return s
}

func (s *stub) serve(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
	s.mu.Lock()
	scripted, ok := s.answers[r.Method+" "+r.URL.Path]
	down := s.down
	s.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler) // as a network that is not there
	}
	switch {
	case r.URL.Path == "/api/sessions/"+cid+"/events":
		s.events(w, r)
	case strings.HasPrefix(r.URL.Path, "/talk/") && !ok:
		s.talk(w, r)
	case ok || ours(r.URL.Path):
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodGet {
			s.asked <- ask{r.Method + " " + r.URL.Path, string(body), r.Header.Get("Authorization")}
		}
		contentType := jsonType
		if scripted.status >= 400 {
			contentType = "application/problem+json"
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(cmp.Or(scripted.status, http.StatusNoContent))
		_, _ = io.WriteString(w, scripted.body)
	default:
		proxy.ServeHTTP(w, r)
	}
}

// ours says whether a path is the stub's, also where a test has not said what to answer.
func ours(path string) bool {
	for _, prefix := range []string{"/api/showrooms", "/api/calls", "/api/appointment", "/api/join", "/api/consent", "/api/conversations"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// on scripts an answer to a method and path.
func (s *stub) on(what string, status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[what] = answer{status, body}
}

// problem scripts a refusal.
func (s *stub) problem(what string, status int, word, more string) {
	s.on(what, status, fmt.Sprintf(`{"type":"urn:bril:problem:%s","status":%d%s}`, word, status, more))
}

// turn makes the call another state.
func (s *stub) turn(state, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call = fmt.Sprintf(`{"state":%q,"reason":%q}`, state, reason)
	close(s.turned)
	s.turned = make(chan struct{})
}

// cut lets nobody reach the server, or everybody again.
func (s *stub) cut(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	close(s.turned)
	s.turned = make(chan struct{})
}

// events has the real server's messages, and the call's between them.
func (s *stub) events(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.real+r.URL.Path, nil)
	upstream, err := http.DefaultClient.Do(request)
	if err != nil {
		return
	}
	defer upstream.Body.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	blocks := make(chan string)
	go func() {
		defer close(blocks)
		var block strings.Builder
		for lines := bufio.NewScanner(upstream.Body); lines.Scan(); {
			block.WriteString(lines.Text() + "\n")
			if lines.Text() != "" {
				continue
			}
			select {
			case blocks <- block.String():
			case <-ctx.Done():
				return
			}
			block.Reset()
		}
	}()
	s.mix(ctx, w, blocks)
}

func (s *stub) mix(ctx context.Context, w http.ResponseWriter, blocks <-chan string) {
	told := ""
	for {
		s.mu.Lock()
		call, turned, down := s.call, s.turned, s.down
		s.mu.Unlock()
		if down {
			panic(http.ErrAbortHandler)
		}
		if call != told {
			told = call
			fmt.Fprintf(w, "event: call\ndata: %s\n\n", call)
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-ctx.Done():
			return
		case <-turned:
		case block, ok := <-blocks:
			if !ok {
				return
			}
			_, _ = io.WriteString(w, block)
		}
	}
}

// talk takes the customer's voice, as the server does, and counts its packets.
func (s *stub) talk(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.asked <- ask{what: r.Method + " " + r.URL.Path, body: string(body)}
	if r.Method == http.MethodDelete && r.URL.Path != s.talking() {
		w.WriteHeader(http.StatusNotFound) // another has taken its place
		return
	}
	s.hangUp()
	if r.Method == http.MethodDelete {
		return
	}
	pc, err := rtctest.NewAPI(s.t, rtctest.Options{}).NewPeerConnection(webrtc.Configuration{})
	check(s.t, err)
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			if _, _, err := track.ReadRTP(); err != nil {
				return
			}
			select {
			case s.heard <- struct{}{}:
			default:
			}
		}
	})
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(body)}); err != nil {
		s.t.Errorf("the offer of the microphone: %v", err)
	}
	made, err := pc.CreateAnswer(nil)
	if err != nil {
		s.t.Errorf("answer the microphone: %v", err)
	}
	check(s.t, pc.SetLocalDescription(made))
	<-gathered
	s.mu.Lock()
	s.voice = pc
	s.voices++
	s.mu.Unlock()
	w.Header().Set("Content-Type", sdp)
	w.Header().Set("Location", s.talking())
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, pc.LocalDescription().SDP)
}

// talking is the path of the voice's session, of the last one when it has ended.
func (s *stub) talking() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("/talk/%s/%d", cid, s.voices)
}

// hangUp ends the session of the voice, as a server that is stopped.
func (s *stub) hangUp() {
	s.mu.Lock()
	pc := s.voice
	s.voice = nil
	s.mu.Unlock()
	if pc != nil {
		_ = pc.GracefulClose()
	}
}

// next returns the page's next request for what. Others are kept: a browser that asks
// two things at once has them arrive in any order.
func (s *stub) next(t *testing.T, what string) ask {
	t.Helper()
	is := func(one ask) bool { return one.what == what }
	for timeout := time.After(patience); ; {
		if at := slices.IndexFunc(s.kept, is); at >= 0 {
			got := s.kept[at]
			s.kept = slices.Delete(s.kept, at, at+1)
			return got
		}
		select {
		case got := <-s.asked:
			s.kept = append(s.kept, got)
		case <-timeout:
			t.Fatalf("the page did not %s", what)
		}
	}
}

// expect wants the page's next request for what to have this body.
func (s *stub) expect(t *testing.T, what string, want map[string]any) {
	t.Helper()
	got := s.next(t, what)
	var body map[string]any
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatalf("%s: %q: %v", what, got.body, err)
	}
	if fmt.Sprint(body) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, body, want)
	}
}

// The day of all tests' appointments, far enough from now.
const someday = "2031-03-04"

// showrooms scripts one showroom that is open, and one that is closed.
func (s *stub) showrooms() {
	s.on("GET /api/showrooms", 200, `{"schema_version":1,"showrooms":[
		{"id":"utrecht","title":"Utrecht","time_zone":"Europe/Amsterdam","open":true,"free":2},
		{"id":"berlin","title":"Berlin","time_zone":"Europe/Berlin","open":false,"free":0,"opens_at":"`+someday+`T08:00:00Z"}]}`)
	var slots []string
	for _, day := range []string{someday, "2031-03-05", "2031-03-06"} {
		for hour := 9; hour < 15; hour++ {
			slots = append(slots, fmt.Sprintf(`{"start":"%sT%02d:00:00Z","end":"%[1]sT%02[2]d:30:00Z"}`, day, hour))
		}
	}
	for _, id := range []string{"utrecht", "berlin"} {
		s.on("GET /api/showrooms/"+id+"/slots", 200, `{"schema_version":1,"slots":[`+strings.Join(slots, ",")+`]}`)
	}
}

// conversation scripts what the call is, beside its events.
func (s *stub) conversation(state string, more string) {
	s.on("GET /api/conversations/"+cid, 200, fmt.Sprintf(`{"schema_version":1,"conversation":%q,"state":%q,"showroom":"utrecht","title":"Utrecht"%s}`, cid, state, more))
}

// look checks the page as it stands for accessibility, narrow and wide, at the
// usual size of text and at twice that, and keeps pictures of it.
func look(t *testing.T, ctx context.Context, state string) {
	t.Helper()
	lookIn(t, ctx, state, "")
}

// lookInAll looks at it in each language, and leaves it in English.
func lookInAll(t *testing.T, ctx context.Context, state string) {
	t.Helper()
	lookIn(t, ctx, state, "nl", "de", "en")
}

// lookIn changes the window, which takes a browser longest, the least often.
func lookIn(t *testing.T, ctx context.Context, state string, languages ...string) {
	t.Helper()
	for _, size := range [][2]int64{{390, 844}, {1280, 800}} {
		chromiumtest.Run(t, ctx, chromedp.EmulateViewport(size[0], size[1]))
		for _, zoom := range []int{100, 200} {
			chromiumtest.Eval[bool](t, ctx, fmt.Sprintf(`Boolean(document.documentElement.style.fontSize = "%d%%")`, zoom))
			for _, language := range languages {
				name := fmt.Sprintf("%s-%d-%d", state, size[0], zoom)
				if language != "" {
					speakIn(t, ctx, language)
					name += "-" + language
				}
				chromiumtest.Accessible(t, ctx, name)
				chromiumtest.Screenshot(t, ctx, screenshots(), name)
			}
		}
	}
	chromiumtest.Eval[bool](t, ctx, `Boolean(document.documentElement.style.fontSize = "100%")`)
}

// speakIn makes the page another language by its switch.
func speakIn(t *testing.T, ctx context.Context, language string) {
	t.Helper()
	if now := chromiumtest.Eval[string](t, ctx, fmt.Sprintf(`(document.querySelector("#languages [lang=%s]").click(), document.documentElement.lang)`, language)); now != language {
		t.Errorf("the page is in %q, and was switched to %q", now, language)
	}
}
