package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// busy is a status with everything in it, problems included.
func busy() control.Status {
	viewers, percent := 2, 9
	return control.Status{
		Version: "1.2.3", State: "live", Camera: "pattern 1280x720@30 YU12", Encoder: "openh264 (software)",
		Light:   control.Light{Line: "LED1", State: "on"},
		Buttons: []control.Button{{Name: "button1", Line: "BTN1 (gpiochip0/3)", State: "working"}},
		Battery: &control.Battery{Percent: &percent, State: "very-low"},
		Thermal: &control.Thermal{Celsius: 78.4, Zone: "cpu-thermal", State: "hot"},
		Uplink: control.Uplink{
			State: "connected", URL: "https://showroom.example/whip/anna", RTTMS: 12.34, TargetBPS: 2_500_000, SentBPS: 2_406_000, NACK: 3, PLI: 1,
		},
		Video: control.Video{Captured: 108_000, Encoded: 107_990, Sent: 107_990, KeyFrames: 1, Dropped: map[string]uint64{"capture": 10, "heat": 7}},
		LatencyMS: control.Latency{
			Queue: control.Percentiles{P50: 0.3, P95: 0.7}, Encode: control.Percentiles{P50: 3.6, P95: 17.4}, PacketiseSend: control.Percentiles{P50: 0.2, P95: 104},
			Photo: control.PhotoLatency{
				Choose: control.Percentiles{P50: 58.2, P95: 131}, Encode: control.Percentiles{P50: 9.1, P95: 14}, Store: control.Percentiles{P50: 16.6, P95: 1240},
			},
		},
		Recording: control.Recording{Armed: true, RingBytes: 1_562_000, RingLimitBytes: 9_400_000, RingSeconds: 5.2, Sound: true},
		Spool: control.SpoolStatus{Items: 3, Bytes: 12_400_000, QuotaBytes: 2e9, Recipient: "configured",
			Oldest: time.Date(2026, 11, 22, 9, 5, 0, 0, time.Local)},
		Upload: control.Upload{State: "waiting", URL: "https://showroom.example/api/uploads/", Problem: "connection refused\x1b[2J",
			RetryAt: time.Date(2026, 11, 23, 13, 42, 0, 0, time.Local)},
		RSSBytes: 41_496_576, UptimeSeconds: 3723.9, Viewers: &viewers,
		Errors: []control.Fault{{
			Component: "microphone", Message: "open microphone hw:1,0: device in use by another process, which said \x1b[2J and went on",
			Hint: "close the other program", Since: time.Date(2026, 11, 23, 13, 41, 36, 0, time.Local), Count: 3,
		}},
		Warnings: []string{"live ends in 2m0s: nobody was watching"},
	}
}

func TestWriteStatus(t *testing.T) {
	const want = `PROBLEM     microphone: open microphone hw:1,0: device in use by another
            process, which said [2J and went on
            hint: close the other program
            since 13:41:36, tried 3 times
WARNING     live ends in 2m0s: nobody was watching

state       live, 2 watching
camera      pattern 1280x720@30 YU12
microphone  -
encoder     openh264 (software)
light       on (LED1)
button1     working, BTN1 (gpiochip0/3)
battery     9 %, very low
heat        78 °C, hot (cpu-thermal)
uplink      connected https://showroom.example/whip/anna
            2.41 of 2.50 Mb/s, round trip 12.3 ms, 3 NACK, 1 PLI
recording   ready, 5.2 s kept for the next clip, 1.6 MB of 9.4 MB, with sound
spool       3 items, 12.4 MB of 2.0 GB, the oldest of 2026-11-22 09:05
            recipient: configured
upload      waiting, again at 13:42:00, https://showroom.example/api/uploads/:
            connection refused [2J
pictures    108000 captured, 0 copied, 107990 encoded, 107990 sent, 1 key frame
dropped     10 by the capture, 0 by the encoder, 0 at sending, 7 for heat
latency     median  queue   0.3   encode   3.6   send   0.2 ms
            95 %    queue   0.7   encode  17.4   send 104.0 ms
photos      median  choose  58.2   encode   9.1   store  16.6 ms
            95 %    choose 131.0   encode  14.0   store 1240.0 ms
daemon      version 1.2.3, up 1h2m3s, 41 MB
`
	var b strings.Builder
	if err := writeStatus(&b, busy()); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestWriteSpool(t *testing.T) {
	until := time.Date(2026, 12, 7, 18, 50, 0, 0, time.Local)
	spool := control.Spool{Items: []control.SpoolItem{
		{ID: "kq3x5vjm2n7aijklmnopqrstuv", Kind: "clip", State: "ready", Bytes: 2_100_000, Sent: 861_000, DeleteAfter: until},
		{ID: "kq3x5vjm2n7bijklmnopqrstuv", State: "interrupted", Bytes: 999, DeleteAfter: until, Problem: "the endpoint says: \x1b[2J no"},
		{ID: "holiday", State: "broken", Bytes: 1000, Problem: "not an item of the spool"},
	}}
	s := busy()
	s.Upload = control.Upload{State: "sending", Item: spool.Items[0].ID, Sent: 861_000, Bytes: 2_100_000}
	const want = `ID                          KIND   STATE            SIZE  DELETED AFTER
kq3x5vjm2n7aijklmnopqrstuv  clip   ready          2.1 MB  2026-12-07 18:50
  ████████░░░░░░░░░░░░  41 %   861 kB of 2.1 MB   1.2 Mb/s   8s left
kq3x5vjm2n7bijklmnopqrstuv  ?      interrupted     999 B  2026-12-07 18:50
  the endpoint says: [2J no
holiday                     ?      broken           1 kB  never
  not an item of the spool

spool       3 items, 12.4 MB of 2.0 GB, the oldest of 2026-11-22 09:05
upload      sending 41 % 861 kB of 2.1 MB
`
	var b strings.Builder
	writeSpool(&b, spool, s, 150_000, true)
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if n := footOf(want); n != 2 {
		t.Errorf("the foot has %d lines, want those of spool and upload", n)
	}
}

func TestShorten(t *testing.T) {
	const text = "a\nb\nc\nd\nspool\nupload\n"
	for _, tc := range []struct {
		rows, foot int
		want       string
	}{
		{-1, 2, text}, // a terminal that does not tell
		{6, 2, text},
		{5, 2, "a\nb\n… and 2 lines more\nspool\nupload\n"},
		{3, 2, "… and 4 lines more\nspool\nupload\n"},
		{2, 2, "a\n… and 5 lines more\n"},
		{4, 0, "a\nb\nc\n… and 3 lines more\n"},
	} {
		if got := shorten(text, tc.rows, tc.foot); got != tc.want {
			t.Errorf("%d rows, foot of %d: got\n%s\nwant\n%s", tc.rows, tc.foot, got, tc.want)
		}
	}
}

func TestProgress(t *testing.T) {
	for _, tc := range []struct {
		sent, bytes int64
		rate        float64
		want        string
	}{
		{0, 0, 0, "░░░░░░░░░░░░░░░░░░░░   0 %   0 B of 0 B"},
		{10, 5, 0, "████████████████████ 100 %   10 B of 5 B"},
		{999_949_999, 999_950_000, 1e9, "███████████████████░ 100 %   999.9 MB of 1.0 GB   8000.0 Mb/s   0s left"},
		{1000, 64e9, 10, "░░░░░░░░░░░░░░░░░░░░   0 %   1 kB of 64.0 GB   0.0 Mb/s   1777777h45m0s left"},
	} {
		got := progress(tc.sent, tc.bytes, tc.rate, true)
		if got != tc.want || len([]rune(got)) > columns {
			t.Errorf("%d of %d: got %q, want %q", tc.sent, tc.bytes, got, tc.want)
		}
	}
}

func TestUploadMeter(t *testing.T) {
	start := time.Unix(1000, 0)
	var m uploadMeter
	for i, step := range []struct {
		item  string
		state string
		sent  int64
		want  float64
	}{{"", "idle", 0, 0}, {"a", "sending", 100, 0}, {"a", "sending", 300, 200}, {"a", "sending", 300, 140}, {"a", "sending", 200, 0}, {"b", "sending", 500, 0}, {"b", "waiting", 600, 0}} {
		got := m.next(control.Upload{State: step.state, Item: step.item, Sent: step.sent}, start.Add(time.Duration(i)*time.Second))
		if got < step.want-0.01 || got > step.want+0.01 {
			t.Errorf("step %d: %.1f, want %.1f", i, got, step.want)
		}
	}
}

func TestLiveLine(t *testing.T) {
	start := time.Unix(1000, 0)
	status := func(state string, sent uint64) control.Status {
		s := busy()
		s.State, s.Video.Sent, s.Errors, s.Warnings = state, sent, nil, nil
		return s
	}
	var l liveLine
	for _, step := range []struct {
		after time.Duration
		s     control.Status
		want  string
	}{
		{0, status("connecting", 0), "CONNECTING"},
		{500 * time.Millisecond, status("live", 0), "LIVE        0.0 fps   2.41 Mb/s   latency  4.1 ms   41 MB   2 watching"},
		{1600 * time.Millisecond, status("live", 33), "LIVE       30.0 fps   2.41 Mb/s   latency  4.1 ms   41 MB   2 watching"},
		{1700 * time.Millisecond, status("live", 50), "LIVE       30.0 fps   2.41 Mb/s   latency  4.1 ms   41 MB   2 watching"},
		{2 * time.Second, status("paused", 50), "PAUSED      0.0 fps   2.41 Mb/s   latency  4.1 ms   41 MB   2 watching"},
		{3 * time.Second, status("ready", 50), "READY"},
	} {
		if got := l.next(step.s, start.Add(step.after)); !slices.Equal(got, []string{step.want}) {
			t.Errorf("after %v: got %q, want %q", step.after, got, step.want)
		}
	}
	if got := l.next(busy(), start); len(got) != 4 || !strings.HasPrefix(got[1], "microphone: ") || got[2] != "hint: close the other program" {
		t.Errorf("with a problem: %q", got)
	}
}

// What is drawn over what was there: from the block's first line, and back to it.
func TestLiveBlock(t *testing.T) {
	var b strings.Builder
	block := liveBlock{out: &b}
	block.draw([]string{"LIVE and many figures for it"}, []string{"a problem with /a/path/that/has/no/end: the cause"}, 23)
	if want := hideCursor + "\r" + clearBelow + "  LIVE and many figur…\r\n  a problem with\r\n  /a/path/that/has/no…\r\n  the cause\r\x1b[3A"; b.String() != want {
		t.Errorf("drew %q, want %q", b.String(), want)
	}
	b.Reset()
	block.draw([]string{"LIVE"}, []string{"CLIP        is safe"}, 80)
	if want := hideCursor + "\r" + clearBelow + "  LIVE\r\n  CLIP        is safe\r\x1b[1A"; b.String() != want {
		t.Errorf("drew %q, want %q", b.String(), want)
	}
	b.Reset()
	block.draw([]string{"LIVE"}, nil, 80)
	block.end()
	if want := hideCursor + "\r" + clearBelow + "  LIVE\r\n\r" + showCursor; b.String() != want {
		t.Errorf("drew %q, want %q", b.String(), want)
	}
}

func TestFold(t *testing.T) {
	for text, want := range map[string][]string{
		"":                       {""},
		"one two":                {"one two"},
		"one two three":          {"one two", "three"},
		"a extraordinarily long": {"a", "extraordinarily", "long"},
		"  gaps   too ":          {"gaps too"},
		"zwölf ö":                {"zwölf ö"},
	} {
		if got := fold(text, 8); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		line, want string
		width      int
	}{{"äöü", "äöü", 3}, {"äöü", "ä…", 2}, {"äöü", "…", 1}, {"äöü", "…", 0}, {"", "", 0}} {
		if got := cut(test.line, test.width); got != test.want {
			t.Errorf("%q in %d: got %q, want %q", test.line, test.width, got, test.want)
		}
	}
}
