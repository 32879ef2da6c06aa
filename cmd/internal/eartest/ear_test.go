package eartest

import (
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/hardware/speaker"
)

// What is played is heard, at the pace of an ear.
func TestHears(t *testing.T) {
	e := Open(t)
	for _, variable := range e.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	var next int16
	begun := time.Now()
	s, err := speaker.Open(speaker.Config{Device: Device}, func(out []int16) {
		for i := range out {
			next++
			out[i] = next
		}
	})
	if err != nil && strings.Contains(err.Error(), "load ALSA") {
		t.Skip("needs libasound2: ", err)
	}
	check(t, err)
	heard := e.Heard()
	for deadline := begun.Add(20 * time.Second); len(heard) < 50 && time.Now().Before(deadline); heard = e.Heard() {
		<-time.After(period)
	}
	check(t, s.Close())
	if len(heard) < 50 {
		t.Fatalf("%d moments were heard", len(heard))
	}
	if took := heard[49].At.Sub(begun); took < 900*time.Millisecond {
		t.Errorf("a second of sound was taken in %v", took)
	}
	want := int16(0)
	for _, m := range heard[:50] {
		for _, got := range m.Samples {
			if want++; got != want {
				t.Fatalf("heard %d, want %d", got, want)
			}
		}
	}
}
