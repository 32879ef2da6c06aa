// Package chromiumtest runs a headless Chromium for tests of pages that show a
// WebRTC stream.
package chromiumtest

import (
	"context"
	"log"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// startTimeout is generous: a cold start on a busy machine with two cores.
const startTimeout = 60 * time.Second

// Start runs Chromium until the test ends and returns the context for chromedp. What
// the page writes to its console is in the test's log. Without Chromium it skips
// the test, except where CI=true: there it fails.
func Start(t testing.TB, options ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	options = append(flags(find(t), t.TempDir()), options...)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(logError))
	t.Cleanup(func() { close(t, ctx, cancel) })
	logConsole(t, ctx)
	// The first Run starts the browser and must not have a deadline of its own:
	// the browser would die with it.
	started := make(chan error, 1)
	go func() { started <- chromedp.Run(ctx) }()
	select {
	case err := <-started:
		if err != nil {
			t.Fatalf("start chromium: %v", err)
		}
	case <-time.After(startTimeout):
		cancel()
		<-started
		t.Fatalf("chromium did not start within %v", startTimeout)
	}
	return ctx
}

// Tab opens one more tab in the browser of ctx, for a second viewer.
func Tab(t testing.TB, ctx context.Context) context.Context {
	t.Helper()
	tab, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	logConsole(t, tab)
	// The first Run opens the tab, which would close with a deadline.
	if err := chromedp.Run(tab); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return tab
}

// find returns the browser's path: that in CHROMIUM, or the first on the PATH.
func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("chromium is missing: apt-get install chromium")
	}
	t.Skip("chromium is missing, the page is not tested: apt-get install chromium")
	return ""
}

// flags keep the browser on this machine, silent, and able to use loopback for
// WebRTC.
func flags(path, profile string) []chromedp.ExecAllocatorOption {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless,
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.WindowSize(1280, 800),
		// Two cores are shared with the encoder under test.
		chromedp.Flag("mute-audio", false),
	}
	for _, flag := range []string{
		"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"disable-default-apps", "disable-extensions", "disable-breakpad", "disable-client-side-phishing-detection",
		"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
		"disable-dev-shm-usage", "metrics-recording-only", "allow-loopback-in-peer-connection",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	return append(options,
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("disable-features", "WebRtcHideLocalIpsWithMdns,Translate,OptimizationHints,MediaRouter"),
	)
}

// close waits for the browser to go, so that nothing of it outlives the test.
func close(t testing.TB, ctx context.Context, cancel context.CancelFunc) {
	t.Helper()
	bounded, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	if err := chromedp.Cancel(bounded); err != nil && ctx.Err() == nil {
		t.Logf("close chromium: %v", err)
	}
	cancel()
}

// logError prints what chromedp prints, but for an event that it does not know, which
// each dialog brings.
func logError(format string, values ...any) {
	for _, value := range values {
		if _, ok := value.(*dom.EventTopLayerElementsUpdated); ok {
			return
		}
	}
	log.Printf("ERROR: "+format, values...)
}

func logConsole(t testing.TB, ctx context.Context) {
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			var parts []string
			for _, argument := range e.Args {
				parts = append(parts, string(argument.Value))
			}
			t.Logf("page %s: %s", e.Type, strings.Join(parts, " "))
		case *runtime.EventExceptionThrown:
			t.Errorf("page: %v", e.ExceptionDetails)
		}
	})
}

// Eval returns the value of a JavaScript expression.
func Eval[T any](t testing.TB, ctx context.Context, expression string) (value T) {
	t.Helper()
	bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Run(bounded, chromedp.Evaluate(expression, &value, awaitPromise)); err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// WaitFor returns once the JavaScript expression is true; it fails the test after
// timeout.
func WaitFor(t testing.TB, ctx context.Context, expression string, timeout time.Duration) {
	t.Helper()
	var done bool
	bounded, cancel := context.WithTimeout(ctx, 2*timeout) // a page that hangs or is left never answers
	defer cancel()
	err := chromedp.Run(bounded, chromedp.Poll(expression, &done, chromedp.WithPollingTimeout(timeout), chromedp.WithPollingInterval(20*time.Millisecond)))
	if err != nil {
		t.Fatalf("waited %v for %s: %v", timeout, expression, err)
	}
}

// Screenshot writes what the page looks like to a PNG file in dir, when dir is not
// empty.
func Screenshot(t testing.TB, ctx context.Context, dir, name string) {
	t.Helper()
	if dir == "" {
		return
	}
	var png []byte
	if err := chromedp.Run(ctx, chromedp.CaptureScreenshot(&png)); err != nil {
		t.Fatalf("screenshot: %v", err)
	}
	if err := os.WriteFile(dir+"/"+name+".png", png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// awaitPromise lets an expression be asynchronous.
func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
