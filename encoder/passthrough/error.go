package passthrough

import "fmt"

const (
	hintReordered       = "re-encode it without B-frames: ffmpeg -i in.mp4 -c:v libx264 -profile:v baseline -bf 0 out.mp4"
	hintNoParameterSets = "let the encoder repeat SPS and PPS before key frames, or re-encode it: ffmpeg -i in.mp4 -c:v libx264 -profile:v baseline -bf 0 out.mp4"
	hintNoKeyFrame      = "set the encoder's GOP to 10 s or less with IDR pictures, or re-encode it: ffmpeg -i in.mp4 -c:v libx264 -profile:v baseline -bf 0 -g 300 out.mp4"
	hintDamaged         = "the stream is damaged; check it with: ffprobe in.mp4"
)

// Error is a stream that cannot be passed through, with what to do about it.
type Error struct {
	Source string
	Err    error
	hint   string
}

func (e *Error) Error() string { return fmt.Sprintf("pass %s through: %v", e.Source, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns what the user can do, as one line.
func (e *Error) Hint() string { return e.hint }

func (e *Encoder) refuse(cause error, hint string) error {
	return &Error{Source: e.source, Err: cause, hint: hint}
}
