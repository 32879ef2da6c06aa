package rtc

import (
	"bytes"
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	h := history{size: 8}
	if h.find(0) != nil {
		t.Error("an empty history has packet 0")
	}
	first := 65530 // over the wrap
	for i := range 20 {
		h.keep(uint16(first+i), uint32(i), i%4 == 3, []byte{byte(i)}, []byte{1, 2})
	}
	for i := range 20 {
		p := h.find(uint16(first + i))
		if i < 12 {
			if p != nil {
				t.Errorf("packet %d is still there", i)
			}
			continue
		}
		if p == nil || p.timestamp != uint32(i) || p.marker != (i%4 == 3) || !bytes.Equal(p.payload, []byte{byte(i), 1, 2}) {
			t.Errorf("packet %d: %+v", i, p)
		}
	}
	if next := uint16(14); h.find(next) != nil {
		t.Error("a packet that has not been sent is there")
	}
}

func TestHistoryIsOfOneSequenceSpace(t *testing.T) {
	for _, size := range []int{videoHistory, audioHistory} {
		if 1<<16%size != 0 {
			t.Errorf("%d does not divide the sequence numbers: packets would collide at the wrap", size)
		}
	}
}

func TestHistoryGrowsAndThenAllocatesNothing(t *testing.T) {
	h := history{size: 4}
	small, large := make([]byte, 20), make([]byte, packetSize-14)
	for i := range uint16(4) {
		h.keep(i, 0, false, nil, small)
	}
	if c := cap(h.packets[0].payload); c > packetSize/4 {
		t.Errorf("a packet of 20 bytes takes %d", c)
	}
	for i := range uint16(4) {
		h.keep(i, 0, false, []byte{1, 2}, large)
	}
	if c := cap(h.packets[0].payload); c != packetSize {
		t.Errorf("a large packet takes %d bytes, want %d", c, packetSize)
	}
	head, sequence := []byte{1, 2}, uint16(0)
	if n := testing.AllocsPerRun(100, func() { h.keep(sequence, 0, false, head, large); sequence++ }); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func TestPacketIsNotSentAgainAtOnce(t *testing.T) {
	h := history{size: 4}
	h.keep(7, 0, false, nil, []byte{1})
	p := h.find(7)
	for _, c := range []struct {
		at   time.Duration
		want bool
	}{{time.Second, true}, {time.Second + resendInterval - 1, false}, {time.Second + resendInterval, true}, {time.Second + 2*resendInterval, true}} {
		if got := p.due(c.at); got != c.want {
			t.Errorf("at %v: %v", c.at, got)
		}
	}
	h.keep(7, 0, false, nil, []byte{1})
	if !h.find(7).due(time.Second + 2*resendInterval + 1) {
		t.Error("a new packet in the same place may not be sent again")
	}
}
