package configs

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Kind says what a source is. The values are the words of the configuration.
type Kind string

// The kinds of sources. Auto, None and the file formats are what they say.
const (
	Auto    Kind = "auto" // the best real device, none when there is none
	None    Kind = "none"
	Device  Kind = "device"  // video: a V4L2 camera, Path is its node
	Pattern Kind = "pattern" // video: a moving test scene
	Y4M     Kind = "y4m"     // video: Path, or "-" for a live standard input
	H264    Kind = "h264"    // video: Annex B, passed through
	MP4     Kind = "mp4"     // video: H.264 in MP4, passed through
	ALSA    Kind = "alsa"    // sound: Path is the device, hw:…
	Tone    Kind = "tone"    // sound: a test tone
	WAV     Kind = "wav"     // sound
	Opus    Kind = "opus"    // sound: Opus in Ogg, passed through
)

// The largest picture and rate that a source may be asked for.
const (
	maxWidth, maxHeight = 1920, 1920
	minSide             = 64
	maxFPS              = 60
)

// Stdin is the Path of a Y4M source that is read from standard input.
const Stdin = "-"

// VideoSource says where pictures come from.
type VideoSource struct {
	Kind Kind
	Path string // Device, Y4M, H264, MP4
	// Width, Height and FPS of a Pattern; 0 leaves them to camera.size and camera.fps.
	Width, Height, FPS int
}

const videoSpecs = "auto, none, pattern, pattern:640x480@25, /dev/video0, y4m:FILE, y4m:- (standard input), h264:FILE or mp4:FILE"

// ParseVideoSource reads a camera SPEC: auto, none, pattern[:WxH[@FPS]],
// /dev/NAME, y4m:PATH, y4m:-, h264:PATH or mp4:PATH.
func ParseVideoSource(spec string) (VideoSource, error) {
	if err := printable(spec); err != nil {
		return VideoSource{}, fmt.Errorf("camera source %q: %w", spec, err)
	}
	if strings.HasPrefix(spec, "/dev/") && len(spec) > len("/dev/") {
		return VideoSource{Kind: Device, Path: spec}, nil
	}
	word, rest, given := strings.Cut(spec, ":")
	switch kind := Kind(word); {
	case (kind == Auto || kind == None || kind == Pattern) && !given:
		return VideoSource{Kind: kind}, nil
	case kind == Pattern:
		return parsePattern(spec, rest)
	case kind == Y4M || kind == H264 || kind == MP4:
		return parseVideoFile(kind, rest)
	}
	return VideoSource{}, fmt.Errorf("camera source %q is not known: %s", spec, allowed(spec, videoSpecs))
}

func parsePattern(spec, rest string) (VideoSource, error) {
	source := VideoSource{Kind: Pattern}
	dims, fps, rated := strings.Cut(rest, "@")
	var size Size
	if err := size.UnmarshalText([]byte(dims)); err != nil {
		return VideoSource{}, fmt.Errorf("camera source %q: %w; write pattern or pattern:640x480@25", spec, err)
	}
	if !size.valid() {
		return VideoSource{}, fmt.Errorf("camera source %q: size %v is not allowed: %s", spec, size, sizeLimits)
	}
	source.Width, source.Height = size.Width, size.Height
	if rated {
		n, err := strconv.ParseUint(fps, 10, 16)
		if err != nil || n < 1 || n > maxFPS {
			return VideoSource{}, fmt.Errorf("camera source %q: %q is not a frame rate from 1 to %d", spec, fps, maxFPS)
		}
		source.FPS = int(n)
	}
	return source, nil
}

func parseVideoFile(kind Kind, path string) (VideoSource, error) {
	if path == "" {
		return VideoSource{}, fmt.Errorf("camera source %s: names no file; write %s:FILE", kind, kind)
	}
	if path == Stdin && kind != Y4M {
		return VideoSource{}, fmt.Errorf("camera source %s:- is not possible: only y4m: can be read from standard input", kind)
	}
	return VideoSource{Kind: kind, Path: path}, nil
}

// Live reports a Y4M stream on standard input: never paced, only its newest
// picture matters.
func (s VideoSource) Live() bool { return s.Kind == Y4M && s.Path == Stdin }

// String returns the SPEC.
func (s VideoSource) String() string {
	switch s.Kind {
	case Device:
		return s.Path
	case Y4M, H264, MP4:
		return string(s.Kind) + ":" + s.Path
	case Pattern:
		return s.patternSpec()
	}
	return string(s.Kind)
}

func (s VideoSource) patternSpec() string {
	spec := string(Pattern)
	if s.Width > 0 {
		spec += ":" + Size{s.Width, s.Height}.String()
		if s.FPS > 0 {
			spec += "@" + strconv.Itoa(s.FPS)
		}
	}
	return spec
}

// MarshalText writes what UnmarshalText reads.
func (s VideoSource) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseVideoSource.
func (s *VideoSource) UnmarshalText(text []byte) (err error) {
	*s, err = ParseVideoSource(string(text))
	return err
}

// AudioSource says where sound comes from.
type AudioSource struct {
	Kind Kind
	Path string // ALSA: the device; WAV, Opus: the file
}

const audioSpecs = "auto, none, tone, hw:CARD,DEVICE, wav:FILE or opus:FILE"

// ParseAudioSource reads a microphone SPEC: auto, none, tone, hw:…, wav:PATH or
// opus:PATH.
func ParseAudioSource(spec string) (AudioSource, error) {
	if err := printable(spec); err != nil {
		return AudioSource{}, fmt.Errorf("microphone source %q: %w", spec, err)
	}
	word, rest, given := strings.Cut(spec, ":")
	kind := Kind(word)
	switch {
	case (kind == Auto || kind == None || kind == Tone) && !given:
		return AudioSource{Kind: kind}, nil
	case word == "hw" && rest != "":
		return AudioSource{Kind: ALSA, Path: spec}, nil
	case (kind == WAV || kind == Opus) && (rest == "" || rest == Stdin):
		return AudioSource{}, fmt.Errorf("microphone source %q names no file; write %s:FILE", spec, kind)
	case kind == WAV || kind == Opus:
		return AudioSource{Kind: kind, Path: rest}, nil
	}
	return AudioSource{}, fmt.Errorf("microphone source %q is not known: %s", spec, allowed(spec, audioSpecs))
}

// String returns the SPEC.
func (s AudioSource) String() string {
	switch s.Kind {
	case ALSA:
		return s.Path
	case WAV, Opus:
		return string(s.Kind) + ":" + s.Path
	}
	return string(s.Kind)
}

// MarshalText writes what UnmarshalText reads.
func (s AudioSource) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseAudioSource.
func (s *AudioSource) UnmarshalText(text []byte) (err error) {
	*s, err = ParseAudioSource(string(text))
	return err
}

// allowed says what may be written, and what was probably meant when spec is
// the bare path of a file.
func allowed(spec, specs string) string {
	switch ext := strings.ToLower(filepath.Ext(spec)); ext {
	case ".y4m", ".h264", ".mp4", ".wav", ".opus":
		if !strings.Contains(spec, ":") && strings.Contains(specs, ext[1:]+":FILE") {
			return fmt.Sprintf("for a file write %s:%s", ext[1:], spec)
		}
	}
	return "it may be " + specs
}

// printable refuses what no path and no device name needs: control characters
// reach terminals and logs.
func printable(spec string) error {
	for _, r := range spec {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("control characters are not allowed")
		}
	}
	return nil
}
