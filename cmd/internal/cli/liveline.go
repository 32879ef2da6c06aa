package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// rateTime is how long a frame rate is counted: a shorter time would make it
// jump by whole frames.
const rateTime = time.Second

// liveLine turns statuses into the demo's live line.
type liveLine struct {
	sent uint64    // frames, at the time at
	at   time.Time // zero before the first status
	fps  float64
}

// next returns the line, and below it the clip that runs and what does not work.
func (l *liveLine) next(s control.Status, now time.Time) []string {
	l.count(s, now)
	lines := []string{strings.ToUpper(s.State)}
	if s.State == "live" || s.State == "paused" {
		lines[0] = fmt.Sprintf("%-11s%4.1f fps   %4.2f Mb/s   latency %4.1f ms   %.0f MB%s", lines[0], l.fps,
			float64(s.Uplink.SentBPS)/1e6, latency(s.LatencyMS), float64(s.RSSBytes)/1e6, watching(s.Viewers))
	}
	if s.Recording.Clip != "" {
		lines = append(lines, fmt.Sprintf("CLIP        is running for %v", since(s.Recording.ClipSince)))
	}
	for _, fault := range s.Errors {
		lines = append(lines, fault.Component+": "+printable(fault.Message))
		if fault.Hint != "" {
			lines = append(lines, "hint: "+printable(fault.Hint))
		}
	}
	for _, warning := range s.Warnings {
		lines = append(lines, printable(warning))
	}
	return lines
}

func (l *liveLine) count(s control.Status, now time.Time) {
	since := now.Sub(l.at)
	switch {
	case s.State != "live": // black and silence are not counted as frames sent
		l.fps = 0
	case l.fps == 0 && s.Video.Sent <= l.sent: // counted from the first frame on
	case since < rateTime:
		return
	default:
		l.fps = float64(s.Video.Sent-l.sent) / since.Seconds()
	}
	l.sent, l.at = s.Video.Sent, now
}

// latency is a frame's way through the agent, from the camera to the network.
func latency(l control.Latency) float64 { return l.Queue.P50 + l.Encode.P50 + l.PacketiseSend.P50 }

func watching(viewers *int) string {
	if viewers == nil {
		return ""
	}
	return fmt.Sprintf("   %d watching", *viewers)
}

// liveBlock draws lines over those it drew before, on a terminal in raw mode.
type liveBlock struct {
	out   io.Writer
	drawn int // lines that the cursor is below the first of
}

const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	clearBelow = "\x1b[J"
)

// draw leaves the cursor at the beginning of the block. The head is cut to the
// terminal's width, what follows is folded: the end of an error is its cause.
func (b *liveBlock) draw(head, lines []string, width int) {
	width = max(width-3, 20) // some terminals wrap after their last column
	var rows []string
	for _, line := range head {
		rows = append(rows, cut(line, width))
	}
	for _, line := range lines {
		if cut(line, width) == line { // in its columns
			rows = append(rows, line)
			continue
		}
		for _, part := range fold(line, width) {
			rows = append(rows, cut(part, width))
		}
	}
	var text strings.Builder
	text.WriteString(hideCursor + "\r" + clearBelow + "  " + strings.Join(rows, "\r\n  ") + "\r")
	b.drawn = len(rows)
	if b.drawn > 1 {
		fmt.Fprintf(&text, "\x1b[%dA", b.drawn-1)
	}
	_, _ = io.WriteString(b.out, text.String()) // a terminal that has gone ends the demo by its own signal
}

// end leaves the block on the screen and the cursor below it.
func (b *liveBlock) end() {
	_, _ = io.WriteString(b.out, strings.Repeat("\n", b.drawn)+"\r"+showCursor) // as above
}
