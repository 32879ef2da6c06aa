package remux

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tool finds a program of others; CI has it.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", name)
	}
	t.Skipf("%s is missing", name)
	return ""
}

func execute(t testing.TB, name string, arguments ...string) []byte {
	t.Helper()
	var out, errOut bytes.Buffer
	c := exec.Command(tool(t, name), arguments...)
	c.Stdout, c.Stderr = &out, &errOut
	if err := c.Run(); err != nil || errOut.Len() > 0 {
		t.Fatalf("%s %v: %v\n%s", name, arguments, err, errOut.Bytes())
	}
	return out.Bytes()
}

// packet is a sample as ffprobe sees it, without its duration: the next one's time
// says that, and of fragments ffprobe guesses it.
type packet struct {
	Stream int    `json:"stream_index"`
	PTS    string `json:"pts_time"`
	DTS    string `json:"dts_time"`
	Size   string `json:"size"`
	Flags  string `json:"flags"`
	Hash   string `json:"data_hash"`
}

// probe returns the packets of each stream, in order.
func probe(t testing.TB, path string) [][]packet {
	t.Helper()
	var got struct {
		Packets []packet
		Streams []struct {
			CodecName string `json:"codec_name"`
		}
	}
	check(t, json.Unmarshal(execute(t, "ffprobe", "-v", "warning", "-show_streams", "-show_packets", "-show_data_hash", "sha256", "-of", "json", path), &got))
	streams := make([][]packet, len(got.Streams))
	for _, p := range got.Packets {
		p.Flags = strings.ReplaceAll(p.Flags, "D", "_") // ffmpeg's own encoder delay, by an edit list in its fragments
		streams[p.Stream] = append(streams[p.Stream], p)
	}
	return streams
}

// encoded makes a fragmented MP4 with ffmpeg.
func encoded(t testing.TB, flags string, sound bool, more ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fragmented.mp4")
	a := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30"}
	if sound {
		a = append(a, "-f", "lavfi", "-i", "sine=sample_rate=48000", "-c:a", "libopus")
	}
	a = append(a, "-t", "4", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "30", "-pix_fmt", "yuv420p")
	a = append(append(a, more...), "-movflags", flags, path)
	execute(t, "ffmpeg", a...)
	data, err := os.ReadFile(path)
	check(t, err)
	return data
}

// made is the ordinary file, on disk.
func made(t testing.TB, fragmented []byte, cut bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "made.mp4")
	file, err := os.Create(path)
	check(t, err)
	defer file.Close()
	check(t, Clip(file, bytes.NewReader(fragmented), int64(len(fragmented)), cut))
	return path
}

// boxesOf lists the boxes of a file, top level.
func boxesOf(t testing.TB, data []byte) (kinds []string) {
	t.Helper()
	for at := int64(0); at < int64(len(data)); {
		b, err := readBox(bytes.NewReader(data), at, int64(len(data)))
		check(t, err)
		if b.incomplete {
			t.Fatalf("box %q is incomplete", b.kind)
		}
		kinds = append(kinds, b.kind)
		at = b.end
	}
	return kinds
}

func TestSamplesAndTimesAreKept(t *testing.T) {
	for name, c := range map[string]struct {
		flags string
		sound bool
		more  []string
	}{
		"video":                 {"frag_keyframe+empty_moov+default_base_moof", false, nil},
		"sound":                 {"frag_keyframe+empty_moov+default_base_moof", true, nil},
		"without defaults":      {"frag_keyframe+empty_moov+default_base_moof+omit_tfhd_offset", true, nil},
		"offsets of the file":   {"frag_keyframe+empty_moov", true, nil},
		"a fragment each frame": {"frag_every_frame+empty_moov+default_base_moof", false, nil},
		"index at the end":      {"frag_keyframe+empty_moov+default_base_moof+global_sidx", false, nil},
		"other time scale":      {"frag_keyframe+empty_moov+default_base_moof", false, []string{"-video_track_timescale", "90000"}},
	} {
		t.Run(name, func(t *testing.T) {
			data := encoded(t, c.flags, c.sound, c.more...)
			before := filepath.Join(t.TempDir(), "before.mp4")
			check(t, os.WriteFile(before, data, 0o600))
			after := made(t, data, false)
			same(t, probe(t, before), probe(t, after))
			out, err := os.ReadFile(after)
			check(t, err)
			if got := boxesOf(t, out); !reflect.DeepEqual(got, []string{"ftyp", "moov", "mdat"}) {
				t.Errorf("boxes %v", got)
			}
			execute(t, "ffmpeg", "-v", "warning", "-xerror", "-i", after, "-f", "null", "-")
		})
	}
}

func same(t *testing.T, before, after [][]packet) {
	t.Helper()
	if len(before) != len(after) {
		t.Fatalf("%d streams, want %d", len(after), len(before))
	}
	for i := range before {
		if len(before[i]) != len(after[i]) || len(after[i]) == 0 {
			t.Fatalf("stream %d has %d packets, want %d", i, len(after[i]), len(before[i]))
		}
		for j := range before[i] {
			if before[i][j] != after[i][j] {
				t.Fatalf("stream %d packet %d: %+v, want %+v", i, j, after[i][j], before[i][j])
			}
		}
	}
}

func TestCutAnywhere(t *testing.T) {
	data := encoded(t, "frag_keyframe+empty_moov+default_base_moof", true)
	before := filepath.Join(t.TempDir(), "before.mp4")
	check(t, os.WriteFile(before, data, 0o600))
	whole := probe(t, before)
	kept := 0
	for tenth := 1; tenth <= 10; tenth++ {
		cut := len(data) * tenth / 10
		if err := Clip(io.Discard, bytes.NewReader(data[:cut]), int64(cut), false); tenth < 10 && err == nil {
			t.Errorf("taken though its end is missing: %d bytes", cut)
		}
		after := probe(t, made(t, data[:cut], true))
		total := 0
		for i := range after {
			for j, p := range after[i] {
				if p != whole[i][j] {
					t.Fatalf("cut at %d: stream %d packet %d: %+v, want %+v", cut, i, j, p, whole[i][j])
				}
			}
			total += len(after[i])
		}
		if total <= kept {
			t.Errorf("cut at %d: %d samples, at the cut before %d", cut, total, kept)
		}
		kept = total
	}
	if kept != len(whole[0])+len(whole[1]) {
		t.Errorf("%d samples of the whole, want %d", kept, len(whole[0])+len(whole[1]))
	}
}

// A fragmented file made without ffmpeg, with frames of so many bytes.
func generated(t testing.TB, fragments, frame int) []byte {
	t.Helper()
	init := fmp4.Init{Tracks: []*fmp4.InitTrack{
		{ID: 1, TimeScale: 90000, Codec: &mp4.CodecH264{
			SPS: []byte{0x67, 0x42, 0xc0, 0x28, 0xd9, 0x00, 0x78, 0x02, 0x27, 0xe5, 0x84, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc9, 0x20},
			PPS: []byte{0x68, 0xcb, 0x8c, 0xb2},
		}},
		{ID: 2, TimeScale: 48000, Codec: &mp4.CodecOpus{ChannelCount: 1}},
	}}
	var out seekablebuffer.Buffer
	check(t, init.Marshal(&out))
	random := rand.New(rand.NewPCG(1, 2))
	for n := range fragments {
		part := fmp4.Part{SequenceNumber: uint32(n), Tracks: []*fmp4.PartTrack{{ID: 1, BaseTime: uint64(n) * 90000}, {ID: 2, BaseTime: uint64(n) * 48000}}}
		for i := range 30 {
			payload := make([]byte, frame)
			binary.BigEndian.PutUint32(payload, uint32(frame-4))
			payload[4], payload[5] = 0x65, byte(random.Int())
			part.Tracks[0].Samples = append(part.Tracks[0].Samples, &fmp4.Sample{Duration: 3000, IsNonSyncSample: i > 0, Payload: payload})
		}
		for range 50 {
			part.Tracks[1].Samples = append(part.Tracks[1].Samples, &fmp4.Sample{Duration: 960, Payload: []byte{0xf8, 0xff, 0xfe}})
		}
		check(t, part.Marshal(&out))
	}
	return out.Bytes()
}

func TestTheMediaIsNotHeldInMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.mp4")
	check(t, os.WriteFile(path, generated(t, 60, 50_000), 0o600)) // 90 MB
	file, err := os.Open(path)
	check(t, err)
	defer file.Close()
	stat, err := file.Stat()
	check(t, err)
	runtime.GC()
	peak := &peakWriter{}
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	check(t, Clip(peak, file, stat.Size(), false))
	grown := int64(peak.heap) - int64(before.HeapAlloc)
	t.Logf("%d MB remuxed, the heap grew by %d kB", stat.Size()>>20, grown>>10)
	if grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes for %d", grown, stat.Size())
	}
}

// peakWriter looks at the heap, without what is garbage, now and then.
type peakWriter struct {
	writes int
	heap   uint64
}

func (p *peakWriter) Write(b []byte) (int, error) {
	if p.writes++; p.writes%500 == 0 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		p.heap = max(p.heap, m.HeapAlloc)
	}
	return len(b), nil
}

func TestGapsAndOverlaps(t *testing.T) {
	move := func(data []byte, by int64) []byte { // the last tfdt of track 1
		data = bytes.Clone(data)
		at := bytes.LastIndex(data[:bytes.LastIndex(data, []byte("tfdt"))], []byte("tfdt")) + 8
		binary.BigEndian.PutUint64(data[at:], uint64(int64(binary.BigEndian.Uint64(data[at:]))+by))
		return data
	}
	data := generated(t, 3, 100)
	for _, by := range []int64{0, 9000, -2000} {
		c := clip{r: bytes.NewReader(move(data, by)), size: int64(len(data))}
		check(t, c.read())
		if got := c.tracks[0].samples[59].duration; got != uint32(3000+by) {
			t.Errorf("moved by %d: the sample before has %d", by, got)
		}
		if got := c.tracks[0].end; got != uint64(3*90000+by) {
			t.Errorf("moved by %d: the end is %d", by, got)
		}
	}
	for _, by := range []int64{-3001, 1 << 40, -1 << 62, 1 << 62} {
		moved := move(data, by)
		if err := Clip(io.Discard, bytes.NewReader(moved), int64(len(moved)), false); err == nil {
			t.Errorf("moved by %d: taken", by)
		}
	}
}

func FuzzClip(f *testing.F) {
	f.Add(generated(f, 1, 8), false)
	f.Add(generated(f, 2, 8), true)
	f.Add([]byte("\x00\x00\x00\x08moov"), true)
	f.Fuzz(func(t *testing.T, data []byte, cut bool) {
		var out bytes.Buffer
		if Clip(&out, bytes.NewReader(data), int64(len(data)), cut) != nil {
			return
		}
		if got := boxesOf(t, out.Bytes()); !reflect.DeepEqual(got, []string{"ftyp", "moov", "mdat"}) {
			t.Errorf("boxes %v", got)
		}
	})
}
