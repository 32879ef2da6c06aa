package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime/quotedprintable"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
	"github.com/bril-edge/bril/hardware/speaker/speakertest"
)

// A customer, as she is to be forgotten.
const (
	customerName  = "Wilhelmina Achterberg-Quist"
	customerEmail = "w.achterberg.quist@customer.example"
	customerPhone = "+32 470 98 76 54"
)

// storyHours has slots of five minutes round the clock, so that the next one can be
// joined already.
const storyHours = `
showrooms:
  - id: antwerp
    title: Showroom Antwerpen
    time_zone: UTC
    slot: 5m
    glasses: [anna]
    hours: {monday: 00:00-24:00, tuesday: 00:00-24:00, wednesday: 00:00-24:00, thursday: 00:00-24:00, friday: 00:00-24:00, saturday: 00:00-24:00, sunday: 00:00-24:00}
`

const storyConfig = `
cues: {device: none}
talkback: {device: "` + speakertest.Device + `", output: in-ear}
upload: {live_share: 100}
`

// codePattern is that of an appointment, in a mail.
const codePattern = `\b([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})\b`

// story is one customer, one advisor, and what stands between them.
type story struct {
	t        *testing.T
	endpoint *endpoint
	agent    *agent
	ear      *speakertest.Card
	phone    context.Context // the customer's browser
	said     spoken
}

// TestStory goes from booking to erasure, with the programs as they are shipped and a
// browser as customers have it.
func TestStory(t *testing.T) {
	s := newStory(t)
	code := s.book()
	s.join(code)
	s.talk()
	s.takePhotoAndClip()
	s.askForThem()
	s.end()
	s.openMail()
	s.withdraw()
	s.erase(code)
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, said: speech(t), ear: speakertest.New(t)}
	dir := t.TempDir()
	hours, config := filepath.Join(dir, "hours.yaml"), filepath.Join(dir, "bril.yaml")
	for path, text := range map[string]string{hours: storyHours, config: storyConfig} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.endpoint = startEndpoint(t, "--hours", hours)
	s.agent = startAgent(t, s.endpoint.url("/whip/anna"), "--config", config, "--camera", "pattern", "--microphone", "tone")
	s.phone = chromiumtest.Start(t, s.said.asMicrophone()...)
	s.on(390, 844)
	if err := chromedp.Run(s.phone, s.said.noteWhenSpoken()); err != nil {
		t.Fatal(err)
	}
	return s
}

// on makes the page as large as a phone's, or a desk's.
func (s *story) on(width, height int64) {
	s.t.Helper()
	if err := chromedp.Run(s.phone, chromedp.EmulateViewport(width, height)); err != nil {
		s.t.Fatal(err)
	}
}

// look keeps what the customer sees, for somebody to look at, in both sizes.
func (s *story) look(name string) {
	s.t.Helper()
	dir := os.Getenv("BRIL_SCREENSHOTS")
	if dir == "" {
		return
	}
	for suffix, size := range map[string][2]int64{"390": {390, 844}, "1280": {1280, 800}} {
		s.on(size[0], size[1])
		if err := chromedp.Run(s.phone, chromedp.Sleep(400*time.Millisecond)); err != nil {
			s.t.Fatal(err)
		}
		chromiumtest.Screenshot(s.t, s.phone, dir, "story-"+name+"-"+suffix)
	}
	s.on(390, 844)
}

func (s *story) click(selector string) { s.t.Helper(); chromiumtest.Click(s.t, s.phone, selector) }

func (s *story) write(selector, text string) {
	s.t.Helper()
	chromiumtest.Type(s.t, s.phone, selector, text)
}

func (s *story) see(expression string) {
	s.t.Helper()
	chromiumtest.WaitFor(s.t, s.phone, expression, patience)
}

// book books the next slot and returns the code, which comes by mail.
func (s *story) book() (code string) {
	s.t.Helper()
	chromiumtest.Open(s.t, s.phone, s.endpoint.url("/?lang=nl"))
	s.look("home")
	s.click("[data-action=book]")
	s.click("label:has(input[name=time])")
	s.write("#name", customerName)
	s.write("#email", customerEmail)
	s.write("#phone", customerPhone)
	s.look("booking")
	s.click("#details [type=submit]")
	s.see(`document.querySelector("#booked").checkVisibility()`)
	s.look("booked")
	return s.mailed(codePattern)
}

// mailed returns what a mail of the outbox says, once there is one that does.
func (s *story) mailed(pattern string) string {
	s.t.Helper()
	return s.endpoint.mailed(s.t, customerEmail, pattern)
}

// mailed returns what a mail to an address says, once there is one that does.
func (e *endpoint) mailed(t *testing.T, to, pattern string) string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); wait(20 * time.Millisecond) {
		paths, err := filepath.Glob(filepath.Join(e.data, "outbox", "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if found := wanted.FindSubmatch(unquoted(data)); found != nil && strings.Contains(string(data), to) {
				return string(found[1])
			}
		}
	}
	t.Fatalf("no mail says %s", pattern)
	return ""
}

// unquoted undoes quoted-printable, as far as it goes.
func unquoted(data []byte) []byte {
	var out bytes.Buffer
	for part := range bytes.SplitSeq(data, []byte("\r\n\r\n")) {
		_, _ = out.ReadFrom(quotedprintable.NewReader(bytes.NewReader(part))) // the parts that are not are of no use here
		out.WriteString("\r\n\r\n")
	}
	return out.Bytes()
}

// join uses the code; the advisor accepts the call that rings.
func (s *story) join(code string) {
	s.t.Helper()
	chromiumtest.Open(s.t, s.phone, s.endpoint.url("/j/"+code+"?lang=nl"))
	s.see(`location.pathname.startsWith("/c/") && document.querySelector("#join")?.checkVisibility()`)
	s.look("lobby")
	s.click("#join")
	s.agent.wait("called", func(c control.Status) bool {
		return c.Call != nil && c.Call.State == "ringing" && c.Call.Kind == "booked"
	})
	s.look("ringing")
	if _, err := s.agent.client.Call(s.t.Context(), control.AcceptCall); err != nil {
		s.t.Fatal(err)
	}
	s.see(`brilStats.state === "live" && brilStats.firstFrameAt > 0`)
	s.see(`document.getElementById("picture").getVideoPlaybackQuality().totalVideoFrames > 60 && !document.getElementById("picture").muted`)
	s.agent.wait("told of the customer", func(c control.Status) bool { return c.Call.State == "talking" && c.Call.Customer.Presence == "joined" })
	s.look("live")
}

// takePhotoAndClip is what the customer asks for: both come up.
func (s *story) takePhotoAndClip() {
	s.t.Helper()
	ctx := s.t.Context()
	if _, err := s.agent.client.Photo(ctx, true); err != nil {
		s.t.Fatal(err)
	}
	s.see(`document.querySelector("#popup img")?.naturalWidth === 1280`)
	s.look("shown")
	s.click("#popup button")
	if _, err := s.agent.client.Clip(ctx, control.StartClip); err != nil {
		s.t.Fatal(err)
	}
	wait(2 * time.Second) // of the clip
	if _, err := s.agent.client.Clip(ctx, control.StopClip); err != nil {
		s.t.Fatal(err)
	}
}

// askForThem does not wait for the clip to be there: it has to be mailed all the same.
func (s *story) askForThem() {
	s.t.Helper()
	s.click("#send-open")
	s.write("#send-email", customerEmail)
	s.write("#send-name", customerName)
	s.click("#send-form [name=marketing]")
	s.look("send")
	s.click("#send-form [type=submit]")
	s.see(`document.querySelector("#sent").checkVisibility()`)
	s.look("sent")
	s.click("#sent-close")
}

func (s *story) end() {
	s.t.Helper()
	if _, err := s.agent.client.Call(s.t.Context(), control.EndCall); err != nil {
		s.t.Fatal(err)
	}
	s.see(`brilStats.state === "ended"`)
	s.agent.wait("off", func(c control.Status) bool { return c.State == "ready" })
	s.click("#thumb-up")
	s.see(`document.querySelector("#thumb-up").getAttribute("aria-pressed") === "true" && document.querySelector("#rated").textContent !== ""`)
	s.look("ended")
}

// openMail opens the link to the clip that was mailed, in a browser that knows
// nothing of the conversation, and plays it.
func (s *story) openMail() {
	s.t.Helper()
	link := s.mailed(`(http://[0-9.:]+/c/[a-z2-7]{26}\?lang=nl#[\w-]+)`)
	stranger := chromiumtest.Start(s.t)
	chromiumtest.Open(s.t, stranger, link)
	chromiumtest.WaitFor(s.t, stranger, `document.querySelectorAll("#items .tile").length === 2`, patience)
	chromiumtest.Click(s.t, stranger, "#items .tile:has(.play)")
	chromiumtest.WaitFor(s.t, stranger, `document.querySelector("#viewer video")?.readyState > 2`, patience)
	chromiumtest.Eval[bool](s.t, stranger, `document.querySelector("#viewer video").play().then(() => true)`)
	chromiumtest.WaitFor(s.t, stranger, `document.querySelector("#viewer video").currentTime > 1`, patience)
	chromiumtest.Screenshot(s.t, stranger, os.Getenv("BRIL_SCREENSHOTS"), "story-clip")

	// Without the key the link is nothing, and with another one either.
	name, key, _ := strings.Cut(link, "#")
	for _, wrong := range []string{name, name + "#" + strings.Repeat("A", len(key))} {
		other := chromiumtest.Start(s.t)
		chromiumtest.Open(s.t, other, wrong)
		chromiumtest.WaitFor(s.t, other, `document.readyState === "complete" && document.querySelector("main").innerText.length > 40`, patience)
		if n := chromiumtest.Eval[int](s.t, other, `document.querySelectorAll("#items .tile").length`); n != 0 {
			s.t.Errorf("%s shows %d items", wrong, n)
		}
	}
}

// withdraw confirms the consent to marketing, and takes it back, by the link of its
// mail alone.
func (s *story) withdraw() {
	s.t.Helper()
	link := s.mailed(`(http://[0-9.:]+/news\?lang=nl#[\w-]+)`)
	chromiumtest.Open(s.t, s.phone, link)
	s.click("#confirm")
	s.see(`document.querySelector("#said").dataset.t === "news.confirm.done.text"`)
	s.look("consent-confirmed")
	chromiumtest.Open(s.t, s.phone, strings.Replace(link, "/news", "/unsubscribe", 1))
	s.click("#withdraw")
	s.see(`document.querySelector("#said").dataset.t !== "unsubscribe.text" && document.querySelector("#said").textContent !== ""`)
	s.look("withdrawn")
}

// erase forgets the customer while the server runs; then nothing of her is found,
// neither while it runs nor after it.
func (s *story) erase(code string) {
	s.t.Helper()
	needles := traces(code)
	if found := findAll(s.t, s.endpoint.data, needles); len(found) == 0 {
		s.t.Fatal("nothing of the customer is found before she is erased: is the search right?")
	}
	out, err := exec.CommandContext(s.t.Context(), binaries.showroom, "privacy", "erase", "--customer", customerEmail, "--data", s.endpoint.data).CombinedOutput()
	if err != nil {
		s.t.Fatalf("erase: %v\n%s", err, out)
	}
	for _, when := range []string{"while the server runs", "after it has ended"} {
		for _, found := range findAll(s.t, s.endpoint.data, needles) {
			s.t.Errorf("%s: %s", when, found)
		}
		if media, _ := filepath.Glob(filepath.Join(s.endpoint.data, "sessions", "*", "*.[jm]p*")); len(media) > 0 {
			s.t.Errorf("%s: her photos and clips are there: %q", when, media)
		}
		s.endpoint.stop(syscall.SIGTERM)
	}
}

// traces are what would tell of the customer, as it is and as mails and databases
// write it.
func traces(code string) map[string][]byte {
	plain := map[string]string{
		"name": customerName, "surname": "Achterberg", "address": customerEmail, "its first part": "w.achterberg.quist",
		"telephone": customerPhone, "telephone in one": strings.ReplaceAll(customerPhone, " ", ""), "code": code, "code in one": strings.ReplaceAll(code, "-", ""),
	}
	all := map[string][]byte{}
	for what, text := range plain {
		all[what] = []byte(strings.ToLower(text))
		for shift := range 3 { // base64 of it within something longer
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + text))
			all[fmt.Sprintf("%s in base64, %d", what, shift)] = []byte(strings.ToLower(encoded[4 : len(encoded)-4]))
		}
	}
	return all
}

// findAll searches each file of a directory, its name too, in lower case.
func findAll(t *testing.T, dir string, needles map[string][]byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		data = bytes.ToLower(append(data, path...))
		for what, needle := range needles {
			if bytes.Contains(data, needle) {
				found = append(found, fmt.Sprintf("the customer's %s is in %s", what, path))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
