package camera

import (
	"testing"
	"time"

	"github.com/bril-edge/bril/hardware/v4l2"
)

func TestStampTime(t *testing.T) {
	const now = 100 * time.Second
	tests := []struct {
		name    string
		flags   v4l2.BufFlags
		at      time.Duration
		earlier time.Duration // the stamp before
		want    time.Duration
	}{
		{"the driver's", v4l2.BufTimestampMonotonic, now - 20*time.Millisecond, 0, now - 20*time.Millisecond},
		{"another clock's", 0, now - 20*time.Millisecond, 0, now},
		{"copied", v4l2.BufTimestampCopy, now - 20*time.Millisecond, 0, now},
		{"zero", v4l2.BufTimestampMonotonic, 0, 0, now},
		{"to come", v4l2.BufTimestampMonotonic, now + time.Millisecond, 0, now},
		{"older than the one before", v4l2.BufTimestampMonotonic, now - 20*time.Millisecond, now - 10*time.Millisecond, now - 10*time.Millisecond + 1},
	}
	for _, test := range tests {
		b := v4l2.Done{Flags: test.flags, Time: test.at}
		s := stamper{pts: test.earlier}
		if got := s.time(&b, now); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestStampSequence(t *testing.T) {
	var s stamper
	for i, step := range []struct {
		driver uint32
		want   uint64
	}{{7, 0}, {8, 1}, {8, 2}, {8, 3}, {10, 5}, {2, 6}, {3, 7}, {1<<32 - 1, 8}, {1, 10}} {
		if got := s.sequence(step.driver); got != step.want {
			t.Errorf("step %d: driver's %d is %d, want %d", i, step.driver, got, step.want)
		}
	}
}
