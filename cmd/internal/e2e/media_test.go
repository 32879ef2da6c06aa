package e2e

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// footage is 8.3 s of a person who speaks, 1280x720 at 30 pictures a second, of
// Debian's forensics-samples-files.
const footage = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"

const (
	footageWidth, footageHeight = 1280, 720
	footageFPS                  = 30
)

// missing skips the test, except where CI=true: there it fails.
func missing(t *testing.T, what, install string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: %s", what, install)
	}
	t.Skipf("%s is missing: %s", what, install)
}

func needFFmpeg(t *testing.T) {
	t.Helper()
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program, "apt-get install ffmpeg")
		}
	}
}

func needFootage(t *testing.T) {
	t.Helper()
	needFFmpeg(t)
	if _, err := os.Stat(footage); errors.Is(err, fs.ErrNotExist) {
		missing(t, footage, "apt-get install forensics-samples-files")
	}
}

// ffmpeg runs it and returns what it writes to its standard output.
func ffmpeg(t *testing.T, input []byte, args ...string) []byte {
	t.Helper()
	return run(t, input, "ffmpeg", append([]string{"-v", "error", "-nostdin"}, args...)...)
}

func run(t *testing.T, input []byte, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if input != nil {
		cmd.Stdin = bytes.NewReader(input)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, said.String())
	}
	return out
}

// film is the footage as files that can be passed through: four seconds of
// baseline H.264, a key frame each second, three slices a picture, and Opus.
type film struct{ mp4, h264, opus string }

func makeFilm(t *testing.T) film {
	t.Helper()
	needFootage(t)
	dir := t.TempDir()
	f := film{filepath.Join(dir, "film.mp4"), filepath.Join(dir, "film.h264"), filepath.Join(dir, "film.opus")}
	ffmpeg(t, nil, "-i", footage, "-t", "4", "-an", "-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-level", "3.1",
		"-bf", "0", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0", "-slices", "3", "-r", "30", "-pix_fmt", "yuv420p",
		"-b:v", "2M", "-maxrate", "2.5M", "-bufsize", "1M", f.mp4)
	ffmpeg(t, nil, "-i", f.mp4, "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", f.h264)
	ffmpeg(t, nil, "-i", footage, "-vn", "-c:a", "libopus", "-b:a", "32k", f.opus)
	return f
}
