package clock

import (
	"testing"
	"time"
)

func TestConfirmed(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		kernel bool
		heard  []time.Duration // what servers tell, from now
		want   bool
	}{
		{"nobody", false, nil, false},
		{"an NTP client", true, nil, true},
		{"a server that agrees", false, []time.Duration{4 * time.Minute}, true},
		{"a server that is ahead", false, []time.Duration{6 * time.Minute}, false},
		{"a clock that started in 1970", false, []time.Duration{50 * 365 * 24 * time.Hour}, false},
		{"a server that is behind", false, []time.Duration{-6 * time.Minute}, false},
		{"one of two servers", false, []time.Duration{time.Hour, -time.Second}, true},
		{"a server that disagrees later", false, []time.Duration{0, time.Hour}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := Clock{kernel: func() bool { return test.kernel }, now: func() time.Time { return now }}
			for _, off := range test.heard {
				c.Heard(now.Add(off))
			}
			if got, confirmed := c.Now(); got != now || confirmed != test.want {
				t.Errorf("%v, confirmed %v; want %v, %v", got, confirmed, now, test.want)
			}
		})
	}
}

// TestKernel only shows that the kernel answers: what it says is this machine's.
func TestKernel(t *testing.T) {
	var c Clock
	before := time.Now()
	now, confirmed := c.Now()
	if now.Before(before) || time.Since(now) > time.Minute {
		t.Errorf("now is %v", now)
	}
	t.Logf("confirmed: %v", confirmed)
}
