package showroom

import (
	"context"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

// screenshots is a directory to look at the page by eye; empty for none.
func screenshots() string { return os.Getenv("SHOWROOM_SCREENSHOTS") }

const patience = 20 * time.Second

func open(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	if err := chromedp.Run(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
}

func TestPage(t *testing.T) {
	ctx := chromiumtest.Start(t)
	url := startServer(t, Config{})
	a := startAgent(t)
	open(t, ctx, url+"/anna")
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "waiting"`, patience)
	shoot(t, ctx, "waiting")

	p := a.publish(url + "/whip/anna")
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "live" && brilStats.framesDecoded > 30`, patience)
	took := chromiumtest.Eval[float64](t, ctx, `brilStats.firstFrameAt - brilStats.announcedAt`)
	t.Logf("first frame %.0f ms after the publisher was announced", took)
	if took > 1000 {
		t.Errorf("the first frame took %.0f ms", took)
	}
	if got := chromiumtest.Eval[[]int](t, ctx, `[brilStats.width, brilStats.height]`); !slices.Equal(got, []int{1280, 720}) {
		t.Errorf("the picture is %v", got)
	}
	check(t, chromedp.Run(ctx, chromedp.Click("#sound")))
	chromiumtest.WaitFor(t, ctx, `!document.getElementById("picture").muted`, patience)
	shoot(t, ctx, "live")

	t.Run("pause", func(t *testing.T) {
		a.paused.Store(true)
		request(t, http.MethodPut, url+"/api/sessions/anna", `{"state":"paused"}`, "Content-Type", "application/json")
		chromiumtest.WaitFor(t, ctx, `brilStats.state === "paused"`, patience)
		shoot(t, ctx, "paused")
		request(t, http.MethodPut, url+"/api/sessions/anna", `{"state":"live"}`, "Content-Type", "application/json")
		a.paused.Store(false)
		chromiumtest.WaitFor(t, ctx, `brilStats.state === "live"`, patience)
	})
	t.Run("the publisher goes and returns", func(t *testing.T) {
		a.stop()
		chromiumtest.WaitFor(t, ctx, `brilStats.state === "waiting"`, patience)
		before := chromiumtest.Eval[int](t, ctx, `brilStats.framesDecoded`)
		p = a.publish(url + "/whip/anna")
		chromiumtest.WaitFor(t, ctx, `brilStats.state === "live"`, patience)
		if after := chromiumtest.Eval[int](t, ctx, `brilStats.framesDecoded`); after <= before {
			t.Errorf("%d frames before, %d after", before, after)
		}
		if sessions := chromiumtest.Eval[int](t, ctx, `brilStats.sessions`); sessions != 1 {
			t.Errorf("the page needed %d sessions", sessions)
		}
	})
	_ = p
}

// shoot takes the page as a phone and as a desktop browser show it.
func shoot(t *testing.T, ctx context.Context, state string) {
	t.Helper()
	if screenshots() == "" {
		return
	}
	for name, size := range map[string][2]int64{"phone": {390, 844}, "desktop": {1280, 800}, "sideways": {844, 390}} {
		check(t, chromedp.Run(ctx, chromedp.EmulateViewport(size[0], size[1]), chromedp.Sleep(400*time.Millisecond)))
		chromiumtest.Screenshot(t, ctx, screenshots(), state+"-"+name)
	}
}
