package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/service"
	"github.com/bril-edge/bril/cmd/internal/session"
)

// restartFile stands beside the control socket once a newer version is installed.
const restartFile = "restart-wanted"

// managed is what the daemon tells a service manager.
type managed struct {
	socket  string
	client  *control.Client
	changed chan struct{} // holds one value once the phase has changed
	log     *slog.Logger
}

func newManaged(socket string, log *slog.Logger) *managed {
	return &managed{socket, control.NewClient(socket), make(chan struct{}, 1), log}
}

// phase hears of each new phase.
func (m *managed) phase(session.Phase) {
	select {
	case m.changed <- struct{}{}:
	default: // it will look
	}
}

func (m *managed) run(ctx context.Context, progress func(context.Context) ([]session.Part, error)) error {
	every, err := service.SystemdWatchdog()
	if err != nil {
		m.log.Warn("no watchdog looks after the daemon", "error", err)
	}
	return service.Run(ctx, service.Config{
		Progress: progress, Status: m.client.Status, Changed: m.changed, Watchdog: every,
		Restart: m.restartPath(), Log: m.log,
	})
}

// restarts says whether somebody starts the daemon anew when it ends.
func (m *managed) restarts() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// restart ends the daemon at the next moment that cuts nobody off.
func (m *managed) restart() error {
	if err := os.WriteFile(m.restartPath(), nil, 0o600); err != nil {
		return fmt.Errorf("ask for a restart: %w", err)
	}
	m.phase("")
	return nil
}

func (m *managed) restartPath() string { return filepath.Join(filepath.Dir(m.socket), restartFile) }

func (m *managed) close() { m.client.Close() }

// ended is why the daemon ended: to be started again in a newer version is well.
func ended(err error) error {
	if errors.Is(err, service.ErrRestart) {
		return nil
	}
	return err
}
