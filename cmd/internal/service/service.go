// Package service tells a service manager how the daemon is, as sd_notify(3) has it:
// that it is ready once its control socket answers, what it does in one line, and
// that it is alive, for which the session has to go on. It ends the daemon for a newer
// version of itself, at a moment when that cuts nobody off. Without a service manager
// only that is left.
package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
)

const (
	// answerTime is how long the loop and the control socket have for an answer.
	answerTime = 3 * time.Second
	// patience is how long a step of a part of the session may take. The longest that
	// is well is a call to an endpoint that does not answer: over 20 s.
	patience = 30 * time.Second
	// lookEvery is between two looks where no watchdog asks for more.
	lookEvery = time.Minute
	// readyEvery is between two tries of the socket at the start.
	readyEvery = 50 * time.Millisecond
)

// Config says whom to watch, and whom to tell.
type Config struct {
	Progress func(context.Context) ([]session.Part, error)
	Status   func(context.Context) (control.Status, error) // over the control socket
	Changed  <-chan struct{}                               // holds a value once the phase has changed; may be nil
	Busy     func() bool                                   // something else must not be cut off; nil for nothing
	Restart  string                                        // the file that asks for a restart; none when ""
	Log      *slog.Logger                                  // discards when nil

	// Notify tells the service manager; SystemdNotify when nil. Watchdog is how soon
	// after a sign of life that expects the next; 0 is never.
	Notify   func(state string) error
	Watchdog time.Duration
}

// SystemdNotify tells systemd, where it has started this process (NOTIFY_SOCKET).
func SystemdNotify(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}

// SystemdWatchdog returns how soon after a sign of life systemd expects the next; 0 is
// never.
func SystemdWatchdog() (time.Duration, error) { return daemon.SdWatchdogEnabled(false) }

// ErrRestart is why Run returns when a new start of the daemon is asked for, as by a
// newer version of it.
var ErrRestart = errors.New("a new start is asked for")

// Run tells the service manager until ctx ends, or returns ErrRestart. What cannot be
// told is logged: a daemon works without anybody who looks after it.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Notify == nil {
		cfg.Notify = SystemdNotify
	}
	w := &watch{Config: cfg}
	defer w.tell(daemon.SdNotifyStopping)
	w.forget() // what asked for the version that runs now
	if !w.ready(ctx) {
		return nil
	}
	return w.run(ctx)
}

// watch is what only Run's goroutine touches.
type watch struct {
	Config
	judge judge
	said  string // the last line
	mute  bool   // that nobody could be told has been logged
}

func (w *watch) run(ctx context.Context) error {
	every := lookEvery
	if w.Watchdog > 0 {
		every = min(every, w.Watchdog/3) // one look may fail
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if w.look(ctx) && w.mayRestart() {
			w.Log.Info("ending, as nobody is in a conversation: " + ErrRestart.Error())
			return ErrRestart
		}
		select {
		case <-ticker.C:
		case <-w.Changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// ready waits until the control socket answers, and says so.
func (w *watch) ready(ctx context.Context) bool {
	for {
		status, err := w.status(ctx)
		if err == nil {
			w.said = line(status)
			w.tell(daemon.SdNotifyReady + "\nSTATUS=" + w.said)
			return true
		}
		select {
		case <-time.After(readyEvery):
		case <-ctx.Done():
			return false
		}
	}
}

// look asks how the daemon is and tells it. It gives a sign of life only when the
// session goes on, and says whether nothing is under way that must not be cut off.
func (w *watch) look(ctx context.Context) (idle bool) {
	status, err := w.status(ctx)
	if err == nil {
		err = w.progress(ctx)
	}
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		w.Log.Error("no sign of life for the watchdog", "error", err)
		w.tell("STATUS=" + err.Error())
		w.said = ""
		return false
	}
	news := ""
	if now := line(status); now != w.said {
		w.said = now
		news = "\nSTATUS=" + now
	}
	switch {
	case w.Watchdog > 0:
		w.tell(daemon.SdNotifyWatchdog + news)
	case news != "":
		w.tell(news[1:])
	}
	return status.Busy() == "" && (w.Busy == nil || !w.Busy())
}

func (w *watch) status(ctx context.Context) (control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return w.Status(ctx)
}

func (w *watch) progress(ctx context.Context) error {
	asked, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	parts, err := w.Progress(asked)
	if err != nil {
		return fmt.Errorf("the session does not answer: %w", err)
	}
	if part := w.judge.look(parts, time.Now()); part != "" {
		return fmt.Errorf("%s hangs: one step takes more than %v", part, patience)
	}
	return nil
}

func (w *watch) tell(state string) {
	if err := w.Notify(state); err != nil && !w.mute {
		w.mute = true
		w.Log.Warn("tell the service manager", "error", err)
	}
}

// mayRestart says that somebody asks for a restart, and takes note of it: once.
func (w *watch) mayRestart() bool {
	if w.Restart == "" {
		return false
	}
	if _, err := os.Lstat(w.Restart); err != nil {
		return false
	}
	return w.forget()
}

// forget says whether there was a wish that is no more: one that stays would end the
// next version, too.
func (w *watch) forget() bool {
	if w.Restart == "" {
		return false
	}
	err := os.Remove(w.Restart)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.Log.Warn("a restart is asked for and does not happen", "error", err)
	}
	return err == nil
}

// line is the state for `systemctl status`.
func line(s control.Status) string {
	text := s.State
	if len(s.Errors) > 0 {
		text += "; " + s.Errors[0].Component + ": " + s.Errors[0].Message
	}
	return oneLine(cmp.Or(text, "unknown"))
}
