package session

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// Status returns what the session is doing, at once.
func (s *Session) Status() control.Status {
	now := s.shown.Load()
	status := control.Status{
		Version:       s.cfg.Version,
		State:         string(now.state.Phase),
		Uplink:        s.uplink(now),
		Video:         s.meter.video(),
		LatencyMS:     s.meter.latency(),
		RSSBytes:      residentBytes(),
		UptimeSeconds: (monotonic.Now() - s.started).Seconds(),
		Goroutines:    runtime.NumGoroutine(),
		Viewers:       now.viewers,
		Errors:        s.faults.snapshot(),
	}
	if now.state.Phase == Live || now.state.Phase == Paused {
		status.LiveSince = monotonic.Wall(now.state.LiveSince).Round(time.Millisecond)
	}
	if now.media != nil {
		status.Camera, status.Microphone = now.media.names()
		var warning string
		if status.Encoder, warning = now.media.encoderState(); warning != "" {
			status.Warnings = append(status.Warnings, warning)
		}
	}
	status.Warnings = append(status.Warnings, powerWarnings(now.state, now.media)...)
	if now.state.Warned != "" {
		_, at := now.state.ends(s.cfg.Limits)
		status.Warnings = append(status.Warnings, warning(now.state.Warned, at-monotonic.Now()))
	}
	return status
}

func (s *Session) uplink(now *shown) control.Uplink {
	u := control.Uplink{State: "off", URL: s.cfg.URL}
	switch {
	case now.publisher != nil:
		stats := now.publisher.Stats()
		u.State = "connected"
		u.RTTMS = float64(stats.RTT.Microseconds()) / 1000
		u.TargetBPS, u.SentBPS = int64(now.target), int64(stats.Sent)
		u.NACK, u.PLI = stats.NACK, stats.PLI
	case now.state.Opened && now.state.Wanted:
		u.State = "connecting"
	}
	return u
}

// residentBytes is the memory that the process holds, from proc(5) statm; 0
// where that is not to be had.
func residentBytes() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
