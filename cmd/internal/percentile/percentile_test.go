package percentile

import (
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

func TestPercentiles(t *testing.T) {
	tests := []struct {
		name    string
		samples []time.Duration
		want    control.Percentiles
	}{
		{"none", nil, control.Percentiles{}},
		{"one", []time.Duration{1500 * time.Microsecond}, control.Percentiles{P50: 1.5, P95: 1.5}},
		{"a hundred", ramp(100), control.Percentiles{P50: 51, P95: 96}},
		{"the oldest are forgotten", append(make([]time.Duration, 3*length), constant(length, 2*time.Millisecond)...), control.Percentiles{P50: 2, P95: 2}},
		{"a stall", []time.Duration{2 * time.Hour}, control.Percentiles{P50: 3_600_000, P95: 3_600_000}},
		{"a clock that went backwards", []time.Duration{-time.Second}, control.Percentiles{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var w Window
			for _, d := range test.samples {
				w.Add(d)
			}
			if got := w.Read(); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// Several who take photos at once lose none of their durations.
func TestAddsAtOnce(t *testing.T) {
	const adders, each = 4, 300_000
	var w Window
	var adding sync.WaitGroup
	begin := make(chan struct{})
	for range adders {
		adding.Go(func() {
			<-begin
			for range each {
				w.Add(time.Millisecond)
			}
		})
	}
	close(begin)
	adding.Wait()
	if n, want := w.count.Load(), uint64(adders*each); n != want {
		t.Errorf("%d durations are counted, want %d", n, want)
	}
}

// ramp is 1 ms to n ms.
func ramp(n int) (list []time.Duration) {
	for i := range n {
		list = append(list, time.Duration(i+1)*time.Millisecond)
	}
	return list
}

func constant(n int, d time.Duration) (list []time.Duration) {
	for range n {
		list = append(list, d)
	}
	return list
}
