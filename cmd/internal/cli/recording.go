package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// writeKept writes what is kept of a conversation, and how it gets to the cloud.
func writeKept(b *strings.Builder, s control.Status) {
	row(b, "recording", recordingLine(s.Recording))
	row(b, "spool", spoolLine(s.Spool))
	row(b, "", "recipient: "+orDash(printable(s.Spool.Recipient)))
	row(b, "upload", uploadLine(s.Upload))
}

func recordingLine(r control.Recording) string {
	sound := "without sound"
	if r.Sound {
		sound = "with sound"
	}
	switch {
	case r.Clip != "":
		return fmt.Sprintf("clip %s for %v, %s", r.Clip, since(r.ClipSince), sound)
	case !r.Armed:
		return "off"
	}
	return fmt.Sprintf("ready, %.1f s kept for the next clip, %s of %s, %s", r.RingSeconds, size(r.RingBytes), size(r.RingLimitBytes), sound)
}

// since is how long ago something was, for people.
func since(t time.Time) time.Duration { return max(time.Since(t), 0).Round(time.Second) }

func spoolLine(s control.SpoolStatus) string {
	line := fmt.Sprintf("%s, %s of %s", count(uint64(max(s.Items, 0)), "item"), size(s.Bytes), size(s.QuotaBytes))
	if s.Items > 0 && !s.Oldest.IsZero() {
		line += ", the oldest of " + s.Oldest.Local().Format("2006-01-02 15:04")
	}
	return line
}

func uploadLine(u control.Upload) string {
	line := orDash(u.State)
	if u.State == "sending" {
		line += " " + progress(u.Sent, u.Bytes, 0, false)
	}
	if !u.RetryAt.IsZero() {
		line += ", again at " + u.RetryAt.Local().Format(time.TimeOnly)
	}
	if u.URL != "" {
		line += ", " + printable(u.URL)
	}
	if u.Problem != "" {
		line += ": " + printable(u.Problem)
	}
	return line
}

// writePhotoLatency writes how long photos take, once one was taken.
func writePhotoLatency(b *strings.Builder, l control.PhotoLatency) {
	if l == (control.PhotoLatency{}) {
		return
	}
	line := func(share string, of func(control.Percentiles) float64) string {
		return fmt.Sprintf("%-8schoose %5.1f   encode %5.1f   store %5.1f ms", share, of(l.Choose), of(l.Encode), of(l.Store))
	}
	fmt.Fprintf(b, "%-*s%s\n", labelWidth, "photos", line("median", func(p control.Percentiles) float64 { return p.P50 }))
	fmt.Fprintf(b, "%-*s%s\n", labelWidth, "", line("95 %", func(p control.Percentiles) float64 { return p.P95 }))
}
