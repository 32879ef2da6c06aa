package rtc

import (
	"bytes"
	"slices"
	"testing"

	"github.com/bril-edge/bril/encoder/h264"
)

// nal returns a NAL unit of n bytes with that header and no start code in it.
func nal(header byte, n int) []byte {
	b := bytes.Repeat([]byte{0xab}, n)
	b[0] = header
	return b
}

// annexB joins NAL units, with start codes of four and three bytes in turn.
func annexB(nals ...[]byte) []byte {
	var b []byte
	for i, n := range nals {
		b = append(b, []byte{0, 0, 0, 1}[i%2:]...)
		b = append(b, n...)
	}
	return b
}

// packets cuts an access unit and returns payloads of its own.
func packets(au []byte, first, rest int) (out []payload) {
	var p packetiser
	p.begin(au)
	for part, more := p.next(first); more; part, more = p.next(rest) {
		part.body = slices.Concat(part.head, part.body)
		out = append(out, part)
	}
	return out
}

func TestPacketise(t *testing.T) {
	const first, rest = 100, 120
	sps, pps := nal(0x67, 12), nal(0x68, 4)
	aud, filler := []byte{9, 0x10}, nal(12, 300)
	idr := func(n int) []byte { return nal(0x65, n) }
	cases := []struct {
		name  string
		au    []byte
		sizes []int
	}{
		{"nothing", nil, nil},
		{"no start code", []byte{0x65, 1, 2, 3}, nil},
		{"start code alone", []byte{0, 0, 0, 1}, nil},
		{"one byte", annexB([]byte{0x65}), []int{1}},
		{"at the first limit", annexB(idr(first)), []int{first}},
		{"one past the first limit", annexB(idr(first + 1)), []int{first, 4}},
		{"second at its limit", annexB(sps, idr(rest)), []int{12, rest}},
		{"second one past its limit", annexB(sps, idr(rest+1)), []int{12, rest, 4}},
		{"fragments filled exactly", annexB(idr(1 + 98 + 118)), []int{first, rest}},
		{"fragments and one byte", annexB(idr(1 + 98 + 118 + 1)), []int{first, rest, 3}},
		{"parameter sets before", annexB(sps, pps, idr(150)), []int{12, 4, 120, 33}},
		{"delimiter before", annexB(aud, sps, idr(10)), []int{12, 10}},
		{"filler after", annexB(idr(10), filler), []int{10}},
		{"filler between, fragments before and after", annexB(idr(150), filler, idr(150)), []int{100, 53, 120, 33}},
		{"fragments, then delimiter and filler", annexB(idr(150), aud, filler), []int{100, 53}},
		{"delimiters only", annexB(aud, filler), nil},
		{"types of the payload format", annexB(nal(28, 10), nal(24, 10), []byte{0}, idr(10), nal(29, 10)), []int{10}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var sizes []int
			for _, p := range packets(c.au, first, rest) {
				sizes = append(sizes, len(p.body))
			}
			if !slices.Equal(sizes, c.sizes) {
				t.Errorf("sizes %v, want %v", sizes, c.sizes)
			}
			checkPackets(t, c.au, first, rest)
		})
	}
}

// checkPackets holds for every access unit: what comes out of the packets is
// what went in, no packet is too long, and exactly the last one ends it.
func checkPackets(t *testing.T, au []byte, first, rest int) {
	t.Helper()
	var want, got []byte
	for n := range h264.NALs(au) {
		if travels(n.Type()) {
			want = append(append(want, 0, 0, 1), n...)
		}
	}
	limit := first
	all := packets(au, first, rest)
	for i, p := range all {
		if len(p.body) > limit {
			t.Fatalf("packet %d has %d bytes, more than %d", i, len(p.body), limit)
		}
		if p.last != (i == len(all)-1) {
			t.Fatalf("packet %d of %d: last is %v", i, len(all), p.last)
		}
		if p.body[0]&0x1f == typeFUA && p.body[1]&fuStart != 0 && p.body[1]&fuEnd != 0 {
			t.Fatalf("packet %d is start and end of one fragmentation unit, RFC 6184 section 5.8", i)
		}
		got, limit = depacketise(t, got, p.body), rest
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("got % x\nwant % x", got, want)
	}
}

func FuzzPacketise(f *testing.F) {
	f.Add(annexB(nal(0x67, 12), nal(0x68, 4), nal(0x65, 500)), uint16(100), uint16(120))
	f.Add(annexB([]byte{9, 16}, nal(0x41, 99), nal(12, 40)), uint16(98), uint16(99))
	f.Add([]byte{0, 0, 1, 0x65, 0, 0, 3, 0, 0, 0, 1}, uint16(0), uint16(0))
	f.Fuzz(func(t *testing.T, au []byte, first, rest uint16) {
		// A limit leaves room for a fragmentation unit of one byte at least.
		checkPackets(t, au, 3+int(first), 3+int(rest))
	})
}

func BenchmarkPacketise(b *testing.B) {
	au := annexB(nal(0x67, 12), nal(0x68, 4), nal(0x65, 10_000))
	var p packetiser
	b.ReportAllocs()
	b.SetBytes(int64(len(au)))
	for b.Loop() {
		p.begin(au)
		for _, more := p.next(1100); more; _, more = p.next(1180) {
		}
	}
}
