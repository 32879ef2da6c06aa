package agent

import (
	"context"
	"path/filepath"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
)

// openClock lets the time not fall below that of the build, nor below what a server
// told in a run before. Without either the daemon works, as far as the machine's clock
// is right.
func (a *Agent) openClock() {
	if at, err := time.Parse(time.RFC3339, a.opts.Built); err == nil {
		a.clock.NotBefore(at)
	}
	if err := a.clock.Open(filepath.Join(a.opts.StateDir, "time")); err != nil {
		a.opts.Log.Warn(err.Error())
	}
	if now, wall := a.clock.TLSTime(), time.Now(); now.Sub(wall) > time.Hour {
		a.opts.Log.Warn("this machine's clock is behind: certificates are judged by the last time known",
			"clock", wall.UTC().Format(time.DateOnly), "known", now.UTC().Format(time.DateOnly))
	}
}

// runClock keeps what servers tell.
func (a *Agent) runClock(ctx context.Context) {
	a.background.Go(func() {
		a.clock.Run(ctx, func(err error) { a.opts.Log.Warn(err.Error()) })
	})
}

// Time is now, as far as the board knows: it never falls.
func (a *Agent) Time() time.Time {
	now, _ := a.clock.Now()
	return now
}

// phase passes on a new phase of the session.
func (a *Agent) phase(now session.Phase) {
	a.board.signals.phase(now)
	a.anew.phase(now)
	a.move()
	if a.opts.Phase != nil {
		a.opts.Phase(now)
	}
}
