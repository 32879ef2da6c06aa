package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// unit is the service of the package.
const unit = "bril.service"

// UnitConfig is the configuration file that the unit has the daemon read.
const UnitConfig = "/etc/bril/bril.yaml"

// Systemd is the Manager of a board.
type Systemd struct {
	// Status asks the daemon.
	Status func(context.Context) (control.Status, error)
	// Config is the configuration file.
	Config string

	booted string                                                            // of tests; "" is the place that sd_booted(3) looks at
	run    func(ctx context.Context, args ...string) (out string, err error) // of tests; nil is systemctl
}

// Busy asks the daemon.
func (s Systemd) Busy(ctx context.Context) (string, error) {
	status, err := s.Status(ctx)
	if errors.Is(err, control.ErrNotRunning) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return status.Busy(), nil
}

// Running asks the daemon.
func (s Systemd) Running(ctx context.Context) bool {
	_, err := s.Status(ctx)
	return !errors.Is(err, control.ErrNotRunning)
}

// Stop stops the unit, if the daemon is its own.
func (s Systemd) Stop(ctx context.Context) (back func(context.Context) error, err error) {
	if !s.runs() {
		return nil, nil
	}
	if active, _ := s.systemctl(ctx, "is-active", unit); active != "active" {
		return nil, nil
	}
	if out, err := s.systemctl(ctx, "stop", unit); err != nil {
		return nil, refusal("stop", out, err)
	}
	return func(ctx context.Context) error {
		if out, err := s.systemctl(ctx, "start", unit); err != nil {
			return refusal("start", out, err)
		}
		return nil
	}, nil
}

// runs says whether this machine was booted by systemd.
func (s Systemd) runs() bool {
	booted := s.booted
	if booted == "" {
		booted = "/run/systemd/system"
	}
	_, err := os.Stat(booted)
	return err == nil
}

// Start enables and starts the unit.
func (s Systemd) Start(ctx context.Context, again bool) (Step, error) {
	if !s.runs() {
		return Step{Status: Skipped, Message: "systemd does not run here", Hint: "bril run --config " + s.Config}, nil
	}
	if s.Config != UnitConfig {
		return Step{Status: Skipped, Message: "the service reads " + UnitConfig + " and no other file", Hint: "bril run --config " + s.Config}, nil
	}
	enabled, err := s.systemctl(ctx, "is-enabled", unit)
	if err != nil && (enabled == "" || enabled == "not-found" || strings.HasPrefix(enabled, "Failed to get")) {
		return Step{Status: Skipped, Message: unit + " is not installed", Hint: "install the package, which has it"}, nil
	}
	active, _ := s.systemctl(ctx, "is-active", unit) // which fails where it says no
	switch {
	case enabled == "enabled" && active == "active" && !again:
		return Step{Status: OK, Message: "the service runs, now and at each boot"}, nil
	case enabled == "enabled" && active == "active":
		if out, err := s.systemctl(ctx, "restart", unit); err != nil {
			return Step{}, refusal("restart", out, err)
		}
		return Step{Status: Changed, Message: "the service runs with the new configuration"}, nil
	}
	if out, err := s.systemctl(ctx, "enable", "--now", unit); err != nil {
		return Step{}, refusal("enable", out, err)
	}
	return Step{Status: Changed, Message: "the service is started, now and at each boot"}, nil
}

func refusal(what, out string, err error) error {
	return hinted{fmt.Errorf("%s %s: %w: %s", what, unit, err, out), "journalctl -u bril says why; only root may do it"}
}

func (s Systemd) systemctl(ctx context.Context, args ...string) (string, error) {
	if s.run != nil {
		return s.run(ctx, args...)
	}
	cmd := exec.CommandContext(ctx, "systemctl", append([]string{"--no-ask-password"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return strings.TrimSpace(out.String()), err
}
