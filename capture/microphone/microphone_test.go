package microphone

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/bril-edge/bril/hardware/alsa"
)

func TestGainOutOfRange(t *testing.T) {
	for _, db := range []float64{-61, 41, math.NaN(), math.Inf(1)} {
		if _, err := Open(Config{Gain: db}); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("%g dB: %v", db, err)
		}
	}
}

func TestMissingMicrophone(t *testing.T) {
	if alsa.Names("/dev/snd", alsa.Recording) != nil {
		t.Skip("this machine has a microphone")
	}
	_, err := Open(Config{})
	var advice interface{ Hint() string }
	if !errors.Is(err, ErrNoMicrophone) || !errors.As(err, &advice) || !strings.Contains(advice.Hint(), "--microphone tone") {
		t.Errorf("auto: %v", err)
	}
	_, err = Open(Config{Device: "hw:7,0"}) // with ALSA or without its library
	if !errors.Is(err, ErrNoMicrophone) || !strings.Contains(err.Error(), "hw:7,0") {
		t.Errorf("by name: %v", err)
	}
	list, err := List()
	if err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
}

func TestLongName(t *testing.T) {
	_, err := Open(Config{Device: strings.Repeat("x", 1000)})
	if !errors.Is(err, ErrNoMicrophone) {
		t.Errorf("got %v", err)
	}
}
