package showroom

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

// withMicrophone gives the browser a microphone that beeps, and whose use is allowed.
func withMicrophone() []chromedp.ExecAllocatorOption {
	return []chromedp.ExecAllocatorOption{
		chromiumtest.ComputedNames(),
		chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("autoplay-policy", "user-gesture-required"), // as customers' browsers have it
	}
}

func stateIs(t *testing.T, ctx context.Context, state string) {
	t.Helper()
	chromiumtest.WaitFor(t, ctx, fmt.Sprintf(`brilStats.state === %q`, state), patience)
}

// One conversation, from "talk now" to the thumb.
func TestCall(t *testing.T) {
	ctx := chromiumtest.Start(t, withMicrophone()...)
	s := startStub(t)
	s.showrooms()
	a := startAgent(t)
	chromiumtest.Open(t, ctx, s.url+"/")
	chromiumtest.Click(t, ctx, "[data-action=talk]")
	chromiumtest.Arrive(t, ctx, "/c/now")
	stateIs(t, ctx, "lobby")
	textIs(t, ctx, "#lobby-title", "lobby.title")
	lookInAll(t, ctx, "lobby")
	if chromiumtest.Eval[int](t, ctx, `brilStats.sessions`) != 0 {
		t.Error("something came before the customer joined")
	}

	s.on("POST /api/calls", 201, `{"schema_version":1,"conversation":"`+cid+`","state":"ringing"}`)
	s.conversation("ringing", "")
	s.turn("ringing", "")
	chromiumtest.Click(t, ctx, "#join")
	s.expect(t, "POST /api/calls", map[string]any{"showroom": "utrecht", "locale": "en"})
	stateIs(t, ctx, "ringing")
	if path := chromiumtest.Eval[string](t, ctx, `location.pathname`); path != "/c/"+cid {
		t.Errorf("the address is %s", path)
	}
	lookInAll(t, ctx, "ringing")
	s.turn("connecting", "")
	stateIs(t, ctx, "connecting")
	look(t, ctx, "connecting")
	a.publish(s.real + "/whip/" + cid)
	s.turn("live", "")
	stateIs(t, ctx, "live")
	if chromiumtest.Eval[bool](t, ctx, `document.getElementById("picture").muted || document.getElementById("picture").paused`) {
		t.Error("one tap did not turn on the sound")
	}
	lookInAll(t, ctx, "live")
	t.Run("the microphone", func(t *testing.T) { testMicrophone(t, ctx, s) })
	t.Run("pause", func(t *testing.T) {
		a.paused.Store(true)
		request(t, "PUT", s.real+"/api/sessions/"+cid, `{"state":"paused"}`, "Content-Type", jsonType)
		stateIs(t, ctx, "paused")
		look(t, ctx, "paused")
		request(t, "PUT", s.real+"/api/sessions/"+cid, `{"state":"live"}`, "Content-Type", jsonType)
		a.paused.Store(false)
		stateIs(t, ctx, "live")
	})
	t.Run("a picture that stands still", func(t *testing.T) { testFreeze(t, ctx, s) })
	t.Run("photos and clips", func(t *testing.T) { testShown(t, ctx, s) })
	t.Run("pictures again", func(t *testing.T) {
		if again := s.next(t, "POST /api/conversations/"+cid+"/status"); strings.Contains(again.body, "frozen") {
			t.Errorf("with pictures again: %s", again.body)
		}
	})
	t.Run("another network", func(t *testing.T) { testNetwork(t, ctx, s, a) })
	t.Run("send me these", func(t *testing.T) { testSend(t, ctx, s) })
	t.Run("the end", func(t *testing.T) { testEnd(t, ctx, s, a) })
}

func testMicrophone(t *testing.T, ctx context.Context, s *stub) {
	if got := chromiumtest.Eval[string](t, ctx, `document.getElementById("microphone").ariaPressed`); got != "false" {
		t.Errorf("at first the microphone's switch is %s", got)
	}
	chromiumtest.Click(t, ctx, "#microphone")
	offer := s.next(t, "POST /talk/"+cid).body
	if strings.Contains(offer, "m=video") || strings.Contains(offer, "a=recvonly") || !strings.Contains(offer, "a=sendonly") || strings.Contains(offer, "PCMU") {
		t.Errorf("the offer is not of Opus to be sent:\n%s", offer)
	}
	s.told(t, `"microphone":true`)
	chromiumtest.WaitFor(t, ctx, `document.getElementById("microphone").ariaPressed === "true"`, patience)
	chromiumtest.WaitFor(t, ctx, `Number(document.getElementById("microphone").style.getPropertyValue("--level")) > 0.2`, patience)
	s.hears(t)
	lookInAll(t, ctx, "microphone-on")

	// The server loses it, and the page comes back by itself.
	s.hangUp()
	s.next(t, "POST /talk/"+cid)
	s.told(t, `"microphone":false`)
	s.told(t, `"microphone":true`)
	chromiumtest.WaitFor(t, ctx, `document.getElementById("microphone").ariaPressed === "true"`, patience)
	s.hears(t)

	chromiumtest.Click(t, ctx, "#microphone")
	s.next(t, "DELETE "+s.talking())
	s.told(t, `"microphone":false`)
	textIs(t, ctx, "#microphone-label", "microphone.off")

	s.on("POST /talk/"+cid, 409, `{"type":"urn:bril:problem:taken"}`)
	chromiumtest.Click(t, ctx, "#microphone")
	textIs(t, ctx, "#hint", "microphone.taken")
	look(t, ctx, "microphone-taken")
}

// hears returns once more of the customer's voice has come.
func (s *stub) hears(t *testing.T) {
	t.Helper()
	timeout := time.After(patience)
	for range 20 {
		select {
		case <-s.heard:
		case <-timeout:
			t.Fatal("the customer is not heard")
		}
	}
}

// told returns once the page has told the server so; the network itself does what it
// wants on a busy machine.
func (s *stub) told(t *testing.T, want string) {
	t.Helper()
	for !strings.Contains(s.next(t, "POST /api/conversations/"+cid+"/status").body, want) {
	}
}

// testFreeze makes the picture stand still, for this customer only. That it moves
// again is told after some seconds.
func testFreeze(t *testing.T, ctx context.Context, s *stub) {
	chromiumtest.Eval[bool](t, ctx, `(() => {
		const video = {type: "inbound-rtp", kind: "video", framesDecoded: 9, packetsReceived: 9, packetsLost: 0, freezeCount: 0};
		window.getStats = RTCPeerConnection.prototype.getStats;
		RTCPeerConnection.prototype.getStats = async () => new Map([["video", video]]);
		return true;
	})()`)
	s.told(t, `"network":"frozen"`)
	chromiumtest.Eval[bool](t, ctx, `Boolean(RTCPeerConnection.prototype.getStats = getStats)`)
}

func testNetwork(t *testing.T, ctx context.Context, s *stub, a *agent) {
	s.cut(true)
	chromiumtest.Eval[bool](t, ctx, `dispatchEvent(new Event("offline"))`)
	a.stop()
	stateIs(t, ctx, "offline")
	look(t, ctx, "offline")
	s.cut(false)
	a.publish(s.real + "/whip/" + cid)
	chromiumtest.Eval[bool](t, ctx, `dispatchEvent(new Event("online"))`)
	stateIs(t, ctx, "live")
}

func testShown(t *testing.T, ctx context.Context, s *stub) {
	glasses := device{t, s.real, cid}
	photo := glasses.photo("mandelbrot", true)
	chromiumtest.WaitFor(t, ctx, popped(photo), patience)
	if said := chromiumtest.Eval[string](t, ctx, `document.getElementById("said").dataset.t`); said != "popup.said.photo" {
		t.Errorf("who hears the page is told %q", said)
	}
	look(t, ctx, "popup-photo")
	chromiumtest.Press(t, ctx, kb.Escape)
	clip := glasses.clip(true)
	chromiumtest.WaitFor(t, ctx, fmt.Sprintf(`document.body.dataset.popup === %q && document.querySelector("#popup video")?.currentTime > 0.1`, clip), patience)
	if !chromiumtest.Eval[bool](t, ctx, `document.querySelector("#popup video").muted`) {
		t.Error("the clip speaks while the advisor does")
	}
	look(t, ctx, "popup-clip")
	chromiumtest.Press(t, ctx, kb.Escape)
	chromiumtest.WaitFor(t, ctx, tiles(2)+` && document.querySelector("#items .length").textContent === "0:04"`, patience)
	look(t, ctx, "tray")
}

func testSend(t *testing.T, ctx context.Context, s *stub) {
	chromiumtest.Click(t, ctx, "#send-open")
	chromiumtest.WaitFor(t, ctx, `document.querySelectorAll("#choices input").length === 2 && document.querySelector("#choices img")?.naturalWidth > 0`, patience)
	if chromiumtest.Eval[bool](t, ctx, `document.querySelector("#send [name=marketing]").checked`) {
		t.Error("the consent is ticked before anybody was asked")
	}
	chromiumtest.Click(t, ctx, "#send-form [type=submit]")
	textIs(t, ctx, "#send-email-problem", "field.email.missing")
	lookInAll(t, ctx, "send")
	ids := chromiumtest.Eval[[]any](t, ctx, `[...document.querySelectorAll("#choices input")].map(({value}) => value)`)
	chromiumtest.Click(t, ctx, "#choices label:first-child")
	chromiumtest.Type(t, ctx, "#send-email", "ada@example.org")
	chromiumtest.Click(t, ctx, "label:has([name=marketing])")
	s.on("POST /api/conversations/"+cid+"/send", 202, `{"schema_version":1,"email":"ada@example.org"}`)
	chromiumtest.Click(t, ctx, "#send-form [type=submit]")
	s.expect(t, "POST /api/conversations/"+cid+"/send", map[string]any{
		"email": "ada@example.org", "name": "", "locale": "en", "items": ids[1:], "marketing": true,
	})
	textIs(t, ctx, "#sent-text", "send.done")
	look(t, ctx, "sent")
	chromiumtest.Click(t, ctx, "#sent-close")
}

func testEnd(t *testing.T, ctx context.Context, s *stub, a *agent) {
	chromiumtest.Click(t, ctx, "#leave")
	look(t, ctx, "leaving")
	chromiumtest.Click(t, ctx, "#end")
	s.next(t, "POST /api/conversations/"+cid+"/end")
	s.conversation("ended", `,"reason":"customer","rated":false`)
	s.turn("ended", "customer")
	a.stop()
	stateIs(t, ctx, "ended")
	textIs(t, ctx, "#closing-title", "closing.thanks")
	chromiumtest.WaitFor(t, ctx, `document.querySelector("#items img").naturalWidth > 0`, patience)
	if chromiumtest.Eval[bool](t, ctx, `document.getElementById("notice").checkVisibility() || brilStats.pc.connectionState !== "closed"`) {
		t.Error("after the end the page still waits")
	}
	lookInAll(t, ctx, "ended")
	s.on("POST /api/conversations/"+cid+"/rating", 204, "")
	chromiumtest.Click(t, ctx, "#thumb-up")
	s.expect(t, "POST /api/conversations/"+cid+"/rating", map[string]any{"thumb": "up"})
	textIs(t, ctx, "#rated", "closing.rated")
	look(t, ctx, "rated")

	s.conversation("ended", `,"reason":"customer","rated":true`)
	chromiumtest.Run(t, ctx, chromedp.Reload())
	stateIs(t, ctx, "ended")
	textIs(t, ctx, "#rated", "closing.rated")
	chromiumtest.WaitFor(t, ctx, `document.querySelectorAll("#items li").length === 2`, patience)
	if n := chromiumtest.Eval[int](t, ctx, `document.cookie.length + localStorage.length + sessionStorage.length`); n != 0 {
		t.Error("the page keeps something in the browser")
	}
}

// Each end has its words. The pages are more than the connections that a browser has
// for one server: one that kept its own when it is left would block the others.
func TestEndings(t *testing.T) {
	t.Parallel()
	ctx := chromiumtest.Start(t, withMicrophone()...)
	s := startStub(t)
	seen := map[string]bool{}
	for reason, want := range map[string]string{
		"advisor": "thanks", "customer": "thanks", "customer_left": "thanks", "advisor_lost": "lost", "failed": "lost",
		"unanswered": "unanswered", "declined": "unanswered", "cancelled": "cancelled",
	} {
		s.conversation("ended", `,"reason":"`+reason+`","rated":false`)
		s.turn("ended", reason)
		chromiumtest.Open(t, ctx, s.url+"/c/"+cid)
		stateIs(t, ctx, "ended")
		textIs(t, ctx, "#closing-title", "closing."+want)
		if !seen[want] {
			look(t, ctx, "ended-"+reason)
		}
		seen[want] = true
		chromiumtest.Open(t, ctx, "about:blank")
	}
	s.on("GET /api/conversations/"+cid, 401, `{}`)
	chromiumtest.Open(t, ctx, s.url+"/c/"+cid)
	stateIs(t, ctx, "locked")
	look(t, ctx, "locked")
}

func TestCodes(t *testing.T) {
	t.Parallel()
	ctx := chromiumtest.Start(t, withMicrophone()...)
	s := startStub(t)
	for _, c := range []struct {
		status     int
		word, more string
		want       string
	}{
		{404, "unknown", "", "lobby.unknown"},
		{410, "used", "", "lobby.used"},
		{410, "expired", "", "lobby.expired"},
		{410, "cancelled", "", "lobby.cancelled"},
		{425, "early", `,"opens_at":"` + someday + `T09:00:00Z"`, "lobby.early"},
	} {
		s.problem("POST /api/join", c.status, c.word, c.more)
		chromiumtest.Open(t, ctx, s.url+"/j/ABCD-2345")
		textIs(t, ctx, "#lobby-title", c.want)
		s.expect(t, "POST /api/join", map[string]any{"code": "ABCD-2345"})
		lookInAll(t, ctx, "code-"+c.word)
		chromiumtest.Open(t, ctx, "about:blank")
	}

	// The mail's link has more than the code.
	chromiumtest.Open(t, ctx, s.url+"/j/ABCD-2345#l1nk")
	s.expect(t, "POST /api/join", map[string]any{"code": "ABCD-2345", "link": "l1nk"})
	chromiumtest.Open(t, ctx, "about:blank")

	// Too early by a little: the page opens by itself.
	s.problem("POST /api/join", 425, "early", `,"opens_at":"`+time.Now().Add(2*time.Second).UTC().Format(time.RFC3339Nano)+`"`)
	chromiumtest.Open(t, ctx, s.url+"/j/ABCD-2345")
	chromiumtest.WaitFor(t, ctx, `/^0:0[12]$/.test(document.getElementById("countdown").textContent)`, patience)
	s.on("POST /api/join", 200, `{"schema_version":1,"conversation":"`+cid+`","showroom":"utrecht","title":"Utrecht","start":"`+someday+`T09:00:00Z","state":"booked"}`)
	chromiumtest.WaitFor(t, ctx, `location.pathname === "/c/`+cid+`"`, patience)
	textIs(t, ctx, "#lobby-text", "lobby.appointment")
	look(t, ctx, "lobby-appointment")
	s.turn("waiting", "")
	chromiumtest.Click(t, ctx, "#join")
	s.next(t, "POST /api/conversations/"+cid+"/ring")
	stateIs(t, ctx, "calling")
	lookInAll(t, ctx, "calling")
}

func TestTalkNowIsRefused(t *testing.T) {
	t.Parallel()
	ctx := chromiumtest.Start(t, withMicrophone()...)
	s := startStub(t)
	s.showrooms()
	s.problem("POST /api/calls", 409, "closed", `,"opens_at":"`+someday+`T09:00:00Z"`)
	chromiumtest.Open(t, ctx, s.url+"/c/now?showroom=berlin")
	chromiumtest.Click(t, ctx, "#join")
	textIs(t, ctx, "#lobby-text", "lobby.closed.when")
	look(t, ctx, "closed")
	s.problem("POST /api/calls", 409, "busy", "")
	chromiumtest.Run(t, ctx, chromedp.Reload())
	chromiumtest.Click(t, ctx, "#join")
	textIs(t, ctx, "#lobby-title", "lobby.busy")
	look(t, ctx, "busy")
	s.on("POST /api/calls", 429, `{}`)
	chromiumtest.Run(t, ctx, chromedp.Reload())
	chromiumtest.Click(t, ctx, "#join")
	textIs(t, ctx, "#problem", "trouble.many")
}

func TestMicrophoneIsDenied(t *testing.T) {
	t.Parallel()
	ctx := chromiumtest.Start(t, chromiumtest.ComputedNames(), chromedp.Flag("use-fake-device-for-media-stream", true))
	s := startStub(t)
	s.conversation("live", "")
	s.turn("live", "")
	chromiumtest.Open(t, ctx, s.url+"/c/"+cid)
	chromiumtest.Run(t, ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		return browser.SetPermission(&browser.PermissionDescriptor{Name: "microphone"}, browser.PermissionSettingDenied).WithOrigin(s.url).Do(ctx)
	}))
	chromiumtest.Click(t, ctx, "#join")
	stateIs(t, ctx, "connecting")
	chromiumtest.Click(t, ctx, "#microphone")
	textIs(t, ctx, "#hint", "microphone.denied")
	lookInAll(t, ctx, "microphone-denied")
	if got := chromiumtest.Eval[string](t, ctx, `document.getElementById("microphone").ariaPressed`); got != "false" {
		t.Errorf("the microphone's switch is %s", got)
	}
}

// Only a conversation's page may ask for the microphone, and none for the camera.
func TestPermissions(t *testing.T) {
	url := startServer(t, Config{})
	for path, want := range map[string]string{"/": "()", "/anna": "()", "/privacy": "()", "/c/" + cid: "(self)", "/j/ABCD-2345": "(self)"} {
		answer, _ := request(t, "GET", url+path, "")
		if got := answer.Header.Get("Permissions-Policy"); answer.StatusCode != 200 || got != "camera=(), geolocation=(), microphone="+want {
			t.Errorf("%s: %d, %s", path, answer.StatusCode, got)
		}
	}
}

func TestNetworkIsJudged(t *testing.T) {
	t.Parallel()
	ctx := chromiumtest.Start(t)
	url := startServer(t, Config{})
	chromiumtest.Open(t, ctx, url+"/privacy")
	// g: good, l: 10 % lost, f: a freeze, s: slow, z: no picture, -: none was due.
	for seconds, want := range map[string]string{
		"ggg":              "good good good",
		"lg":               "good good",
		"ll":               "good poor",
		"ff":               "good poor",
		"ss":               "good poor",
		"zz":               "good frozen",
		"zl":               "good poor",
		"z-z":              "good good good",
		"llzz":             "good poor poor frozen",
		"llgggg":           "good poor poor poor poor poor",
		"llggggg":          "good poor poor poor poor poor good",
		"zzggggl":          "good frozen frozen frozen frozen frozen poor",
		"llgggglggggg":     "good poor poor poor poor poor poor poor poor poor poor good",
		"zz--ggggg":        "good frozen frozen frozen frozen frozen frozen frozen good",
		"glglglglglglglgl": strings.TrimSpace(strings.Repeat("good ", 16)),
	} {
		got := chromiumtest.Eval[string](t, ctx, fmt.Sprintf(`import("/assets/health.js").then(({judge, START}) => {
			const good = {frames: 30, lost: 0, received: 300, freezes: 0};
			const kinds = {g: good, l: {...good, lost: 33}, f: {...good, freezes: 1}, s: {...good, frames: 5}, z: {...good, frames: 0}, "-": null};
			let state = START;
			return [...%q].map((kind) => (state = judge(state, kinds[kind])).network).join(" ");
		})`, seconds))
		if got != want {
			t.Errorf("%s: %s, want %s", seconds, got, want)
		}
	}
}
