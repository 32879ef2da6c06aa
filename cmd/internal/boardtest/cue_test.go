package boardtest

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/cue"
	"github.com/bril-edge/bril/cmd/internal/session"
)

// TestCuesAreHeard listens at the other end of the loopback sound card: the sound
// and the words of going live and of ending it, and nothing in between, when the
// device is closed.
func TestCuesAreHeard(t *testing.T) {
	r := board(t)
	config := "cues: {device: 'hw:0,0', language: nl}\n"
	if err := os.WriteFile(filepath.Join(r.share, "cues.yaml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	e := r.endpoint()
	r.start("arecord", "-q", "-D", "hw:0,1,0", "-f", "S16_LE", "-r", "48000", "-c", "1", "-t", "raw", "/host/cues.raw")
	r.agent(e, "--config", "/host/cues.yaml", "--camera", "pattern:160x90@5", "--microphone", "none")
	ear := &ear{r: r, path: filepath.Join(r.share, "cues.raw")}
	r.until("ready", func(s control.Status) bool { return s.State == "ready" })
	r.run("bril", "live", "on", "--control", socket)
	r.until("live", live)
	ear.hears(session.CueLive)
	r.closed()
	r.run("bril", "live", "off", "--control", socket)
	ear.hears(session.CueEnded)
	r.closed()
	if s := r.status(); len(s.Warnings) > 0 {
		t.Errorf("warnings: %q", s.Warnings)
	}
}

// TestCueCommand plays one as a technician does, and asks for a device that is not
// there.
func TestCueCommand(t *testing.T) {
	r := board(t)
	r.start("arecord", "-q", "-D", "hw:0,1,0", "-f", "S16_LE", "-r", "48000", "-c", "1", "-t", "raw", "/host/cue.raw")
	ear := &ear{r: r, path: filepath.Join(r.share, "cue.raw")}
	r.run("bril", "cue", "heat", "--language", "nl", "--device", "hw:0,0")
	ear.hears(session.CueHeat)
	if result := r.try("bril", "cue", "heat", "--device", "hw:5,0"); result.Code != 5 || !strings.Contains(string(result.Stderr), "hint: ") {
		t.Errorf("a device that is not there: %d, %s", result.Code, result.Stderr)
	}
}

// closed waits until nothing plays.
func (r *rig) closed() {
	r.Helper()
	for end := time.Now().Add(patience); !strings.HasPrefix(r.run("cat", "/proc/asound/card0/pcm0p/sub0/status"), "closed"); {
		if time.Now().After(end) {
			r.Fatal("the sound output stays open")
		}
	}
}

// ear is a recording of what was played, of which it has heard up to a place.
type ear struct {
	r    *rig
	path string // on the host
	at   int    // in bytes
}

// hears waits for a cue, spoken in Dutch. What was played is what was recorded,
// bit by bit, but for words that the board's libopus rounds otherwise than this
// machine's, and for gaps where an emulated processor comes too late. So it is
// looked for in pieces of 10 ms, of which half are plenty: of another
// cue far fewer are found.
func (e *ear) hears(c session.Cue) {
	e.r.Helper()
	pcm, err := cue.PCM(c, cue.Dutch, 0)
	if err != nil {
		e.r.Fatal(err)
	}
	wanted := pieces(pcm)
	for end := time.Now().Add(patience); ; {
		data, err := os.ReadFile(e.path)
		if err != nil {
			e.r.Fatal(err)
		}
		found, at := find(data, e.at, wanted)
		if 2*found >= len(wanted) {
			e.r.Logf("cue %s: %d of %d pieces of 10 ms were heard", c, found, len(wanted))
			e.at = at
			return
		}
		if time.Now().After(end) {
			e.r.Fatalf("cue %s: %d of %d pieces of 10 ms were heard in %d bytes", c, found, len(wanted), len(data)-e.at)
		}
		time.Sleep(100 * time.Millisecond) // the recording grows
	}
}

// pieces cuts sound into 10 ms as they are recorded, without the silent ones.
func pieces(pcm []int16) (list [][]byte) {
	const size = 480
	for ; len(pcm) >= size; pcm = pcm[size:] {
		piece := make([]byte, 0, 2*size)
		for _, s := range pcm[:size] {
			piece = binary.LittleEndian.AppendUint16(piece, uint16(s))
		}
		if bytes.ContainsFunc(piece, func(r rune) bool { return r != 0 }) {
			list = append(list, piece)
		}
	}
	return list
}

// Half of a cue's pieces are asked for, and of another not a third is found: words
// that both say, and tones that turn round.
func TestPiecesTellCuesApart(t *testing.T) {
	all := map[session.Cue][][]byte{}
	for _, c := range cue.All() {
		pcm, err := cue.PCM(c, cue.Dutch, 0)
		if err != nil {
			t.Fatal(err)
		}
		all[c] = pieces(pcm)
	}
	for played, recorded := range all {
		recording := bytes.Join(recorded, nil)
		for c, wanted := range all {
			if found, _ := find(recording, 0, wanted); c == played && found != len(wanted) || c != played && 3*found > len(wanted) {
				t.Errorf("in %s %d of %d pieces of %s are found", played, found, len(wanted), c)
			}
		}
	}
}

// find looks for the pieces in their order, from a place on, and returns how many
// it found and where the last one ends.
func find(data []byte, at int, wanted [][]byte) (found, end int) {
	end = at
	for _, piece := range wanted {
		if i := bytes.Index(data[end:], piece); i >= 0 {
			found, end = found+1, end+i+len(piece)
		}
	}
	return found, end
}
