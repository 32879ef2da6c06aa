package rtc

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// notes writes down what a parser says.
type notes []string

func (n *notes) add(format string, args ...any) { *n = append(*n, fmt.Sprintf(format, args...)) }

func (n *notes) nack(ssrc uint32, sequence uint16) { n.add("nack %d %d", ssrc, sequence) }
func (n *notes) keyFrame(ssrc uint32)              { n.add("key frame %d", ssrc) }
func (n *notes) estimate(bitsPerSecond uint64)     { n.add("estimate %d", bitsPerSecond) }
func (n *notes) received(ssrc uint32, r reception) {
	n.add("received %d: lost %.3f, rtt %v", ssrc, r.lost, r.rtt)
}

func marshal(t testing.TB, packets ...rtcp.Packet) []byte {
	t.Helper()
	b, err := rtcp.Marshal(packets)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// padded appends four bytes of padding to the last packet of b, whose header
// begins at the offset.
func padded(b []byte, at int) []byte {
	b = append(slices.Clone(b), 0, 0, 0, 4)
	b[at] |= rtcpPadding
	binary.BigEndian.PutUint16(b[at+2:], uint16((len(b)-at)/4-1))
	return b
}

func TestParseFeedback(t *testing.T) {
	now := ntp(time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC))
	middle := uint32(now >> 16)
	report := rtcp.ReceptionReport{SSRC: 7, FractionLost: 64, LastSenderReport: middle - 65536, Delay: 65536 / 2}
	nack := &rtcp.TransportLayerNack{MediaSSRC: 7, Nacks: []rtcp.NackPair{{PacketID: 65534, LostPackets: 0b10_0000_0000_0101}}}
	pli := marshal(t, &rtcp.PictureLossIndication{MediaSSRC: 7})
	remb := marshal(t, &rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 2_500_000, SSRCs: []uint32{7}})
	huge := slices.Clone(remb)
	huge[17] |= 0xfc // exponent 63
	heard := "received 7: lost 0.250, rtt 500ms"
	cases := []struct {
		name   string
		packet []byte
		want   []string
	}{
		{"nothing", nil, nil},
		{"receiver report", marshal(t, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{report}}), []string{heard}},
		{"sender report", marshal(t, &rtcp.SenderReport{Reports: []rtcp.ReceptionReport{report}}), []string{heard}},
		{"empty receiver report", marshal(t, &rtcp.ReceiverReport{}), nil},
		{"NACK over the wrap", marshal(t, nack), []string{"nack 7 65534", "nack 7 65535", "nack 7 1", "nack 7 12"}},
		{"padded NACK", padded(marshal(t, nack), 0), []string{"nack 7 65534", "nack 7 65535", "nack 7 1", "nack 7 12"}},
		{"PLI", pli, []string{"key frame 7"}},
		{"FIR", marshal(t, &rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: 7}, {SSRC: 8}}}), []string{"key frame 7", "key frame 8"}},
		{"REMB", remb, []string{"estimate 2500000"}},
		{"REMB past 64 bits", huge, nil},
		{"another application's feedback", slices.Concat(remb[:12], []byte("BREM"), remb[16:]), nil},
		{"compound", slices.Concat(marshal(t, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{report}}),
			marshal(t, &rtcp.SourceDescription{}), pli, remb), []string{heard, "key frame 7", "estimate 2500000"}},
		{"padding in the middle", slices.Concat(padded(pli, 0), pli), []string{"key frame 7", "key frame 7"}},
		{"padding longer than the packet", slices.Concat([]byte{0xa1, 206, 0, 2}, pli[4:11], []byte{200}), nil},
		{"padding of none", slices.Concat([]byte{0xa1, 206, 0, 2}, pli[4:11], []byte{0}), nil},
		{"cut in the header", pli[:3], nil},
		{"cut in the body", pli[:8], nil},
		{"length past the end", slices.Concat(pli, []byte{0x81, 206, 0, 3}, pli[4:]), []string{"key frame 7"}},
		{"length of a header only", []byte{0x81, 206, 0, 0, 0, 0, 0, 0}, nil},
		{"more reports than there are", slices.Concat([]byte{0x9f}, marshal(t, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{report}})[1:]), []string{heard}},
		{"RTP version 1", slices.Concat([]byte{0x41}, pli[1:]), nil},
		{"transport feedback of another kind", slices.Concat([]byte{0x8f, 205}, pli[2:]), nil},
	}
	for _, c := range cases {
		var got notes
		parseFeedback(c.packet, now, &got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	const second = 65536 // in units of the middle 32 bits
	cases := []struct {
		name           string
		now            uint64
		lastSR, delay  uint32
		want, accuracy time.Duration
	}{
		{"no report heard", 100 << 32, 0, 5, 0, 0},
		{"half a second", 100 << 32, 99 * second, second / 2, time.Second / 2, 0},
		{"60 ms", 100<<32 | 60<<32/1000, 100*second - 10*second, 10 * second, 60 * time.Millisecond, 20 * time.Microsecond},
		{"the middle bits wrap", 1 << 16, 1<<32 - 1*second, 1, time.Second, 0},
		{"a clock set back", 100 << 32, 101 * second, 0, 0, 0},
		{"a clock set forward", 100 << 32, 50 * second, 0, 0, 0},
		{"a delay that cannot be", 100 << 32, 99 * second, 1 << 31, 0, 0},
	}
	for _, c := range cases {
		if got := roundTrip(c.now, c.lastSR, c.delay); (got - c.want).Abs() > c.accuracy {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// bounded fails when a parser says more than a packet can hold.
type bounded struct {
	notes int
	t     *testing.T
}

func (b *bounded) nack(uint32, uint16) { b.notes++ }
func (b *bounded) keyFrame(uint32)     { b.notes++ }
func (b *bounded) estimate(uint64)     { b.notes++ }
func (b *bounded) received(_ uint32, r reception) {
	b.notes++
	if r.lost < 0 || r.lost >= 1 || r.rtt < 0 || r.rtt > maxRTT {
		b.t.Errorf("%+v", r)
	}
}

func FuzzParseFeedback(f *testing.F) {
	f.Add(marshal(f, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 7, LastSenderReport: 1}}},
		&rtcp.TransportLayerNack{Nacks: []rtcp.NackPair{{PacketID: 65535, LostPackets: 0xffff}}}))
	f.Add(marshal(f, &rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: 7}}}, &rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1e6}))
	f.Add(padded(marshal(f, &rtcp.PictureLossIndication{MediaSSRC: 7}), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := bounded{t: t}
		parseFeedback(b, 1<<48, &got)
		if most := len(b) * 17 / 4; got.notes > most {
			t.Errorf("%d notes of %d bytes", got.notes, len(b))
		}
	})
}

func TestParseFeedbackAllocatesNothing(t *testing.T) {
	packet := marshal(t, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 7}}}, &rtcp.PictureLossIndication{MediaSSRC: 7})
	to := feedback(&bounded{t: t})
	if n := testing.AllocsPerRun(100, func() { parseFeedback(packet, 1, to) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// An estimate of the rate must not pass for a report without losses.
func TestEstimateSaysNothingOfLosses(t *testing.T) {
	var told []Estimate
	p := &Publisher{cfg: Config{Estimate: func(e Estimate) { told = append(told, e) }}}
	heard := listener{publisher: p, track: &track{}}
	p.video = heard.track
	heard.estimate(1_000_000)
	heard.received(0, reception{lost: 0.25})
	want := []Estimate{{Lost: -1, Available: 1_000_000}, {Lost: 0.25, Available: 1_000_000}}
	if !slices.Equal(told, want) {
		t.Errorf("told %+v, want %+v", told, want)
	}
}
