package session

import (
	"testing"
	"time"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/uplink/rtc"
)

func TestRateController(t *testing.T) {
	const limit = 2_500_000
	report := func(lost float64, available encoder.BitRate) rtc.Estimate {
		return rtc.Estimate{Lost: lost, Available: available}
	}
	// A report comes each second, or as every says.
	tests := []struct {
		name    string
		limit   encoder.BitRate
		from    encoder.BitRate // 0: the limit
		reports []rtc.Estimate
		every   time.Duration
		want    encoder.BitRate
	}{
		{"quiet", limit, 0, []rtc.Estimate{report(0, 0)}, 0, limit},
		{"grows", limit, 1_000_000, []rtc.Estimate{report(0, 0), report(0, 0)}, 0, 1_102_500},
		{"grows to the limit only", limit, 2_400_000, []rtc.Estimate{report(0, 0), report(0, 0)}, 0, limit},
		{"grows once a second", limit, 1_000_000, []rtc.Estimate{report(0, 0), report(0, 0)}, 10 * time.Millisecond, 1_050_000},
		{"little loss is borne", limit, 1_000_000, []rtc.Estimate{report(0.02, 0), report(0.1, 0)}, 0, 1_000_000},
		{"much loss cuts", limit, 1_000_000, []rtc.Estimate{report(0.2, 0)}, 0, 900_000},
		{"a cut must show first", limit, 1_000_000, []rtc.Estimate{report(0.2, 0), report(0.2, 0)}, 100 * time.Millisecond, 900_000},
		{"nothing arrives", limit, 1_000_000, []rtc.Estimate{report(1, 0)}, 0, 500_000},
		{"what the receiver has room for", limit, 0, []rtc.Estimate{report(0, 800_000)}, 0, 800_000},
		{"at once", limit, 0, []rtc.Estimate{report(0, 900_000), report(0, 800_000)}, time.Millisecond, 800_000},
		{"an estimate alone says nothing of losses", limit, 1_000_000, []rtc.Estimate{report(0.05, 0), report(-1, 2_000_000)}, 0, 1_000_000},
		{"nor does it put off a cut", limit, 1_000_000, []rtc.Estimate{report(-1, 2_000_000), report(0.2, 2_000_000)}, time.Second / 2, 900_000},
		{"room above the limit", limit, 0, []rtc.Estimate{report(0, 100_000_000)}, 0, limit},
		{"no room", limit, 0, []rtc.Estimate{report(0, 1)}, 0, minBitRate},
		{"a limit below the least", 100_000, 0, []rtc.Estimate{report(1, 0), report(1, 1)}, 0, 100_000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newRateController(test.limit)
			if test.from != 0 {
				c.target = test.from
			}
			now := t0
			for _, e := range test.reports {
				now += max(test.every, 0)
				if test.every == 0 {
					now += time.Second
				}
				c.heard(e, now)
			}
			if c.target != test.want {
				t.Errorf("got %d, want %d", c.target, test.want)
			}
		})
	}
}

// Minutes of heavy loss end at the floor and not below; after them the rate comes
// back by itself, without falling again.
func TestRateControllerRecovers(t *testing.T) {
	c := newRateController(2_500_000)
	now := t0
	for range 600 {
		now += 100 * time.Millisecond
		if got := c.heard(rtc.Estimate{Lost: 0.9}, now); got < minBitRate {
			t.Fatalf("fell to %d", got)
		}
	}
	if c.target != minBitRate {
		t.Errorf("a minute of 90 %% loss leaves %d", c.target)
	}
	before := c.target
	for range 600 {
		now += 100 * time.Millisecond
		got := c.heard(rtc.Estimate{}, now)
		if got < before {
			t.Fatalf("fell from %d to %d without loss", before, got)
		}
		before = got
	}
	if before != 2_500_000 {
		t.Errorf("a quiet minute later it is %d", before)
	}
}

// A limit that falls is kept at once, and one that rises again is grown to. With
// little room between it and the least, the network is not strained for ever.
func TestRateLimitMoves(t *testing.T) {
	quiet := rtc.Estimate{}
	c := newRateController(2_500_000)
	c.setLimit(1_000_000, t0)
	if c.target != 1_000_000 {
		t.Errorf("lowered: %d", c.target)
	}
	c.setLimit(2_500_000, t0)
	if got := c.heard(quiet, t0+time.Second/2); got != 1_000_000 {
		t.Errorf("at once: %d", got)
	}
	if got := c.heard(quiet, t0+time.Second); got != 1_050_000 {
		t.Errorf("a second later: %d", got)
	}
	c.target, c.strained = minBitRate, true
	c.setLimit(220_000, t0)
	for i := range 10 {
		c.heard(quiet, t0+time.Duration(i+2)*time.Second)
	}
	if c.target != 220_000 || c.strained {
		t.Errorf("little room: %d, strained %v", c.target, c.strained)
	}
}
