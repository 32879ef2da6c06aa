package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtp"
)

// TestPassedThrough publishes files that are encoded already. What a viewer gets
// is the files' own slices and packets, byte by byte, in their order, with
// nothing missing, over the files' end and beginning again.
func TestPassedThrough(t *testing.T) {
	f := makeFilm(t)
	data, err := os.ReadFile(f.h264)
	if err != nil {
		t.Fatal(err)
	}
	film := picture{data: data}.slices()
	packets := opusPackets(t, f.opus)
	t.Logf("the film has %d slices, and %d packets of sound", len(film), len(packets))
	for _, camera := range []string{"mp4:" + f.mp4, "h264:" + f.h264} {
		kind, _, _ := strings.Cut(camera, ":")
		t.Run(kind, func(t *testing.T) {
			e := startEndpoint(t)
			a := startAgent(t, e.url("/whip/demo"), "--camera", camera, "--microphone", "opus:"+f.opus, "--loop", "--live")
			if s := a.waitLive(); !strings.HasPrefix(s.Encoder, "none") {
				t.Errorf("the encoder is %q", s.Encoder)
			}
			w, _ := watch(t, e.url("/whep/demo"))
			// 4 s of film and 8.3 s of sound, each a bit more than once around.
			w.until("the film's end", func(p []picture, s []*rtp.Packet) bool { return len(p) > 150 && len(s) > len(packets)+50 })
			pictures, sound, lost := w.seen()
			if lost != 0 {
				t.Errorf("%d packets were lost", lost)
			}
			if keys := compareSlices(t, film, pictures); keys < 5 {
				t.Errorf("only %d key frames", keys)
			}
			compareSound(t, packets, sound)
		})
	}
}

// compareSlices finds the first received key frame in the film, and goes on from
// there. It returns how many key frames there were.
func compareSlices(t *testing.T, film [][]byte, pictures []picture) (keys int) {
	t.Helper()
	at, compared := -1, 0
	for n, p := range pictures {
		if at < 0 && !p.key() {
			t.Errorf("picture %d came before the first key frame", n)
			continue
		}
		if p.key() {
			keys++
		}
		for _, slice := range p.slices() {
			if at < 0 {
				at = indexOf(film, slice)
			}
			if at < 0 || !bytes.Equal(slice, film[at]) {
				t.Fatalf("slice %d, in picture %d, is not the film's slice %d but %d", compared, n, at, indexOf(film, slice))
			}
			at = (at + 1) % len(film)
			compared++
		}
	}
	t.Logf("%d slices of %d pictures, %d of them key frames, are the film's", compared, len(pictures), keys)
	return keys
}

func indexOf(list [][]byte, want []byte) int {
	for i, one := range list {
		if bytes.Equal(one, want) {
			return i
		}
	}
	return -1
}

// compareSound does the same with the hashes of packets. A machine that is too
// busy to play sound in time drops what is late, in whole packets: such gaps are
// counted, and must be few.
func compareSound(t *testing.T, film []string, sound []*rtp.Packet) {
	t.Helper()
	at, missing := -1, 0
	for n, p := range sound {
		sum := sha256.Sum256(p.Payload)
		hash := hex.EncodeToString(sum[:])
		if at < 0 {
			at = slices.Index(film, hash)
		}
		gap := -1
		if at >= 0 {
			gap = slices.Index(append(film[at:len(film):len(film)], film[:at]...), hash)
		}
		if gap < 0 {
			t.Fatalf("packet %d of %d is not in the file", n, len(sound))
		}
		missing += gap
		at = (at + gap + 1) % len(film)
	}
	t.Logf("%d packets of sound are the file's, in order; %d were late and left out", len(sound), missing)
	if missing*10 > len(sound) {
		t.Errorf("%d packets are missing", missing)
	}
}

// opusPackets returns the SHA-256 of each packet, as ffprobe finds them.
func opusPackets(t *testing.T, path string) []string {
	t.Helper()
	out := run(t, nil, "ffprobe", "-v", "error", "-show_entries", "packet=data_hash", "-show_data_hash", "SHA256", "-of", "csv=p=0", path)
	var hashes []string
	for line := range strings.Lines(string(out)) { // some are empty, some begin with a comma
		if _, hash, ok := strings.Cut(strings.TrimSpace(line), "SHA256:"); ok {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}
