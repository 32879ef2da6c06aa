package microphone

import (
	"errors"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/alsa"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// TestDevice records from a real device, BRIL_TEST_MICROPHONE or the first one.
func TestDevice(t *testing.T) {
	m, err := Open(Config{Device: os.Getenv("BRIL_TEST_MICROPHONE")})
	if errors.Is(err, ErrNoMicrophone) || errors.Is(err, os.ErrPermission) {
		t.Skip("needs a microphone: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	list, err := List()
	t.Logf("recording from %s of %+v, %v", m.Name(), list, err)
	var last capture.Sound
	var worst time.Duration
	for i := range 100 {
		s, err := m.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if age := monotonic.Now() - s.PTS; age < 0 || age > time.Second {
			t.Errorf("chunk %d is %v old", i, age)
		}
		if i > 0 && s.PTS <= last.PTS {
			t.Errorf("chunk %d went from %v to %v", i, last.PTS, s.PTS)
		}
		if i > 50 {
			worst = max(worst, (s.PTS - last.PTS - capture.ChunkTime).Abs())
		}
		last = s
	}
	t.Logf("100 chunks, sequence up to %d, steps off by up to %v", last.Sequence, worst)
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := m.Next(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
}

// TestDeviceHearsTone wants a tone of BRIL_TEST_TONE hertz at the device: that
// the pitch is right shows that every rate ends as 48 kHz.
func TestDeviceHearsTone(t *testing.T) {
	hertz, err := strconv.ParseFloat(os.Getenv("BRIL_TEST_TONE"), 64)
	if err != nil {
		t.Skip("BRIL_TEST_TONE names no frequency")
	}
	m, err := Open(Config{Device: os.Getenv("BRIL_TEST_MICROPHONE")})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const chunks = 100
	crossings, loudest, last := 0, int16(0), int16(-1)
	for i := range chunks + 25 {
		s, err := m.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range s.Samples {
			if i >= 25 && last < 0 && v >= 0 { // half a second to settle
				crossings++
			}
			last, loudest = v, max(loudest, v)
		}
	}
	heard := float64(crossings) / (chunks * capture.ChunkTime.Seconds())
	t.Logf("%s: heard %.1f Hz, up to %d", m.Name(), heard, loudest)
	if math.Abs(heard-hertz) > hertz/100 {
		t.Errorf("heard %.1f Hz, want %g", heard, hertz)
	}
}

// TestDeviceUnplugged wants someone else to take the device away while it runs,
// which BRIL_TEST_UNPLUG_SOUND promises: whoever unbinds a card waits for its
// users, so a user must not do it.
func TestDeviceUnplugged(t *testing.T) {
	if os.Getenv("BRIL_TEST_UNPLUG_SOUND") == "" {
		t.Skip("BRIL_TEST_UNPLUG_SOUND does not say that the device will be unplugged")
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	m, err := Open(Config{Device: os.Getenv("BRIL_TEST_MICROPHONE"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	chunks := 0
	for ; err == nil; chunks++ {
		_, err = m.Next(t.Context())
	}
	t.Logf("after %d chunks: %v", chunks, err)
	if !errors.Is(err, alsa.ErrGone) {
		t.Errorf("got %v, want alsa.ErrGone", err)
	}
	if err := m.Close(); err != nil {
		t.Error("close: ", err)
	}
}

func TestDeviceIsBusy(t *testing.T) {
	name := os.Getenv("BRIL_TEST_MICROPHONE")
	if !strings.HasPrefix(name, "hw:") {
		t.Skip("BRIL_TEST_MICROPHONE names no hw: device, which only one can open")
	}
	m, err := Open(Config{Device: name})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	second, err := Open(Config{Device: name})
	if err == nil {
		second.Close()
	}
	t.Log(err)
	if !errors.Is(err, alsa.ErrBusy) {
		t.Errorf("got %v, want alsa.ErrBusy", err)
	}
}
