package rtc

import (
	"testing"
	"time"

	"github.com/bril-edge/bril/encoder"
)

func TestThroughput(t *testing.T) {
	var tp throughput
	const ms = time.Millisecond
	for _, step := range []struct {
		at   time.Duration
		add  int
		want encoder.BitRate
	}{
		{7100 * ms, 1000, 0},
		{7999 * ms, 500, 0},
		{8000 * ms, 0, 12_000},
		{8900 * ms, 250, 12_000},
		{9100 * ms, 0, 2_000},
		{10100 * ms, 0, 0}, // nothing left in second 9
		{10200 * ms, 100, 0},
		{60000 * ms, 0, 0}, // nor in the one before this
	} {
		tp.add(step.add, step.at)
		if got := tp.rate(step.at); got != step.want {
			t.Errorf("at %v: %d b/s, want %d", step.at, got, step.want)
		}
	}
}
