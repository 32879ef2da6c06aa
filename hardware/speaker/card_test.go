package speaker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/hardware/speaker"
	"github.com/bril-edge/bril/hardware/speaker/speakertest"
)

// The test's own card takes a second of sound in a second.
func TestCard(t *testing.T) {
	card := speakertest.New(t)
	n, done := 0, make(chan struct{})
	s, err := speaker.Open(speaker.Config{Device: speakertest.Device, Prompt: true}, func(out []int16) {
		for i := range out {
			out[i] = int16((n + i) % 30_000)
		}
		if n += len(out); n >= 120_000 && n < 120_000+len(out) {
			close(done)
		}
	})
	if err != nil && strings.Contains(err.Error(), "load ALSA") {
		t.Skip("needs libasound2: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-done
	s.Close()
	heard := card.Heard(t)
	if len(heard) < 150 {
		t.Fatalf("%d chunks were heard", len(heard))
	}
	// Under load there are stalls, after which it catches up; a card of another pace has
	// no second like this.
	inTime := 0
	for i := range len(heard) - 80 {
		if took := heard[i+80].At.Sub(heard[i].At); took > 750*time.Millisecond && took < 850*time.Millisecond {
			inTime++
		}
	}
	t.Logf("%d chunks were heard, 80 of them in 0.8 s at %d places", len(heard), inTime)
	if inTime == 0 {
		t.Errorf("80 chunks took %v to %v", heard[80].At.Sub(heard[0].At), heard[len(heard)-1].At.Sub(heard[len(heard)-81].At))
	}
	if heard[1].Samples[0] != 480 || heard[40].Samples[7] != (40*480+7)%30_000 {
		t.Errorf("what was heard is not what was played: %d, %d", heard[1].Samples[0], heard[40].Samples[7])
	}
}
