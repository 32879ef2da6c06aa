package configs

import (
	"encoding"
	"fmt"
	"testing"
	"time"
)

func TestUnitsReadAndPrint(t *testing.T) {
	for _, tc := range []struct {
		text   string
		into   encoding.TextUnmarshaler
		prints string // "" is as text; "!" is refused
	}{
		{"10m", new(Duration), ""}, {"2h", new(Duration), ""}, {"1h30m", new(Duration), ""}, {"0", new(Duration), "0s"},
		{"90s", new(Duration), "1m30s"}, {"500ms", new(Duration), ""}, {"1h0m5s", new(Duration), ""}, {"20h", new(Duration), ""},
		{"10", new(Duration), "!"}, {"-1s", new(Duration), "!"}, {"", new(Duration), "!"}, {"300y", new(Duration), "!"},
		{"7d", new(Duration), ""}, {"168h", new(Duration), "7d"}, {"1d12h", new(Duration), ""}, {"36h", new(Duration), "1d12h"}, {"0d", new(Duration), "0s"},
		{"1d500ms", new(Duration), ""}, {"d", new(Duration), "!"}, {"-1d", new(Duration), "!"}, {"1.5d", new(Duration), "!"}, {"1d-1h", new(Duration), "!"},
		{"1d24h", new(Duration), "!"}, {"1d1d", new(Duration), "!"}, {"99999999999d", new(Duration), "!"}, {"7 d", new(Duration), "!"},
		{"2G", new(ByteSize), ""}, {"64M", new(ByteSize), ""}, {"1500M", new(ByteSize), "1.5G"}, {"0.5G", new(ByteSize), "500M"}, {"123456", new(ByteSize), ""},
		{"2g", new(ByteSize), "!"}, {"2GiB", new(ByteSize), "!"}, {"-1M", new(ByteSize), "!"}, {"1e9", new(ByteSize), "!"}, {"9999999G", new(ByteSize), "!"}, {"", new(ByteSize), "!"},
		{"2.5M", new(BitRate), ""}, {"2500k", new(BitRate), "2.5M"}, {"2500000", new(BitRate), "2.5M"}, {"48k", new(BitRate), ""},
		{"1.5k", new(BitRate), "1500"}, {"0.1M", new(BitRate), "100k"}, {"1234567", new(BitRate), ""}, {"0", new(BitRate), ""},
		{"M", new(BitRate), "!"}, {"2.5m", new(BitRate), "!"}, {"-1k", new(BitRate), "!"}, {"1e6", new(BitRate), "!"}, {"inf", new(BitRate), "!"},
		{"9999999999999999999M", new(BitRate), "!"}, {".", new(BitRate), "!"}, {"2 M", new(BitRate), "!"},
		{"1280x720", new(Size), ""}, {"1280X720", new(Size), "!"}, {"1280", new(Size), "!"}, {"1x2x3", new(Size), "!"},
		{"-1x2", new(Size), "!"}, {"70000x2", new(Size), "!"}, {"x", new(Size), "!"},
		{"auto", new(Exposure), ""}, {"10ms", new(Exposure), ""}, {"0", new(Exposure), "!"}, {"fast", new(Exposure), "!"},
		{"auto", new(Focus), ""}, {"0", new(Focus), ""}, {"120", new(Focus), ""}, {"-1", new(Focus), "!"}, {"near", new(Focus), "!"},
		{"auto", new(WhiteBalance), ""}, {"4500", new(WhiteBalance), ""}, {"0", new(WhiteBalance), "!"}, {"4500K", new(WhiteBalance), "!"},
	} {
		err := tc.into.UnmarshalText([]byte(tc.text))
		if (tc.prints == "!") != (err != nil) {
			t.Errorf("%T %q: error %v", tc.into, tc.text, err)
		}
		if err != nil {
			continue
		}
		want := tc.prints
		if want == "" {
			want = tc.text
		}
		if got := fmt.Sprint(tc.into); got != want {
			t.Errorf("%T %q prints as %s, want %s", tc.into, tc.text, got, want)
		}
	}
}

func TestUnitValues(t *testing.T) {
	var d Duration
	var b BitRate
	if err := d.UnmarshalText([]byte("1h30m")); err != nil || time.Duration(d) != 90*time.Minute {
		t.Errorf("got %v, %v", d, err)
	}
	if err := b.UnmarshalText([]byte("2.5M")); err != nil || b != 2_500_000 {
		t.Errorf("got %d, %v", b, err)
	}
}
