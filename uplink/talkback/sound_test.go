package talkback

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/opus"
)

// encoded is a tone as n packets of 10 ms.
func encoded(t testing.TB, n int) (packets [][]byte) {
	t.Helper()
	e, err := opus.New(opus.Config{}, func(p encoder.Packet) error {
		packets = append(packets, append([]byte(nil), p.Data...))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	samples := make([]int16, capture.ChunkSamples)
	for i := range n {
		for j := range samples {
			samples[j] = int16(8000 * math.Sin(2*math.Pi*440*float64(i*len(samples)+j)/capture.SampleRate))
		}
		if err := e.Encode(capture.Sound{Format: capture.PCM16, Samples: samples, PTS: time.Duration(i) * capture.ChunkTime}); err != nil {
			t.Fatal(err)
		}
	}
	return packets
}

func tone(n int) []int16 {
	samples := make([]int16, n, 2*n)
	for i := range samples {
		samples[i] = int16(8000 * math.Sin(2*math.Pi*200*float64(i)/sampleRate))
	}
	return samples
}

// Sound that is shortened or lengthened by whole periods has no step in it.
func TestSeams(t *testing.T) {
	const period = sampleRate / 200
	for what, got := range map[string][]int16{
		"shortened":  shorten(tone(20*ms), period),
		"lengthened": lengthen(tone(20*ms), period),
	} {
		want := 20*ms - period
		if what == "lengthened" {
			want = 20*ms + period
		}
		if len(got) != want {
			t.Errorf("%s: %d samples, want %d", what, len(got), want)
		}
		for i, x := range tone(len(got)) {
			if abs(int64(got[i])-int64(x)) > 2 {
				t.Errorf("%s: sample %d is %d, want %d", what, i, got[i], x)
				break
			}
		}
	}
	for _, n := range []int{0, -5, 10_000} {
		if got := shorten(tone(4*ms), n); len(got) != 4*ms {
			t.Errorf("4 ms shortened by %d are %d samples", n, len(got))
		}
		if got := lengthen(tone(4*ms), n); len(got) != 4*ms {
			t.Errorf("4 ms lengthened by %d are %d samples", n, len(got))
		}
	}
}

// spoken is a sentence of espeak-ng at 48 kHz, between a second of silence each.
func spoken(t *testing.T) []int16 {
	t.Helper()
	espeak, err := exec.LookPath("espeak-ng")
	if err != nil {
		t.Skip("needs espeak-ng: ", err)
	}
	out, err := exec.Command(espeak, "--stdout", "-v", "nl", "Goedemiddag, ik zou graag de binnenkant van deze auto zien. Kunt u de achterklep openen?").Output()
	if err != nil {
		t.Fatal(err)
	}
	const header, rate = 44, 22_050 // of espeak-ng's WAV
	pcm := out[header:]
	sound := make([]int16, sampleRate, 10*sampleRate)
	for i := range len(pcm) / 2 * sampleRate / rate {
		at := min(i*rate/sampleRate, len(pcm)/2-1)
		sound = append(sound, int16(binary.LittleEndian.Uint16(pcm[2*at:])))
	}
	return append(sound, make([]int16, sampleRate)...)
}

// Speech is known for what it is, also with the hum of a room behind it and softly
// spoken, and the room alone is not.
func TestSpeech(t *testing.T) {
	sound := spoken(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, tc := range []struct {
		name         string
		gain, behind float64
	}{{"clear", 1, 0}, {"soft", 0.2, 0}, {"in a room", 1, 150}, {"soft in a room", 0.3, 60}} {
		var l level
		var right, speech, wrong, quiet int
		for at := 0; at+20*ms <= len(sound); at += 20 * ms {
			frame := make([]int16, 20*ms)
			for i := range frame {
				frame[i] = int16(tc.gain*float64(sound[at+i]) + tc.behind*random.NormFloat64())
			}
			said, is := l.speech(frame), rms(sound[at:at+20*ms])*tc.gain
			switch {
			case is > 600: // plainly speech
				speech++
				if said {
					right++
				}
			case is == 0 && at > sampleRate/2: // and plainly none
				quiet++
				if said {
					wrong++
				}
			}
		}
		t.Logf("%s: %d of %d frames of speech are known, %d of %d without are taken for it", tc.name, right, speech, wrong, quiet)
		if speech < 20 || right < speech*95/100 || wrong > quiet/20 {
			t.Errorf("%s: %d of %d, and %d of %d", tc.name, right, speech, wrong, quiet)
		}
	}
}

// What is loud all the time is no speech after a while, however loud: the advisor's
// microphone is not to stay soft for it.
func TestNoiseThatGoesOn(t *testing.T) {
	for _, loud := range []int16{500, 3_000, 8_000, 20_000, 32_767} {
		var l level
		noise := make([]int16, 20*ms)
		l.speech(noise) // silence before it
		for i := range noise {
			noise[i] = loud * int16(1-2*(i&1))
		}
		speech := 0
		for range 40 * 50 { // 40 s
			if l.speech(noise) {
				speech++
			}
		}
		if l.speech(noise) {
			t.Errorf("noise of %d is speech after 40 s", loud)
		}
		t.Logf("noise of %d is speech for %.1f s", loud, float64(speech)/50)
	}
}
