package e2e

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/pattern"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
	"github.com/bril-edge/bril/encoder/h264"
)

// What the pattern of these tests measures, small so that decoding it is quick.
const (
	pauseWidth, pauseHeight = 640, 360
	black                   = 24 // above it a mean luma is not black; black is 16
)

// pressed is a button and the time that its command took.
type pressed struct{ before, after time.Time }

func (a *agent) press(action control.Action, want string) pressed {
	a.t.Helper()
	p := pressed{before: time.Now()}
	state, err := a.client.Live(a.t.Context(), action)
	p.after = time.Now()
	if err != nil || state != want {
		a.t.Fatalf("live %s: %s, %v", action, state, err)
	}
	return p
}

// TestPause presses pause while a viewer and the page are watching. Nothing that
// was captured after the press arrives: black does, from a key frame on, and
// silence, until the advisor goes on.
func TestPause(t *testing.T) {
	needFFmpeg(t)
	browser := chromiumtest.Start(t)
	e := startEndpoint(t)
	if err := chromedp.Run(browser, chromedp.Navigate(e.url("/demo"))); err != nil {
		t.Fatal(err)
	}
	a := startAgent(t, e.url("/whip/demo"), "--camera", "pattern:640x360@30", "--microphone", "tone", "--live")
	a.waitLive()
	w, _ := watch(t, e.url("/whep/demo"))
	chromiumtest.WaitFor(t, browser, `brilStats.state === "live"`, patience)
	chromiumtest.WaitFor(t, browser, meanLuma+` > 60`, patience)
	w.morePictures(30)

	off := a.press(control.Pause, "paused")
	chromiumtest.WaitFor(t, browser, meanLuma+` < 24`, patience)
	w.morePictures(8) // more than a second of black
	silent := len(w.soundNow())
	w.until("a second of silence", func(_ []picture, s []*rtp.Packet) bool { return len(s) >= silent+50 })

	on := a.press(control.On, "live")
	w.morePictures(30)
	chromiumtest.WaitFor(t, browser, meanLuma+` > 60`, patience)

	pictures, sound, lost := w.seen()
	if lost != 0 {
		t.Errorf("%d packets were lost", lost)
	}
	checkPictures(t, pictures, off, on)
	checkSilence(t, sound[:silent], sound[silent:silent+50])
	if s := a.status(); len(s.Errors) > 0 {
		t.Errorf("the agent has problems: %+v", s.Errors)
	}
}

// meanLuma is the brightness of what the page shows.
const meanLuma = `(() => {
	const video = document.getElementById("picture");
	const canvas = new OffscreenCanvas(64, 36), c = canvas.getContext("2d");
	c.drawImage(video, 0, 0, 64, 36);
	const {data} = c.getImageData(0, 0, 64, 36);
	let sum = 0;
	for (let i = 0; i < data.length; i += 4) sum += (data[i] + data[i + 1] + data[i + 2]) / 3;
	return sum / (data.length / 4);
})()`

func (w *watcher) soundNow() []*rtp.Packet {
	_, sound, _ := w.seen()
	return sound
}

// decode returns the luma of each picture.
func decode(t *testing.T, pictures []picture, width, height int) [][]byte {
	t.Helper()
	raw := ffmpeg(t, annexB(pictures), "-f", "h264", "-i", "pipe:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1")
	size := width * height
	if len(raw) != size*len(pictures) {
		t.Fatalf("%d pictures give %d bytes, not %d of %dx%d", len(pictures), len(raw), len(pictures), width, height)
	}
	var luma [][]byte
	for ; len(raw) > 0; raw = raw[size:] {
		luma = append(luma, raw[:size])
	}
	return luma
}

func mean(luma []byte) float64 {
	sum := 0
	for _, y := range luma {
		sum += int(y)
	}
	return float64(sum) / float64(len(luma))
}

// checkPictures looks at every picture: it is black, or says when it was drawn.
func checkPictures(t *testing.T, pictures []picture, off, on pressed) {
	t.Helper()
	on.before = on.before.Truncate(time.Millisecond) // as timecodes are
	firstBlack, blacks, after := -1, 0, 0
	for i, luma := range decode(t, pictures, pauseWidth, pauseHeight) {
		made, ok := pattern.ReadTimecode(luma, pauseWidth, pauseWidth, pauseHeight)
		switch {
		case ok && !made.Before(off.after) && made.Before(on.before):
			t.Errorf("picture %d was drawn %v after the press, and arrived", i, made.Sub(off.after))
		case ok && !made.Before(on.before):
			if after++; after == 1 && !pictures[i].key() {
				t.Errorf("after the pause the first picture is not a key frame")
			}
		case ok:
			if firstBlack >= 0 {
				t.Errorf("picture %d, drawn %v before the press, came after black", i, off.before.Sub(made))
			}
		case mean(luma) > black:
			t.Errorf("picture %d is neither black nor of the pattern: mean luma %.0f", i, mean(luma))
		default:
			if blacks++; firstBlack < 0 {
				firstBlack = i
			}
		}
	}
	if blacks < 5 || after < 10 {
		t.Fatalf("%d black pictures, %d after the pause", blacks, after)
	}
	checkKey(t, pictures[firstBlack])
	t.Logf("figure: pause to black at a viewer %.1f ms", float64(pictures[firstBlack].first.Sub(off.before).Microseconds())/1000)
}

// checkKey wants a picture that a decoder can start with.
func checkKey(t *testing.T, p picture) {
	t.Helper()
	if c := h264.Inspect(p.data); !c.IDR || !c.SPS || !c.PPS {
		t.Errorf("black does not begin with a complete key frame: %+v", c)
	}
}

// checkSilence decodes the sound of before and within the pause.
func checkSilence(t *testing.T, before, within []*rtp.Packet) {
	t.Helper()
	if loud := level(t, before[:min(len(before), 50)]); loud < -40 {
		t.Errorf("before the pause the tone has %.0f dB only", loud)
	}
	if quiet := level(t, within); quiet > -80 {
		t.Errorf("in the pause there is sound of %.0f dB", quiet)
	}
}

// level decodes sound and returns its RMS in dB below full scale.
func level(t *testing.T, packets []*rtp.Packet) float64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sound.ogg")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	ogg, err := oggwriter.NewWith(f, 48000, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		if err := ogg.WriteRTP(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := ogg.Close(); err != nil {
		t.Fatal(err)
	}
	pcm := ffmpeg(t, nil, "-i", path, "-f", "s16le", "-ac", "1", "pipe:1")
	sum, n := 0.0, 0
	for ; len(pcm) >= 2; pcm, n = pcm[2:], n+1 {
		v := float64(int16(uint16(pcm[0])|uint16(pcm[1])<<8)) / 32768
		sum += v * v
	}
	if skip := 3840; n+skip < len(packets)*capture.ChunkSamples { // what the Ogg tells the decoder to leave out
		t.Fatalf("%d packets give %d samples", len(packets), n)
	}
	return 10 * math.Log10(sum/float64(n)+1e-12)
}

// TestPausePassedThrough pauses a film that is passed through: black of ours, of
// the film's size, and then the film again from one of its key frames.
func TestPausePassedThrough(t *testing.T) {
	f := makeFilm(t)
	e := startEndpoint(t)
	a := startAgent(t, e.url("/whip/demo"), "--camera", "mp4:"+f.mp4, "--microphone", "opus:"+f.opus, "--loop", "--live")
	a.waitLive()
	w, _ := watch(t, e.url("/whep/demo"))
	w.morePictures(30)
	off := a.press(control.Pause, "paused")
	atPress, _, _ := w.seen()
	w.morePictures(8)
	silent := len(w.soundNow())
	w.until("half a second of silence", func(_ []picture, s []*rtp.Packet) bool { return len(s) >= silent+50 })
	a.press(control.On, "live")
	w.morePictures(30)
	pictures, sound, _ := w.seen()
	if quiet := level(t, sound[silent:silent+50]); quiet > -80 {
		t.Errorf("in the pause there is sound of %.0f dB", quiet)
	}

	data, err := os.ReadFile(f.h264)
	if err != nil {
		t.Fatal(err)
	}
	film := picture{data: data}.slices()
	ofFilm := func(p picture) bool { return indexOf(film, p.slices()[0]) >= 0 }
	luma := decode(t, pictures, footageWidth, footageHeight)
	first := len(pictures)
	for i, p := range pictures {
		if !ofFilm(p) {
			first = i
			break
		}
	}
	if late := first - len(atPress); first == len(pictures) || late > 1 {
		t.Fatalf("%d pictures of the film came after the press", late)
	}
	checkKey(t, pictures[first])
	t.Logf("figure: pause of a file to black at a viewer %.1f ms", float64(pictures[first].first.Sub(off.before).Microseconds())/1000)
	i := first
	for ; i < len(pictures) && !ofFilm(pictures[i]); i++ {
		if got := mean(luma[i]); got > black {
			t.Errorf("picture %d of the pause has a mean luma of %.0f", i, got)
		}
	}
	if i-first < 5 || i == len(pictures) || !pictures[i].key() {
		t.Fatalf("the film goes on at picture %d of %d, after %d black ones", i, len(pictures), i-first)
	}
	compareSlices(t, film, pictures[i:])
}
