package cue

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"time"

	"github.com/bril-edge/bril/capture/ogg"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/encoder/opus"
)

// speech holds the words, LANGUAGE/CUE.opus, 48 kHz mono in Ogg.
//
//go:generate go run ./speak
//go:embed speech
var speech embed.FS

// pause is between a sound and its words.
const pause = 120 * time.Millisecond

// ErrUnknown says that there is no such cue, or no such language.
var ErrUnknown = errors.New("unknown cue")

// PCM returns what is heard of a cue, 48 kHz mono: its sound, and the words of a
// language behind it. Gain is in dB; what it makes too loud is clipped.
func PCM(c session.Cue, l Language, gain float64) ([]int16, error) {
	pcm := synthesise(c)
	if len(pcm) == 0 {
		return nil, fmt.Errorf("%w %q", ErrUnknown, string(c))
	}
	if l != Silent && l != "" {
		words, err := spoken(c, l)
		if err != nil {
			return nil, err
		}
		pcm = append(pcm, make([]int16, count(pause))...)
		pcm = append(pcm, words...)
	}
	amplify(pcm, gain)
	return pcm, nil
}

func amplify(pcm []int16, gain float64) {
	factor := math.Pow(10, gain/20)
	for i, s := range pcm {
		pcm[i] = int16(min(max(math.Round(float64(s)*factor), math.MinInt16), math.MaxInt16))
	}
}

// spoken decodes the words of a cue.
func spoken(c session.Cue, l Language) ([]int16, error) {
	file, err := speech.ReadFile(fmt.Sprintf("speech/%s/%s.opus", l, c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %q in language %q", ErrUnknown, string(c), string(l))
	} else if err != nil {
		return nil, err
	}
	pcm, err := decode(file)
	if err != nil {
		return nil, fmt.Errorf("decode the words of cue %s in %s: %w", c, l, err)
	}
	return pcm, nil
}

func decode(file []byte) ([]int16, error) {
	reader, err := ogg.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	decoder, err := opus.NewDecoder()
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	var pcm []int16
	chunk := make([]int16, opus.MaxSamples)
	for {
		packet, err := reader.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		n, err := decoder.Decode(packet, chunk)
		if err != nil {
			return nil, err
		}
		pcm = append(pcm, chunk[:n]...)
	}
	pcm = pcm[min(reader.Head.PreSkip, len(pcm)):] // what the decoder needs to get going
	fade(pcm)
	return pcm, nil
}

// fade brings both ends to zero: a codec need not.
func fade(pcm []int16) {
	n := min(count(edge), len(pcm)/2)
	for i := range n {
		gain := float64(i) / float64(n)
		pcm[i] = int16(gain * float64(pcm[i]))
		j := len(pcm) - 1 - i
		pcm[j] = int16(gain * float64(pcm[j]))
	}
}
