// Speak makes the words of the cues: espeak-ng speaks them, and ffmpeg brings
// them to one loudness and encodes them. It is run by hand, as
// `go generate ./cmd/internal/cue`, when a cue or its words change; what it makes
// is committed. On Debian: apt install espeak-ng ffmpeg.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bril-edge/bril/cmd/internal/cue"
)

// voices of espeak-ng, with the speed in words a minute.
func voice(l cue.Language) (name, speed string) {
	switch l {
	case cue.Dutch:
		return "nl", "150"
	case cue.German:
		return "de", "150"
	}
	return "en-gb", "150"
}

// pronounced replaces the English word, which the Dutch and German voices read as
// their own, by its phonemes.
func pronounced(words string, l cue.Language) string {
	switch l {
	case cue.Dutch:
		return strings.ReplaceAll(words, "Live", "[[l'aIf]]")
	case cue.German:
		return strings.ReplaceAll(words, "Live", "[[l'aIf]]")
	}
	return words
}

// filters cut the silence around the words, leave 20 ms of it, bring the speech
// to the level of the sounds (about -18 dB on average, peaks near -6 dB) and end where it ends.
const filters = "silenceremove=start_periods=1:start_threshold=-45dB:start_silence=0.02,areverse," +
	"silenceremove=start_periods=1:start_threshold=-45dB:start_silence=0.03,areverse," +
	"highpass=f=120,aresample=48000,acompressor=threshold=0.06:ratio=4:attack=3:release=60:makeup=4,alimiter=limit=0.45:level=false"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "speak:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "bril-speak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, language := range cue.Languages() {
		if err := os.MkdirAll(filepath.Join("speech", string(language)), 0o755); err != nil {
			return err
		}
		for _, c := range cue.All() {
			wav := filepath.Join(dir, "words.wav")
			name, speed := voice(language)
			words := pronounced(cue.Words(c, language), language)
			if err := tool("espeak-ng", "-v", name, "-s", speed, "-w", wav, words); err != nil {
				return err
			}
			out := filepath.Join("speech", string(language), string(c)+".opus")
			if err := tool("ffmpeg", "-v", "error", "-y", "-i", wav, "-af", filters, "-ac", "1", "-map_metadata", "-1",
				"-fflags", "+bitexact", "-flags", "+bitexact", "-c:a", "libopus", "-b:a", "24k", "-application", "voip", out); err != nil {
				return err
			}
			fmt.Println(out)
		}
	}
	return nil
}

func tool(name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}
