package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bril-edge/bril/cmd/internal/control"
)

func newStatus(o *options) *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what the daemon is doing",
		Long: `status shows problems first, then what is captured, encoded and sent. With
--json the fields are those of schema_version 1. --watch shows it once a second:
on a terminal as a screen with graphs of the last minute, which q quits and
which waits for a daemon that ends; elsewhere one after another, until
interrupted. The screen has no colour where NO_COLOR is set, and is ASCII where
the locale is not one of UTF-8.

` + ExitCodes,
		Example: "  bril status\n  bril status --watch\n  bril status --json | jq .uplink.rtt_ms",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := o.client()
			defer client.Close()
			if watch {
				return o.watch(c, client)
			}
			status, err := client.Status(c.Context())
			if err != nil {
				return err
			}
			return o.print(c, status, func(w io.Writer) error { return writeStatus(w, status) })
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it once a second, on a terminal with graphs")
	return c
}

// clearing returns what begins a new screen on a terminal, without its cursor, which
// would flicker, until restore is called; "" where nobody looks.
func clearing(out io.Writer) (clear string, restore func()) {
	if !isTerminal(out) {
		return "", func() {}
	}
	fmt.Fprint(out, hideCursor)
	return "\x1b[H" + clearBelow, func() { fmt.Fprint(out, showCursor) }
}

// redraw writes text over the last one on a terminal, and below it elsewhere. What
// is higher than the terminal loses lines before its foot, of so many lines: the
// problems stand first.
func redraw(out io.Writer, clear, text string, foot int) error {
	if clear == "" {
		_, err := io.WriteString(out, text+"\n")
		return err
	}
	_, err := io.WriteString(out, clear+shorten(text, height(out)-1, foot)) // the cursor takes a line
	return err
}

// shorten leaves out lines before the foot of a text, so that it has so many rows.
func shorten(text string, rows, foot int) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if rows <= 1 || len(lines) <= rows {
		return text
	}
	if rows <= foot {
		foot = 0
	}
	head := rows - foot - 1 // one line says what is left out
	left := len(lines) - head - foot
	lines = slices.Replace(lines, head, head+left, fmt.Sprintf("… and %d lines more", left))
	return strings.Join(lines, "\n") + "\n"
}

// height of a terminal in lines; 0 where it does not tell.
func height(out io.Writer) int {
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	if _, h, err := term.GetSize(int(f.Fd())); err == nil {
		return h
	}
	return 0
}

// writeStatus writes a status for people: problems at the top, nothing wider than
// a terminal.
func writeStatus(w io.Writer, s control.Status) error {
	var b strings.Builder
	writeProblems(&b, s)
	row(&b, "state", stateLine(s))
	writeDevice(&b, s.Device)
	writeCall(&b, s.Call)
	row(&b, "camera", orDash(s.Camera))
	row(&b, "microphone", orDash(s.Microphone))
	row(&b, "encoder", orDash(s.Encoder))
	writeBoard(&b, s)
	writeUplink(&b, s.Uplink)
	writeTalkback(&b, s.Talkback)
	writeKept(&b, s)
	v := s.Video
	row(&b, "pictures", fmt.Sprintf("%d captured, %d copied, %d encoded, %d sent, %s",
		v.Captured, v.Copies, v.Encoded, v.Sent, count(v.KeyFrames, "key frame")))
	dropped := fmt.Sprintf("%d by the capture, %d by the encoder, %d at sending",
		v.Dropped["capture"], v.Dropped["encode"], v.Dropped["send"])
	if heat := v.Dropped["heat"]; heat > 0 {
		dropped += fmt.Sprintf(", %d for heat", heat)
	}
	row(&b, "dropped", dropped)
	writeLatency(&b, s.LatencyMS)
	writePhotoLatency(&b, s.LatencyMS.Photo)
	row(&b, "daemon", fmt.Sprintf("version %s, up %v, %.0f MB",
		s.Version, time.Duration(s.UptimeSeconds)*time.Second, float64(s.RSSBytes)/1e6))
	writeFleet(&b, s.Fleet)
	writeUpdates(&b, s.Update)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeDevice(b *strings.Builder, d *control.Device) {
	if d == nil {
		return
	}
	name := d.Name
	if d.Label != "" {
		name += " (" + printable(d.Label) + ")"
	}
	row(b, "device", name+", "+enrolmentLine(d.State, d.NotAfter))
}

func writeBoard(b *strings.Builder, s control.Status) {
	light := s.Light.State
	if s.Light.Line != "" {
		light += " (" + s.Light.Line + ")"
	}
	row(b, "light", orDash(light))
	if s.Light.Note != "" {
		row(b, "", s.Light.Note)
	}
	for _, button := range s.Buttons {
		row(b, button.Name, button.State+", "+button.Line)
	}
	if s.Battery != nil {
		row(b, "battery", batteryLine(*s.Battery))
	}
	if s.Thermal != nil {
		row(b, "heat", fmt.Sprintf("%.0f °C, %s (%s)", s.Thermal.Celsius, spoken(s.Thermal.State), printable(s.Thermal.Zone)))
	}
}

func batteryLine(b control.Battery) string {
	charge := "charge unknown"
	if b.Percent != nil {
		charge = fmt.Sprintf("%d %%", *b.Percent)
	}
	if b.Charging {
		return charge + ", charging"
	}
	return charge + ", " + spoken(b.State)
}

// spoken makes a word of the status one of people.
func spoken(word string) string { return strings.ReplaceAll(word, "-", " ") }

// writeProblems writes what deserves a look. What an endpoint has said may be
// part of it, and must not steer the terminal.
func writeProblems(b *strings.Builder, s control.Status) {
	for _, fault := range s.Errors {
		row(b, "PROBLEM", fault.Component+": "+printable(fault.Message))
		if fault.Hint != "" {
			row(b, "", "hint: "+printable(fault.Hint))
		}
		since := fault.Since.Local().Format(time.TimeOnly)
		if fault.Count > 1 {
			since += fmt.Sprintf(", tried %d times", fault.Count)
		}
		row(b, "", "since "+since)
	}
	for _, warning := range s.Warnings {
		row(b, "WARNING", printable(warning))
	}
	if problem := callProblem(s.Call); problem != "" {
		row(b, "WARNING", problem)
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
}

func stateLine(s control.Status) string {
	line := s.State
	if !s.LiveSince.IsZero() {
		line += fmt.Sprintf(", on the air for %v", time.Since(s.LiveSince).Round(time.Second))
	}
	if s.Viewers != nil {
		line += fmt.Sprintf(", %d watching", *s.Viewers)
	}
	return line
}

func writeUplink(b *strings.Builder, u control.Uplink) {
	row(b, "uplink", u.State+" "+u.URL)
	if u.State == "connected" {
		row(b, "", fmt.Sprintf("%.2f of %.2f Mb/s, round trip %.1f ms, %d NACK, %d PLI",
			float64(u.SentBPS)/1e6, float64(u.TargetBPS)/1e6, u.RTTMS, u.NACK, u.PLI))
	}
}

func writeLatency(b *strings.Builder, l control.Latency) {
	if l.Queue == (control.Percentiles{}) && l.Encode == (control.Percentiles{}) && l.PacketiseSend == (control.Percentiles{}) {
		row(b, "latency", "-")
		return
	}
	line := func(share string, of func(control.Percentiles) float64) string {
		return fmt.Sprintf("%-8squeue %5.1f   encode %5.1f   send %5.1f ms", share, of(l.Queue), of(l.Encode), of(l.PacketiseSend))
	}
	fmt.Fprintf(b, "%-*s%s\n", labelWidth, "latency", line("median", func(p control.Percentiles) float64 { return p.P50 }))
	fmt.Fprintf(b, "%-*s%s\n", labelWidth, "", line("95 %", func(p control.Percentiles) float64 { return p.P95 }))
}

func count(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
