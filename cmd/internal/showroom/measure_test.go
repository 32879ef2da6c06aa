package showroom

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

// Limits of the medians, for machines that do other things at the same time: a
// browser answers a busy processor with a longer jitter buffer. The figures are
// printed. The project's targets, 45 ms and, for the lips, 60 ms in the 95th
// percentile, are those of a machine that is at rest.
const (
	latencyLimit = 150.0 // ms
	lipSyncLimit = 150.0 // ms
)

func TestPageMeasures(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 s")
	}
	ctx := chromiumtest.Start(t)
	url := startServer(t, Config{})
	a := startAgent(t)
	open(t, ctx, url+"/anna?measure")
	a.publish(url + "/whip/anna")
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "live"`, patience)
	check(t, chromedp.Run(ctx, chromedp.Click("#sound")))
	chromiumtest.WaitFor(t, ctx, `brilStats.lipSync.length >= 10`, 30*time.Second)

	// A browser's jitter buffer for sound begins at 80 ms and needs some 6 s to trust
	// the network.
	latencies := chromiumtest.Eval[[]float64](t, ctx, `brilStats.latencies.slice(60)`)
	lips := chromiumtest.Eval[[]float64](t, ctx, `brilStats.lipSync.slice(6).map(Math.abs)`)
	t.Log("glass to glass, ms:", figures(latencies))
	t.Log("to the display, ms:", figures(chromiumtest.Eval[[]float64](t, ctx, `brilStats.displayLatencies.slice(60)`)))
	t.Log("sound, ms:", figures(chromiumtest.Eval[[]float64](t, ctx, `brilStats.soundLatencies.slice(6)`)))
	t.Log("lips, ms:", figures(lips), chromiumtest.Eval[[]float64](t, ctx, `brilStats.lipSync.map(Math.round)`))
	t.Log("lips as the browser sees them, ms:", chromiumtest.Eval[[]float64](t, ctx, `brilStats.browserLipSync.map(Math.round)`))
	t.Log(chromiumtest.Eval[string](t, ctx, statsScript))
	fps := chromiumtest.Eval[float64](t, ctx, `1000 * brilStats.framesDecoded / (brilStats.lastFrameAt - brilStats.firstFrameAt)`)
	if raceDetector || fps < 20 {
		t.Skipf("the machine is too busy for the figures to mean anything: %.0f pictures a second", fps)
	}
	if p50 := percentile(latencies, 50); p50 > latencyLimit {
		t.Errorf("the picture is %.0f ms behind", p50)
	}
	if p50 := percentile(lips, 50); p50 > lipSyncLimit {
		t.Errorf("the lips are %.0f ms off", p50)
	}
	if errs := chromiumtest.Eval[[]string](t, ctx, `brilStats.errors`); len(errs) > 0 {
		t.Errorf("the page reports %q", errs)
	}
}

const statsScript = `(async () => [...(await brilStats.pc.getStats()).values()]
	.filter((r) => r.type === "inbound-rtp")
	.map((r) => r.kind + ": " + ["packetsReceived", "packetsLost", "framesDecoded", "framesDropped", "freezeCount",
		"nackCount", "pliCount", "jitterBufferDelay", "jitterBufferEmittedCount", "jitterBufferTargetDelay", "totalDecodeTime",
		"totalProcessingDelay"].map((k) => k + "=" + r[k]).join(" ")).join("\n"))()`

func figures(values []float64) string {
	return fmt.Sprintf("p50 %.1f, p95 %.1f, max %.1f of %d", percentile(values, 50), percentile(values, 95), percentile(values, 100), len(values))
}

// percentile returns a value that p percent of the values do not exceed.
func percentile(values []float64, p int) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}
