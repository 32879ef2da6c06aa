package showroom

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bril-edge/bril/cmd/internal/porttest"
	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

func TestGallery(t *testing.T) {
	ctx := chromiumtest.Start(t)
	url := startServer(t, Config{DataDir: t.TempDir()})
	glasses := device{t, url, "anna"}
	a := startAgent(t)
	chromiumtest.Open(t, ctx, url+"/anna")
	chromiumtest.WaitFor(t, ctx, `brilStats.media.listed && !document.getElementById("taken").hidden`, patience)
	if !chromiumtest.Eval[bool](t, ctx, `document.getElementById("tray").hidden`) {
		t.Error("there is a tray of nothing")
	}
	shoot(t, ctx, "gallery-empty")
	a.publish(url + "/whip/anna")
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "live"`, patience)

	glasses.photo("testsrc2", false)
	chromiumtest.WaitFor(t, ctx, tiles(1), patience)
	chromiumtest.WaitFor(t, ctx, `document.querySelector("#items img").naturalWidth === 1280`, patience)
	clip := glasses.clip(false)
	chromiumtest.WaitFor(t, ctx, tiles(2)+` && document.querySelector("#items .length").textContent === "0:04"`, patience)
	if size := chromiumtest.Eval[int](t, ctx, `document.querySelector("#items canvas").width`); size == 0 {
		t.Error("the clip has no poster")
	}
	shoot(t, ctx, "gallery-tray")
	t.Run("a photo is shown", func(t *testing.T) { testPopup(t, ctx, device{t, url, "anna"}) })
	t.Run("a clip plays", func(t *testing.T) { testClip(t, ctx, clip) })
	t.Run("the dialog and the keyboard", func(t *testing.T) { testViewer(t, ctx) })
	t.Run("a popup takes the place of the dialog", func(t *testing.T) {
		glasses := device{t, url, "anna"}
		chromiumtest.Run(t, ctx, chromedp.Click("#items button"))
		chromiumtest.WaitFor(t, ctx, `document.getElementById("viewer").open`, patience)
		id := glasses.photo("mandelbrot", true)
		chromiumtest.WaitFor(t, ctx, popped(id)+` && !document.getElementById("viewer").open`, patience)
		chromiumtest.Run(t, ctx, chromedp.Click("#popup .shown"))
		chromiumtest.WaitFor(t, ctx, `document.getElementById("popup").hidden`, patience)
	})
	t.Run("nothing pops up again", func(t *testing.T) {
		chromiumtest.Run(t, ctx, chromedp.Reload())
		nothingPopsUp(t, ctx, device{t, url, "anna"})
	})
	t.Run("nor on a page that comes later", func(t *testing.T) {
		later := chromiumtest.Tab(t, ctx)
		chromiumtest.Open(t, later, url+"/anna")
		nothingPopsUp(t, later, device{t, url, "anna"})
	})
	t.Run("the conversation has ended", func(t *testing.T) {
		a.stop()
		chromiumtest.WaitFor(t, ctx, `brilStats.state === "waiting"`, patience)
		chromiumtest.WaitFor(t, ctx, `!document.getElementById("tray").hidden && document.querySelector("#items img").naturalWidth > 0`, patience)
		shoot(t, ctx, "gallery-ended")
	})
}

// tiles is true when the tray has so many.
func tiles(n int) string {
	return fmt.Sprintf(`document.querySelectorAll("#items li").length === %d && brilStats.media.items === %[1]d`, n)
}

// popped is true when the photo is on the screen, and its picture.
func popped(id string) string {
	return fmt.Sprintf(`document.body.dataset.popup === %q && document.querySelector("#popup img").naturalWidth > 0 && !document.getElementById("popup").hidden`, id)
}

func testPopup(t *testing.T, ctx context.Context, glasses device) {
	chromiumtest.Press(t, ctx, kb.Escape) // which has nothing to close
	begin := time.Now()
	id := glasses.photo("mandelbrot", true)
	stored := time.Now()
	chromiumtest.WaitFor(t, ctx, popped(id), patience)
	t.Logf("on the screen %v after the upload, which took %v", time.Since(stored), stored.Sub(begin))
	frames := chromiumtest.Eval[int](t, ctx, `brilStats.framesDecoded`)
	chromiumtest.WaitFor(t, ctx, fmt.Sprintf(`brilStats.framesDecoded > %d && brilStats.state === "live"`, frames+10), patience)
	// The live picture is small, and whole above the photo.
	chromiumtest.WaitFor(t, ctx, `(() => {
		const screen = document.querySelector(".screen").getBoundingClientRect();
		const live = document.getElementById("picture").getBoundingClientRect();
		const top = document.elementFromPoint(live.x + live.width / 2, live.y + live.height / 2);
		return live.width < screen.width / 2 && live.width > screen.width / 5 && live.right <= screen.right && top.id === "picture";
	})()`, patience)
	shoot(t, ctx, "gallery-popup")

	next := glasses.photo("testsrc2", true)
	chromiumtest.WaitFor(t, ctx, popped(next), patience)
	if n := chromiumtest.Eval[int](t, ctx, `document.querySelectorAll("#popup img").length`); n != 1 {
		t.Errorf("the popup has %d photos", n)
	}
	chromiumtest.Press(t, ctx, kb.Escape)
	chromiumtest.WaitFor(t, ctx, `document.getElementById("popup").hidden && !("popup" in document.body.dataset)`, patience)
	chromiumtest.WaitFor(t, ctx, tiles(4), patience)
}

func testClip(t *testing.T, ctx context.Context, clip string) {
	tile := `#items li:has(canvas) button`
	chromiumtest.Run(t, ctx, chromedp.Focus(tile))
	chromiumtest.Press(t, ctx, kb.Enter)
	const video = `document.querySelector("#viewer video")`
	chromiumtest.WaitFor(t, ctx, fmt.Sprintf(`%s?.currentTime > 0.2 && %[1]s.controls && %[1]s.src.includes(%q)`, video, clip), patience)
	shoot(t, ctx, "gallery-clip")
	got := chromiumtest.Eval[[]float64](t, ctx, `(async () => {
		const video = `+video+`;
		video.pause();
		const done = new Promise((resolve) => video.addEventListener("seeked", resolve, {once: true}));
		video.currentTime = 3;
		await done;
		return [video.currentTime, video.seekable.end(0), video.duration, video.videoWidth];
	})()`)
	if got[0] != 3 || got[1] < 3.9 || got[2] < 3.9 || got[2] > 4.2 || got[3] != 640 {
		t.Errorf("position, seekable, duration and width are %v", got)
	}
	chromiumtest.Eval[bool](t, ctx, `Boolean(window.seen = `+video+`)`)
	chromiumtest.Press(t, ctx, kb.Escape)
	chromiumtest.WaitFor(t, ctx, `!document.getElementById("viewer").open && !`+video, patience)
	// The browser gives its decoder back when it gets to it.
	chromiumtest.WaitFor(t, ctx, `seen.networkState === HTMLMediaElement.NETWORK_EMPTY`, patience)
	if !chromiumtest.Eval[bool](t, ctx, fmt.Sprintf(`document.activeElement === document.querySelector(%q)`, tile)) {
		t.Error("the focus did not return to the clip")
	}
}

func testViewer(t *testing.T, ctx context.Context) {
	place := func(want string) {
		t.Helper()
		chromiumtest.WaitFor(t, ctx, fmt.Sprintf(`document.querySelector("[data-part=place]").textContent === %q`, want), patience)
	}
	chromiumtest.Run(t, ctx, chromedp.Focus("#items li:first-child button"))
	chromiumtest.Press(t, ctx, kb.Enter)
	place("1 of 4")
	chromiumtest.WaitFor(t, ctx, `document.querySelector("#viewer img")?.naturalWidth > 0`, patience)
	shoot(t, ctx, "gallery-dialog")
	chromiumtest.Press(t, ctx, kb.ArrowLeft) // there is none
	place("1 of 4")
	chromiumtest.Press(t, ctx, kb.ArrowRight)
	place("2 of 4")
	swipe(t, ctx, 300, 100)
	place("3 of 4")
	swipe(t, ctx, 100, 300)
	place("2 of 4")
	for range 8 {
		chromiumtest.Press(t, ctx, kb.Tab)
		if !chromiumtest.Eval[bool](t, ctx, `document.activeElement === document.body || document.getElementById("viewer").contains(document.activeElement)`) {
			t.Fatal("the focus left the dialog")
		}
	}
	save := chromiumtest.Eval[[]string](t, ctx, `[document.querySelector("[data-part=save]").download, document.querySelector("#viewer img").alt]`)
	if !strings.HasPrefix(save[0], "bril-photo-20") || !strings.HasSuffix(save[0], ".jpg") || !strings.HasPrefix(save[1], "Photo, ") {
		t.Errorf("the photo is saved as %q and called %q", save[0], save[1])
	}
	chromiumtest.Press(t, ctx, kb.Escape)
	chromiumtest.WaitFor(t, ctx, `!document.getElementById("viewer").open`, patience)
}

// nothingPopsUp adds an ordinary photo, whose news come after any others.
func nothingPopsUp(t *testing.T, ctx context.Context, glasses device) {
	t.Helper()
	chromiumtest.WaitFor(t, ctx, `window.brilStats?.media.listed && brilStats.media.items > 0`, patience)
	before := chromiumtest.Eval[int](t, ctx, `brilStats.media.items`)
	glasses.photo("testsrc2", false)
	chromiumtest.WaitFor(t, ctx, tiles(before+1), patience)
	if shown := chromiumtest.Eval[[]string](t, ctx, `brilStats.media.shown`); len(shown) > 0 {
		t.Errorf("%q popped up", shown)
	}
}

// A page that lost the server for a moment shows what it missed, and only that.
func TestGalleryAfterAnInterruption(t *testing.T) {
	ctx := chromiumtest.Start(t)
	address, dir := porttest.Address(t), t.TempDir()
	server := func(listen string) (url string, stop func()) {
		s, err := New(Config{Listen: listen, DataDir: dir})
		check(t, err)
		return runUntil(t, s)
	}
	url, stop := server(address)
	device{t, url, "anna"}.photo("testsrc2", true)
	chromiumtest.Open(t, ctx, url+"/anna")
	chromiumtest.WaitFor(t, ctx, tiles(1), patience)
	stop()
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "offline"`, patience)
	elsewhere, stop := server("127.0.0.1:0")
	missed := device{t, elsewhere, "anna"}.photo("mandelbrot", true)
	device{t, elsewhere, "anna"}.photo("testsrc2", false)
	stop()
	_, stop = server(address)
	defer stop()
	chromiumtest.WaitFor(t, ctx, popped(missed)+" && "+tiles(3), patience)
	if shown := chromiumtest.Eval[[]string](t, ctx, `brilStats.media.shown`); len(shown) != 1 {
		t.Errorf("%q popped up", shown)
	}
}

func TestGalleryWithAnAccessKey(t *testing.T) {
	ctx := chromiumtest.Start(t)
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir(), RequireKey: true})
	check(t, err)
	url := runServer(t, s)
	device{t, url, "anna"}.photo("testsrc2", false)
	chromiumtest.Open(t, ctx, url+"/anna")
	chromiumtest.WaitFor(t, ctx, `brilStats.state === "locked"`, patience)
	chromiumtest.Open(t, ctx, "about:blank")
	chromiumtest.Run(t, ctx, chromedp.ActionFunc(keepTimers))
	chromiumtest.Open(t, ctx, s.Link(url, "anna"))
	chromiumtest.WaitFor(t, ctx, `document.querySelector("#items img")?.naturalWidth > 0`, patience)

	// Hours later the cookie is gone.
	chromiumtest.Run(t, ctx, network.ClearBrowserCookies())
	got := chromiumtest.Eval[[]float64](t, ctx, `(async () => {
		const list = async () => (await fetch("/api/sessions/anna/media")).status;
		const before = await list();
		await timers[0].what();
		return [timers.length, timers[0].every, before, await list()];
	})()`)
	if want := []float64{1, 4 * time.Hour.Seconds() * 1000, http.StatusUnauthorized, http.StatusOK}; !slices.Equal(got, want) || 2*4*time.Hour > cookieExpiry {
		t.Errorf("timers, their ms, status before and after: %v, want %v", got, want)
	}
}

// keepTimers keeps what pages do every few hours, instead of doing it.
func keepTimers(ctx context.Context) error {
	_, err := page.AddScriptToEvaluateOnNewDocument(`
		const set = setInterval;
		window.timers = [];
		window.setInterval = (what, every) => every > 3600e3 ? timers.push({what, every}) : set(what, every);
	`).Do(ctx)
	return err
}

// swipe moves a finger across the dialog.
func swipe(t *testing.T, ctx context.Context, from, to float64) {
	t.Helper()
	at := func(x float64) []*input.TouchPoint { return []*input.TouchPoint{{X: x, Y: 200}} }
	check(t, chromedp.Run(ctx,
		input.DispatchTouchEvent(input.TouchStart, at(from)),
		input.DispatchTouchEvent(input.TouchMove, at((from+to)/2)),
		input.DispatchTouchEvent(input.TouchMove, at(to)),
		input.DispatchTouchEvent(input.TouchEnd, []*input.TouchPoint{}),
	))
}

// device uploads as glasses do.
type device struct {
	t    *testing.T
	url  string
	name string
}

// photo uploads a photo of one of ffmpeg's sources and returns its ID.
func (d device) photo(source string, show bool) string {
	d.t.Helper()
	return d.upload("photo", "image/jpeg", show, d.make("photo.jpg", "-f", "lavfi", "-i", source+"=size=1280x720", "-frames:v", "1", "-q:v", "3"))
}

// clip uploads 4 s of H.264 in fragments.
func (d device) clip(show bool) string {
	d.t.Helper()
	return d.upload("clip", "video/mp4", show, d.make("clip.mp4", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-t", "4",
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "30", "-pix_fmt", "yuv420p", "-movflags", "frag_keyframe+empty_moov+default_base_moof"))
}

func (d device) make(name string, arguments ...string) []byte {
	d.t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil && os.Getenv("CI") == "true" {
		d.t.Fatal("ffmpeg is missing: apt-get install ffmpeg")
	} else if err != nil {
		d.t.Skip("ffmpeg is missing, the gallery is not tested: apt-get install ffmpeg")
	}
	path := filepath.Join(d.t.TempDir(), name)
	command := exec.CommandContext(d.t.Context(), ffmpeg, append(append([]string{"-v", "error"}, arguments...), path)...)
	if out, err := command.CombinedOutput(); err != nil {
		d.t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	data, err := os.ReadFile(path)
	check(d.t, err)
	return data
}

// upload returns the item's ID once it is stored.
func (d device) upload(kind, contentType string, show bool, file []byte) string {
	d.t.Helper()
	id := strings.ToLower(rand.Text())
	line, err := json.Marshal(map[string]any{
		"schema_version": 1, "id": id, "kind": kind, "session": d.name, "taken_at": time.Now().UTC(), "clock": "confirmed",
		"show": show, "content_type": contentType,
	})
	check(d.t, err)
	sealed := d.seal(append(append(line, '\n'), file...))
	sum := sha256.Sum256(sealed)
	var metadata []string
	for _, pair := range [][2]string{{"id", id}, {"sha256", hex.EncodeToString(sum[:])}, {"state", "ready"}, {"audit", strings.Repeat("0", 64)}} {
		metadata = append(metadata, pair[0]+" "+base64.StdEncoding.EncodeToString([]byte(pair[1])))
	}
	d.must(http.StatusCreated, http.MethodPost, "", "", "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(len(sealed)), "Upload-Metadata", strings.Join(metadata, ","))
	d.must(http.StatusNoContent, http.MethodPatch, id, string(sealed), "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		answer, text := request(d.t, http.MethodGet, d.url+"/api/uploads/"+id+"/receipt", "")
		if answer.StatusCode == http.StatusOK {
			return id
		}
		if answer.StatusCode != http.StatusAccepted {
			d.t.Fatalf("receipt: %d %s", answer.StatusCode, text)
		}
	}
	d.t.Fatal("the upload was not stored")
	return ""
}

func (d device) must(status int, method, path, body string, header ...string) {
	d.t.Helper()
	if answer, text := request(d.t, method, d.url+"/api/uploads/"+path, body, header...); answer.StatusCode != status {
		d.t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
}

// seal encrypts to the server's recipient.
func (d device) seal(plain []byte) []byte {
	d.t.Helper()
	_, text := request(d.t, http.MethodGet, d.url+"/.well-known/bril", "")
	var known wellKnownAnswer
	check(d.t, json.Unmarshal([]byte(text), &known))
	recipient, err := age.ParseX25519Recipient(known.Recipient)
	check(d.t, err)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	check(d.t, err)
	_, err = w.Write(plain)
	check(d.t, err)
	check(d.t, w.Close())
	return out.Bytes()
}
