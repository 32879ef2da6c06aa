package opus

import (
	"errors"
	"math"
	"os"
	"testing"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
)

func TestDecode(t *testing.T) {
	var packets []encoder.Packet
	e := open(t, Config{}, &packets)
	d := decoder(t)
	var sound []int16
	pcm := make([]int16, MaxSamples)
	for i := range 20 {
		encode(t, e, chunk(440, i))
		n, err := d.Decode(packets[i].Data, pcm)
		if err != nil || n != capture.ChunkSamples {
			t.Fatalf("packet %d: %d samples, %v", i, n, err)
		}
		sound = append(sound, pcm[:n]...)
	}
	tail := sound[len(sound)/2:]
	if tone, other := power(tail, 440), power(tail, 880); math.IsNaN(tone) || tone < 100*other {
		t.Errorf("440 Hz: %g, 880 Hz: %g", tone, other)
	}
}

func TestDecodeRefuses(t *testing.T) {
	d := decoder(t)
	pcm := make([]int16, MaxSamples)
	for name, c := range map[string]struct {
		packet []byte
		room   []int16
	}{
		"an empty packet": {nil, pcm},
		"a broken packet": {[]byte{0xff, 0xff}, pcm},
		"too little room": {[]byte{0xf8, 0, 0}, pcm[:960]},
	} {
		if _, err := d.Decode(c.packet, c.room); err == nil {
			t.Error("no error from " + name)
		}
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Decode([]byte{0xf8, 0, 0}, pcm); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// FuzzDecode decodes what may come from anywhere.
func FuzzDecode(f *testing.F) {
	for _, seed := range [][]byte{{0xf8}, {0xf8, 0xff, 0xfe}, {0xff, 0xff}, {0x0b, 1, 2, 3, 4}, {0x83, 0x41, 0, 7}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		d := decoder(t)
		pcm := make([]int16, MaxSamples)
		for range 2 {
			if n, err := d.Decode(packet, pcm); n < 0 || n > MaxSamples || (n == 0) != (err != nil) {
				t.Fatalf("%d samples, %v", n, err)
			}
		}
	})
}

func decoder(t testing.TB) *Decoder {
	t.Helper()
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}
