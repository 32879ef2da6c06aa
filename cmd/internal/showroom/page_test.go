package showroom

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bril-edge/bril/cmd/internal/porttest"
	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

// screenshots is a directory to look at the page by eye; empty for none.
func screenshots() string { return os.Getenv("SHOWROOM_SCREENSHOTS") }

const patience = chromiumtest.Patience

func TestPage(t *testing.T) {
	ctx := chromiumtest.Start(t)
	url := startServer(t, Config{})
	a := startAgent(t)
	chromiumtest.Open(t, ctx, url+"/anna")
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "waiting"`, patience)
	shoot(t, ctx, "waiting")

	a.publish(url + "/whip/anna")
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "live" && brilStats.framesDecoded > 30`, patience)
	took := chromiumtest.Eval[float64](t, ctx, `brilStats.firstFrameAt - brilStats.announcedAt`)
	t.Logf("first frame %.0f ms after the publisher was announced", took)
	if took > 1000 {
		t.Errorf("the first frame took %.0f ms", took)
	}
	if got := chromiumtest.Eval[[]int](t, ctx, `[brilStats.width, brilStats.height]`); !slices.Equal(got, []int{1280, 720}) {
		t.Errorf("the picture is %v", got)
	}
	chromiumtest.Run(t, ctx, chromedp.Click("#sound"))
	chromiumtest.WaitFor(t, ctx, `!document.getElementById("picture").muted`, patience)
	shoot(t, ctx, "live")

	t.Run("pause", func(t *testing.T) {
		a.paused.Store(true)
		request(t, http.MethodPut, url+"/api/sessions/anna", `{"state":"paused"}`, "Content-Type", "application/json")
		chromiumtest.WaitFor(t, ctx, `brilStats.state === "paused"`, patience)
		chromiumtest.WaitFor(t, ctx, `getComputedStyle(document.getElementById("picture")).opacity === "0"`, patience)
		shoot(t, ctx, "paused")
		request(t, http.MethodPut, url+"/api/sessions/anna", `{"state":"live"}`, "Content-Type", "application/json")
		a.paused.Store(false)
		chromiumtest.WaitFor(t, ctx, `brilStats.state === "live"`, patience)
	})
	t.Run("the publisher goes and returns", func(t *testing.T) {
		a.stop()
		chromiumtest.WaitFor(t, ctx, `brilStats.state === "waiting"`, patience)
		before := chromiumtest.Eval[int](t, ctx, `brilStats.framesDecoded`)
		a.publish(url + "/whip/anna")
		chromiumtest.WaitFor(t, ctx, fmt.Sprintf(`brilStats.state === "live" && brilStats.framesDecoded > %d`, before), patience)
		if sessions := chromiumtest.Eval[int](t, ctx, `brilStats.sessions`); sessions != 1 {
			t.Errorf("the page needed %d sessions", sessions)
		}
	})
	t.Run("the publisher is lost and returns", func(t *testing.T) {
		a.vanish()
		chromiumtest.WaitFor(t, ctx, `brilStats.state === "interrupted"`, patience)
		shoot(t, ctx, "interrupted")
		a.publish(url + "/whip/anna")
		chromiumtest.WaitFor(t, ctx, `brilStats.state === "live"`, patience)
	})
}

func TestPageSurvivesTheServer(t *testing.T) {
	ctx := chromiumtest.Start(t)
	address := porttest.Address(t)
	server := func() (url string, stop func()) {
		s, err := New(Config{Listen: address})
		check(t, err)
		return runUntil(t, s)
	}
	url, stop := server()
	a := startAgent(t)
	chromiumtest.Open(t, ctx, url+"/anna")
	a.publish(url + "/whip/anna")
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "live"`, patience)
	stop()
	a.stop()
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "offline"`, patience)
	shoot(t, ctx, "offline")
	_, stop = server()
	defer stop()
	a.publish(url + "/whip/anna")
	back := time.Now()
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "live"`, patience)
	t.Logf("live again %v after the publisher", time.Since(back))
	if sessions := chromiumtest.Eval[int](t, ctx, `brilStats.sessions`); sessions != 2 {
		t.Errorf("%d sessions, want one for each server", sessions)
	}
}

func TestPageWithAnAccessKey(t *testing.T) {
	ctx := chromiumtest.Start(t)
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir(), RequireKey: true})
	check(t, err)
	url := runServer(t, s)
	a := startAgent(t)
	a.publish(url + "/whip/anna")

	chromiumtest.Open(t, ctx, url+"/anna")
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "locked"`, patience)
	shoot(t, ctx, "locked")
	chromiumtest.Open(t, ctx, "about:blank")
	chromiumtest.Open(t, ctx, url+"/anna#"+s.keys.Key("bert"))
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "locked"`, patience)
	chromiumtest.Open(t, ctx, "about:blank")
	chromiumtest.Open(t, ctx, s.Link(url, "anna"))
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "live"`, patience)
	if cookie := chromiumtest.Eval[string](t, ctx, `document.cookie`); cookie != "" {
		t.Errorf("scripts can read %q", cookie)
	}
}

// shoot takes the page as a phone and as a desktop browser show it.
func shoot(t *testing.T, ctx context.Context, state string) {
	t.Helper()
	if screenshots() == "" {
		return
	}
	for name, size := range map[string][2]int64{"phone": {390, 844}, "desktop": {1440, 900}, "sideways": {844, 390}} {
		chromiumtest.Run(t, ctx, chromedp.EmulateViewport(size[0], size[1]), chromedp.Sleep(400*time.Millisecond))
		chromiumtest.Screenshot(t, ctx, screenshots(), state+"-"+name)
	}
}
