package opus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
)

func TestPacketFollowsItsChunk(t *testing.T) {
	var packets []encoder.Packet
	e := open(t, Config{}, &packets)
	for i := range 5 {
		s := chunk(440, i)
		encode(t, e, s)
		p := packets[i]
		if p.PTS != s.PTS || p.Length != capture.ChunkTime || len(p.Data) < 10 {
			t.Errorf("chunk at %v became %d bytes at %v of %v", s.PTS, len(p.Data), p.PTS, p.Length)
		}
		// The packet's first byte says 10 ms, mono, one frame (RFC 6716, 3.1).
		if config := p.Data[0] >> 3; !tenMilliseconds(config) || p.Data[0]&0x07 != 0 {
			t.Errorf("TOC byte %#02x", p.Data[0])
		}
	}
}

func tenMilliseconds(config byte) bool {
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		return config%4 == 0
	case config < 16: // hybrid: 10, 20 ms
		return config%2 == 0
	}
	return config%4 == 2 // CELT: 2.5, 5, 10, 20 ms
}

// From the default rate on only the transform is used, which looks less far ahead;
// in-band FEC brings linear prediction back (RFC 6716, table 2).
func TestLowDelay(t *testing.T) {
	const celt = 16 // its first configuration
	for _, c := range []struct {
		config Config
		want   bool
	}{
		{Config{}, true},
		{Config{BitRate: 96_000}, true},
		{Config{BitRate: 32_000}, false},
		{Config{ExpectedLoss: 5}, false},
	} {
		var packets []encoder.Packet
		e := open(t, c.config, &packets)
		for i := range 10 {
			encode(t, e, chunk(440, i))
		}
		if got := packets[9].Data[0]>>3 >= celt; got != c.want {
			t.Errorf("%+v: TOC byte %#02x", c.config, packets[9].Data[0])
		}
	}
}

func TestBitRate(t *testing.T) {
	for _, rate := range []encoder.BitRate{16_000, DefaultBitRate, 96_000} {
		var packets []encoder.Packet
		e := open(t, Config{BitRate: 24_000}, &packets)
		if err := e.SetBitRate(rate); err != nil {
			t.Fatal(err)
		}
		bytes := 0
		for i := range 100 {
			encode(t, e, noisy(i))
			bytes += len(packets[i].Data)
		}
		if got := float64(bytes*8) / 2; got > 1.15*float64(rate) || got < 0.5*float64(rate) {
			t.Errorf("%d b/s became %.0f", rate, got)
		}
	}
}

// TestDecodesToTheTone has ffmpeg decode what was encoded, and looks for the
// tone in it.
func TestDecodesToTheTone(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skipf("%v: install ffmpeg", err)
	}
	for _, config := range []Config{{}, {BitRate: 16_000}, {ExpectedLoss: 20}} {
		var packets []encoder.Packet
		e := open(t, config, &packets)
		for i := range 50 {
			encode(t, e, chunk(1000, i))
		}
		decode := exec.Command(ffmpeg, "-v", "error", "-f", "ogg", "-i", "-", "-f", "s16le", "-ar", "48000", "-ac", "1", "-")
		decode.Stdin = bytes.NewReader(ogg(packets))
		decode.Stderr = os.Stderr
		out, err := decode.Output()
		if err != nil {
			t.Fatal(err)
		}
		samples := make([]int16, len(out)/2)
		if err := binary.Read(bytes.NewReader(out), binary.LittleEndian, samples); err != nil {
			t.Fatal(err)
		}
		if len(samples) < 40*capture.ChunkSamples {
			t.Fatalf("%d samples decoded", len(samples))
		}
		body := samples[5*capture.ChunkSamples : 35*capture.ChunkSamples]
		if share := power(body, 1000); share < 0.9 {
			t.Errorf("%+v: %.2f of the power is at 1000 Hz, want nearly all", config, share)
		}
	}
}

func TestOpusIsPassedOn(t *testing.T) {
	var packets []encoder.Packet
	e := open(t, Config{}, &packets)
	s := capture.Sound{Format: capture.Opus, Packet: []byte{0x78, 1, 2, 3}, Length: 60 * time.Millisecond, PTS: time.Second}
	encode(t, e, s)
	if p := packets[0]; !bytes.Equal(p.Data, s.Packet) || p.PTS != s.PTS || p.Length != s.Length {
		t.Errorf("got %+v", p)
	}
}

func TestEncodeRefusesBadSound(t *testing.T) {
	e := open(t, Config{}, nil)
	tests := []struct {
		sound capture.Sound
		want  string
	}{
		{capture.Sound{}, "sound of format 0"},
		{capture.Sound{Format: capture.PCM16}, "chunk of 0 samples, want 480"},
		{capture.Sound{Format: capture.PCM16, Samples: make([]int16, 1920)}, "chunk of 1920 samples"},
		{capture.Sound{Format: capture.Opus, Sequence: 7}, "packet 7 on: it is empty"},
	}
	for _, test := range tests {
		if err := e.Encode(test.sound); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	tests := []struct {
		config Config
		want   string
	}{
		{Config{BitRate: 100}, "opus bitrate 100: must be from 6000 to 256000"},
		{Config{BitRate: -1}, "opus bitrate -1"},
		{Config{Complexity: 11}, "opus complexity 11"},
		{Config{ExpectedLoss: 101}, "opus expected loss 101 %"},
	}
	for _, test := range tests {
		if _, err := New(test.config, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %q", test.config, err, test.want)
		}
	}
	if err := open(t, Config{}, nil).SetBitRate(1); err == nil {
		t.Error("a bitrate of 1 was taken")
	}
}

func TestSinkErrorComesBack(t *testing.T) {
	want := errors.New("uplink is full")
	e, err := New(Config{}, func(encoder.Packet) error { return want })
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Encode(chunk(440, 0)); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestAfterClose(t *testing.T) {
	e := open(t, Config{}, nil)
	for range 2 {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	for _, s := range []capture.Sound{chunk(440, 0), {Format: capture.Opus, Packet: []byte{1}}} {
		if err := e.Encode(s); !errors.Is(err, os.ErrClosed) {
			t.Errorf("encode: got %v, want os.ErrClosed", err)
		}
	}
	if err := e.SetBitRate(32_000); !errors.Is(err, os.ErrClosed) {
		t.Errorf("set bitrate: got %v, want os.ErrClosed", err)
	}
}

// TestMethodsTogether is for the race detector, and for C code that is used
// after it was freed.
func TestMethodsTogether(t *testing.T) {
	e := open(t, Config{}, nil)
	half := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := range 100 {
			if err := e.Encode(chunk(440, i)); err != nil && !errors.Is(err, os.ErrClosed) {
				t.Errorf("encode: %v", err)
			}
			if i == 50 {
				close(half)
			}
		}
	})
	wait.Go(func() {
		for i := range 100 {
			if err := e.SetBitRate(encoder.BitRate(16_000 + 100*i)); err != nil && !errors.Is(err, os.ErrClosed) {
				t.Errorf("set bitrate: %v", err)
			}
		}
	})
	wait.Go(func() {
		<-half
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	wait.Wait()
}

func TestLibraryErrorHasALine(t *testing.T) {
	if got := libraryError(-1).Error(); got != "libopus: invalid argument (-1)" {
		t.Errorf("got %q", got)
	}
}

func TestEncodeAllocatesNothing(t *testing.T) {
	e := open(t, Config{}, nil)
	s := chunk(440, 0)
	if n := testing.AllocsPerRun(50, func() { encode(t, e, s) }); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	e := open(b, Config{}, nil)
	s := noisy(0)
	b.ReportAllocs()
	for b.Loop() {
		encode(b, e, s)
	}
}

// open makes an encoder that appends what it makes to packets, unless that is nil.
func open(t testing.TB, config Config, packets *[]encoder.Packet) *Encoder {
	t.Helper()
	e, err := New(config, func(p encoder.Packet) error {
		if packets != nil {
			p.Data = bytes.Clone(p.Data)
			*packets = append(*packets, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func encode(t testing.TB, e *Encoder, s capture.Sound) {
	t.Helper()
	if err := e.Encode(s); err != nil {
		t.Fatal(err)
	}
}

// chunk returns chunk number i of a sine.
func chunk(hertz float64, i int) capture.Sound {
	s := capture.Sound{
		Format: capture.PCM16, Samples: make([]int16, capture.ChunkSamples), Length: capture.ChunkTime,
		PTS: time.Duration(i) * capture.ChunkTime, Sequence: uint64(i),
	}
	for n := range s.Samples {
		at := float64(i*capture.ChunkSamples+n) / capture.SampleRate
		s.Samples[n] = int16(8000 * math.Sin(2*math.Pi*hertz*at))
	}
	return s
}

// noisy returns chunk number i of something that is harder to encode.
func noisy(i int) capture.Sound {
	s := chunk(300, i)
	for n := range s.Samples {
		s.Samples[n] += int16(uint32(i*capture.ChunkSamples+n)*2654435761>>19) - 4096
	}
	return s
}

// power returns which share of the samples' power is at a frequency.
func power(samples []int16, hertz float64) float64 {
	var re, im, all float64
	for n, v := range samples {
		sin, cos := math.Sincos(2 * math.Pi * hertz * float64(n) / capture.SampleRate)
		re += float64(v) * cos
		im += float64(v) * sin
		all += float64(v) * float64(v)
	}
	return 2 * (re*re + im*im) / (float64(len(samples)) * all)
}

// ogg wraps packets for ffmpeg, one to a page (RFC 3533, RFC 7845).
func ogg(packets []encoder.Packet) []byte {
	head := append([]byte("OpusHead\x01\x01"), 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0) // no pre-skip, 48000 Hz
	tags := append([]byte("OpusTags\x04\x00\x00\x00test"), 0, 0, 0, 0)
	out := page(nil, head, 2, 0, 0)
	out = page(out, tags, 0, 0, 1)
	for i, p := range packets {
		flags := byte(0)
		if i == len(packets)-1 {
			flags = 4
		}
		out = page(out, p.Data, flags, uint64(i+1)*capture.ChunkSamples, uint32(i+2))
	}
	return out
}

func page(out, packet []byte, flags byte, granule uint64, sequence uint32) []byte {
	begin := len(out)
	out = append(out, "OggS\x00"...)
	out = append(out, flags)
	out = binary.LittleEndian.AppendUint64(out, granule)
	out = binary.LittleEndian.AppendUint32(out, 1) // serial number
	out = binary.LittleEndian.AppendUint32(out, sequence)
	out = append(out, 0, 0, 0, 0) // checksum
	out = append(out, byte(len(packet)/255+1))
	out = append(out, bytes.Repeat([]byte{255}, len(packet)/255)...)
	out = append(out, byte(len(packet)%255))
	out = append(out, packet...)
	binary.LittleEndian.PutUint32(out[begin+22:], checksum(out[begin:]))
	return out
}

func checksum(page []byte) (crc uint32) {
	for _, b := range page {
		crc ^= uint32(b) << 24
		for range 8 {
			carry := crc >> 31
			crc = crc<<1 ^ carry*0x04c11db7
		}
	}
	return crc
}
