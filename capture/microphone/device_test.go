package microphone

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
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
