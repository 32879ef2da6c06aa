package photo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/capture"
)

const samples = "/usr/share/forensics-samples/original-files/"

// TestFootage takes photos all along a film from a hand-held phone, and along one
// of a screen on which a person moves, and compares the frames chosen with the
// last ones: what a photo would be without choosing.
func TestFootage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds: skipped by -short")
	}
	for _, film := range []struct {
		name, file    string
		width, height int
	}{
		{"phone", samples + "movie1/VID_20191220_170832.mp4", 1920, 1080},
		{"person", samples + "movie2/movie-hello.mp4", 1280, 720},
	} {
		t.Run(film.name, func(t *testing.T) {
			need(t, "ffmpeg", "ffmpeg")
			if _, err := os.Stat(film.file); errors.Is(err, fs.ErrNotExist) {
				missing(t, film.file, "forensics-samples-files")
			}
			next := decode(t, film.file, film.width, film.height)
			takePhotos(t, next, 10)
		})
	}
}

// decode returns a function that fills in the film's next frame, for three
// seconds of it at most, and says whether there was one.
func decode(t *testing.T, file string, width, height int) func(f *capture.Frame) bool {
	t.Helper()
	cmd := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-noautorotate", "-i", file, "-t", "3", "-an", "-fps_mode", "passthrough",
		"-pix_fmt", "yuv420p", "-f", "rawvideo", "pipe:1")
	pictures, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // as above
	})
	return func(f *capture.Frame) bool {
		memory := make([]byte, width*height*3/2)
		if _, err := io.ReadFull(pictures, memory); err != nil {
			return false
		}
		*f = capture.Frame{Format: capture.I420, Width: width, Height: height, Planes: capture.LayOut(capture.I420, width, height, memory)}
		return true
	}
}

// TestShake takes photos of a texture in front of a head that moves as heads do,
// with the blur of a shutter of 1/60 s.
func TestShake(t *testing.T) {
	const width, height, fps, steps = 160, 120, 30, 8
	scene := newScene()
	moment := 0.0
	gain := takePhotos(t, func(f *capture.Frame) bool {
		if moment > 6 {
			return false
		}
		*f = *texture(capture.I420, width, height, 1)
		luma := make([]int, width*height)
		for i := range steps { // while the shutter is open
			dx, dy := head(moment + float64(i)/steps/60)
			for j := range luma {
				luma[j] += int(scene[(j/width+dy)&255][(j%width+dx)&255])
			}
		}
		for j, v := range luma {
			f.Planes[0].Data[j/width*f.Planes[0].Stride+j%width] = byte(v / steps)
		}
		moment += 1.0 / fps
		return true
	}, 10)
	if gain < 1.5 {
		t.Errorf("choosing makes photos %.2f times as sharp only", gain)
	}
}

// head returns where a head looks at a moment in seconds, in pixels: it nods,
// turns and trembles.
func head(t float64) (x, y int) {
	return int(40*math.Sin(2*math.Pi*1.1*t) + 3*math.Sin(2*math.Pi*7.3*t)), int(12*math.Sin(2*math.Pi*1.7*t) + 2*math.Sin(2*math.Pi*8.9*t))
}

// newScene returns a pattern of soft and fine detail, which repeats.
func newScene() *[256][256]byte {
	var scene [256][256]byte
	noise := rand.New(rand.NewPCG(1, 2))
	for y := range scene {
		for x := range scene[y] {
			soft := 90 + 40*math.Sin(2*math.Pi*float64(5*x)/256)*math.Cos(2*math.Pi*float64(6*y)/256)
			scene[y][x] = byte(soft + float64(noise.IntN(64)))
		}
	}
	return &scene
}

// takePhotos takes a photo of every five frames at 30 a second, and fails when one
// is less sharp than the last of its frames, by the variance of the Laplacian in
// the obvious way. It returns how many times as sharp photos become, on average.
func takePhotos(t *testing.T, next func(*capture.Frame) bool, show int) (gain float64) {
	t.Helper()
	photos, better := 0, 0
	synctest.Test(t, func(t *testing.T) {
		taker := mustTaker(t, Config{})
		var burst [frames]capture.Frame
		for at := 0; fill(burst[:], next); at += frames {
			p := shoot(t, taker, burst[:])
			chosen, last := &burst[int(p.PTS)], &burst[frames-1]
			is, was := sharpnessOf(chosen), sharpnessOf(last)
			if is < was || math.Abs(p.Sharpness-is) > 1e-6*is || math.Abs(p.LastSharpness-was) > 1e-6*was {
				t.Errorf("frame %d is chosen for %.2f and has %.2f, the last one said %.2f and has %.2f", p.PTS, p.Sharpness, is, p.LastSharpness, was)
			}
			if photos++; photos <= show {
				t.Logf("frames %3d to %3d: number %d chosen, %8.2f, the last has %8.2f: %.2f times as sharp", at, at+frames-1, p.PTS+1, is, was, is/was)
			}
			if is > was {
				better++
			}
			gain += is / was
		}
	})
	if photos == 0 {
		t.Fatal("no photo was taken")
	}
	gain /= float64(photos)
	t.Logf("%d photos, %d of them not of the last frame; %.2f times as sharp as that on average", photos, better, gain)
	return gain
}

func fill(burst []capture.Frame, next func(*capture.Frame) bool) bool {
	for i := range burst {
		if !next(&burst[i]) {
			return false
		}
		burst[i].PTS = time.Duration(i)
	}
	return true
}

func shoot(t *testing.T, taker *Taker, burst []capture.Frame) Photo {
	t.Helper()
	done := press(t.Context(), taker)
	for i := range burst {
		taker.Offer(&burst[i])
		time.Sleep(time.Second / 30)
	}
	got := <-done
	if got.err != nil || got.photo.Frames != len(burst) {
		t.Fatal(fmt.Errorf("of %d frames: %w", got.photo.Frames, got.err))
	}
	return got.photo
}
