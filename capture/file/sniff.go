package file

import (
	"bytes"
	"fmt"
	"strings"
)

// signature is how a file of some kind begins.
type signature struct {
	at    int
	magic string
	name  string
	spec  string // how bril plays it, as camera or microphone; empty when it does not
}

var signatures = []signature{
	{0, "YUV4MPEG2 ", "a Y4M file", "--camera y4m:PATH"},
	{0, "\x00\x00\x00\x01", "an H.264 stream", "--camera h264:PATH"},
	{0, "\x00\x00\x01\x67", "an H.264 stream", "--camera h264:PATH"},
	{4, "ftyp", "an MP4 file", "--camera mp4:PATH"},
	{8, "WAVE", "a WAV file", "--microphone wav:PATH"},
	{28, "OpusHead", "an Ogg/Opus file", "--microphone opus:PATH"},
	{28, "\x01vorbis", "an Ogg/Vorbis file", ""},
	{0, "OggS", "an Ogg file without Opus in front", ""},
	{8, "AVI ", "an AVI file", ""},
	{0, "\x1a\x45\xdf\xa3", "a Matroska or WebM file", ""},
	{0, "\xff\xd8\xff", "a JPEG picture", ""},
	{0, "\x89PNG", "a PNG picture", ""},
	{0, "ID3", "an MP3 file", ""},
	{0, "fLaC", "a FLAC file", ""},
	{0, "PK\x03\x04", "a ZIP archive", ""},
	{0, "\x1f\x8b", "a gzip archive", ""},
}

// wrongKind is the error for a file that is not of the kind it was opened as.
func wrongKind(kind, want string, head []byte) error {
	name, hint := describe(head)
	err := fmt.Errorf("not %s but %s", want, name)
	if hint == "" {
		hint = convert(kind)
	}
	return withHint(err, hint)
}

// describe says what a file looks like, and what to do with it if that is clear.
func describe(head []byte) (name, hint string) {
	for _, s := range signatures {
		if len(head) >= s.at+len(s.magic) && string(head[s.at:s.at+len(s.magic)]) == s.magic {
			if s.spec != "" {
				hint = "use " + s.spec
			}
			return s.name, hint
		}
	}
	text := strings.ToLower(string(bytes.TrimSpace(head)))
	if strings.HasPrefix(text, "<!doctype") || strings.HasPrefix(text, "<html") || strings.HasPrefix(text, "<?xml") {
		return "a web page", "download the file again: the server sent a page in its place"
	}
	return "of another format", ""
}
