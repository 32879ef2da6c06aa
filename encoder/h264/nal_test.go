package h264

import (
	"bytes"
	"os"
	"slices"
	"testing"
)

func TestNALs(t *testing.T) {
	for _, c := range []struct {
		name string
		au   string
		want []string
	}{
		{"empty", "", nil},
		{"no start code", "abc", nil},
		{"three bytes", "\x00\x00\x01\x65a\x00\x00\x01\x41b", []string{"\x65a", "\x41b"}},
		{"four bytes", "\x00\x00\x00\x01\x65a\x00\x00\x00\x01\x41b", []string{"\x65a", "\x41b"}},
		{"trailing zeros", "\x00\x00\x01\x65a\x00\x00\x00\x00\x00\x01\x41b\x00\x00\x00", []string{"\x65a", "\x41b"}},
		{"leading bytes", "xy\x00\x00\x01\x65", []string{"\x65"}},
		{"nothing between", "\x00\x00\x01\x00\x00\x01\x65\x00\x00\x01", []string{"\x65"}},
		{"emulation prevention stays", "\x00\x00\x01\x65\x00\x00\x03\x01", []string{"\x65\x00\x00\x03\x01"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for nal := range NALs([]byte(c.au)) {
				got = append(got, string(nal))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestInspect(t *testing.T) {
	baseline := accessUnits(t, "testdata/baseline.h264")
	if got, want := Inspect(baseline[0]), (Contents{SPS: true, PPS: true, Picture: true, IDR: true}); got != want {
		t.Errorf("first access unit: %+v, want %+v", got, want)
	}
	if got, want := Inspect(baseline[1]), (Contents{Picture: true}); got != want {
		t.Errorf("second access unit: %+v, want %+v", got, want)
	}
	for i, au := range baseline {
		if Inspect(au).B {
			t.Errorf("baseline: access unit %d has a B slice", i)
		}
	}
	if !slices.ContainsFunc(accessUnits(t, "testdata/bframes.h264"), func(au []byte) bool { return Inspect(au).B }) {
		t.Error("bframes: no B slice was found")
	}
}

func TestIterationAllocatesNothing(t *testing.T) {
	au := accessUnits(t, "testdata/baseline.h264")[0]
	if n := testing.AllocsPerRun(100, func() {
		for nal := range NALs(au) {
			_ = nal.Type()
		}
		Inspect(au)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzNALs(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x65\x88\x00\x00\x00\x00\x01\x41\x9a\x00"))
	f.Fuzz(func(t *testing.T, au []byte) {
		Inspect(au)
		var again []byte
		var first [][]byte
		for nal := range NALs(au) {
			first = append(first, nal)
			again = AppendNAL(again, nal)
		}
		i := 0
		for nal := range NALs(again) {
			if i >= len(first) || !bytes.Equal(nal, first[i]) {
				t.Fatalf("NAL unit %d changed when written again", i)
			}
			i++
		}
		if i != len(first) {
			t.Fatalf("%d NAL units became %d", len(first), i)
		}
	})
}

// BenchmarkInspect looks through an access unit of 10 kB, what 2.5 Mb/s make at
// 30 pictures a second.
func BenchmarkInspect(b *testing.B) {
	au := AppendNAL(nil, append(NAL{0x41, 0x9a}, bytes.Repeat([]byte{0, 1, 2, 3, 4, 5, 6, 7}, 1300)...))
	b.SetBytes(int64(len(au)))
	b.ReportAllocs()
	for b.Loop() {
		Inspect(au)
	}
}

// accessUnits splits a file of the testdata folder.
func accessUnits(tb testing.TB, path string) [][]byte {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	units, err := split(NewSplitter(bytes.NewReader(data), 0, 0))
	if err != nil {
		tb.Fatal(err)
	}
	return units
}
