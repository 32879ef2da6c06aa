package microphone

import (
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gen2brain/malgo"
)

func TestCandidates(t *testing.T) {
	dir := t.TempDir()
	if got := candidates(dir); got != nil {
		t.Errorf("without cards: %v", got)
	}
	for _, node := range []string{"controlC0", "pcmC0D3p", "pcmC1D0c", "pcmC0D0c", "pcmCxD0c"} {
		if err := os.WriteFile(filepath.Join(dir, node), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := candidates(dir), []string{"default", "hw:0,0", "hw:1,0"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGainOutOfRange(t *testing.T) {
	for _, db := range []float64{-61, 41, math.NaN(), math.Inf(1)} {
		if _, err := Open(Config{Gain: db}); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("%g dB: %v", db, err)
		}
	}
}

func TestMissingMicrophone(t *testing.T) {
	if len(candidates("/dev/snd")) > 0 {
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

func TestExplain(t *testing.T) {
	for result, want := range map[malgo.Result]error{
		malgo.ErrBusy:         ErrBusy,
		malgo.ErrAccessDenied: os.ErrPermission,
		malgo.ErrDoesNotExist: ErrNoMicrophone,
	} {
		if err := explain(result); !errors.Is(err, want) || !errors.Is(err, result) {
			t.Errorf("%v: got %v, want %v", result, err, want)
		}
	}
}

// The message is what snd-aloop's unbinding made miniaudio say.
func TestTheLibrarysMessages(t *testing.T) {
	var b strings.Builder
	gone := 0
	say := listen(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})), func() { gone++ })
	say("[ALSA] POLLERR detected. status = 3\n")
	if gone != 0 || !strings.Contains(b.String(), "status = 3") {
		t.Errorf("running: gone %d, logged %q", gone, b.String())
	}
	b.Reset()
	say("[ALSA] POLLERR detected. status = 8\n")
	if gone != 1 || b.String() != "" {
		t.Errorf("disconnected: gone %d, logged %q", gone, b.String())
	}
}

func TestAlsaName(t *testing.T) {
	for id, want := range map[string]string{":1,0": "hw:1,0", "default": "default", "sysdefault:CARD=x": "sysdefault:CARD=x"} {
		var raw malgo.DeviceID
		copy(raw[:], id)
		if got := alsaName(raw); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}
