package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

// TestFirstFrame measures from the start of the agent's process to the first
// picture at a page that has been waiting.
func TestFirstFrame(t *testing.T) {
	browser := chromiumtest.Start(t)
	e := startEndpoint(t)
	var took []float64
	for range 5 {
		if err := chromedp.Run(browser, chromedp.Navigate(e.url("/demo?measure"))); err != nil {
			t.Fatal(err)
		}
		chromiumtest.WaitFor(t, browser, `brilStats.state === "waiting"`, patience)
		before := time.Now()
		a := startAgent(t, e.url("/whip/demo"), "--camera", "pattern", "--microphone", "tone", "--live")
		chromiumtest.WaitFor(t, browser, `brilStats.firstFrameAt > 0`, patience)
		first := chromiumtest.Eval[float64](t, browser, `brilStats.firstFrameAt`)
		took = append(took, first-float64(before.UnixMicro())/1000)
		a.stop(syscall.SIGTERM)
		chromiumtest.WaitFor(t, browser, `brilStats.state !== "live"`, patience)
	}
	report(t, took, "process start to first picture", 10_000)
}

// TestEndpointComesBack ends the endpoint in both ways, again and again. The
// agent is live again by itself, and neither goroutines nor descriptors add up.
func TestEndpointComesBack(t *testing.T) {
	cycles, long := 5, 0
	if os.Getenv("CI") == "true" {
		cycles, long = 100, 3
	}
	e := startEndpoint(t)
	a := startAgent(t, e.url("/whip/demo"), "--camera", "pattern:320x180@30", "--microphone", "tone", "--live")
	settled := a.waitLive()
	descriptors := a.descriptors()
	var took []float64
	for i := range cycles + long {
		outage := time.Second
		if i >= cycles {
			outage = 10 * time.Second
		}
		how := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[i%2]
		e.stop(how)
		wait(outage)
		e.restart(t)
		back := time.Now()
		sent := a.status().Video.Sent
		a.wait("live again", func(s control.Status) bool { return s.State == "live" && s.Video.Sent > sent })
		took = append(took, float64(time.Since(back).Microseconds())/1000)
	}
	report(t, took, "live again after the endpoint's return", 2_000)
	a.wait("back to its goroutines", func(s control.Status) bool { return s.Goroutines <= settled.Goroutines+2 })
	if now := a.descriptors(); now > descriptors+2 {
		t.Errorf("%d descriptors, %d before", now, descriptors)
	}
}

// wait is the outage itself, not a wait for something.
func wait(d time.Duration) { <-time.After(d) }

// TestAgentComesBack kills the agent: its ghost at the endpoint does not lock it
// out, with a token or without.
func TestAgentComesBack(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a-token-for-this-test-only\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ endpoint, agent []string }{
		"open":       {nil, nil},
		"with token": {[]string{"--token-file", token}, []string{"--token-file", token}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := startEndpoint(t, c.endpoint...)
			a := startAgent(t, e.url("/whip/demo"), append([]string{"--camera", "pattern:320x180@30", "--microphone", "tone", "--live"}, c.agent...)...)
			var took []float64
			for range 3 {
				a.waitLive()
				a.stop(syscall.SIGKILL)
				back := time.Now()
				a.restart(t, nil)
				a.waitLive()
				took = append(took, float64(time.Since(back).Microseconds())/1000)
			}
			report(t, took, "live again after the agent was killed", 2_000)
		})
	}
}
