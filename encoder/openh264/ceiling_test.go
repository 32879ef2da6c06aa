package openh264

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/pattern"
	"github.com/bril-edge/bril/encoder"
)

// meter encodes a clip and measures what comes out.
type meter struct {
	*Encoder
	units    []encoder.AccessUnit
	pictures int
	every    time.Duration // from picture to picture
	spent    time.Duration
}

func newMeter(t *testing.T, width, height int, rate encoder.BitRate) *meter {
	t.Helper()
	m := &meter{every: time.Second / 30}
	m.Encoder = open(t, Config{Width: width, Height: height, BitRate: rate}, &m.units)
	return m
}

func (m *meter) feed(t *testing.T, f capture.Frame) {
	t.Helper()
	f.PTS = time.Duration(m.pictures) * m.every
	begin := time.Now()
	encode(t, m.Encoder, f)
	m.spent += time.Since(begin)
	m.pictures++
}

// bits returns what came out from one moment to another.
func (m *meter) bits(from, to time.Duration) (sum int) {
	for _, u := range m.units {
		if u.PTS >= from && u.PTS < to {
			sum += 8 * len(u.Data)
		}
	}
	return sum
}

// mean returns what came out as a share of the ceiling.
func (m *meter) mean() float64 {
	length := time.Duration(m.pictures) * m.every
	return float64(m.bits(0, length)) / (float64(m.config.BitRate) * length.Seconds())
}

// report checks that the ceiling held in each 2 s.
func (m *meter) report(t *testing.T, name string) {
	t.Helper()
	ceiling := float64(m.config.BitRate)
	worst, keys := 0.0, 0
	for _, u := range m.units {
		worst = max(worst, float64(m.bits(u.PTS, u.PTS+window))/(ceiling*window.Seconds()))
		if u.Key {
			keys++
		}
	}
	t.Logf("%-10s %4.1f Mb/s: most in 2 s %.3f, mean %.3f of the ceiling; skipped %d of %d; %d IDR, the first %d bytes; %v a picture",
		name, ceiling/1e6, worst, m.mean(), m.Skipped(), m.pictures, keys, len(m.units[0].Data),
		(m.spent / time.Duration(m.pictures)).Round(10*time.Microsecond))
	if worst > 1.05 {
		t.Errorf("%s at %.0f b/s: %.3f of the ceiling in 2 s, want at most 1.05", name, ceiling, worst)
	}
}

// TestCeilingHoldsAtSceneCuts cuts to another moving texture every second and a
// half and asks for IDR pictures.
func TestCeilingHoldsAtSceneCuts(t *testing.T) {
	for _, rate := range []encoder.BitRate{300_000, 800_000, 2_500_000} {
		m := newMeter(t, 640, 360, rate)
		f := newFrame(t, 640, 360)
		for i := range 300 {
			if i%70 == 69 {
				m.ForceKeyFrame()
			}
			texture(f, i+(i/45)*1009)
			m.feed(t, f)
		}
		m.report(t, "scene cuts")
		if rate == 2_500_000 && m.Skipped() > 0 {
			t.Errorf("skipped %d pictures with rate to spare", m.Skipped())
		}
	}
}

// TestHalfTheFrames is a camera in the dark.
func TestHalfTheFrames(t *testing.T) {
	m := newMeter(t, 640, 360, 400_000)
	m.every = time.Second / 15
	f := newFrame(t, 640, 360)
	for i := range 120 {
		texture(f, i)
		m.feed(t, f)
	}
	m.report(t, "15 fps")
	if share := float64(m.bits(4*time.Second, 8*time.Second)) / (4 * 400_000); share < 0.85 {
		t.Errorf("uses %.2f of the ceiling once settled", share)
	}
}

func TestSetBitRateActsWithinASecond(t *testing.T) {
	m := newMeter(t, 640, 360, 2_500_000)
	f := newFrame(t, 640, 360)
	const lower = 1_000_000
	for i := range 210 {
		if i == 120 {
			if err := m.SetBitRate(lower); err != nil {
				t.Fatal(err)
			}
		}
		texture(f, i)
		m.feed(t, f)
	}
	if share := float64(m.bits(5*time.Second, 7*time.Second)) / (2 * lower); share > 1.05 || share < 0.7 {
		t.Errorf("%.2f of the new ceiling from one second after the change on", share)
	}
	if m.Skipped() > 5 {
		t.Errorf("skipped %d pictures at the change", m.Skipped())
	}
}

// TestFootage runs real pictures through, where Debian's packages with them and
// ffmpeg are installed.
func TestFootage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s of encoding: skipped by -short")
	}
	ffmpeg := needs(t, "ffmpeg")
	const samples = "/usr/share/forensics-samples/original-files/"
	clips := []struct {
		name, file, from string
		input, filter    []string
	}{
		{"people", "/usr/share/doc/opencv-doc/examples/data/vtest.avi", "opencv-doc", nil, []string{"-vf", "scale=1280:720,fps=30"}},
		{"phone", samples + "movie1/VID_20191220_170832.mp4", "forensics-samples-files", []string{"-stream_loop", "3"}, []string{"-vf", "scale=1280:720,fps=30"}},
		{"photo walk", samples + "pic2/IMG_20200608_111614.jpg", "forensics-samples-files", []string{"-loop", "1"}, []string{"-vf", "scale=2560:-2," +
			"zoompan=z='1.2+0.15*sin(on/50)':x='(iw-iw/zoom)/2+200*sin(on/37)':y='(ih-ih/zoom)/2+90*sin(on/23)+6*sin(on/2.3)':d=1:s=1280x720:fps=30"}},
	}
	for _, clip := range clips {
		t.Run(clip.name, func(t *testing.T) {
			if _, err := os.Stat(clip.file); err != nil {
				t.Skipf("%v: install %s", err, clip.from)
			}
			args := append(append([]string{"-v", "error"}, clip.input...), "-i", clip.file)
			args = append(append(args, clip.filter...), "-t", "5", "-an", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-")
			var meters []*meter
			for _, rate := range []encoder.BitRate{500_000, 1_000_000, 2_500_000, 4_000_000} {
				meters = append(meters, newMeter(t, 1280, 720, rate))
			}
			pictures := start(t, exec.Command(ffmpeg, args...))
			for f := newFrame(t, 1280, 720); read(t, pictures, f); {
				for _, m := range meters {
					m.feed(t, f)
				}
			}
			for _, m := range meters {
				m.report(t, clip.name)
			}
		})
	}
}

// TestDecodesToTheTimecode encodes the pattern, with lost pictures and key
// frames, and has ffmpeg decode it.
func TestDecodesToTheTimecode(t *testing.T) {
	ffmpeg := needs(t, "ffmpeg")
	p, err := pattern.New(pattern.Config{Width: 640, Height: 360, FPS: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var stream bytes.Buffer
	e, err := New(Config{Width: 640, Height: 360, FPS: 60, BitRate: 600_000}, func(u encoder.AccessUnit) error {
		stream.Write(u.Data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var shown []time.Time
	for i := range 40 {
		f, err := p.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at, ok := pattern.ReadTimecode(f.Planes[0].Data, f.Planes[0].Stride, f.Width, f.Height)
		if !ok {
			t.Fatal("the pattern has no timecode")
		}
		if i%15 == 14 {
			e.ForceKeyFrame()
		}
		before := stream.Len()
		encode(t, e, f)
		if stream.Len() > before {
			shown = append(shown, at)
		}
		f.Release()
	}
	decode := exec.Command(ffmpeg, "-v", "error", "-f", "h264", "-i", "-", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-")
	decode.Stdin = &stream
	decoded := start(t, decode)
	f := newFrame(t, 640, 360)
	for i, want := range shown {
		if !read(t, decoded, f) {
			t.Fatalf("%d pictures decoded, want %d", i, len(shown))
		}
		got, ok := pattern.ReadTimecode(f.Planes[0].Data, f.Planes[0].Stride, f.Width, f.Height)
		if !ok || !got.Equal(want) {
			t.Errorf("picture %d says %v (%v), want %v", i, got, ok, want)
		}
	}
}

func needs(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%v: install %s", err, program)
	}
	return path
}

// start runs a program and returns what it prints. It ends with the test.
func start(t *testing.T, c *exec.Cmd) io.Reader {
	t.Helper()
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		out.Close()
		_ = c.Wait() // an error is only that nobody read its last pictures
	})
	return bufio.NewReaderSize(out, 1<<20)
}

// read fills f, whose rows are not padded, with the next picture; false at the end.
func read(t *testing.T, from io.Reader, f capture.Frame) bool {
	t.Helper()
	for _, p := range f.Planes {
		if _, err := io.ReadFull(from, p.Data); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			return false
		}
	}
	return true
}
