// Package percentile keeps the last durations of one stage, and tells their median
// and 95th percentile.
package percentile

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// length is how many durations a window looks back on: about 17 s at 30 a second.
const length = 512

// Window keeps the last durations. Any goroutine adds and reads; a read is off by
// one duration for each add that runs meanwhile. The zero value is ready.
type Window struct {
	ring  [length]atomic.Uint32 // in microseconds
	count atomic.Uint64
}

// Add takes a duration; one below zero counts as zero, above an hour as an hour.
func (w *Window) Add(d time.Duration) {
	n := w.count.Add(1) - 1
	w.ring[n%length].Store(uint32(min(max(d, 0), time.Hour).Microseconds()))
}

// Read returns the percentiles in milliseconds; zero before the first duration.
func (w *Window) Read() control.Percentiles {
	n := min(w.count.Load(), length)
	if n == 0 {
		return control.Percentiles{}
	}
	sorted := make([]uint32, n)
	for i := range sorted {
		sorted[i] = w.ring[i].Load()
	}
	slices.Sort(sorted)
	at := func(share float64) float64 {
		return float64(sorted[min(int(share*float64(n)), int(n)-1)]) / 1000
	}
	return control.Percentiles{P50: at(0.50), P95: at(0.95)}
}
