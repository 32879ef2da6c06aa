package boardtest

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

const sampleRate = 48000

// TestSound plays a tone into the board's loopback: the tone that the microphone
// hears at its other end is the tone that the viewer decodes.
func TestSound(t *testing.T) {
	const hertz, seconds = 1000, 60
	r := board(t)
	tone := make([]int16, seconds*sampleRate)
	for i := range tone {
		tone[i] = int16(8000 * math.Sin(2*math.Pi*hertz*float64(i)/sampleRate))
	}
	if err := os.WriteFile(filepath.Join(r.share, "tone.raw"), pcm(tone), 0o644); err != nil {
		t.Fatal(err)
	}
	r.start("aplay", "-q", "-D", "hw:0,0,0", "-t", "raw", "-f", "S16_LE", "-r", "48000", "-c", "1", "/host/tone.raw")
	e := r.endpoint()
	r.agent(e, "--camera", "none", "--microphone", "hw:0,1", "--live")
	r.until("live", func(s status) bool { return s.State == "live" })
	v := r.watch(e)
	v.until("3 s of sound", func() bool { return len(v.sound) >= 300 })
	heard := v.listen()
	share := power(heard, hertz) / power(heard, 0)
	t.Logf("figure: tone's share of what is heard %.4f, over %.1f s", share, float64(len(heard))/sampleRate)
	if share < 0.9 {
		t.Errorf("%.3f of what is heard is the tone of %d Hz", share, hertz)
	}
}

// listen decodes the sound that has come, after its first half second, in which
// the decoder and the microphone's device settle.
func (v *viewer) listen() []int16 {
	v.r.Helper()
	v.mu.Lock()
	packets := v.sound
	v.mu.Unlock()
	var file bytes.Buffer
	ogg, err := oggwriter.NewWith(&file, sampleRate, 2)
	if err != nil {
		v.r.Fatal(err)
	}
	for _, p := range packets {
		if err := ogg.WriteRTP(p); err != nil {
			v.r.Fatal(err)
		}
	}
	if err := ogg.Close(); err != nil {
		v.r.Fatal(err)
	}
	raw := v.filter(file.Bytes(), "ffmpeg", "-v", "error", "-i", "-", "-ac", "1", "-ar", "48000", "-f", "s16le", "-")
	samples := make([]int16, len(raw)/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16([]byte(raw[2*i:])))
	}
	return samples[min(sampleRate/2, len(samples)):]
}

func pcm(samples []int16) []byte {
	var b []byte
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// power is the mean square of the samples, or with a frequency that of the sine of
// this frequency in them, block by block, so that a step in time costs one block.
func power(samples []int16, hertz float64) float64 {
	const block = sampleRate / 20
	sum := 0.0
	for start := 0; start+block <= len(samples); start += block {
		var re, im, all float64
		for i, s := range samples[start : start+block] {
			angle := 2 * math.Pi * hertz * float64(i) / sampleRate
			re += float64(s) * math.Cos(angle)
			im += float64(s) * math.Sin(angle)
			all += float64(s) * float64(s)
		}
		if hertz == 0 {
			sum += all / block
		} else {
			sum += 2 * (re*re + im*im) / (block * block)
		}
	}
	return sum
}

// TestBrowser shows the board's camera on the customer's page.
func TestBrowser(t *testing.T) {
	browser := chromiumtest.Start(t)
	r := board(t)
	e := r.endpoint()
	if err := chromedp.Run(browser, chromedp.Navigate(e.url+"/demo?measure")); err != nil {
		t.Fatal(err)
	}
	r.agent(e, "--config", r.config("camera: {size: 640x480, fps: 25}"), "--camera", "auto", "--microphone", "none", "--live")
	chromiumtest.WaitFor(t, browser, `brilStats.framesDecoded > 100`, patience)
	if w, h := chromiumtest.Eval[int](t, browser, `brilStats.width`), chromiumtest.Eval[int](t, browser, `brilStats.height`); w != 640 || h != 480 {
		t.Errorf("the page shows %dx%d", w, h)
	}
	chromiumtest.Screenshot(t, browser, os.Getenv("BRIL_SCREENSHOTS"), "board")
	begin, decoded := time.Now(), chromiumtest.Eval[int](t, browser, `brilStats.framesDecoded`)
	chromiumtest.WaitFor(t, browser, `brilStats.framesDecoded > 250`, patience)
	t.Logf("figure: board's camera in the browser %.1f frames a second", float64(250-decoded)/time.Since(begin).Seconds())
	if errs := chromiumtest.Eval[[]string](t, browser, `brilStats.errors`); len(errs) > 0 {
		t.Errorf("the page reports %q", errs)
	}
}

// config writes a configuration and returns its path in the guest.
func (r *rig) config(text string) string {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.share, "bril.yaml"), []byte(text+"\n"), 0o644); err != nil {
		r.Fatal(err)
	}
	return "/host/bril.yaml"
}
