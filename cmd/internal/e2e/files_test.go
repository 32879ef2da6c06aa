package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
)

// phone is a film of a hand-held phone, 1080p, whose metadata say where it was made.
const phone = "/usr/share/forensics-samples/original-files/movie1/VID_20191220_170832.mp4"

// TestFilesOfPhotosAndClips takes photos and clips of several sources. What the
// endpoint stores is judged by ffprobe, exiftool and Chromium.
func TestFilesOfPhotosAndClips(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 25 s")
	}
	needFootage(t)
	if _, err := exec.LookPath("exiftool"); err != nil {
		missing(t, "exiftool", "apt-get install libimage-exiftool-perl")
	}
	needPhone(t)
	browser := chromiumtest.Start(t)
	e := startEndpoint(t)
	for _, source := range []source{
		{name: "pattern", args: []string{"--camera", "pattern", "--microphone", "tone"},
			config: "media: {label: Bril van Zoë}\nclip: {pre_roll: 1s, sound: true}\ntalkback: {output: in-ear}", sound: true},
		{name: "footage", stdin: playFootage, args: []string{"--camera", "y4m:-", "--microphone", "tone"},
			config: "clip: {pre_roll: 1s}"},
		{name: "phone", width: 1920, height: 1080, args: []string{"--camera", "mp4:" + phone, "--microphone", "none", "--loop"},
			config: "media: {label: Bril van Zoë}\nclip: {pre_roll: 0s}\nvideo: {max_bitrate: 8M}"},
	} {
		t.Run(source.name, func(t *testing.T) { source.test(t, e, browser) })
	}
}

// source is what is photographed.
type source struct {
	name   string // of the conversation, too
	args   []string
	stdin  func(*testing.T) *os.File
	config string
	sound  bool // clips have it

	width, height int // of its pictures; zero is the footage's
}

func (s source) test(t *testing.T, e *endpoint, browser context.Context) {
	var stdin *os.File
	if s.stdin != nil {
		stdin = s.stdin(t)
	}
	a := startAgentWith(t, stdin, e.url("/whip/"+s.name), slices.Concat(s.args, configured(t, s.config), []string{"--live"})...)
	a.waitLive()
	a.wait("a pre-roll", func(s control.Status) bool { return s.Recording.RingSeconds >= 1 })
	want := []string{a.photo().ID, a.photo("--show").ID}
	clip := a.clip("start").ID
	const recorded = 60 // pictures
	a.capture(recorded)
	ended := a.clip("stop")
	if ended.ID != clip || ended.DurationSeconds < recorded/footageFPS {
		t.Errorf("clip %s became %+v", clip, ended)
	}
	if _, err := a.client.Live(t.Context(), "off"); err != nil { // now nothing slows the upload down
		t.Fatal(err)
	}
	for id, item := range a.delivered(e, s.name, append(want, clip)...) {
		data, err := os.ReadFile(e.path(s.name, item))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		if hex.EncodeToString(sum[:]) != item.SHA256 || int64(len(data)) != item.Bytes {
			t.Errorf("%s is listed as of %d bytes, SHA-256 %s", id, item.Bytes, item.SHA256)
		}
		if id == clip {
			s.checkClip(t, e.path(s.name, item), data, ended.DurationSeconds)
			playClip(t, browser, e.url("/"+s.name), item, ended.DurationSeconds)
		} else {
			s.checkPhoto(t, e.path(s.name, item), item)
		}
	}
}

// The tags, by exiftool's names, that a photo may have: what it says itself, and
// what the picture's format consists of.
var photoTags = []string{
	"IFD0:Model", "IFD0:Software", "ExifIFD:ExifVersion", "ExifIFD:DateTimeOriginal", "ExifIFD:OffsetTimeOriginal",
	"JFIF:JFIFVersion", "JFIF:ResolutionUnit", "JFIF:XResolution", "JFIF:YResolution",
	"File:ExifByteOrder", "File:ImageWidth", "File:ImageHeight", "File:EncodingProcess", "File:BitsPerSample",
	"File:ColorComponents", "File:YCbCrSubSampling",
}

func (s source) checkPhoto(t *testing.T, path string, item media.Listed) {
	t.Helper()
	tags := exiftool(t, path, photoTags)
	label, labelled := tags["IFD0:Model"]
	if want := strings.Contains(s.config, "label"); labelled != want || labelled && label != "Bril van Zoë" {
		t.Errorf("the photo's label is %v", label)
	}
	taken, err := time.Parse("2006:01:02 15:04:05-07:00", fmt.Sprint(tags["ExifIFD:DateTimeOriginal"], tags["ExifIFD:OffsetTimeOriginal"]))
	if err != nil || taken.Sub(item.TakenAt).Abs() > 2*time.Second {
		t.Errorf("the photo says %v, the list %v; %v", taken, item.TakenAt, err)
	}
	if got := probe(t, path); len(got.Streams) != 1 || got.Streams[0].Width != cmp.Or(s.width, footageWidth) || got.Streams[0].Height != cmp.Or(s.height, footageHeight) {
		t.Errorf("the photo is %+v", got)
	}
}

// The tags that a clip may have: how it is to be played, and nothing of when, where
// or by what it was made. The dates have to be there, and are zero.
var clipTags = []string{
	"QuickTime:MajorBrand", "QuickTime:MinorVersion", "QuickTime:CompatibleBrands", "QuickTime:MovieHeaderVersion",
	"QuickTime:CreateDate", "QuickTime:ModifyDate", "QuickTime:TimeScale", "QuickTime:Duration", "QuickTime:NextTrackID",
	"QuickTime:PreferredRate", "QuickTime:PreferredVolume", "QuickTime:MatrixStructure",
	"QuickTime:PreviewTime", "QuickTime:PreviewDuration", "QuickTime:PosterTime", "QuickTime:CurrentTime",
	"QuickTime:SelectionTime", "QuickTime:SelectionDuration",
	"QuickTime:MediaData", "QuickTime:MediaDataSize", "QuickTime:MediaDataOffset",
	"Track:TrackHeaderVersion", "Track:TrackCreateDate", "Track:TrackModifyDate", "Track:TrackID", "Track:TrackDuration",
	"Track:TrackLayer", "Track:TrackVolume", "Track:MatrixStructure", "Track:ImageWidth", "Track:ImageHeight",
	"Track:MediaHeaderVersion", "Track:MediaCreateDate", "Track:MediaModifyDate", "Track:MediaTimeScale",
	"Track:MediaDuration", "Track:MediaLanguageCode", "Track:HandlerType", "Track:Unknown_edts",
	"Track:GraphicsMode", "Track:OpColor", "Track:CompressorID", "Track:SourceImageWidth", "Track:SourceImageHeight",
	"Track:XResolution", "Track:YResolution", "Track:BitDepth", "Track:AVCConfiguration", "Track:VideoFrameRate",
	"Track:Balance", "Track:AudioFormat", "Track:AudioChannels", "Track:AudioBitsPerSample", "Track:AudioSampleRate", "Track:Unknown_dOps",
	"Track:SyncSampleTable", "Track:SampleToChunk", "Track:SampleSizes", "Track:ChunkOffset", "Track:TimeToSampleTable",
}

func (s source) checkClip(t *testing.T, path string, data []byte, seconds float64) {
	t.Helper()
	for tag, value := range exiftool(t, path, clipTags) {
		if strings.HasSuffix(tag, "Date") && !strings.HasPrefix(tag, "System:") && value != "0000:00:00 00:00:00" {
			t.Errorf("%s is %v", tag, value)
		}
	}
	if got := boxes(t, data); !slices.Equal(got, []string{"ftyp", "moov", "mdat"}) {
		t.Errorf("the clip consists of %v", got)
	}
	got, kinds := probe(t, path), []string{"video"}
	if s.sound {
		kinds = append(kinds, "audio")
	}
	if len(got.Streams) != len(kinds) || len(got.Packets) == 0 {
		t.Fatalf("the clip has %+v", got)
	}
	for i, kind := range kinds {
		duration := got.Streams[i].Duration
		t.Logf("clip: %s of %.3f s, %s; bril clip stop said %.3f s", got.Streams[i].Codec, duration, got.Streams[i].Profile, seconds)
		if got.Streams[i].Kind != kind || duration < seconds-0.1 || duration > seconds+0.1 {
			t.Errorf("stream %d is %+v, want %.3f s", i, got.Streams[i], seconds)
		}
	}
	if first := got.Packets[0]; !strings.HasPrefix(first.Flags, "K") || first.PTS != 0 {
		t.Errorf("the first frame is %+v", first)
	}
	if said := grumble(t, "ffmpeg", "-v", "warning", "-nostdin", "-i", path,
		"-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"); said != "" {
		t.Errorf("ffmpeg decodes the clip and says\n%s", said)
	}
}

// probed is what ffprobe finds.
type probed struct {
	Streams []struct {
		Kind          string `json:"codec_type"`
		Codec         string `json:"codec_name"`
		Profile       string
		Width, Height int
		Duration      float64 `json:",string"`
	}
	Packets []struct { // of the picture
		PTS   float64 `json:"pts_time,string"`
		Flags string
	}
}

// probe fails when ffprobe has anything to say.
func probe(t *testing.T, path string) (p probed) {
	t.Helper()
	if said := grumble(t, "ffprobe", "-v", "warning", "-show_streams", "-show_packets", path); said != "" {
		t.Errorf("ffprobe says\n%s", said)
	}
	out := run(t, nil, "ffprobe", "-v", "error", "-of", "json", "-show_streams", path)
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out = run(t, nil, "ffprobe", "-v", "error", "-of", "json", "-select_streams", "v:0", "-show_packets", path)
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return p
}

// grumble returns what a program prints to its standard error.
func grumble(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		t.Errorf("%s %q: %v", program, args, err)
	}
	return said.String()
}

// exiftool returns the file's tags, and fails for one that may not be there.
func exiftool(t *testing.T, path string, allowed []string) map[string]any {
	t.Helper()
	var list []map[string]any
	out := run(t, nil, "exiftool", "-json", "-G1", "-a", "-U", "-ee", path)
	if err := json.Unmarshal(out, &list); err != nil || len(list) != 1 {
		t.Fatalf("exiftool: %v\n%s", err, out)
	}
	for tag, value := range list[0] {
		group, name, _ := strings.Cut(tag, ":")
		// About the program, the file in its folder, and what is computed from others.
		ours := group == "ExifTool" && name == "ExifToolVersion" || group == "System" || tag == "SourceFile" ||
			group == "Composite" && !strings.Contains(name, "GPS") || slices.Contains([]string{"File:FileType", "File:FileTypeExtension", "File:MIMEType"}, tag)
		if strings.HasPrefix(group, "Track") {
			group = "Track"
		}
		if !ours && !slices.Contains(allowed, group+":"+name) {
			t.Errorf("exiftool finds %s: %v", tag, value)
		}
	}
	return list[0]
}

// boxes returns the types of an MP4's boxes, in their order.
func boxes(t *testing.T, data []byte) (types []string) {
	t.Helper()
	for len(data) > 0 {
		if len(data) < 8 || binary.BigEndian.Uint32(data) < 8 || int(binary.BigEndian.Uint32(data)) > len(data) {
			t.Fatalf("after %v there is half a box", types)
		}
		types = append(types, string(data[4:8]))
		data = data[binary.BigEndian.Uint32(data):]
	}
	return types
}

// playClip opens the clip on the conversation's page as a customer does, plays it,
// and seeks.
func playClip(t *testing.T, browser context.Context, page string, item media.Listed, seconds float64) {
	t.Helper()
	if err := chromedp.Run(browser, chromedp.Navigate(page)); err != nil {
		t.Fatal(err)
	}
	const tile = `#items li:has(canvas) button`
	chromiumtest.WaitFor(t, browser, fmt.Sprintf(`document.querySelector(%q) !== null`, tile), patience) // its poster is there
	if err := chromedp.Run(browser, chromedp.Click(tile)); err != nil {
		t.Fatal(err)
	}
	const video = `document.querySelector("#viewer video")`
	chromiumtest.WaitFor(t, browser, fmt.Sprintf(`%s?.currentTime > 0.5 && %[1]s.src.endsWith(%q) && !%[1]s.error`, video, item.URL), patience)
	got := chromiumtest.Eval[[]float64](t, browser, `(async () => {
		const video = `+video+`;
		video.pause();
		const places = [];
		for (const place of [video.duration - 0.5, 0.25, video.duration / 2]) {
			const done = new Promise((resolve) => video.addEventListener("seeked", resolve, {once: true}));
			video.currentTime = place;
			await done;
			places.push(video.currentTime - place);
		}
		return [video.duration, video.seekable.start(0), video.seekable.end(0), ...places];
	})()`)
	if got[0] < seconds-0.2 || got[0] > seconds+0.2 || got[1] != 0 || got[2] != got[0] {
		t.Errorf("Chromium plays %.3f s, from %.3f to %.3f; want %.3f s", got[0], got[1], got[2], seconds)
	}
	for _, off := range got[3:] {
		if off < -0.05 || off > 0.05 {
			t.Errorf("Chromium is off by %v s after seeking", got[3:])
		}
	}
}

// needPhone makes sure that a clip of that film could say where it was made.
func needPhone(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(phone); errors.Is(err, fs.ErrNotExist) {
		missing(t, phone, "apt-get install forensics-samples-files")
	}
	if out := run(t, nil, "exiftool", "-ee", "-n", "-GPSLatitude", phone); !bytes.Contains(out, []byte("-15.83")) {
		t.Fatalf("the phone's film says nothing of a place: %s", out)
	}
}
