package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

// red is a film of nothing but that, 320x180 at 10 pictures a second.
func red(t *testing.T) (path string) {
	t.Helper()
	const width, height = 320, 180
	var b bytes.Buffer
	fmt.Fprintf(&b, "YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420jpeg\n", width, height)
	for range 10 {
		b.WriteString("FRAME\n")
		for _, plane := range []struct {
			value byte
			size  int
		}{{81, width * height}, {90, width * height / 4}, {240, width * height / 4}} {
			b.Write(bytes.Repeat([]byte{plane.value}, plane.size))
		}
	}
	path = filepath.Join(t.TempDir(), "red.y4m")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// isRed says whether the pixels of a picture, or of an image, are red all over.
const isRed = `((picture) => {
	const canvas = new OffscreenCanvas(32, 18), ctx = canvas.getContext("2d");
	ctx.drawImage(picture, 0, 0, 32, 18);
	const {data} = ctx.getImageData(0, 0, 32, 18);
	for (let i = 0; i < data.length; i += 4) if (data[i] < 150 || data[i + 1] > 100 || data[i + 2] > 100) return false;
	return true;
})`

// TestTwoConversations has two customers at once, each with a browser, on two pairs of
// glasses: each sees, hears, says and is sent what is of their own conversation only.
func TestTwoConversations(t *testing.T) {
	e := startTalkEndpoint(t)
	a := newTalking(t, e, "anna", 650, "--camera", "pattern:640x360@15")
	a.calls() // so that the other one rings elsewhere
	b := newTalking(t, e, "bert", 1500, "--camera", "y4m:"+red(t), "--loop")
	b.calls()
	if a.cid == b.cid {
		t.Fatalf("both are in %s", a.cid)
	}
	both := []*talking{a, b}
	for _, c := range both {
		c.accept()
	}
	for _, c := range both {
		c.speak()
	}
	for i, c := range both {
		c.hears(time.Time{})
		c.hearsNothingOf(both[1-i])
	}
	media := [2][]string{}
	for i, c := range both {
		media[i] = c.takes()
	}
	for i, c := range both {
		c.seesOnly(media[i], c == b)
		c.isShutOut(both[1-i])
	}
	a.leaves()
	b.seesAndSpeaks(time.Now())
	b.hears(time.Now())
	b.hearsNothingOf(a)
	b.seesOnly(media[1], true)
	b.leaves()
}

// hearsNothingOf compares what the advisor hears with the other customer's tones.
func (c *talking) hearsNothingOf(other *talking) {
	c.t.Helper()
	var own, foreign float64
	for _, frame := range c.frames(time.Time{}) {
		own, foreign = own+goertzel(frame, c.hertz), foreign+goertzel(frame, other.hertz)
	}
	c.t.Logf("figure: at the ear %.0f Hz is %.0f times as strong as the other customer's %.0f Hz", c.hertz, own/foreign, other.hertz)
	if own < 100*foreign {
		c.t.Errorf("the other customer is heard")
	}
}

// takes a photo, which comes up at once, and a clip.
func (c *talking) takes() (ids []string) {
	c.t.Helper()
	ids = append(ids, c.agent.photo("--show").ID)
	c.see(`document.querySelector("#popup img")?.naturalWidth > 0`)
	c.click("#popup button")
	ids = append(ids, c.agent.clip("start").ID)
	c.agent.capture(15)
	c.agent.clip("stop")
	return ids
}

// seesOnly waits until photo and clip are there, and looks at all pictures of the
// page, again and again.
func (c *talking) seesOnly(ids []string, wantRed bool) {
	c.t.Helper()
	c.agent.wait("all sent", func(s control.Status) bool { return s.Spool.Items == 0 && s.Recording.Clip == "" })
	c.see(fmt.Sprintf(`document.querySelectorAll("#items .tile").length === %d`, len(ids)))
	got := c.arrived()
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		c.t.Errorf("%q have arrived, want %q", got, ids)
	}
	c.see(`document.querySelector("#items img")?.naturalWidth > 0`)
	for range 20 {
		seen := chromiumtest.Eval[[]bool](c.t, c.page, `[document.getElementById("picture"), ...document.querySelectorAll("#items img")].map(`+isRed+`)`)
		if slices.Contains(seen, !wantRed) {
			c.t.Fatalf("the pictures are red: %v, want all %v", seen, wantRed)
		}
		wait(50 * time.Millisecond)
	}
}

// isShutOut asks with the page's cookies for what is the other's.
func (c *talking) isShutOut(other *talking) {
	c.t.Helper()
	for _, path := range []string{"/api/sessions/" + other.cid + "/media", "/api/conversations/" + other.cid, "/api/sessions/" + other.cid + "/events"} {
		if status := chromiumtest.Eval[int](c.t, c.page, `fetch("`+path+`").then(({status}) => status)`); status != 401 {
			c.t.Errorf("%s is answered with %d", path, status)
		}
	}
}
