package upload

import (
	"runtime"
	"testing"
)

// An item is never in memory as a whole. What is measured is with the server's,
// which is in the same process.
func TestMemory(t *testing.T) {
	const (
		size = 20 << 20
		most = 4 << 20 // bytes allocated in all; 1.9 MB were measured
	)
	s, server := filled(t, size), newTusd(t, &flaky{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	empty(t, s, server.URL)
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d bytes: %d KiB in %d allocations", size, allocated>>10, after.Mallocs-before.Mallocs)
	if allocated > most {
		t.Errorf("%d KiB were allocated, %d at most are expected", allocated>>10, most>>10)
	}
}
