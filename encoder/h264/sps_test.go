package h264

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestParseSPS(t *testing.T) {
	for _, c := range []struct {
		name, sps string
		want      SPS
		id        string
	}{
		{
			"x264 baseline, cropped", "6742c00bda0a37e4c044000003000400000300c83c50aa80",
			SPS{Profile: 66, Constraints: 0xc0, Level: 11, Width: 160, Height: 90, FrameMBsOnly: true, PicOrderCntType: 2, FPS: 25},
			"42c00b",
		},
		{
			"x264 high with two B pictures", "6764000bacd9428df93011000003000100000300320f142996",
			SPS{Profile: 100, Level: 11, Width: 160, Height: 90, FrameMBsOnly: true, MaxReorder: 2, FPS: 25},
			"64000b",
		},
		{
			"a phone's high", "67640028acb403c0113f2ca40404041b4284d4",
			SPS{Profile: 100, Level: 40, Width: 1920, Height: 1080, FrameMBsOnly: true, PicOrderCntType: 2},
			"640028",
		},
		{
			"openh264 without VUI", "6742c01f8c8d402802dd",
			SPS{Profile: 66, Constraints: 0xc0, Level: 31, Width: 1280, Height: 720, FrameMBsOnly: true},
			"42c01f",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseSPS(unhex(t, c.sps))
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
			if id := got.ProfileLevelID(); id != c.id {
				t.Errorf("profile-level-id %s, want %s", id, c.id)
			}
			if got.Reorders() != (c.want.MaxReorder > 0) {
				t.Errorf("reorders: %v", got.Reorders())
			}
		})
	}
}

// spsBits writes a parameter set from fields, "ue" codes as numbers.
type spsBits struct{ s strings.Builder }

func (w *spsBits) u(bits string) *spsBits { w.s.WriteString(bits); return w }

func (w *spsBits) ue(values ...int) *spsBits {
	for _, v := range values {
		n := 0
		for (v+1)>>n > 1 {
			n++
		}
		w.s.WriteString(strings.Repeat("0", n))
		for i := n; i >= 0; i-- {
			w.s.WriteByte('0' + byte((v+1)>>i&1))
		}
	}
	return w
}

func (w *spsBits) nal(header ...byte) NAL {
	bits := w.s.String() + "1"
	bits += strings.Repeat("0", (8-len(bits)%8)%8)
	nal := NAL(header)
	for i := 0; i < len(bits); i += 8 {
		var b byte
		for _, bit := range bits[i : i+8] {
			b = b<<1 | byte(bit-'0')
		}
		if n := len(nal); n > 2 && nal[n-1] == 0 && nal[n-2] == 0 && b <= 3 {
			nal = append(nal, 3)
		}
		nal = append(nal, b)
	}
	return nal
}

// The fields that encoders at hand do not write: 4:4:4 with scaling lists,
// interlacing, picture order count type 1, HRD.
func TestParseSPSRareFields(t *testing.T) {
	var w spsBits
	w.ue(5).ue(3).u("0").ue(0, 0).u("01")
	w.u("1").ue(16)                                                                                        // list 0: first delta -8, so the default
	w.u(strings.Repeat("0", 11))                                                                           // the others are absent
	w.ue(0, 1).u("1").ue(0, 0, 2, 0, 0)                                                                    // picture order count type 1, two offsets
	w.ue(4).u("0").ue(44, 16).u("0" + "1" + "1")                                                           // 45x17 map units, interlaced
	w.u("1").ue(2, 3, 1, 1)                                                                                // cropping
	w.u("1" + "1" + "11111111" + strings.Repeat("0", 32))                                                  // VUI: extended SAR
	w.u("11" + "1" + "0000" + "1" + strings.Repeat("0", 24))                                               // overscan, signal type, colours
	w.u("1").ue(0, 0)                                                                                      // chroma location
	w.u("1" + strings.Repeat("0", 22) + "1111101001" + strings.Repeat("0", 16) + "1110101001100000" + "1") // 1001 and 60000
	w.u("1").ue(0).u("00000000").ue(9, 9).u("0" + strings.Repeat("0", 20))
	w.u("0"+"0"+"0"+"1"+"1").ue(0, 0, 10, 10, 3, 4)
	got, err := ParseSPS(w.nal(0x67, 244, 0, 31))
	if err != nil {
		t.Fatal(err)
	}
	want := SPS{ID: 5, Profile: 244, Level: 31, Width: 720 - 5, Height: 17*32 - 4, PicOrderCntType: 1, MaxReorder: 3}
	want.FPS = 60000.0 / 1001 / 2
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseSPSRefuses(t *testing.T) {
	for _, c := range []struct{ name, sps, want string }{
		{"a PPS", "68ce3c80", "not a sequence parameter set"},
		{"nothing", "", "not a sequence parameter set"},
		{"a header only", "67", "ends too early"},
		{"cut", "6742c01f8c8d", "ends too early"},
		{"zeros", "6742c01f" + strings.Repeat("00", 20), "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ParseSPS(unhex(t, c.sps)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzParseSPS(f *testing.F) {
	for _, s := range []string{
		"6742c00bda0a37e4c044000003000400000300c83c50aa80", "67640028acb403c0113f2ca40404041b4284d4", "6742c01f8c8d402802dd",
	} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSPS(b)
		if err == nil && (s.Width <= 0 || s.Height <= 0 || s.Width > 16*maxSide || s.Height > 32*maxSide || s.MaxReorder > 16) {
			t.Errorf("out of range: %+v", s)
		}
	})
}

func unhex(tb testing.TB, s string) NAL {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
