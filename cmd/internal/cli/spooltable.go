package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// writeSpool writes what waits as a table of 80 columns, what is wrong below each
// item, and how the upload is. Rate is in bytes a second, 0 when it is not known;
// bars are for terminals.
func writeSpool(b *strings.Builder, spool control.Spool, s control.Status, rate float64, bars bool) {
	if len(spool.Items) == 0 {
		b.WriteString("nothing waits for the cloud\n")
		return
	}
	const line = "%-26s  %-5s  %-11s  %8s  %s\n"
	fmt.Fprintf(b, line, "ID", "KIND", "STATE", "SIZE", "DELETED AFTER")
	for _, item := range spool.Items {
		fmt.Fprintf(b, line, printable(item.ID), cmp.Or(printable(item.Kind), "?"), printable(item.State), size(item.Bytes),
			deletedAfter(item.DeleteAfter))
		if item.ID == s.Upload.Item && s.Upload.State == "sending" {
			b.WriteString("  " + progress(item.Sent, item.Bytes, rate, bars) + "\n")
		}
		if item.Problem != "" {
			for _, part := range fold(printable(item.Problem), columns-2) {
				b.WriteString("  " + part + "\n")
			}
		}
	}
	b.WriteByte('\n')
	row(b, "spool", spoolLine(s.Spool))
	row(b, "upload", uploadLine(s.Upload))
}

func deletedAfter(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.Local().Format("2006-01-02 15:04")
}

// footOf returns how many lines a text has below its last empty one.
func footOf(text string) int {
	return strings.Count(text[strings.LastIndex(text, "\n\n")+1:], "\n") - 1
}

// kindOf is what a person calls an item: of before a restart the glasses know only
// that it is there.
func kindOf(item control.SpoolItem) string { return cmp.Or(item.Kind, "item") }

// progress is how far an upload is, in less than 80 columns:
//
//	████████░░░░░░░░░░░░  41 %   0.9 of 2.1 MB   1.2 Mb/s   8 s left
func progress(sent, bytes int64, rate float64, bars bool) string {
	share := 0.0
	if bytes > 0 {
		share = min(float64(sent)/float64(bytes), 1)
	}
	var b strings.Builder
	if bars {
		b.WriteString(bar(share, 20) + " ")
	}
	fmt.Fprintf(&b, "%3.0f %%   %s of %s", 100*share, size(sent), size(bytes))
	if rate > 0 {
		left := time.Duration(float64(bytes-sent) / rate * float64(time.Second))
		fmt.Fprintf(&b, "   %.1f Mb/s   %v left", 8*rate/1e6, left.Round(time.Second))
	}
	return b.String()
}

func bar(share float64, width int) string {
	full := int(share * float64(width))
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// size is a number of bytes for people, in at most seven characters.
func size(bytes int64) string {
	switch n := float64(bytes); {
	case n >= 999.95e6:
		return fmt.Sprintf("%.1f GB", n/1e9)
	case n >= 999.5e3:
		return fmt.Sprintf("%.1f MB", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0f kB", n/1e3)
	}
	return fmt.Sprintf("%d B", bytes)
}

// uploadMeter turns statuses into the speed of the upload, over a few of them: it
// goes in bursts.
type uploadMeter struct {
	item string
	sent int64
	at   time.Time
	rate float64
}

// next returns bytes a second, 0 until they are known.
func (m *uploadMeter) next(u control.Upload, now time.Time) float64 {
	if u.State != "sending" || u.Item != m.item || u.Sent < m.sent {
		*m = uploadMeter{item: u.Item, sent: u.Sent, at: now}
		return 0
	}
	since := now.Sub(m.at).Seconds()
	if since <= 0 {
		return m.rate
	}
	rate := float64(u.Sent-m.sent) / since
	if m.rate > 0 {
		rate = 0.7*m.rate + 0.3*rate
	}
	m.sent, m.at, m.rate = u.Sent, now, rate
	return m.rate
}
