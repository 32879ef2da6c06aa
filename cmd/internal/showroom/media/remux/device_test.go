package remux

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	recorder "github.com/bril-edge/bril/capture/clip"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/openh264"
	"github.com/bril-edge/bril/encoder/opus"
)

// recorded is a clip as the device makes it: its own encoders, ring and writer.
func recorded(t *testing.T, sound bool) []byte {
	t.Helper()
	now := time.Hour
	ring := recorder.NewRing(recorder.Config{PreRoll: time.Second, Sound: sound, Now: func() time.Duration { return now }})
	video, err := openh264.New(openh264.Config{Width: 320, Height: 240, GOP: 2 * time.Second}, func(au encoder.AccessUnit) error {
		ring.Video(au)
		return nil
	})
	check(t, err)
	defer video.Close()
	audio, err := opus.New(opus.Config{}, func(p encoder.Packet) error {
		ring.Audio(p)
		return nil
	})
	check(t, err)
	defer audio.Close()
	pool, err := capture.NewPool(capture.I420, 320, 240)
	check(t, err)
	var out bytes.Buffer
	var c *recorder.Clip
	for n := 0; n < 150; n++ { // five seconds
		for ; now < time.Hour+time.Duration(n)*time.Second/30; now += capture.ChunkTime {
			check(t, audio.Encode(capture.Sound{Format: capture.PCM16, Samples: make([]int16, capture.ChunkSamples), Length: capture.ChunkTime, PTS: now}))
		}
		if n == 70 {
			c = ring.Begin(&out, 0)
		}
		f := pool.Get()
		for i := range f.Planes[0].Data {
			f.Planes[0].Data[i] = byte(i*n + i/320)
		}
		f.PTS = now
		check(t, video.Encode(f))
		f.Release()
	}
	c.Stop()
	_, err = c.Run(t.Context())
	check(t, err)
	return out.Bytes()
}

func TestClipsOfTheDevice(t *testing.T) {
	for name, sound := range map[string]bool{"video": false, "sound": true} {
		t.Run(name, func(t *testing.T) {
			data := recorded(t, sound)
			before := filepath.Join(t.TempDir(), "before.mp4")
			check(t, os.WriteFile(before, data, 0o600))
			whole := probe(t, before)
			after := made(t, data, false)
			same(t, whole, probe(t, after))
			if first := whole[0][0]; first.Flags[0] != 'K' {
				t.Errorf("it begins with %+v", first)
			}
			execute(t, "ffmpeg", "-v", "warning", "-xerror", "-i", after, "-f", "null", "-")
			for _, part := range []int{5, 3, 2} { // a crash cut it
				cut := data[:len(data)-len(data)/part]
				kept := probe(t, made(t, cut, true))
				if n := len(kept[0]); n < 5 || n >= len(whole[0]) {
					t.Errorf("%d of %d pictures are left of %d bytes of %d", n, len(whole[0]), len(cut), len(data))
				}
				for i, p := range kept[0] {
					if p != whole[0][i] {
						t.Fatalf("picture %d: %+v, want %+v", i, p, whole[0][i])
					}
				}
			}
		})
	}
}
