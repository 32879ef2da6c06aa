package alsa

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gen2brain/malgo"
)

func TestNames(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []Direction{Recording, Playing} {
		if got := Names(dir, d); got != nil {
			t.Errorf("%c without cards: %q", d, got)
		}
	}
	for _, node := range []string{"controlC0", "timer", "pcmC0D3p", "pcmC2D0p", "pcmC1D0c", "pcmC0D0c", "pcmCxD0c"} {
		if err := os.WriteFile(filepath.Join(dir, node), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for d, want := range map[Direction][]string{Recording: {"default", "hw:0,0", "hw:1,0"}, Playing: {"default", "hw:0,3", "hw:2,0"}} {
		if got := Names(dir, d); !slices.Equal(got, want) {
			t.Errorf("%c: got %q, want %q", d, got, want)
		}
	}
}

func TestExplain(t *testing.T) {
	missing := Missing{errors.New("no such thing"), "look for it"}
	for result, want := range map[malgo.Result]error{
		malgo.ErrBusy:         ErrBusy,
		malgo.ErrAccessDenied: os.ErrPermission,
		malgo.ErrDoesNotExist: missing.Err,
	} {
		err := explain(result, missing)
		var advice interface{ Hint() string }
		if !errors.Is(err, want) || !errors.Is(err, result) || !errors.As(err, &advice) || (want == missing.Err) != (advice.Hint() == missing.Hint) {
			t.Errorf("%v: got %v, want %v with a hint", result, err, want)
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
