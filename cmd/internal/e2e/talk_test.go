package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
	"github.com/bril-edge/bril/hardware/speaker/speakertest"
)

// talkHours has two pairs of glasses, round the clock.
const talkHours = `
showrooms:
  - id: antwerp
    title: Showroom Antwerpen
    time_zone: UTC
    glasses: [anna, bert]
    hours: {monday: 00:00-24:00, tuesday: 00:00-24:00, wednesday: 00:00-24:00, thursday: 00:00-24:00, friday: 00:00-24:00, saturday: 00:00-24:00, sunday: 00:00-24:00}
`

func startTalkEndpoint(t *testing.T) *endpoint {
	t.Helper()
	hours := filepath.Join(t.TempDir(), "hours.yaml")
	if err := os.WriteFile(hours, []byte(talkHours), 0o600); err != nil {
		t.Fatal(err)
	}
	return startEndpoint(t, "--hours", hours)
}

// talking is a pair of glasses with an ear of its own, and a customer with a browser
// and a voice of their own: short tones of one frequency.
type talking struct {
	t     *testing.T
	e     *endpoint
	agent *agent
	ear   *speakertest.Card
	page  context.Context
	hertz float64
	cid   string
}

func newTalking(t *testing.T, e *endpoint, glasses string, hertz float64, camera ...string) *talking {
	t.Helper()
	c := &talking{t: t, e: e, hertz: hertz, ear: speakertest.New(t)} // of the agent that is started next
	c.agent = startAgent(t, e.url("/whip/"+glasses), append(append(configured(t, storyConfig), "--microphone", "tone"), camera...)...)
	c.agent.wait("events", func(s control.Status) bool { return s.Call != nil && s.Call.Events == "connected" })
	c.page = chromiumtest.Start(t, spoken{file: tones(t, hertz)}.asMicrophone()...)
	return c
}

// tones are a WAV file with 0.3 s of one in each second.
func tones(t *testing.T, hertz float64) (path string) {
	t.Helper()
	const rate = 48_000
	samples := make([]int16, rate)
	for i := range 3 * rate / 10 {
		loud := 9000 * math.Sin(math.Pi*float64(i)/(3*rate/10)) // no click at either end
		samples[i] = int16(loud * math.Sin(2*math.Pi*hertz*float64(i)/rate))
	}
	var b bytes.Buffer
	b.WriteString("RIFF")
	write := func(values ...any) {
		for _, value := range values {
			if err := binary.Write(&b, binary.LittleEndian, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(uint32(36+2*len(samples)), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2*rate), uint16(2), uint16(16),
		[]byte("data"), uint32(2*len(samples)), samples)
	path = filepath.Join(t.TempDir(), "tones.wav")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (c *talking) see(expression string) {
	c.t.Helper()
	chromiumtest.WaitFor(c.t, c.page, expression, patience)
}

func (c *talking) click(selector string) {
	c.t.Helper()
	chromiumtest.Click(c.t, c.page, selector)
}

// calls has the customer talk now, and these glasses ring.
func (c *talking) calls() {
	c.t.Helper()
	chromiumtest.Open(c.t, c.page, c.e.url("/?lang=nl"))
	c.see(`document.querySelector("[data-action=talk]")?.checkVisibility()`)
	if _, err := chromedp.RunResponse(c.page, chromedp.Click("[data-action=talk]", chromedp.ByQuery)); err != nil {
		c.t.Fatal(err)
	}
	c.click("#join")
	c.see(`brilStats.state === "ringing"`)
	s := c.agent.wait("called", func(s control.Status) bool { return s.Call.State == "ringing" })
	c.cid = s.Call.Conversation
	if path := chromiumtest.Eval[string](c.t, c.page, `location.pathname`); path != "/c/"+c.cid {
		c.t.Fatalf("the customer is at %s, it rings for %s", path, c.cid)
	}
}

// accept answers the call as an advisor at a keyboard does.
func (c *talking) accept() {
	c.t.Helper()
	var answer struct{ State string }
	c.agent.bril(&answer, "call", "accept")
	c.seesAndSpeaks(time.Time{})
}

// speak turns on the customer's microphone.
func (c *talking) speak() {
	c.t.Helper()
	c.click("#microphone")
	c.agent.wait("hearing the customer", func(s control.Status) bool {
		return s.Talkback != nil && s.Talkback.State == "hearing" && s.Call.Customer.Microphone
	})
}

// seesAndSpeaks waits until the conversation is live for both, with pictures since
// then.
func (c *talking) seesAndSpeaks(then time.Time) {
	c.t.Helper()
	c.see(fmt.Sprintf(`brilStats.state === "live" && brilStats.lastFrameAt > %d`, max(0, then.UnixMilli())))
	c.agent.wait("in conversation", func(s control.Status) bool {
		return s.State == "live" && s.Call.State == "talking" && s.Call.Conversation == c.cid && s.Call.Customer.Presence == "joined"
	})
}

// hears waits until the advisor has heard the customer's tones since then.
func (c *talking) hears(then time.Time) {
	c.t.Helper()
	const enough = 50 // of 20 ms: three tones
	count := 0
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); wait(100 * time.Millisecond) {
		count = 0
		for _, frame := range c.frames(then) {
			if goertzel(frame, c.hertz) > loud {
				count++
			}
		}
		if count >= enough {
			return
		}
	}
	status := c.agent.status()
	c.t.Fatalf("the advisor has heard %d frames of the customer's %v Hz: %+v", count, c.hertz, *status.Talkback)
}

// loud is the power of a tone that can be heard well.
const loud = 1e7

// frames of 20 ms are what has been heard since then.
func (c *talking) frames(then time.Time) (frames [][]int16) {
	c.t.Helper()
	var samples []int16
	for _, chunk := range c.ear.Heard(c.t) {
		if chunk.At.After(then) {
			samples = append(samples, chunk.Samples...)
		}
	}
	for ; len(samples) >= bandFrame; samples = samples[bandFrame:] {
		frames = append(frames, samples[:bandFrame])
	}
	return frames
}

// leaves is the customer's end.
func (c *talking) leaves() {
	c.t.Helper()
	c.click("#leave")
	c.click("#end")
	c.see(`brilStats.state === "ended"`)
	c.agent.wait("off", func(s control.Status) bool { return s.State == "ready" && s.Call.State == "idle" })
}

// arrived returns the photos and clips of the conversation, for its page.
func (c *talking) arrived() []string {
	c.t.Helper()
	return chromiumtest.Eval[[]string](c.t, c.page, `fetch("/api/sessions/`+c.cid+`/media").then((r) => r.json()).then(({items}) => items.map(({id}) => id))`)
}
