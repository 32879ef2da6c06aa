package soak

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/webrtc/v4/pkg/media/oggreader"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/encoder/opus"
	"github.com/bril-edge/bril/hardware/speaker/speakertest"
)

const customerSays = `Good afternoon. My name is Pieter Vandenberghe, and I would like to see the blue one from behind.
Does the boot take two bicycles? My wife has a bad back, so the seat must be high. We can pay four hundred a month.`

// TestTheCustomersVoiceIsOnNoDisk has the customer speak without a pause while the
// advisor takes photos, and clips with sound, and while agent and endpoint are
// killed. Not a packet of the voice, and not a moment of it decoded, is then on
// either disk. What the advisor heard shows that the voice came through, and that the
// search would find it.
func TestTheCustomersVoiceIsOnNoDisk(t *testing.T) {
	packets := customersPackets(t)
	v := newTalk(t)
	speaking := speakTo(t, v.endpoint, packets)
	v.hears()
	length := 15 * time.Second
	if os.Getenv("CI") == "true" {
		length = time.Minute
	}
	kills := v.torment(length)
	speaking.end()
	var heard []byte
	for _, chunk := range v.ear.Heard(t) {
		heard = append(heard, samples16(chunk.Samples)...)
	}
	v.agent.end(syscall.SIGTERM)
	v.endpoint.end(syscall.SIGTERM)

	words := v.search(packets)
	if n := words.in(packed(packets)); n == 0 {
		t.Error("the packets themselves are not recognised")
	}
	if n := words.in(heard); n < len(words.decoded)/10 {
		t.Errorf("of %d pieces of the voice %d are found in what was heard, %d bytes: does the search work?", len(words.decoded), n, len(heard))
	}
	size := v.nothingOf(words)
	clips := v.silentClips()
	t.Logf("figure: %d packets of the customer's voice were sent and %.0f s of it heard, %d kills, %d clips with sound: none of it in %d kB of both disks",
		speaking.sent(), float64(len(heard))/2/48000, kills, clips, size>>10)
}

// missing skips a test, where that may be: in CI nothing is missing.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("needs ", what)
	}
	t.Skip("needs ", what)
}

// customersPackets are Opus packets of speech, of 20 ms each.
func customersPackets(t *testing.T) (packets [][]byte) {
	t.Helper()
	for _, name := range []string{"espeak-ng", "ffmpeg"} {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, name+": apt install espeak-ng ffmpeg")
		}
	}
	wav, ogg := filepath.Join(t.TempDir(), "said.wav"), filepath.Join(t.TempDir(), "said.opus")
	run(t, "espeak-ng", "-v", "en-gb", "-w", wav, customerSays)
	run(t, "ffmpeg", "-y", "-loglevel", "error", "-i", wav, "-c:a", "libopus", "-b:a", "32k", "-ac", "1", "-ar", "48000",
		"-frame_duration", "20", "-page_duration", "20000", ogg)
	file, err := os.Open(ogg)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	pages, _, err := oggreader.NewWith(file)
	if err != nil {
		t.Fatal(err)
	}
	for {
		page, _, err := pages.ParseNextPage()
		if err == io.EOF {
			return packets[1:] // the first is the stream's tags
		}
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, page)
	}
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = new(bytes.Buffer)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, cmd.Stderr)
	}
	return out
}

// talk is an agent that takes clips with the sound of a silent microphone, and its
// endpoint.
type talk struct {
	t        *testing.T
	endpoint *endpoint
	agent    *agent
	temp     string // of both programs
	ear      *speakertest.Card
	ledger   *ledger
}

const talkConfig = `
cues: {device: none}
talkback: {device: "` + speakertest.Device + `", output: in-ear}
clip: {pre_roll: 3s, sound: true}
upload: {live_share: 100}
`

func newTalk(t *testing.T) *talk {
	t.Helper()
	v := &talk{t: t, endpoint: newEndpoint(t), temp: t.TempDir(), ear: speakertest.New(t)}
	identity, err := media.LoadIdentity(v.endpoint.data)
	if err != nil {
		t.Fatal(err)
	}
	v.ledger = newLedger(identity)
	silence := filepath.Join(t.TempDir(), "silence.wav")
	run(t, "ffmpeg", "-y", "-loglevel", "error", "-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono", "-t", "5", silence)
	v.agent = newAgent(t, v.endpoint, talkConfig)
	v.agent.args = append(v.agent.args, "--microphone", "wav:"+silence, "--loop")
	v.endpoint.env = []string{"TMPDIR=" + v.temp, "HOME=" + v.temp}
	v.agent.env = v.endpoint.env
	v.endpoint.begin()
	v.agent.start("--live")
	v.agent.waitArmed()
	return v
}

// hears waits until the advisor hears the customer.
func (v *talk) hears() {
	v.t.Helper()
	v.agent.waitStatus("hearing the customer", func(s control.Status) bool {
		if s.Talkback != nil && s.Talkback.State == "deaf" {
			missing(v.t, "libasound2 with its file plugin")
		}
		return s.Talkback != nil && s.Talkback.State == "hearing"
	})
}

// torment kills one of the two again and again, while photos and clips are taken.
func (v *talk) torment(length time.Duration) (kills int) {
	r := rand.New(rand.NewPCG(1, 2))
	refusals := map[string]int{}
	for end := time.Now().Add(length); time.Now().Before(end); kills++ {
		hands := press(v.agent, v.ledger, r, false, refusals)
		v.agent.waitStatus("hearing the customer", func(s control.Status) bool { return s.Talkback != nil && s.Talkback.State == "hearing" })
		pause(v.t.Context(), r, 6*time.Second)
		if kills%3 == 2 {
			v.endpoint.end(syscall.SIGKILL)
			v.endpoint.begin()
			hands.end()
		} else {
			v.agent.end(syscall.SIGKILL)
			hands.end()
			v.agent.start("--live")
		}
		v.agent.waitArmed()
	}
	return kills
}

// pieces are what of the voice is looked for.
type pieces struct{ encoded, decoded [][]byte }

// search takes pieces from the middle of packets, and from what becomes of them:
// samples of 16 bits, as the agent decodes them, and of 32 bits.
func (v *talk) search(packets [][]byte) (p pieces) {
	v.t.Helper()
	for _, packet := range packets {
		if len(packet) >= 48 {
			p.encoded = append(p.encoded, packet[16:40])
		}
	}
	decoder, err := opus.NewDecoder()
	if err != nil {
		v.t.Fatal(err)
	}
	defer decoder.Close()
	pcm := make([]int16, opus.MaxSamples)
	for range 2 { // the second time it is warm, as the agent's is
		p.decoded = nil
		for i, packet := range packets {
			n, err := decoder.Decode(packet, pcm)
			if err != nil {
				v.t.Fatal(err)
			}
			if loud(pcm[n/2:n/2+16]) && i%3 == 0 {
				p.decoded = append(p.decoded, samples16(pcm[n/2:n/2+16]), samples32(pcm[n/2:n/2+16]))
			}
		}
	}
	if len(p.encoded) < 100 || len(p.decoded) < 100 {
		v.t.Fatalf("only %d packets and %d moments to look for", len(p.encoded), len(p.decoded))
	}
	return p
}

// loud says that samples are not to be met by chance.
func loud(pcm []int16) bool {
	differ := map[int16]bool{}
	for _, s := range pcm {
		if s > 500 || s < -500 {
			differ[s] = true
		}
	}
	return len(differ) > 8
}

func samples16(pcm []int16) (b []byte) {
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

func samples32(pcm []int16) (b []byte) {
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(s)/32768))
	}
	return b
}

// in counts the pieces that are in data.
func (p pieces) in(data []byte) (n int) {
	for _, list := range [][][]byte{p.encoded, p.decoded} {
		for _, piece := range list {
			if bytes.Contains(data, piece) {
				n++
			}
		}
	}
	return n
}

func packed(packets [][]byte) []byte { return bytes.Join(packets, []byte("--")) }

// nothingOf looks for the pieces in all that the two programs have left, their logs
// too, and returns how much that is.
func (v *talk) nothingOf(p pieces) (size int64) {
	v.t.Helper()
	s := &search{seen: map[string]stamp{}, markers: map[string][]byte{}}
	for i, piece := range p.encoded {
		s.markers[fmt.Sprintf("packet %d of the customer's voice", i)] = piece
	}
	for i, piece := range p.decoded {
		s.markers[fmt.Sprintf("moment %d of the customer's voice", i)] = piece
	}
	found, err := s.all(v.agent.state, v.endpoint.data, v.temp, filepath.Dir(v.agent.log.Name()), filepath.Dir(v.endpoint.log.Name()))
	if err != nil {
		v.t.Error(err)
	}
	for _, what := range found {
		v.t.Error(what)
	}
	if len(s.seen) < 5 || s.bytes < 100<<10 {
		v.t.Errorf("only %d files with %d bytes were searched", len(s.seen), s.bytes)
	}
	return s.bytes
}

// silentClips listens to the clips that the endpoint has: the advisor's microphone
// was silent, so that anything else would be the customer.
func (v *talk) silentClips() (clips int) {
	v.t.Helper()
	paths, err := filepath.Glob(filepath.Join(v.endpoint.data, "sessions", "*", "*.mp4"))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, path := range paths {
		if !strings.Contains(string(run(v.t, "ffprobe", "-loglevel", "error", "-show_entries", "stream=codec_name", path)), "opus") {
			continue // it was cut before the first sound
		}
		clips++
		sound := run(v.t, "ffmpeg", "-loglevel", "error", "-i", path, "-vn", "-f", "s16le", "-ac", "1", "-")
		for i := 0; i+1 < len(sound); i += 2 {
			if s := int16(binary.LittleEndian.Uint16(sound[i:])); s > 4 || s < -4 {
				v.t.Errorf("%s is not silent: %d at %.2f s", path, s, float64(i)/2/48000)
				break
			}
		}
	}
	if clips == 0 {
		v.t.Error("no clip with sound was taken")
	}
	return clips
}
