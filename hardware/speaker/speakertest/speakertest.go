// Package speakertest stands in for a sound card, by a configuration of ALSA: what
// is played on any hw: device is taken as fast as a card would, and kept with the
// time for the test to look at. It works for programs that the test starts, too.
package speakertest

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Device is the name of a device that is played on so.
const Device = "hw:7,0"

// Card is what has been played.
type Card struct{ path string }

// Chunk is 10 ms that were heard from At on.
type Chunk struct {
	At      time.Time
	Samples []int16
}

// New makes the card for this process and those it starts, until the test ends.
func New(t testing.TB) *Card {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the stand-in for a sound card is built with go: ", err)
	}
	dir := t.TempDir()
	pacer := filepath.Join(dir, "pacer")
	build := exec.Command("go", "build", "-o", pacer, "github.com/bril-edge/bril/hardware/speaker/speakertest/pacer")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the pacer: %v\n%s", err, out)
	}
	c := &Card{path: filepath.Join(dir, "heard")}
	config := filepath.Join(dir, "asound.conf")
	err := os.WriteFile(config, fmt.Appendf(nil, `
pcm.hw {
	@args [ CARD DEV SUBDEV ]
	@args.CARD { type string default "0" }
	@args.DEV { type integer default 0 }
	@args.SUBDEV { type integer default -1 }
	type plug
	slave { pcm paced channels 16 format S32_LE rate 48000 }
}
pcm.paced { type file; slave.pcm nothing; file "| %s >> %s"; format "raw" }
pcm.nothing { type null }
ctl.hw { type hw card 0 }
`, pacer, c.path), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if env, ok := t.(interface{ Setenv(key, value string) }); ok {
		env.Setenv("ALSA_CONFIG_PATH", config)
	}
	return c
}

// Heard returns what has been played so far.
func (c *Card) Heard(t testing.TB) (heard []Chunk) {
	t.Helper()
	data, err := os.ReadFile(c.path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	const record = 8 + 960
	for ; len(data) >= record; data = data[record:] {
		chunk := Chunk{At: time.Unix(0, int64(binary.LittleEndian.Uint64(data))), Samples: make([]int16, 480)}
		for i := range chunk.Samples {
			chunk.Samples[i] = int16(binary.LittleEndian.Uint16(data[8+2*i:]))
		}
		heard = append(heard, chunk)
	}
	return heard
}
