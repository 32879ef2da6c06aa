package origin

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 7, 14, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"3":                             3 * time.Second,
		"86400":                         MaxRetryAfter,
		"99999999999999999999":          0,
		"-1":                            0,
		"1.5":                           0,
		"soon":                          0,
		"Tue, 14 Jul 2026 12:00:30 GMT": 30 * time.Second,
		"Tue, 14 Jul 2026 11:00:00 GMT": 0,
		"Tue, 14 Jul 2099 11:00:00 GMT": MaxRetryAfter,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}
