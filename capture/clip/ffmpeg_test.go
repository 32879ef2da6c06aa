package clip

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/openh264"
	"github.com/bril-edge/bril/encoder/opus"
)

const testWidth, testHeight = 160, 128

// footage is what the project's own encoders make of a picture that turns from
// dark to bright, and of a tone that begins, in the same moment.
type footage struct {
	units   []encoder.AccessUnit
	packets []encoder.Packet
	bright  time.Duration // PTS of that moment
}

func needFFmpeg(t *testing.T) {
	t.Helper()
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: apt-get install ffmpeg", program)
		}
		t.Skipf("%s is missing: apt-get install ffmpeg", program)
	}
}

// makeFootage encodes that many seconds from an hour on, at about 30 pictures a
// second, with an IDR picture every two.
func makeFootage(t *testing.T, seconds int) footage {
	t.Helper()
	out := footage{bright: time.Hour + time.Duration(seconds)*time.Second - 1500*time.Millisecond}
	video, err := openh264.New(openh264.Config{Width: testWidth, Height: testHeight, GOP: 2 * time.Second}, func(au encoder.AccessUnit) error {
		au.Data = bytes.Clone(au.Data)
		out.units = append(out.units, au)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer video.Close()
	audio, err := opus.New(opus.Config{}, func(p encoder.Packet) error {
		p.Data = bytes.Clone(p.Data)
		out.packets = append(out.packets, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer audio.Close()

	pool, err := capture.NewPool(capture.I420, testWidth, testHeight)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 3))
	end := time.Hour + time.Duration(seconds)*time.Second
	for pts := time.Hour; pts < end; pts += time.Second/30 + time.Duration(random.IntN(8))*time.Millisecond {
		f := pool.Get()
		draw(f, pts, pts >= out.bright)
		f.PTS = pts
		if err := video.Encode(f); err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
	for pts := time.Hour - 7*time.Millisecond; pts < end; pts += capture.ChunkTime {
		if err := audio.Encode(tone(pts, out.bright)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func draw(f capture.Frame, pts time.Duration, bright bool) {
	base := 40
	if bright {
		base = 180
	}
	for plane := range f.Planes {
		p := &f.Planes[plane]
		for i := range p.Data {
			p.Data[i] = 128
			if plane == 0 {
				p.Data[i] = byte(base + (i%p.Stride+i/p.Stride+int(pts/(10*time.Millisecond)))%32)
			}
		}
	}
}

func tone(pts, from time.Duration) capture.Sound {
	s := capture.Sound{Format: capture.PCM16, Samples: make([]int16, capture.ChunkSamples), Length: capture.ChunkTime, PTS: pts}
	for i := range s.Samples {
		at := pts + time.Duration(i)*time.Second/capture.SampleRate
		if at >= from {
			s.Samples[i] = int16(12000 * math.Sin(2*math.Pi*1000*at.Seconds()))
		}
	}
	return s
}

// record plays footage into a ring, in the order of its times, presses after that
// long and stops at its end.
func record(t *testing.T, f footage, config Config, press time.Duration) (file []byte, s Summary) {
	t.Helper()
	now := time.Hour
	config.Now = func() time.Duration { return now }
	r := NewRing(config)
	packets := f.packets
	var c *Clip
	var out bytes.Buffer
	for _, au := range f.units {
		for ; len(packets) > 0 && packets[0].PTS+packets[0].Length <= au.PTS; packets = packets[1:] {
			r.Audio(packets[0])
		}
		if now = au.PTS; c == nil && now >= time.Hour+press {
			c = r.Begin(&out, 0)
		}
		r.Video(au)
	}
	now += time.Second / 30
	c.Stop()
	s, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), s
}

func save(t *testing.T, file []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// clean runs a program that must have nothing to say, not even a warning.
func clean(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append([]string{"-v", "warning"}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || said.Len() > 0 {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, said.String())
	}
	return out
}

type probed struct {
	Streams []struct {
		Type   string `json:"codec_type"`
		Codec  string `json:"codec_name"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	} `json:"streams"`
	Packets []struct {
		Type string `json:"codec_type"`
		Time string `json:"pts_time"`
	} `json:"packets"`
	Frames []struct {
		Type string `json:"media_type"`
		Key  int    `json:"key_frame"`
		Time string `json:"pts_time"`
	} `json:"frames"`
}

func probe(t *testing.T, path, show string) (p probed) {
	t.Helper()
	out := clean(t, "ffprobe", "-of", "json", "-show_streams", show, path)
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func seconds(t *testing.T, s string) time.Duration {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(v * float64(time.Second))
}

// TestJudgedByFFmpeg has real H.264 and Opus read by a program that did not write
// them: without a warning, every picture, at its time.
func TestJudgedByFFmpeg(t *testing.T) {
	needFFmpeg(t)
	f := makeFootage(t, 7)
	quiet := f
	quiet.packets = nil
	for _, test := range []struct {
		name    string
		footage footage
		sound   bool
		streams int
	}{
		{"picture", f, false, 1},
		{"picture and sound", f, true, 2},
		{"microphone off", quiet, true, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			file, summary := record(t, test.footage, Config{PreRoll: 3 * time.Second, Sound: test.sound}, 5*time.Second)
			path := save(t, file)
			p := probe(t, path, "-show_frames")
			if len(p.Streams) != test.streams || p.Streams[0].Codec != "h264" || p.Streams[0].Width != testWidth || p.Streams[0].Height != testHeight {
				t.Errorf("streams: %+v", p.Streams)
			}
			if test.sound && p.Streams[1].Codec != "opus" {
				t.Errorf("sound: %+v", p.Streams[1])
			}
			units := test.footage.units
			for units[0].PTS != summary.Start {
				units = units[1:]
			}
			n := 0
			for _, frame := range p.Frames {
				if frame.Type != "video" {
					continue
				}
				want := units[n].PTS - summary.Start
				if got := seconds(t, frame.Time); (got - want).Abs() > 20*time.Microsecond {
					t.Fatalf("picture %d is shown at %v, was taken at %v", n, got, want)
				}
				if frame.Key == 1 != units[n].Key {
					t.Fatalf("picture %d is a key frame: %d", n, frame.Key)
				}
				n++
			}
			if n != len(units) || n != summary.Pictures || p.Frames[0].Type == "video" && p.Frames[0].Key != 1 {
				t.Errorf("%d pictures can be decoded, of %d", n, len(units))
			}
			clean(t, "ffmpeg", "-nostdin", "-i", path, "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-f", "null", "-")
		})
	}
}

// TestSoundIsInSync compares the moment in which the picture becomes bright with
// that in which the tone begins, in what ffmpeg decodes, and all times of packets.
func TestSoundIsInSync(t *testing.T) {
	needFFmpeg(t)
	f := makeFootage(t, 7)
	file, summary := record(t, f, Config{PreRoll: 3 * time.Second, Sound: true}, 5*time.Second)
	path := save(t, file)

	packets := f.packets
	for packets[0].PTS < summary.Start {
		packets = packets[1:]
	}
	n := 0
	var first time.Duration
	for _, p := range probe(t, path, "-show_packets").Packets {
		if p.Type != "audio" {
			continue
		}
		got, want := seconds(t, p.Time), packets[n].PTS-summary.Start
		if (got - want).Abs() > 25*time.Microsecond {
			t.Fatalf("packet %d is heard at %v, was taken at %v", n, got, want)
		}
		if n == 0 {
			first = got
		}
		n++
	}
	if n != summary.Packets || n < len(packets)-6 {
		t.Errorf("%d packets of %d", n, len(packets))
	}

	bright := f.bright - summary.Start
	pcm := clean(t, "ffmpeg", "-nostdin", "-i", path, "-vn", "-f", "s16le", "-")
	sound := first + time.Duration(preSkip)*time.Second/audioScale
	for i := 0; i+1 < len(pcm); i += 2 {
		if v := int16(binary.LittleEndian.Uint16(pcm[i:])); v > 3000 || v < -3000 {
			break
		}
		sound += time.Second / audioScale
	}
	var picture time.Duration
	luma := clean(t, "ffmpeg", "-nostdin", "-i", path, "-an", "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-pix_fmt", "gray", "-f", "rawvideo", "-")
	units := f.units
	for units[0].PTS != summary.Start {
		units = units[1:]
	}
	for i := range units {
		if luma[i*testWidth*testHeight] > 128 {
			picture = units[i].PTS - summary.Start
			break
		}
	}
	t.Logf("bright at %v: picture at %v, sound at %v", bright, picture, sound)
	if late := picture - bright; late < 0 || late > 50*time.Millisecond {
		t.Errorf("the picture is %v late", late)
	}
	if late := sound - bright; late.Abs() > 10*time.Millisecond {
		t.Errorf("the sound is %v late", late)
	}
}

// TestCutFile plays what is left of a file that was cut anywhere: all whole
// fragments. ffmpeg opens no file that ends within a moof, so there the rest is
// cut off first, as the endpoint has to.
func TestCutFile(t *testing.T) {
	needFFmpeg(t)
	file, summary := record(t, makeFootage(t, 4), Config{PreRoll: 3 * time.Second, Sound: true}, 3*time.Second)
	ends := fragmentEnds(file)
	if want := 1 + int(summary.Duration/cadence); len(ends) < want {
		t.Fatalf("%d fragments in %v", len(ends)-1, summary.Duration)
	}
	for cut := ends[1]; cut <= len(file); cut += 97 {
		wholeFragments(t, file, ends, cut)
	}
	moof := func(i int) int { return int(binary.BigEndian.Uint32(file[ends[i]:])) }
	for _, test := range []struct {
		name string
		cut  int
	}{
		{"after a fragment", ends[1]},
		{"in the size of a moof", ends[2] + 3},
		{"before the name of a moof", ends[3] + 4},
		{"after the head of a moof", ends[4] + 8},
		{"after a moof", ends[1] + moof(1)},
		{"in the head of a mdat", ends[2] + moof(2) + 5},
		{"after the head of a mdat", ends[3] + moof(3) + mdatHeader},
		{"in a mdat", (ends[4] + ends[5]) / 2},
		{"before the last byte", len(file) - 1},
	} {
		m := wholeFragments(t, file, ends, test.cut)
		if n := decoded(t, file[:test.cut]); n < len(m.video) {
			t.Errorf("cut %s: %d pictures can be decoded, want at least %d", test.name, n, len(m.video))
		}
	}
}

// wholeFragments reads the fragments that a cut file has whole.
func wholeFragments(t *testing.T, file []byte, ends []int, cut int) movie {
	t.Helper()
	n := 0
	for n < len(ends) && ends[n] <= cut {
		n++
	}
	m := readMovie(t, file[:ends[n-1]])
	if m.fragments != n-1 || m.duration() < time.Duration(n-2)*(cadence-50*time.Millisecond) {
		t.Fatalf("cut after %d bytes: %d fragments of %d, %v", cut, m.fragments, n-1, m.duration())
	}
	return m
}

// fragmentEnds returns where the header and each fragment end.
func fragmentEnds(file []byte) (ends []int) {
	for at := 0; at < len(file); {
		size := int(binary.BigEndian.Uint32(file[at:]))
		if kind := string(file[at+4 : at+8]); kind == "moov" || kind == "mdat" {
			ends = append(ends, at+size)
		}
		at += size
	}
	return ends
}

// decoded counts the pictures that ffmpeg makes of a file.
func decoded(t *testing.T, file []byte) (n int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "quiet", "-nostdin", "-i", save(t, file),
		"-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-progress", "-", "-f", "null", "-")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		_, _ = fmt.Sscanf(line, "frame=%d", &n)
	}
	return n
}
