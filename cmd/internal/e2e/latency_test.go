package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

// TestPageLatency shows the pattern and tone of the agent on the customer's page
// and prints what the page measures. The figures are for `make bench`: only that
// there are plausible ones is tested here.
func TestPageLatency(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	browser := chromiumtest.Start(t)
	e := startEndpoint(t)
	if err := chromedp.Run(browser, chromedp.Navigate(e.url("/demo?measure"))); err != nil {
		t.Fatal(err)
	}
	startAgent(t, e.url("/whip/demo"), "--camera", "pattern", "--microphone", "tone", "--live")
	chromiumtest.WaitFor(t, browser, `brilStats.state === "live"`, patience)
	if err := chromedp.Run(browser, chromedp.Click("#sound")); err != nil {
		t.Fatal(err)
	}
	chromiumtest.WaitFor(t, browser, `brilStats.lipSync.length >= 46`, 90*time.Second)
	// A browser's jitter buffer for sound takes some seconds to trust the network.
	report(t, chromiumtest.Eval[[]float64](t, browser, `brilStats.latencies.slice(180)`), "glass to glass", 1000)
	report(t, chromiumtest.Eval[[]float64](t, browser, `brilStats.lipSync.slice(6).map(Math.abs)`), "lip-sync error", 1000)
	if errs := chromiumtest.Eval[[]string](t, browser, `brilStats.errors`); len(errs) > 0 {
		t.Errorf("the page reports %q", errs)
	}
}

// report prints a figure in a form that the bench finds. It fails when the median
// is beyond limit, in ms: one slow try is the machine's, half of them are ours.
func report(t *testing.T, values []float64, what string, limit float64) {
	t.Helper()
	if len(values) == 0 {
		t.Errorf("%s: nothing measured", what)
		return
	}
	slices.Sort(values)
	at := func(percent int) float64 { return values[min(len(values)-1, len(values)*percent/100)] }
	t.Logf("figure: %s p50 %.1f ms, p95 %.1f ms, max %.1f ms, n %d", what, at(50), at(95), at(100), len(values))
	if values[0] < 0 || at(50) > limit {
		t.Errorf("%s: from %.1f, in the median %.1f ms; want at most %g", what, values[0], at(50), limit)
	}
}
