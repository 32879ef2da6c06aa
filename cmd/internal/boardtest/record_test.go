package boardtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/percentile"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/configs"
)

// recordConfig leaves the cues to the log, whose times are those of the guest, and
// lets a press be a photo at once, however long a slow machine makes it. The one
// processor, which is emulated, has time for photos beside the stream at this rate
// only.
const recordConfig = `camera: {source: auto, size: 640x480, fps: 15}
microphone: {source: none}
media: {label: Board test}
upload: {live_share: 100}
board: {buttons: {button1: {short: photo, double: none, long: photo}}}
cues: {device: none}
log: {level: debug, format: json}
`

const (
	preRoll  = 5 * time.Second // the default
	keyEvery = 2 * time.Second // at least, while a clip may begin
	perFrame = time.Second / 15
	// late is how much the log may be behind what it tells of, under emulation.
	late = 150 * time.Millisecond
	// unused is a line of the board that nobody looks at.
	unused = "0"
)

// recording is a conversation of which photos and clips can be taken.
type recording struct {
	*onCable
	at endpoint
}

// record goes live with the configuration, and a state of its own: the endpoint is
// another one in each test, and so is whom photos and clips are for.
func (r *rig) record(config string) *recording {
	r.Helper()
	const state = "/tmp/recording"
	r.run("rm", "-rf", state)
	e := r.storing(r.TempDir())
	agent := r.agent(e, "--state", state, "--config", r.config(config), "--live")
	r.until("live, with a pre-roll", func(s status) bool {
		return live(s) && s.Recording.Armed && s.Recording.RingSeconds >= preRoll.Seconds()
	})
	c := &recording{&onCable{r, agent, r.watch(e)}, e}
	c.viewer.pictures(5)
	return c
}

// TestPressesTakePhotosAndClips presses one button for photos and holds the other
// one for a clip, while a viewer watches: the endpoint has them all, and the stream
// is as it was.
func TestPressesTakePhotosAndClips(t *testing.T) {
	need(t, "exiftool", "libimage-exiftool-perl")
	c := board(t).record(recordConfig)
	c.photograph() // the first loads the JPEG library, and opens the connection for uploads
	c.stores(1)
	before, memory := c.left(), []int{c.memory()}

	c.undisturbed("nothing is taken", 1, func() {
		for range 10 { // costs the guest what the presses for photos cost it
			c.press(unused)
			c.viewer.pictures(5)
		}
	})
	photos := 1
	c.undisturbed("10 photos are taken", 2, func() {
		for range 10 {
			c.photograph()
			photos++
		}
	})
	c.latencies()
	memory = append(memory, c.memory())
	clips := 0
	c.undisturbed("a clip is made", 1, func() {
		c.film()
		clips++
	})
	memory = append(memory, c.memory())
	c.ready()
	items := c.stores(photos + clips)
	c.until("sent", func(s status) bool { return s.Spool.Items == 0 && s.Upload.State == "idle" && len(s.Errors) == 0 })
	c.live("on")
	c.until("live again", live)
	c.level(before)
	t.Logf("figure: memory on the board after a photo, %d photos, %d clips, and in the next conversation: %d kB", photos, clips, append(memory, c.memory()))
	c.check(items)
}

// check compares what the endpoint has with what the agent has taken.
func (c *recording) check(items []media.Listed) {
	c.Helper()
	photos, clips := c.agent.events("photo taken"), c.agent.events("clip taken")
	for i, item := range items { // the photos were taken first
		data := c.at.get(c.rig, item.URL)
		taken := slices.Concat(photos, clips)[i]
		if item.ID != taken.Item {
			c.Errorf("item %d is %s, %s was taken", i+1, item.ID, taken.Item)
		}
		switch clip := i - len(photos); {
		case clip >= 0:
			c.clip(item, data, taken.Duration, c.pressed(clip))
		case clip == -1:
			c.saysNoMore(data)
			fallthrough
		default:
			c.photo(item, data)
		}
	}
}

// media lists what the endpoint has, in the order in which it was taken.
func (e endpoint) media(r *rig) []media.Listed {
	r.Helper()
	var list struct{ Items []media.Listed }
	if err := json.Unmarshal(e.get(r, "/api/sessions/demo/media"), &list); err != nil {
		r.Fatal(err)
	}
	slices.SortFunc(list.Items, func(a, b media.Listed) int { return a.TakenAt.Compare(b.TakenAt) })
	return list.Items
}

func (e endpoint) get(r *rig, path string) []byte {
	r.Helper()
	answer, err := http.Get(e.url + path)
	if err != nil {
		r.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		r.Fatalf("GET %s: %s, %v", path, answer.Status, err)
	}
	return data
}

// stores waits until the endpoint has n items, and returns them.
func (c *recording) stores(n int) []media.Listed {
	c.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		items := c.at.media(c.rig)
		if len(items) == n {
			return items
		}
		if len(items) > n || time.Now().After(end) {
			c.Fatalf("the endpoint has %d items, want %d: %+v", len(items), n, c.status().Upload)
		}
	}
}

// event is a line of the agent's log.
type event struct {
	Time                  time.Time
	Msg, Item, Action     string
	Of                    int           // frames that a photo was chosen from
	Choose, Encode, Store time.Duration // of a photo
	Duration              time.Duration // of a clip
}

// events returns the lines with a message, of an agent that logs JSON.
func (d *daemon) events(msg string) (found []event) {
	for line := range strings.Lines(d.said()) {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Msg == msg {
			found = append(found, e)
		}
	}
	return found
}

// event waits for the nth line with a message, and returns it.
func (c *recording) event(msg string, n int) event {
	c.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if all := c.agent.events(msg); len(all) >= n {
			return all[n-1]
		}
		if time.Now().After(end) {
			c.Fatalf("%q was not logged %d times", msg, n)
		}
	}
}

// heard waits for the nth cue of a kind, and returns when it came.
func (c *recording) heard(kind session.Cue, n int) time.Time {
	c.Helper()
	return c.event("cue "+string(kind), n).Time
}

// photograph presses the button and waits for the cue.
func (c *recording) photograph() {
	c.Helper()
	cues := len(c.agent.events("cue " + string(session.CuePhoto)))
	c.press(button1)
	c.heard(session.CuePhoto, cues+1)
}

// hold presses a button for more than the 0.8 s that make a long press.
func (c *recording) hold(number string) {
	c.Helper()
	pull := c.line(number, "pull")
	c.run("sh", "-c", "echo pull-up >"+pull+"; sleep 1; echo pull-down >"+pull)
}

// film begins a clip and ends it.
func (c *recording) film() {
	c.Helper()
	before := len(c.agent.events("clip taken"))
	c.hold(button2)
	c.heard(session.CueClip, before+1)
	if s := c.status(); s.Recording.Clip == "" || s.Recording.ClipSince.IsZero() {
		c.Errorf("while a clip is made: %+v", s.Recording)
	}
	c.viewer.pictures(45)
	c.hold(button2)
	c.heard(session.CueClipEnd, before+1)
}

// undisturbed does what is to be done beside the stream, at least so many times. The
// viewer loses no picture by it. As the machine that emulates the board may have
// other things to do for a moment, that has to be so in one of three runs; when even
// the camera, which is in the kernel, is late in each of them, they say nothing.
func (c *recording) undisturbed(what string, runs int, do func()) {
	c.Helper()
	whole, missed := false, uint64(0)
	for run := 0; run < runs || !whole && run < 3; run++ {
		c.viewer.restart()
		before := c.status().Video
		do()
		s := c.status()
		now := s.Video
		missed += now.Missed - before.Missed
		dropped := uint64(0)
		for stage, n := range now.Dropped {
			dropped += n - before.Dropped[stage]
		}
		c.Logf("figure: while %s: %d pictures sent, %d dropped, %d not taken by the camera, %d copied for the encoder",
			what, now.Sent-before.Sent, dropped, now.Missed-before.Missed, now.Copies)
		if !strings.HasPrefix(s.Encoder, "bril-venc /dev/video") || now.Copies != 0 {
			c.Errorf("the encoder is %q, %d pictures were copied on their way to it", s.Encoder, now.Copies)
		}
		if c.viewer.whole() {
			c.viewer.decodes(640, 480)
			whole = whole || dropped == 0
		}
	}
	switch {
	case !whole && missed > 5:
		c.Logf("while %s: whether the stream loses pictures cannot be said, as the camera itself did not take %d", what, missed)
	case !whole:
		c.Errorf("while %s the stream lost pictures", what)
	}
}

// memory is what the agent has of it, in kB.
func (c *recording) memory() int {
	c.Helper()
	return c.count(fmt.Sprintf("sed -n 's/^VmRSS:\\(.*\\) kB/\\1/p' /proc/%d/status", c.agent.PID))
}

// latencies prints how long photos took: by stage, and from the press, which the
// agent notices when the button is let go, to the cue.
func (c *recording) latencies() {
	c.Helper()
	p := c.status().LatencyMS.Photo
	var whole percentile.Window
	presses := c.agent.events("button pressed")
	for i, e := range c.agent.events("cue " + string(session.CuePhoto)) {
		whole.Add(e.Time.Sub(presses[i].Time))
	}
	c.Logf("figure: photo on the board, ms at p50 and p95: choose %.0f and %.0f, encode %.0f and %.0f, store %.0f and %.0f, press to cue %.0f and %.0f",
		p.Choose.P50, p.Choose.P95, p.Encode.P50, p.Encode.P95, p.Store.P50, p.Store.P95, whole.Read().P50, whole.Read().P95)
	if p.Choose.P50 == 0 || p.Encode.P50 == 0 || p.Store.P50 == 0 {
		c.Errorf("no times of photos: %+v", p)
	}
}

// photo checks what the endpoint has of one.
func (c *recording) photo(item media.Listed, data []byte) {
	c.Helper()
	if item.Kind != media.Photo || item.ContentType != "image/jpeg" || item.Show || int64(len(data)) != item.Bytes {
		c.Errorf("a press made %+v", item)
	}
	picture, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		c.Fatalf("photo %s: %v", item.ID, err)
	}
	if size := picture.Bounds().Size(); size != image.Pt(640, 480) {
		c.Errorf("a photo of %v", size)
	}
	if got := bars(picture); got != "111 110 011 010 101 100 001 000" {
		c.Errorf("photo %s shows bars %s", item.ID, got)
	}
}

// bars are the colours of eight columns, low in the picture, where the camera
// writes nothing over them: whether each of red, green and blue is bright.
func bars(picture image.Image) string {
	const columns = 8
	size := picture.Bounds().Size()
	var seen []string
	for i := range columns {
		r, g, b, _ := picture.At(size.X*(2*i+1)/(2*columns), size.Y*3/4).RGBA()
		seen = append(seen, fmt.Sprint(r>>15)+fmt.Sprint(g>>15)+fmt.Sprint(b>>15))
	}
	return strings.Join(seen, " ")
}

// saysNoMore checks that exiftool finds in a photo what it may say and no more.
func (c *recording) saysNoMore(data []byte) {
	c.Helper()
	var tags []map[string]any
	said := c.viewer.filter(data, "exiftool", "-json", "-a", "-U", "-exif:all", "-xmp:all", "-iptc:all", "-makernotes:all", "-gps:all", "-comment", "-")
	if err := json.Unmarshal([]byte(said), &tags); err != nil || len(tags) != 1 {
		c.Fatalf("exiftool: %v: %s", err, said)
	}
	for tag := range tags[0] {
		if !slices.Contains([]string{"SourceFile", "Model", "Software", "ExifVersion", "DateTimeOriginal", "OffsetTimeOriginal"}, tag) {
			c.Errorf("a photo says %s: %v", tag, tags[0][tag])
		}
	}
	if tags[0]["Model"] != "Board test" {
		c.Errorf("a photo says %v", tags[0])
	}
}

// clip checks what the endpoint has of the one that was made: the pre-roll, the time
// between the presses, and at most the pictures since a key frame more.
func (c *recording) clip(item media.Listed, data []byte, said, pressed time.Duration) {
	c.Helper()
	if item.Kind != media.Clip || item.ContentType != "video/mp4" || int64(len(data)) != item.Bytes {
		c.Errorf("a long press made %+v", item)
	}
	path := filepath.Join(c.TempDir(), "clip.mp4")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		c.Fatal(err)
	}
	if complaint := c.viewer.filter(nil, "ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-f", "null", "-"); complaint != "" {
		c.Errorf("ffmpeg: %s", complaint)
	}
	var probe struct {
		Frames []struct {
			Key int `json:"key_frame"`
		}
		Streams []struct {
			Codec         string `json:"codec_name"`
			Width, Height int
			Duration      string
		}
	}
	text := c.viewer.filter(nil, "ffprobe", "-v", "error", "-show_frames", "-show_streams", "-of", "json", path)
	if err := json.Unmarshal([]byte(text), &probe); err != nil || len(probe.Streams) != 1 || len(probe.Frames) == 0 {
		c.Fatalf("ffprobe: %v: %s", err, text)
	}
	s := probe.Streams[0]
	if s.Codec != "h264" || s.Width != 640 || s.Height != 480 || probe.Frames[0].Key != 1 {
		c.Errorf("the clip is %+v, its first picture %+v", s, probe.Frames[0])
	}
	seconds, err := strconv.ParseFloat(s.Duration, 64)
	if err != nil {
		c.Fatal(err)
	}
	duration := time.Duration(seconds * float64(time.Second))
	c.Logf("figure: clip on the board %.2f s, %d pictures, %d bytes; pre-roll of %v and %.2f s between the presses",
		seconds, len(probe.Frames), len(data), preRoll, pressed.Seconds())
	if least := preRoll + pressed - late; duration < least || duration > least+keyEvery+2*late {
		c.Errorf("the clip is of %v, want %v and up to %v more", duration, preRoll+pressed, keyEvery)
	}
	if (duration - said).Abs() > perFrame {
		c.Errorf("the clip is of %v, the agent says %v", duration, said)
	}
}

// pressed is the time from the press that began a clip to the one that ended it, as
// the agent noticed them. n counts the clips from 0.
func (c *recording) pressed(n int) time.Duration {
	c.Helper()
	var long []time.Time
	for _, e := range c.agent.events("button pressed") {
		if e.Action == configs.ActionClip {
			long = append(long, e.Time)
		}
	}
	if len(long) < 2*n+2 {
		c.Fatalf("%d long presses, want %d", len(long), 2*n+2)
	}
	return long[2*n+1].Sub(long[2*n])
}

// need skips the test where the program is missing, except where CI=true: there
// it fails.
func need(t *testing.T, program, debian string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: apt-get install %s", program, debian)
	}
	t.Skipf("%s is missing: apt-get install %s", program, debian)
}
