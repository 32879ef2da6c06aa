package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

// What a picture that came through must reach, in dB, beside the source's own.
// It has 48 and 57 at 2.5 Mb/s; swapped colours and a picture that is off by
// two pixels have less, which the test shows.
const (
	goodLuma   = 38
	goodChroma = 45
)

// TestFootage sends real pictures and speech to a browser: the film as Y4M on
// standard input, in real time, its speech from a WAV.
func TestFootage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 25 s")
	}
	needFootage(t)
	browser := chromiumtest.Start(t)
	speech := filepath.Join(t.TempDir(), "speech.wav")
	ffmpeg(t, nil, "-i", footage, "-vn", "-ac", "1", "-ar", "48000", "-c:a", "pcm_s16le", speech)
	e := startEndpoint(t)
	if err := chromedp.Run(browser, chromedp.Navigate(e.url("/demo?measure"))); err != nil {
		t.Fatal(err)
	}
	startAgentWith(t, playFootage(t), e.url("/whip/demo"), "--camera", "y4m:-", "--microphone", "wav:"+speech, "--loop", "--live")
	chromiumtest.WaitFor(t, browser, `brilStats.state === "live"`, patience)
	if size := chromiumtest.Eval[[]int](t, browser, `[brilStats.width, brilStats.height]`); !slices.Equal(size, []int{footageWidth, footageHeight}) {
		t.Errorf("the picture is %v", size)
	}
	if err := chromedp.Run(browser, chromedp.Click("#sound")); err != nil {
		t.Fatal(err)
	}
	chromiumtest.Eval[bool](t, browser, recordSound)
	checkFootage(t, grab(t, browser, 6))
	chromiumtest.WaitFor(t, browser, fmt.Sprintf(`heard.length >= %d`, 8*blocksASecond), patience)
	checkSpeech(t, speech, chromiumtest.Eval[[]float64](t, browser, `heard`))
	packets := chromiumtest.Eval[int](t, browser, `brilStats.pc.getStats().then((all) =>
		[...all.values()].find((s) => s.type === "inbound-rtp" && s.kind === "audio").packetsReceived)`)
	t.Logf("%d packets of sound arrived", packets)
	if packets < 8*50 {
		t.Errorf("that is too little")
	}
}

// playFootage returns a pipe into which ffmpeg writes the film as a camera would,
// over and over, until the test ends.
func playFootage(t *testing.T) *os.File {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", footage,
		"-an", "-r", fmt.Sprint(footageFPS), "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "pipe:1")
	cmd.Stdout = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		out.Close()
		_ = cmd.Process.Kill() // it may have met the closed pipe
		_ = cmd.Wait()         // as above
	})
	return out
}

// grab takes n pictures, about a second apart, as the page shows them.
func grab(t *testing.T, browser context.Context, n int) []yuv {
	t.Helper()
	var pictures []yuv
	for range n {
		next := chromiumtest.Eval[float64](t, browser, `brilStats.framesDecoded`) + footageFPS*7/10
		chromiumtest.WaitFor(t, browser, fmt.Sprintf(`brilStats.framesDecoded > %v`, next), patience)
		url := chromiumtest.Eval[string](t, browser, `(() => {
			const video = document.getElementById("picture");
			const canvas = document.createElement("canvas");
			[canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
			canvas.getContext("2d").drawImage(video, 0, 0);
			return canvas.toDataURL("image/png");
		})()`)
		data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(url, "data:image/png;base64,"))
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if got := decoded.Bounds().Size(); got != image.Pt(footageWidth, footageHeight) {
			t.Fatalf("the picture is %v", got)
		}
		pictures = append(pictures, toYUV(decoded))
	}
	return pictures
}

// checkFootage finds each picture in the film and compares it with the film's own.
func checkFootage(t *testing.T, pictures []yuv) {
	t.Helper()
	small := smallFootage(t)
	found := map[int]bool{}
	for _, p := range pictures {
		i := closest(small, shrink(p.y))
		source := filmPicture(t, i)
		y, u, v := psnr(p.y, source.y), psnr(p.u, source.u), psnr(p.v, source.v)
		swapped, off := max(psnr(p.u, source.v), psnr(p.v, source.u)), psnr(p.y[2:], source.y[:len(source.y)-2])
		t.Logf("picture %3d of the film: luma %.1f dB, chroma %.1f and %.1f; chroma swapped would be %.1f, two pixels off %.1f", i, y, u, v, swapped, off)
		if y < goodLuma || u < goodChroma || v < goodChroma {
			t.Errorf("that is another picture")
		}
		if swapped >= goodChroma || off >= goodLuma {
			t.Errorf("this picture could not tell a wrong one")
		}
		found[i] = true
	}
	if len(found) < len(pictures)-1 {
		t.Errorf("%d pictures are %d of the film", len(pictures), len(found))
	}
}

// yuv is a picture in limited range, its chroma of half the width and height.
type yuv struct{ y, u, v []byte }

// toYUV turns what a browser made of a picture back, by ITU-R BT.601: what a
// decoder takes for a stream that does not say otherwise.
func toYUV(m image.Image) yuv {
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	out := yuv{make([]byte, w*h), make([]byte, w*h/4), make([]byte, w*h/4)}
	u, v := make([]float64, w*h/4), make([]float64, w*h/4)
	for y := range h {
		for x := range w {
			r16, g16, b16, _ := m.At(x, y).RGBA()
			r, g, b := float64(r16>>8), float64(g16>>8), float64(b16>>8)
			luma := kr*r + (1-kr-kb)*g + kb*b
			out.y[y*w+x] = byte(math.Round(16 + luma*219/255))
			i := y/2*(w/2) + x/2
			u[i] += (b - luma) / (2 * (1 - kb)) * 224 / 255 / 4
			v[i] += (r - luma) / (2 * (1 - kr)) * 224 / 255 / 4
		}
	}
	for i := range u {
		out.u[i], out.v[i] = byte(math.Round(128+u[i])), byte(math.Round(128+v[i]))
	}
	return out
}

// The shares of red and blue in BT.601's luma.
const kr, kb = 0.299, 0.114

// How much smaller the pictures are by which the film is searched.
const shrunk = 8

func shrink(luma []byte) []byte {
	w := footageWidth / shrunk
	sums := make([]int, len(luma)/shrunk/shrunk)
	for i, y := range luma {
		sums[i/footageWidth/shrunk*w+i%footageWidth/shrunk] += int(y)
	}
	out := make([]byte, len(sums))
	for i, sum := range sums {
		out[i] = byte(sum / shrunk / shrunk)
	}
	return out
}

// smallFootage returns the luma of each of the film's pictures, small.
func smallFootage(t *testing.T) [][]byte {
	t.Helper()
	w, h := footageWidth/shrunk, footageHeight/shrunk
	raw := ffmpeg(t, nil, "-i", footage, "-an", "-vf", fmt.Sprintf("scale=%d:%d:flags=area", w, h), "-fps_mode", "passthrough",
		"-f", "rawvideo", "-pix_fmt", "gray", "pipe:1")
	var list [][]byte
	for ; len(raw) >= w*h; raw = raw[w*h:] {
		list = append(list, raw[:w*h])
	}
	return list
}

// filmPicture returns one picture of the film.
func filmPicture(t *testing.T, n int) yuv {
	t.Helper()
	raw := ffmpeg(t, nil, "-i", footage, "-an", "-vf", fmt.Sprintf(`select=eq(n\,%d)`, n), "-frames:v", "1", "-fps_mode", "passthrough",
		"-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1")
	size := footageWidth * footageHeight
	if len(raw) != size*3/2 {
		t.Fatalf("picture %d of the film has %d bytes", n, len(raw))
	}
	return yuv{raw[:size], raw[size : size*5/4], raw[size*5/4:]}
}

func closest(list [][]byte, want []byte) int {
	best, at := math.Inf(-1), 0
	for i, one := range list {
		if score := psnr(one, want); score > best {
			best, at = score, i
		}
	}
	return at
}

// psnr is in dB; 99 for equal pictures.
func psnr(a, b []byte) float64 {
	sum := 0
	for i := range a {
		d := int(a[i]) - int(b[i])
		sum += d * d
	}
	if sum == 0 {
		return 99
	}
	return 10 * math.Log10(255*255*float64(len(a))/float64(sum))
}

// blocksASecond is how often the sound's level is taken.
const blocksASecond = 50

// recordSound notes the level of what the browser plays, block by block, in heard.
const recordSound = `(() => {
	window.heard = [];
	const track = document.getElementById("picture").srcObject.getAudioTracks()[0].clone();
	const reader = new MediaStreamTrackProcessor({track, maxBufferSize: 1000}).readable.getReader();
	let sum = 0, filled = 0;
	(async () => {
		for (;;) {
			const {value: sound, done} = await reader.read();
			if (done) return;
			const samples = new Float32Array(sound.numberOfFrames);
			sound.copyTo(samples, {planeIndex: 0, format: "f32-planar"});
			const size = sound.sampleRate / 50;
			sound.close();
			for (const sample of samples) {
				sum += sample * sample;
				if (++filled < size) continue;
				heard.push(Math.sqrt(sum / filled));
				sum = filled = 0;
			}
		}
	})();
	return true;
})()`

// checkSpeech compares the loudness of what was heard with that of the WAV, whose
// end is followed by its beginning.
func checkSpeech(t *testing.T, path string, heard []float64) {
	t.Helper()
	pcm := ffmpeg(t, nil, "-i", path, "-f", "s16le", "-ac", "1", "-ar", "48000", "pipe:1")
	const size = 48000 / blocksASecond
	var spoken []float64
	for ; len(pcm) >= 2*size; pcm = pcm[2*size:] {
		sum := 0.0
		for i := range size {
			v := float64(int16(uint16(pcm[2*i])|uint16(pcm[2*i+1])<<8)) / 32768
			sum += v * v
		}
		spoken = append(spoken, math.Sqrt(sum/size))
	}
	heard = heard[:8*blocksASecond]
	best, at := alignment(heard, spoken, 0, len(spoken))
	other := correlation(heard, rotate(spoken, at+blocksASecond))
	// A browser's jitter buffer stretches and shortens sound to its liking, the
	// more the busier the machine: two seconds at a time may be off by half a one.
	const window, slack = 2 * blocksASecond, blocksASecond / 2
	var parts []float64
	for from := 0; from+window <= len(heard); from += window {
		r, _ := alignment(heard[from:from+window], spoken, at+from-slack+len(spoken), 2*slack)
		parts = append(parts, r)
	}
	t.Logf("speech: correlation %.3f at %v into the film, %.3f a second later; by two seconds %.3f",
		best, time.Duration(at)*time.Second/blocksASecond, other, parts)
	slices.Sort(parts)
	if parts[len(parts)/2] < 0.9 || best < other+0.3 {
		t.Errorf("that is not the film's speech")
	}
}

// alignment returns the best correlation of heard with the film from some place
// on, and that place, among n places.
func alignment(heard, spoken []float64, from, n int) (best float64, at int) {
	for lag := from; lag < from+n; lag++ {
		if r := correlation(heard, rotate(spoken, lag)); r > best {
			best, at = r, lag%len(spoken)
		}
	}
	return best, at
}

func rotate(list []float64, by int) []float64 {
	by %= len(list)
	return append(slices.Clone(list[by:]), list[:by]...)
}

// correlation is Pearson's, of as many values as both have.
func correlation(a, b []float64) float64 {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	average := func(list []float64) (sum float64) {
		for _, v := range list {
			sum += v / float64(n)
		}
		return sum
	}
	ma, mb := average(a), average(b)
	var ab, aa, bb float64
	for i := range a {
		ab += (a[i] - ma) * (b[i] - mb)
		aa += (a[i] - ma) * (a[i] - ma)
		bb += (b[i] - mb) * (b[i] - mb)
	}
	return ab / math.Sqrt(aa*bb+1e-12)
}
