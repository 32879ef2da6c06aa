package rtc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLog hands pion's log to ours. What it warns of is nearly always the
// network's doing and shown in the publisher's own errors, so all of it counts
// as debug.
type pionLog struct{ log *slog.Logger }

// NewLogger is logging.LoggerFactory's.
func (p pionLog) NewLogger(scope string) logging.LeveledLogger {
	return scopedLog{p.log.With("pion", scope)}
}

type scopedLog struct{ log *slog.Logger }

func (s scopedLog) print(level, msg string) { s.log.Debug(msg, "level", level) }

func (s scopedLog) printf(level, format string, args []any) {
	if s.log.Enabled(context.Background(), slog.LevelDebug) {
		s.print(level, fmt.Sprintf(format, args...))
	}
}

func (s scopedLog) Trace(string)                      {}
func (s scopedLog) Tracef(string, ...any)             {}
func (s scopedLog) Debug(msg string)                  { s.print("debug", msg) }
func (s scopedLog) Debugf(format string, args ...any) { s.printf("debug", format, args) }
func (s scopedLog) Info(msg string)                   { s.print("info", msg) }
func (s scopedLog) Infof(format string, args ...any)  { s.printf("info", format, args) }
func (s scopedLog) Warn(msg string)                   { s.print("warn", msg) }
func (s scopedLog) Warnf(format string, args ...any)  { s.printf("warn", format, args) }
func (s scopedLog) Error(msg string)                  { s.print("error", msg) }
func (s scopedLog) Errorf(format string, args ...any) { s.printf("error", format, args) }
