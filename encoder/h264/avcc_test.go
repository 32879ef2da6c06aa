package h264

import (
	"bytes"
	"strings"
	"testing"
)

const (
	testSPS = "6742c01f8c8d402802dd"
	testPPS = "68ce3c80"
)

func TestParseDecoderConfig(t *testing.T) {
	sps, pps := unhex(t, testSPS), unhex(t, testPPS)
	record := append([]byte{1, 0x42, 0xc0, 0x1f, 0xff, 0xe1, 0, byte(len(sps))}, sps...)
	record = append(append(record, 1, 0, byte(len(pps))), pps...)
	c, err := ParseDecoderConfig(record)
	if err != nil {
		t.Fatal(err)
	}
	if c.LengthSize != 4 || len(c.SPS) != 1 || !bytes.Equal(c.SPS[0], sps) || len(c.PPS) != 1 || !bytes.Equal(c.PPS[0], pps) {
		t.Errorf("got %+v", c)
	}
	if got, want := c.AnnexB(), AppendNAL(AppendNAL(nil, sps), pps); !bytes.Equal(got, want) {
		t.Errorf("in Annex B format: %x, want %x", got, want)
	}
	for n := range record {
		if _, err := ParseDecoderConfig(record[:n]); err == nil {
			t.Errorf("cut after %d bytes: no error", n)
		}
	}
	record[4] = 0xfe // lengths of 3 bytes
	if _, err := ParseDecoderConfig(record); err == nil {
		t.Error("lengths of 3 bytes: no error")
	}
}

func TestAppendAnnexB(t *testing.T) {
	for _, c := range []struct {
		name, sample string
		size         int
		want, err    string
	}{
		{"one byte", "\x02\x65a\x01\x41", 1, "\x00\x00\x00\x01\x65a\x00\x00\x00\x01\x41", ""},
		{"two bytes", "\x00\x02\x65a", 2, "\x00\x00\x00\x01\x65a", ""},
		{"four bytes", "\x00\x00\x00\x02\x65a\x00\x00\x00\x00", 4, "\x00\x00\x00\x01\x65a", ""},
		{"nothing", "", 4, "", ""},
		{"cut in a length", "\x00\x00\x00\x01\x65\x00", 4, "", "ends within"},
		{"too long", "\xff\xff\xff\xff\x65", 4, "", "4294967295 bytes where 1 are left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := AppendAnnexB([]byte("before"), []byte(c.sample), c.size)
			if string(got) != "before"+c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got error %v, want %q", err, c.err)
			}
		})
	}
}

func TestParsePPSID(t *testing.T) {
	if pps, sps, err := ParsePPSID(unhex(t, testPPS)); pps != 0 || sps != 0 || err != nil {
		t.Errorf("got %d of %d, %v", pps, sps, err)
	}
	for _, bad := range []string{"", "67ff", "68"} {
		if _, _, err := ParsePPSID(unhex(t, bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzAVCC(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02\x65a"), uint8(4))
	f.Add([]byte("\x01\x42\xc0\x1f\xff\xe1\x00\x01\x67\x01\x00\x01\x68"), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		_, _ = ParseDecoderConfig(b)
		if size != 1 && size != 2 && size != 4 {
			return
		}
		if got, err := AppendAnnexB(nil, b, int(size)); err == nil && len(got) > 4*len(b) {
			t.Errorf("%d bytes became %d", len(b), len(got))
		}
	})
}
