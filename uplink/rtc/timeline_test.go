package rtc

import (
	"math/rand/v2"
	"testing"
	"time"
)

const day = 24 * time.Hour

func TestTicks(t *testing.T) {
	cases := []struct {
		d    time.Duration
		rate uint32
		want uint32
	}{
		{0, 90000, 0},
		{time.Second, 90000, 90000},
		{time.Second / 30, 90000, 2999}, // 33,333,333 ns are less than 3000 ticks
		{20 * time.Millisecond, 48000, 960},
		{13 * time.Hour, 90000, 13 * 3600 * 90000 & (1<<32 - 1)},
		{29 * time.Hour, 90000, 29 * 3600 * 90000 & (1<<32 - 1)}, // past 2^63 ns times 90000
		{400 * day, 48000, 400 * 86400 * 48000 & (1<<32 - 1)},
		{-time.Second, 90000, 1<<32 - 90000},
	}
	for _, c := range cases {
		if got := ticks(c.d, c.rate); got != c.want {
			t.Errorf("%v at %d Hz: %d, want %d", c.d, c.rate, got, c.want)
		}
	}
}

// Over days of uptime and the wrap of the RTP clock, each picture's timestamp is
// where its capture time puts it: rounding does not add up.
func TestPictureTimesDoNotDrift(t *testing.T) {
	rates := map[string]time.Duration{
		"30":         time.Second / 30,
		"30000/1001": 1001 * time.Second / 30000,
		"25":         time.Second / 25,
		"60000/1001": 1001 * time.Second / 60000,
	}
	for name, interval := range rates {
		for _, uptime := range []time.Duration{0, 13 * time.Hour, 28*time.Hour + 28*time.Minute, 90 * day} {
			start := uint32(1<<32 - 1000) // wraps within the first pictures
			clock := timeline{rate: 90000, last: start}
			clock.at(uptime)
			const pictures = 100_000
			var pts time.Duration
			for i := range pictures {
				pts = time.Duration(i) * interval
				clock.at(uptime + pts)
			}
			want := start + ticks(pts, 90000)
			if off := int32(clock.last - want); off < -1 || off > 1 {
				t.Errorf("%s Hz after %v: off by %d ticks after %d pictures", name, uptime, off, pictures)
			}
		}
	}
}

func TestPictureTimesKeepJitterAndGaps(t *testing.T) {
	clock := timeline{rate: 90000, last: 500}
	for _, c := range []struct {
		pts  time.Duration
		want uint32
	}{{time.Hour, 500}, {time.Hour + 40*time.Millisecond, 4100}, {time.Hour + 60*time.Millisecond, 5900}, {time.Hour + 10*time.Second, 900_500}} {
		if got := clock.at(c.pts); got != c.want {
			t.Errorf("at %v: %d, want %d", c.pts, got, c.want)
		}
	}
}

func TestSoundCountsSamples(t *testing.T) {
	const packet = 20 * time.Millisecond
	cases := []struct {
		name string
		pts  func(i int) time.Duration
		want func(i int) uint32 // after the first
	}{
		{"steady", func(i int) time.Duration { return time.Duration(i) * packet },
			func(i int) uint32 { return uint32(i) * 960 }},
		{"jitter is not heard", func(i int) time.Duration { return time.Duration(i)*packet + time.Duration(i%3)*7*time.Millisecond },
			func(i int) uint32 { return uint32(i) * 960 }},
		{"a slow device clock is not heard", func(i int) time.Duration { return time.Duration(i) * packet * 10001 / 10000 },
			func(i int) uint32 { return uint32(i) * 960 }},
		{"a gap is", func(i int) time.Duration {
			if i >= 500 {
				return time.Duration(i)*packet + time.Second
			}
			return time.Duration(i) * packet
		}, func(i int) uint32 {
			if i >= 500 {
				return uint32(i)*960 + 48000
			}
			return uint32(i) * 960
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			const uptime = 30 * time.Hour
			start := rand.Uint32()
			clock := timeline{rate: 48000, last: start}
			for i := range 1000 {
				if got, want := clock.follow(uptime+c.pts(i), packet)-start, c.want(i); got != want {
					t.Fatalf("packet %d: %d, want %d", i, got, want)
				}
			}
		})
	}
}

// A sender report's pair of times puts each sample where its capture time says,
// also when the device's clock drifts.
func TestNowCarriesDrift(t *testing.T) {
	const packet = 20 * time.Millisecond
	clock := timeline{rate: 48000}
	var pts time.Duration
	for i := range 50 * 3600 { // an hour at 100 ppm
		pts = time.Duration(i) * packet * 10001 / 10000
		clock.follow(pts, packet)
	}
	samples := uint32(50*3600-1) * 960
	if clock.last != samples {
		t.Fatalf("last sample %d, want %d", clock.last, samples)
	}
	if off := int32(clock.now(pts+time.Second) - (samples + 48000)); off < -1 || off > 1 {
		t.Errorf("a second after the last packet: off by %d samples", off)
	}
}

func TestNTP(t *testing.T) {
	cases := []struct {
		t    time.Time
		want uint64
	}{
		{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), 2208988800 << 32},
		{time.Date(1970, 1, 1, 0, 0, 0, 500_000_000, time.UTC), 2208988800<<32 | 1<<31},
		{time.Date(1970, 1, 1, 0, 0, 0, 999_999_999, time.UTC), 2208988800<<32 | 4294967291},
		{time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC), 0}, // the era ends, RFC 5905 section 6
	}
	for _, c := range cases {
		if got := ntp(c.t); got != c.want {
			t.Errorf("%v: %#x, want %#x", c.t, got, c.want)
		}
	}
}
