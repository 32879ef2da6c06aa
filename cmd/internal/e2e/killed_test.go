package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

// TestAgentKilledInConversation: the same conversation goes on once the advisor is
// live again, with all photos, and without a camera that begins by itself.
func TestAgentKilledInConversation(t *testing.T) {
	l := newLost(t)
	l.talks()
	var photos []string
	for range 3 {
		photos = append(photos, l.agent.photo().ID)
		l.agent.stop(syscall.SIGKILL) // at once: what was said to be safe is
		killed := time.Now()
		l.agent.restart(t, nil)
		if s := l.is("ready", "talking"); s.Call.Conversation != l.customer.cid || s.Camera != "" {
			t.Errorf("started again with camera %q and %+v, want %s", s.Camera, *s.Call, l.customer.cid)
		}
		l.press(control.On)
		l.goesOn()
		t.Logf("figure: in conversation again %v after the agent was killed", time.Since(killed).Round(time.Millisecond))
	}
	photos = append(photos, l.agent.photo("--show").ID)
	l.agent.wait("all sent", func(s control.Status) bool { return s.Spool.Items == 0 })
	got := l.customer.media()
	slices.Sort(got)
	slices.Sort(photos)
	if !slices.Equal(got, photos) {
		t.Errorf("of the photos %q arrived %q", photos, got)
	}
	l.answer(control.EndCall)
	l.customer.expect("ended", "advisor")
	l.is("ready", "idle")
}

// TestEndpointKilledInConversation: it is away for 3 s, and the conversation goes on by
// itself, with picture and both voices.
func TestEndpointKilledInConversation(t *testing.T) {
	e := startTalkEndpoint(t)
	c := newTalking(t, e, "anna", 650, "--camera", "pattern:640x360@15")
	c.calls()
	c.accept()
	c.speak()
	c.hears(time.Time{})
	for _, how := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		before := c.agent.photo().ID
		e.stop(how)
		wait(3 * time.Second)
		e.restart(t)
		back := time.Now()
		c.seesAndSpeaks(back)
		t.Logf("figure: picture %v after the return of the endpoint", time.Since(back).Round(time.Millisecond))
		c.see(`document.getElementById("microphone").ariaPressed === "true"`)
		c.agent.wait("hearing the customer", func(s control.Status) bool { return s.Talkback.State == "hearing" && s.Call.Customer.Microphone })
		t.Logf("figure: the customer is heard %v after the return of the endpoint", time.Since(back).Round(time.Millisecond))
		c.hears(time.Now())
		after := c.agent.photo("--show").ID
		c.see(`document.querySelector("#popup img")?.naturalWidth === 640`)
		c.click("#popup button")
		c.agent.wait("all sent", func(s control.Status) bool { return s.Spool.Items == 0 })
		if got := c.arrived(); !slices.Contains(got, before) || !slices.Contains(got, after) {
			t.Errorf("%q have arrived, want also %s and %s", got, before, after)
		}
		if path := chromiumtest.Eval[string](t, c.page, `location.pathname`); path != "/c/"+c.cid {
			t.Errorf("the customer is at %s", path)
		}
	}
	c.leaves()
}
