package main

import "testing"

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		r    result
		good bool
	}{
		"at the limits":         {result{5000, 3334, 3301, 60, 1024}, true},
		"too late":              {result{5000, 3334, 3334, 60.001, 200}, false},
		"too large":             {result{5000, 3334, 3334, 20, 1024.1}, false},
		"too few":               {result{5000, 3334, 3300, 20, 200}, false},
		"none was reachable":    {result{5000, 0, 0, 0, 200}, false},
		"there is no such time": {result{5000, 3334, 3334, 0, 200}, false},
	} {
		if err := c.r.check(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
