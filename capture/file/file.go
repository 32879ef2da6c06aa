// Package file plays pictures and sound from files as if a camera or a
// microphone delivered them: raw pictures (Y4M), H.264 (Annex B, MP4, MOV)
// and Opus (Ogg) passed through as they are, PCM (WAV). It decodes nothing, and
// never holds more of a file than a read-ahead.
//
// Files are paced on CLOCK_MONOTONIC without Go timers, and read in large steps:
// both would wake the runtime's sysmon thread for each frame.
package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Options say how a file is played. The zero value plays it once, at its own rate.
type Options struct {
	// Loop starts over at the end; PTS and Sequence go on rising.
	Loop bool
	// FPS is the frame rate of an H.264 stream in Annex B format, which has no
	// times of its own. Zero means what its SPS says, and 30 when that says
	// nothing. Other files are played at their own rate.
	FPS float64
	// Start is the moment on CLOCK_MONOTONIC at which the file's first frame or
	// sample is due, the same for picture and sound that belong together. Zero
	// means the first call of Next.
	Start time.Duration
}

const (
	// readAhead is the size of one read: 0.4 s of picture at 2.5 Mb/s.
	readAhead = 128 << 10
	// maxLag is how far encoded pictures may be behind before the file's clock is
	// moved instead of the frames being delivered in a burst.
	maxLag = time.Second
	// maxSkip is the same for what can be dropped: raw pictures and sound.
	maxSkip = 10 * time.Second
	// maxSoundLag is how late sound may be before it is dropped: more would only
	// fill the viewer's jitter buffer.
	maxSoundLag = 100 * time.Millisecond
)

// Error is a file that cannot be played, with what to do about it.
type Error struct {
	Op   string // "open" or "read"
	Kind string // "y4m", "h264", "mp4", "wav", "opus"
	Path string // "-" is standard input
	Err  error
	hint string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %s file %s: %v", e.Op, e.Kind, e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns what the user can do, as one line.
func (e *Error) Hint() string { return e.hint }

// media is an open file of one kind, which errors name.
type media struct {
	*os.File
	kind, path string
	size       int64
}

// open opens a regular, non-empty file.
func open(kind, path string) (media, error) {
	m := media{kind: kind, path: path}
	info, err := os.Stat(path)
	if err == nil {
		err = regular(info)
	}
	if err == nil {
		m.File, err = os.Open(path)
	}
	if err != nil {
		return m, m.fail("open", err)
	}
	m.size = info.Size()
	return m, nil
}

var (
	errDirectory = errors.New("it is a directory")
	errEmpty     = errors.New("it is empty")
	errSpecial   = errors.New("it is not a regular file")
)

func regular(info os.FileInfo) error {
	switch {
	case info.IsDir():
		return errDirectory
	case !info.Mode().IsRegular():
		return errSpecial
	case info.Size() == 0:
		return errEmpty
	}
	return nil
}

// fail makes the error for a cause. A hint that the cause brings is kept, an
// error of os loses the path that it would name twice.
func (m media) fail(op string, cause error) error {
	if path := (*os.PathError)(nil); errors.As(cause, &path) && path == cause {
		cause = path.Err
	}
	hint := hintFor(m.kind, cause)
	if h := (*hinted)(nil); errors.As(cause, &h) {
		hint = h.hint
	}
	return &Error{Op: op, Kind: m.kind, Path: m.path, Err: cause, hint: hint}
}

// head returns the first bytes of the file.
func (m media) head() []byte {
	b := make([]byte, 512)
	n, _ := m.ReadAt(b, 0)
	return b[:n]
}

// hinted is a cause that knows what to do about it.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

func withHint(err error, hint string) error { return &hinted{err, hint} }

// hintFor is the hint for a cause that brings none.
func hintFor(kind string, cause error) string {
	switch {
	case errors.Is(cause, os.ErrNotExist):
		return "check the path; a relative one starts at the daemon's working directory"
	case errors.Is(cause, os.ErrPermission):
		return "let the user that bril runs as read the file, for example: chmod a+r FILE"
	case errors.Is(cause, errDirectory):
		return "name a file in it"
	case errors.Is(cause, errSpecial):
		return "pipe a live source into standard input as Y4M and use y4m:-"
	case errors.Is(cause, errEmpty), errors.Is(cause, io.ErrUnexpectedEOF):
		return hintTruncated
	}
	return convert(kind)
}

// convert is the command that makes a file of a kind.
func convert(kind string) string {
	switch kind {
	case "y4m":
		return "convert it: ffmpeg -i in.mp4 -pix_fmt yuv420p out.y4m"
	case "h264":
		return "convert it: ffmpeg -i in.mp4 -an -c:v libx264 -profile:v baseline -bf 0 out.h264"
	case "mp4":
		return "convert it: ffmpeg -i in.mp4 -c:v libx264 -profile:v baseline -bf 0 out.mp4"
	case "wav":
		return "convert it: ffmpeg -i in.mp4 -vn -ac 1 -ar 48000 -c:a pcm_s16le out.wav"
	}
	return "convert it: ffmpeg -i in.mp4 -vn -c:a libopus -ac 1 -b:a 32k out.opus"
}

// hintTruncated is for a file that breaks off or is damaged.
const hintTruncated = "copy or record the file again: the last attempt was cut short"

const hintBFrames = "re-encode it without them: ffmpeg -i in.mp4 -c:v libx264 -profile:v baseline -bf 0 out.mp4"
