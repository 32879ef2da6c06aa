package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/uplink/enrol"
)

// load reads a configuration file: the one that was named, or that of the service
// where it exists; without either the defaults.
func load(path string) (configs.Config, error) {
	return loadOver(configs.Default(), configs.OSEnvironment().ConfigPath(path))
}

func loadOver(base configs.Config, path string) (configs.Config, error) {
	if path == "" {
		return base, nil
	}
	return configs.LoadOver(base, path)
}

// layered returns the configuration in effect: the defaults, what the endpoint says
// that the board is enrolled at, the file, the flags. An enrolment that cannot be read
// is left out, and is the error unread.
func layered(path string, flags func(configs.Config) (configs.Config, error)) (cfg configs.Config, unread, err error) {
	read := func(base configs.Config) (configs.Config, error) {
		cfg, err := loadOver(base, configs.OSEnvironment().ConfigPath(path))
		if err != nil {
			return cfg, err
		}
		return flags(cfg)
	}
	if cfg, err = read(configs.Default()); err != nil { // it says where the enrolment is
		return cfg, nil, err
	}
	state, err := configs.OSEnvironment().StatePath(cfg.Control.StateDir)
	if err != nil {
		return cfg, nil, nil // who needs the place says so
	}
	identity, err := enrol.Load(enrol.Config{Dir: configs.EnrolmentPath(state)})
	switch {
	case errors.Is(err, enrol.ErrNotEnrolled):
		return cfg, nil, nil
	case err != nil:
		return cfg, err, nil
	}
	cfg, err = read(agent.Enrolled(identity.Document()).Defaults())
	return cfg, nil, err
}

// unflagged takes a configuration without flags.
func unflagged(cfg configs.Config) (configs.Config, error) { return cfg, nil }

// enrolmentState returns the state directory of the service, for a command that does
// its work. Another user's own directory would be enrolled for nothing.
func enrolmentState(config, state string) (string, error) {
	cfg, err := load(config)
	if err != nil {
		return "", err
	}
	if state != "" {
		cfg.Control.StateDir = state
	}
	places := configs.OSEnvironment()
	dir, err := places.StatePath(cfg.Control.StateDir)
	if err != nil {
		return "", err
	}
	if service, there := places.ServiceState(); there && cfg.Control.StateDir == "" && dir != service {
		return "", WithHint(fmt.Errorf("open the service's state %s: %w", service, os.ErrPermission), "sudo bril enrol, or start the service: then its group may")
	}
	return dir, nil
}
