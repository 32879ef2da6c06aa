package relay

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// quiet drops what pion logs on its own: hostile clients would fill a disk with it.
// What matters reaches the log through the sessions' own ends.
type quiet struct{}

func (quiet) Trace(string)          {}
func (quiet) Tracef(string, ...any) {}
func (quiet) Debug(string)          {}
func (quiet) Debugf(string, ...any) {}
func (quiet) Info(string)           {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warn(string)           {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Error(string)          {}
func (quiet) Errorf(string, ...any) {}

// pionLog sends pion's warnings and errors to our log at debug level.
type pionLog struct {
	quiet
	log   *slog.Logger
	scope string
}

func (l pionLog) Warn(text string)               { l.write(text) }
func (l pionLog) Warnf(format string, a ...any)  { l.write(format, a...) }
func (l pionLog) Error(text string)              { l.write(text) }
func (l pionLog) Errorf(format string, a ...any) { l.write(format, a...) }
func (l pionLog) write(format string, a ...any) {
	if !l.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	if len(a) > 0 {
		format = fmt.Sprintf(format, a...)
	}
	l.log.Debug(format, "pion", l.scope)
}

type loggerFactory struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (f loggerFactory) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{log: f.log, scope: scope}
}
