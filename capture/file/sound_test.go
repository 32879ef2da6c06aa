package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// tone.wav is 0.1 s of 440 Hz at 16 kHz, ffmpeg's sine at an eighth of full scale.
func TestWAVPlaysOnce(t *testing.T) {
	s := openSound(t, OpenWAV, "testdata/tone.wav", Options{Start: monotonic.Now()})
	var samples []int16
	for i := range 10 {
		c := nextSound(t, s)
		if c.Format != capture.PCM16 || len(c.Samples) != capture.ChunkSamples || c.Length != capture.ChunkTime ||
			c.Sequence != uint64(i) || c.PTS != s.pacer.base+time.Duration(i)*capture.ChunkTime {
			t.Errorf("chunk %d: %d samples, %v, sequence %d, PTS %v", i, len(c.Samples), c.Length, c.Sequence, c.PTS-s.pacer.base)
		}
		samples = append(samples, c.Samples...)
	}
	if _, err := s.Next(t.Context()); err != io.EOF {
		t.Errorf("at the end: %v, want io.EOF", err)
	}
	for i, v := range samples[200:4600] { // away from the ends, where the filter sees silence
		want := 4095 * math.Sin(2*math.Pi*440*float64(i+200)/capture.SampleRate)
		if math.Abs(float64(v)-want) > 4 {
			t.Fatalf("sample %d is %d, want %.0f", i+200, v, want)
		}
	}
}

func TestWAVFormats(t *testing.T) {
	const quarter = 8192 // in 16 bits
	for _, c := range []struct {
		name        string
		tag, bits   int
		left, right []byte
		want        int16
	}{
		{"8 bit", 1, 8, []byte{160}, []byte{160}, quarter},
		{"16 bit", 1, 16, []byte{0, 32}, []byte{0, 32}, quarter},
		{"16 bit, one side silent", 1, 16, []byte{0, 32}, []byte{0, 0}, quarter / 2},
		{"16 bit negative", 1, 16, []byte{0, 0x80}, []byte{0, 0x80}, math.MinInt16},
		{"24 bit", 1, 24, []byte{0, 0, 32}, []byte{0, 0, 32}, quarter},
		{"24 bit negative", 1, 24, []byte{0, 0, 0xe0}, []byte{0, 0, 0xe0}, -quarter},
		{"32 bit", 1, 32, []byte{0, 0, 0, 32}, []byte{0, 0, 0, 32}, quarter},
		{"float", 3, 32, f32(0.25), f32(0.25), quarter},
		{"float over full scale", 3, 32, f32(9), f32(9), math.MaxInt16},
		{"float not a number", 3, 32, f32(float32(math.NaN())), f32(0.5), quarter},
		{"double", 3, 64, f64(0.25), f64(0.25), quarter},
	} {
		t.Run(c.name, func(t *testing.T) {
			frames := bytes.Repeat(append(bytes.Clone(c.left), c.right...), 960)
			path := write(t, "a.wav", wavFile(c.tag, 2, 48000, c.bits, frames))
			got := nextSound(t, openSound(t, OpenWAV, path, Options{}))
			for i, v := range got.Samples {
				if v != c.want {
					t.Fatalf("sample %d is %d, want %d", i, v, c.want)
				}
			}
		})
	}
}

func TestWAVHeaders(t *testing.T) {
	sound := bytes.Repeat([]byte{0, 32}, 960)
	plain := wavFile(1, 1, 48000, 16, sound)
	extensible := append([]byte{}, plain[:16]...)
	extensible = append(extensible, 40, 0, 0, 0, 0xfe, 0xff)
	extensible = append(extensible, plain[22:36]...)
	extensible = append(extensible, 22, 0, 16, 0, 0, 0, 0, 0, 1, 0)
	extensible = append(extensible, make([]byte, 14)...)
	extensible = append(extensible, plain[36:]...)
	odd := append([]byte{}, plain[:12]...)
	odd = append(append(odd, "LIST\x03\x00\x00\x00abc\x00"...), plain[12:]...)
	piped := bytes.Clone(plain)
	binary.LittleEndian.PutUint32(piped[40:], math.MaxUint32)
	for name, data := range map[string][]byte{"extensible": extensible, "a chunk of odd length": odd, "written to a pipe": piped} {
		got := nextSound(t, openSound(t, OpenWAV, write(t, "a.wav", data), Options{}))
		if got.Samples[0] != 8192 || got.Samples[capture.ChunkSamples-1] != 8192 {
			t.Errorf("%s: %d to %d, want 8192", name, got.Samples[0], got.Samples[capture.ChunkSamples-1])
		}
	}
}

func TestWAVLoopsWithoutSeam(t *testing.T) {
	samples := make([]byte, 0, 3200)
	for i := range 1600 { // whole periods of 100 Hz in 0.1 s
		samples = binary.LittleEndian.AppendUint16(samples, uint16(int16(10000*math.Sin(2*math.Pi*100*float64(i)/16000))))
	}
	s := openSound(t, OpenWAV, write(t, "a.wav", wavFile(1, 1, 16000, 16, samples)), Options{Loop: true})
	var out []int16
	for i := range 12 {
		dueNow(s)
		c := nextSound(t, s)
		if c.Sequence != uint64(i) {
			t.Fatalf("chunk %d has sequence %d", i, c.Sequence)
		}
		out = append(out, c.Samples...)
	}
	for i := 200; i < len(out)-1; i++ {
		if step := math.Abs(float64(out[i+1]) - float64(out[i])); step > 140 { // 2 pi 100 / 48000 * 10000 = 131
			t.Fatalf("a step of %v at sample %d", step, i)
		}
	}
}

func TestOpusPassesPackets(t *testing.T) {
	s := openSound(t, OpenOpus, "testdata/tone.opus", Options{Start: monotonic.Now()})
	if s.Format() != capture.Opus || s.PreSkip() != 6500*time.Microsecond {
		t.Errorf("format %v, pre-skip %v", s.Format(), s.PreSkip())
	}
	n := 0
	for ; ; n++ {
		c, err := s.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		want := s.pacer.base - s.PreSkip() + time.Duration(n)*20*time.Millisecond
		if c.Format != capture.Opus || len(c.Packet) < 2 || c.Length != 20*time.Millisecond || c.PTS != want || c.Sequence != uint64(n) {
			t.Errorf("packet %d: %d bytes, %v, PTS %v, want %v, sequence %d", n, len(c.Packet), c.Length, c.PTS, want, c.Sequence)
		}
	}
	if n != 16 { // 0.3 s and the pre-skip
		t.Errorf("%d packets, want 16", n)
	}
}

func TestOpusLoops(t *testing.T) {
	s := openSound(t, OpenOpus, "testdata/tone.opus", Options{Loop: true})
	var first, last []byte
	var pts time.Duration
	for i := range 40 {
		dueNow(s)
		c := nextSound(t, s)
		if i == 0 {
			first = bytes.Clone(c.Packet)
		} else if c.PTS <= pts || c.Sequence != uint64(i) {
			t.Errorf("packet %d: sequence %d, %v after the one before", i, c.Sequence, c.PTS-pts)
		}
		if i == 16 {
			last = bytes.Clone(c.Packet)
		}
		pts = c.PTS
	}
	if !bytes.Equal(first, last) {
		t.Error("packet 16 is not the first again")
	}
}

func TestSoundDropsWhatIsLate(t *testing.T) {
	for _, c := range soundFiles {
		s := openSound(t, c.open, c.path, Options{Loop: true})
		first := nextSound(t, s).PTS
		s.pacer.base -= time.Second
		late := nextSound(t, s)
		skipped := time.Duration(late.Sequence) * late.Length
		if skipped < 800*time.Millisecond || skipped > 1200*time.Millisecond || monotonic.Now()-late.PTS > 2*maxSoundLag {
			t.Errorf("%s: sequence %d, %v late", c.path, late.Sequence, monotonic.Now()-late.PTS)
		}
		s.pacer.base -= time.Hour // moves the clock instead
		if c := nextSound(t, s); c.Sequence != late.Sequence+1 || c.PTS < first {
			t.Errorf("after an hour: sequence %d after %d", c.Sequence, late.Sequence)
		}
	}
}

func TestSoundClose(t *testing.T) {
	for _, c := range soundFiles {
		s := openSound(t, c.open, c.path, Options{Start: monotonic.Now() + time.Hour})
		done := make(chan error)
		go func() {
			_, err := s.Next(context.Background())
			done <- err
		}()
		for range 2 {
			if err := s.Close(); err != nil {
				t.Errorf("%s: close: %v", c.path, err)
			}
		}
		if err := <-done; !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: a blocked Next: %v, want os.ErrClosed", c.path, err)
		}
		if _, err := s.Next(t.Context()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: Next after Close: %v, want os.ErrClosed", c.path, err)
		}
	}
}

func TestSoundAllocatesNothing(t *testing.T) {
	for _, c := range soundFiles {
		s := openSound(t, c.open, c.path, Options{Loop: true})
		ctx := t.Context()
		step := func() {
			dueNow(s)
			if _, err := s.Next(ctx); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			step()
		}
		if n := testing.AllocsPerRun(100, step); n >= 1 {
			t.Errorf("%s: %v allocations", c.path, n)
		}
	}
}

// Real speech, through ffmpeg, must last as long as ffprobe says.
func TestSoundRealFootage(t *testing.T) {
	const movie = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"
	if _, err := os.Stat(movie); err != nil {
		t.Skipf("%v (Debian: apt install forensics-samples-files)", err)
	}
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		open func(string, Options) (*Sound, error)
	}{
		{"a.wav", []string{"-ar", "44100"}, OpenWAV},
		{"a.opus", []string{"-c:a", "libopus", "-b:a", "32k"}, OpenOpus},
	} {
		path := filepath.Join(dir, c.name)
		ffmpeg(t, append(append([]string{"-i", movie, "-vn", "-t", "8"}, c.args...), path)...)
		s := openSound(t, c.open, path, Options{})
		var length time.Duration
		for {
			var sound capture.Sound
			if err := s.source.next(&sound); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			length += sound.Length
		}
		if length < 8*time.Second || length > 8*time.Second+40*time.Millisecond {
			t.Errorf("%s: %v of sound, want 8s", c.name, length)
		}
	}
}

func BenchmarkSoundNext(b *testing.B) {
	for _, c := range soundFiles {
		b.Run(filepath.Ext(c.path)[1:], func(b *testing.B) {
			s, err := c.open(c.path, Options{Loop: true})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.ReportAllocs()
			for b.Loop() {
				dueNow(s)
				nextSound(b, s)
			}
		})
	}
}

var soundFiles = []struct {
	path string
	open func(string, Options) (*Sound, error)
}{{"testdata/tone.wav", OpenWAV}, {"testdata/tone.opus", OpenOpus}}

func openSound(t *testing.T, open func(string, Options) (*Sound, error), path string, opts Options) *Sound {
	t.Helper()
	s, err := open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// dueNow makes the next sound due at this moment, however long the test has taken.
func dueNow(s *Sound) {
	if s.pacer.begun {
		s.pacer.base = monotonic.Now() - s.position
	}
}

func nextSound(tb testing.TB, s *Sound) capture.Sound {
	tb.Helper()
	c, err := s.Next(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// write puts a file into the test's own folder.
func write(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func wavFile(tag, channels, rate, bits int, sound []byte) []byte {
	le := binary.LittleEndian
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00")
	b = le.AppendUint16(b, uint16(tag))
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(rate*channels*bits/8))
	b = le.AppendUint16(b, uint16(channels*bits/8))
	b = le.AppendUint16(b, uint16(bits))
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(len(sound)))
	b = append(b, sound...)
	le.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func f32(v float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)) }
func f64(v float64) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)) }
