package e2e

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
	"github.com/bril-edge/bril/hardware/speaker/speakertest"
)

// spoken is a sentence and a pause, of 48 kHz and mono.
type spoken struct {
	file    string
	samples []int16 // of the sentence
}

// pauseBefore is what tells one sentence from the next.
const pauseBefore = 700 * time.Millisecond

func speech(t *testing.T) spoken {
	t.Helper()
	for _, program := range []string{"espeak-ng", "ffmpeg"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program, "apt-get install espeak-ng ffmpeg")
		}
	}
	dir := t.TempDir()
	s := spoken{file: filepath.Join(dir, "said.wav")}
	raw := filepath.Join(dir, "sentence.raw")
	for _, args := range [][]string{
		{"espeak-ng", "-v", "nl", "-s", "150", "-w", filepath.Join(dir, "sentence.wav"), "Kunt u mij de kofferbak laten zien?"},
		{"ffmpeg", "-loglevel", "error", "-i", filepath.Join(dir, "sentence.wav"), "-f", "s16le", "-ar", "48000", "-ac", "1", raw},
		{"ffmpeg", "-loglevel", "error", "-i", filepath.Join(dir, "sentence.wav"), "-af", "apad=pad_dur=1.2", "-ar", "48000", "-ac", "1", s.file},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
	data, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	for ; len(data) > 1; data = data[2:] {
		s.samples = append(s.samples, int16(binary.LittleEndian.Uint16(data)))
	}
	return s
}

// asMicrophone has a browser hear it, again and again, without asking its user.
func (s spoken) asMicrophone() []chromedp.ExecAllocatorOption {
	return []chromedp.ExecAllocatorOption{
		chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-audio-capture", s.file),
		chromedp.Flag("autoplay-policy", "user-gesture-required"), // as customers' browsers have it
	}
}

// noteWhenSpoken has pages note in spokenAt when a sentence begins in the microphone,
// in ms of Unix time. What they see of it is a few milliseconds late.
func (spoken) noteWhenSpoken() chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(`
			window.spokenAt = [];
			if (navigator.mediaDevices) {
				const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
				navigator.mediaDevices.getUserMedia = async (wanted) => {
					const stream = await ask(wanted);
					const audio = new AudioContext(), meter = audio.createAnalyser(), samples = new Float32Array(256);
					meter.fftSize = samples.length;
					audio.createMediaStreamSource(stream).connect(meter);
					let loudAt = performance.now();
					setInterval(() => {
						meter.getFloatTimeDomainData(samples);
						if (!samples.some((s) => Math.abs(s) > 0.03)) return;
						const now = performance.now();
						if (now - loudAt > 700) spokenAt.push(performance.timeOrigin + now);
						loudAt = now;
					}, 4);
					return stream;
				};
			}`).Do(ctx)
		return err
	})
}

// talk has the customer speak, and compares what is heard with it.
func (s *story) talk() {
	s.t.Helper()
	s.click("#microphone")
	s.agent.wait("hearing the customer", func(c control.Status) bool {
		return c.Talkback != nil && c.Talkback.State == "hearing" && c.Call.Customer.Microphone
	})
	s.look("speaking")
	s.see(`spokenAt.length >= 4`)
	wait(time.Second) // until the last one has been heard
	heard := s.ear.Heard(s.t)
	s.click("#microphone")
	s.agent.wait("told that the microphone is off", func(c control.Status) bool { return !c.Call.Customer.Microphone })
	took := delays(chromiumtest.Eval[[]float64](s.t, s.phone, `spokenAt`), heard)
	if len(took) < 3 {
		s.t.Fatalf("of four sentences %d were heard", len(took))
	}
	report(s.t, took, "mouth to ear", 5_000)
	likeness := s.said.likeness(heard)
	s.t.Logf("figure: what the advisor hears follows the sentence with a correlation of %.2f, mean of %d bands", likeness, len(bands))
	if likeness < 0.6 {
		s.t.Errorf("what is heard is not the sentence: correlation %.2f", likeness)
	}
}

// delays are from when a sentence begins in the microphone to when it is at the ear,
// in ms.
func delays(spokenAt []float64, heard []speakertest.Chunk) (list []float64) {
	var begins []float64
	quietSince := time.Time{}
	for _, chunk := range heard {
		if slices.Max(chunk.Samples) < 700 && slices.Min(chunk.Samples) > -700 {
			continue
		}
		if chunk.At.Sub(quietSince) > pauseBefore {
			begins = append(begins, float64(chunk.At.UnixMicro())/1000)
		}
		quietSince = chunk.At
	}
	for _, at := range spokenAt {
		i := slices.IndexFunc(begins, func(b float64) bool { return b > at && b < at+2000 })
		if i >= 0 {
			list = append(list, begins[i]-at)
		}
	}
	return list
}

// bands are the limits that speech is compared in, in Hz.
var bands = [][2]float64{{200, 300}, {300, 450}, {450, 650}, {650, 900}, {900, 1250}, {1250, 1700}, {1700, 2300}, {2300, 3100}, {3100, 4000}}

const bandFrame = 960 // samples

// likeness is how the loudness of each band follows the sentence's, at the moment
// where it fits best: 1 is the same, 0 has nothing in common.
func (s spoken) likeness(heard []speakertest.Chunk) float64 {
	var samples []int16
	for _, chunk := range heard {
		samples = append(samples, chunk.Samples...)
	}
	want, got := loudness(s.samples), loudness(samples)
	frames, best := len(want[0]), 0.0
	for lag := 0; lag+frames <= len(got[0]); lag++ {
		sum := 0.0
		for band := range bands {
			sum += correlation(want[band], got[band][lag:lag+frames])
		}
		best = max(best, sum/float64(len(bands)))
	}
	return best
}

// loudness is in dB, of each band in each frame.
func loudness(samples []int16) [][]float64 {
	list := make([][]float64, len(bands))
	for ; len(samples) >= bandFrame; samples = samples[bandFrame:] {
		for i, band := range bands {
			power := 0.0
			for hertz := band[0]; hertz < band[1]; hertz += 50 {
				power += goertzel(samples[:bandFrame], hertz)
			}
			list[i] = append(list[i], 10*math.Log10(power+1e4)) // what is below is silence
		}
	}
	return list
}

// goertzel is the power at one frequency.
func goertzel(samples []int16, hertz float64) float64 {
	k := 2 * math.Cos(2*math.Pi*hertz/48000)
	var before, last float64
	for _, s := range samples {
		before, last = last, float64(s)+k*last-before
	}
	return (last*last + before*before - k*last*before) / bandFrame
}
