package cue

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/hardware/alsa"
)

func db(value float64) float64 { return 20 * math.Log10(value/math.MaxInt16) }

// loudness returns the peak and the average of what is not silence, in dB of full
// scale.
func loudness(pcm []int16) (peak, average float64) {
	const window = alsa.SampleRate / 50
	var top, sum float64
	windows := 0
	for i := 0; i+window <= len(pcm); i += window {
		energy := 0.0
		for _, s := range pcm[i : i+window] {
			top = max(top, math.Abs(float64(s)))
			energy += float64(s) * float64(s)
		}
		if rms := math.Sqrt(energy / window); db(rms) > -40 {
			sum += rms * rms
			windows++
		}
	}
	return db(top), db(math.Sqrt(sum / float64(max(windows, 1))))
}

func TestSounds(t *testing.T) {
	for _, c := range All() {
		pcm, err := PCM(c, Silent, 0)
		if err != nil {
			t.Fatal(err)
		}
		if d := length(pcm); d < 200*time.Millisecond || d > time.Second {
			t.Errorf("%s lasts %v", c, d)
		}
		if peak, average := loudness(pcm); peak > -10 || peak < -13 || average < -18 || average > -14 {
			t.Errorf("%s: peak %.1f dB, average %.1f dB", c, peak, average)
		} else {
			t.Logf("%-16s %4d ms, peak %5.1f dB, average %5.1f dB", c, length(pcm).Milliseconds(), peak, average)
		}
		clean(t, string(c), pcm)
	}
}

// clean checks that both ends are silent and that nothing in between jumps by more
// than the loudest tone can.
func clean(t *testing.T, name string, pcm []int16) {
	t.Helper()
	if first, last := pcm[0], pcm[len(pcm)-1]; first != 0 || last != 0 {
		t.Errorf("%s begins with %d and ends with %d", name, first, last)
	}
	for i := range pcm[1:] {
		if step := math.Abs(float64(pcm[i+1]) - float64(pcm[i])); step > 0.25*math.MaxInt16 {
			t.Errorf("%s jumps by %.0f at sample %d", name, step, i)
			return
		}
	}
}

// shape is what a person tells sounds apart by, whatever the pitch and however
// small the earpiece: how many tones, which way they go, how long they are.
func shape(c session.Cue) string {
	var b strings.Builder
	last := 0.0
	for _, n := range notes(c) {
		switch {
		case n.from == 0:
			fmt.Fprintf(&b, " .%d", n.length.Milliseconds()/100)
			continue
		case last == 0:
		case n.from > last*1.05:
			b.WriteString(" up")
		case n.from < last/1.05:
			b.WriteString(" down")
		default:
			b.WriteString(" same")
		}
		switch {
		case n.to > n.from:
			b.WriteString(" rising")
		case n.to < n.from:
			b.WriteString(" falling")
		case n.harsh:
			b.WriteString(" buzz")
		case n.noise:
			b.WriteString(" click")
		default:
			b.WriteString(" tone")
		}
		fmt.Fprintf(&b, "%d", n.length.Milliseconds()/100)
		last = n.to
	}
	return b.String()
}

func TestShapesDiffer(t *testing.T) {
	seen := map[string]session.Cue{}
	for _, c := range All() {
		s := shape(c)
		if other, ok := seen[s]; ok {
			t.Errorf("%s and %s are both%s", c, other, s)
		}
		seen[s] = c
	}
}

// Two sounds are confused when their spectra run alike: in bands of a third of an
// octave and steps of 20 ms, with one moved against the other by up to 100 ms.
func TestSpectraDiffer(t *testing.T) {
	spectra := map[session.Cue][][]float64{}
	for _, c := range All() {
		spectra[c] = spectrum(synthesise(c))
	}
	worst, pair := 0.0, ""
	for i, a := range All() {
		for _, b := range All()[i+1:] {
			if alike := similarity(spectra[a], spectra[b]); alike > worst {
				worst, pair = alike, string(a+" and "+b)
			}
		}
		if same := similarity(spectra[a], spectra[a]); same < 0.999 {
			t.Errorf("%s is like itself by %.3f", a, same)
		}
	}
	t.Logf("most alike: %s, %.2f", pair, worst)
	if worst > 0.7 {
		t.Errorf("%s are alike by %.2f", pair, worst)
	}
}

const firstBand, bands = 250.0, 14 // up to 5 kHz

// spectrum returns the amplitude in each band of each step (Goertzel's algorithm).
func spectrum(pcm []int16) (steps [][]float64) {
	const window = alsa.SampleRate / 50
	for i := 0; i+window <= len(pcm); i += window {
		step := make([]float64, bands)
		for b := range step {
			w := 2 * math.Pi * firstBand * math.Pow(2, float64(b)/3) / alsa.SampleRate
			var re, im float64
			for j, s := range pcm[i : i+window] {
				hann := 1 - math.Cos(2*math.Pi*float64(j)/window)
				re += hann * float64(s) * math.Cos(w*float64(j))
				im += hann * float64(s) * math.Sin(w*float64(j))
			}
			step[b] = math.Sqrt(math.Hypot(re, im))
		}
		steps = append(steps, step)
	}
	return steps
}

// similarity is from 0 to 1: the best correlation at any shift.
func similarity(a, b [][]float64) (best float64) {
	norm := func(x [][]float64) (sum float64) {
		for _, step := range x {
			for _, v := range step {
				sum += v * v
			}
		}
		return math.Sqrt(sum)
	}
	for shift := -5; shift <= 5; shift++ {
		sum := 0.0
		for i, step := range a {
			if j := i + shift; j >= 0 && j < len(b) {
				for k, v := range step {
					sum += v * b[j][k]
				}
			}
		}
		best = max(best, sum/norm(a)/norm(b))
	}
	return best
}

// Every cue has its words in every language, of a good length and loudness.
func TestWords(t *testing.T) {
	said := map[string]string{}
	for _, l := range Languages() {
		for _, c := range All() {
			name := string(l) + "/" + string(c)
			words := string(l) + " " + Words(c, l)
			if other, ok := said[words]; ok || Words(c, l) == "" {
				t.Errorf("%s says %q, as %s", name, words, other)
			}
			said[words] = name
			pcm, err := spoken(c, l)
			if err != nil {
				t.Error(err)
				continue
			}
			if d := length(pcm); d < 300*time.Millisecond || d > 2*time.Second {
				t.Errorf("%s lasts %v", name, d)
			}
			if peak, average := loudness(pcm); peak > -4 || average < -21 || average > -14 {
				t.Errorf("%s: peak %.1f dB, average %.1f dB", name, peak, average)
			} else {
				t.Logf("%-20s %4d ms, peak %5.1f dB, average %5.1f dB", name, length(pcm).Milliseconds(), peak, average)
			}
			if pcm[0] != 0 || pcm[len(pcm)-1] != 0 {
				t.Errorf("%s begins with %d and ends with %d", name, pcm[0], pcm[len(pcm)-1])
			}
			whole, err := PCM(c, l, 0)
			if want := len(synthesise(c)) + count(pause) + len(pcm); err != nil || len(whole) != want {
				t.Errorf("%s has %d samples, %v; want %d", name, len(whole), err, want)
			}
		}
	}
	if Words(session.CueLive, Silent) != "" || Words("dance", English) != "" {
		t.Error("words for what there is not")
	}
}

// What is embedded stays small: it is in the memory of every pair of glasses.
func TestSpeechIsSmall(t *testing.T) {
	total := 0
	for _, l := range Languages() {
		entries, err := speech.ReadDir("speech/" + string(l))
		if err != nil || len(entries) != len(All()) {
			t.Errorf("%s has %d files, %v; want %d", l, len(entries), err, len(All()))
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			total += int(info.Size())
		}
	}
	if total > 250_000 {
		t.Errorf("the words take %d bytes", total)
	}
}

func TestVolume(t *testing.T) {
	for _, gain := range []float64{-40, -6, 6} {
		plain, _ := PCM(session.CueLive, English, 0)
		changed, err := PCM(session.CueLive, English, gain)
		if err != nil {
			t.Fatal(err)
		}
		before, _ := loudness(plain)
		after, _ := loudness(changed)
		if want := min(before+gain, 0); math.Abs(after-want) > 0.3 {
			t.Errorf("%g dB make %.1f dB of %.1f dB", gain, after, before)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, c := range []struct {
		cue      session.Cue
		language Language
	}{{"dance", Silent}, {session.CueLive, "fr"}, {"dance", English}, {session.CueLive, "../nl"}} {
		if _, err := PCM(c.cue, c.language, 0); !errors.Is(err, ErrUnknown) {
			t.Errorf("%v: %v", c, err)
		}
	}
}
