package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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
--json the fields are those of schema_version 1. --watch shows it once a second
until interrupted.

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
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it once a second")
	return c
}

// watch redraws in place on a terminal, and otherwise prints one after another;
// as JSON one a line.
func (o *options) watch(c *cobra.Command, client *control.Client) error {
	out := c.OutOrStdout()
	clear := ""
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		clear = "\x1b[H\x1b[J"
		fmt.Fprint(out, "\x1b[?25l") // the cursor would flicker
		defer fmt.Fprint(out, "\x1b[?25h")
	}
	err := client.Watch(c.Context(), time.Second, func(s control.Status) error {
		if o.json {
			return printLine(out, s)
		}
		var b strings.Builder
		b.WriteString(clear)
		if err := writeStatus(&b, s); err != nil {
			return err
		}
		if clear == "" {
			b.WriteByte('\n')
		}
		_, err := io.WriteString(out, b.String())
		return err
	})
	if errors.Is(err, context.Canceled) {
		return nil // the way to end it
	}
	return err
}

// writeStatus writes a status for people: problems at the top.
func writeStatus(w io.Writer, s control.Status) error {
	var b strings.Builder
	for _, fault := range s.Errors {
		fmt.Fprintf(&b, "PROBLEM %s: %s\n", fault.Component, fault.Message)
		if fault.Hint != "" {
			fmt.Fprintf(&b, "        hint: %s\n", fault.Hint)
		}
		fmt.Fprintf(&b, "        %d times, since %s\n", fault.Count, fault.Since.Local().Format(time.TimeOnly))
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(&b, "WARNING %s\n", warning)
	}
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("state", "%s", stateLine(s))
	row("camera", "%s", orDash(s.Camera))
	row("microphone", "%s", orDash(s.Microphone))
	row("encoder", "%s", orDash(s.Encoder))
	row("uplink", "%s", uplinkLine(s.Uplink))
	row("video", "%d captured, %d encoded, %d sent, %d key frames", s.Video.Captured, s.Video.Encoded, s.Video.Sent, s.Video.KeyFrames)
	row("dropped", "%d by the capture, %d by the encoder, %d at sending", s.Video.Dropped["capture"], s.Video.Dropped["encode"], s.Video.Dropped["send"])
	row("latency", "queue %s, encode %s, send %s (median / 95 %%)", pair(s.LatencyMS.Queue), pair(s.LatencyMS.Encode), pair(s.LatencyMS.PacketiseSend))
	row("daemon", "version %s, up %v, %.1f MB", s.Version, (time.Duration(s.UptimeSeconds) * time.Second).String(), float64(s.RSSBytes)/1e6)
	_, err := io.WriteString(w, b.String())
	return err
}

func stateLine(s control.Status) string {
	line := s.State
	if !s.LiveSince.IsZero() {
		line += fmt.Sprintf(" for %v", time.Since(s.LiveSince).Round(time.Second))
	}
	if s.Viewers != nil {
		line += fmt.Sprintf(", %d watching", *s.Viewers)
	}
	return line
}

func uplinkLine(u control.Uplink) string {
	line := u.State + " " + u.URL
	if u.State == "connected" {
		line += fmt.Sprintf(", %.2f of %.2f Mb/s, RTT %.1f ms, %d NACK, %d PLI",
			float64(u.SentBPS)/1e6, float64(u.TargetBPS)/1e6, u.RTTMS, u.NACK, u.PLI)
	}
	return line
}

func pair(p control.Percentiles) string { return fmt.Sprintf("%.1f / %.1f ms", p.P50, p.P95) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
