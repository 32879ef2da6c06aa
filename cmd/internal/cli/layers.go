package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/bril-edge/bril/cmd/internal/adoption"
	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
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

// layers are what the configuration in effect is made of, the lowest first: the
// defaults, what the endpoint says that the board is enrolled at, the file, what the
// fleet's manager has signed, the flags.
type layers struct {
	path  string // of the file; "" for none
	flags func(configs.Config) (configs.Config, error)

	enrolled configs.Config
	document *enrol.Document // nil of a board that is nobody
	own      configs.Config  // with the file
	file     configs.Lines
	bundle   *fleet.Bundle // nil for none
	lines    configs.Lines // of the bundle
	cfg      configs.Config
	unread   error // why a layer is left out: the enrolment's, or the bundle's
}

// readLayers reads the board's own layers: the file twice, as it says where the
// enrolment is. An enrolment that cannot be read is left out.
func readLayers(path string, flags func(configs.Config) (configs.Config, error)) (*layers, error) {
	l := &layers{path: configs.OSEnvironment().ConfigPath(path), flags: flags, enrolled: configs.Default()}
	if err := l.readFile(); err != nil {
		return nil, err
	}
	dir, err := l.stateDir()
	if err != nil {
		return l, nil // who needs the place says so
	}
	identity, err := enrol.Load(enrol.Config{Dir: configs.EnrolmentPath(dir)})
	switch {
	case errors.Is(err, enrol.ErrNotEnrolled):
		return l, nil
	case err != nil:
		l.unread = err
		return l, nil
	}
	document := identity.Document()
	l.document, l.enrolled = &document, agent.Enrolled(document).Defaults()
	return l, l.readFile()
}

// readFile lays the file over the enrolment, and the flags over both.
func (l *layers) readFile() (err error) {
	l.own = l.enrolled
	if l.path != "" {
		if l.own, l.file, err = configs.LoadLayer(l.enrolled, l.path); err != nil {
			return err
		}
	}
	l.cfg, err = l.flags(l.own)
	return err
}

// reset is as before a bundle was laid over.
func (l *layers) reset() (err error) {
	l.bundle, l.lines = nil, nil
	l.cfg, err = l.flags(l.own)
	return err
}

func (l *layers) stateDir() (string, error) {
	return configs.OSEnvironment().StatePath(l.cfg.Control.StateDir)
}

// over lays a bundle over the board's own layers, within its ceilings, and the flags
// over that; nil is none.
func (l *layers) over(b *fleet.Bundle, secretsDir string) error {
	if err := l.reset(); err != nil || b == nil {
		return err
	}
	cfg, lines, err := b.Over(l.own, secretsDir)
	if err != nil {
		return err
	}
	var origins []string
	recipient := ""
	if l.document != nil {
		origins, recipient = l.document.Origins(), l.document.Recipient
	}
	if err := fleet.CeilingsOf(l.own, origins, recipient).Check(b.Name(), cfg, lines); err != nil {
		return err
	}
	if l.cfg, err = l.flags(cfg); err != nil {
		return err
	}
	l.bundle, l.lines = b, lines
	return nil
}

// layered returns the configuration in effect, as the daemon that has this state
// directory has it. What cannot be read of enrolment or fleet is left out, and is the
// error unread.
func layered(path string, flags func(configs.Config) (configs.Config, error)) (cfg configs.Config, unread, err error) {
	l, err := allLayers(path, flags)
	if err != nil {
		return configs.Config{}, nil, err
	}
	return l.cfg, l.unread, nil
}

func allLayers(path string, flags func(configs.Config) (configs.Config, error)) (*layers, error) {
	l, err := readLayers(path, flags)
	if err != nil {
		return nil, err
	}
	dir, err := l.stateDir()
	if err != nil || !l.own.Fleet.Enabled {
		return l, nil
	}
	view, err := adoption.Look(configs.FleetPath(dir))
	if err == nil {
		err = l.over(view.Runs(), view.SecretsDir)
	}
	if err != nil {
		l.unread = errors.Join(l.unread, fmt.Errorf("read what the fleet has set: %w", err))
		return l, l.over(nil, "")
	}
	return l, nil
}

// sources says of each key where its value comes from.
func (l *layers) sources() map[string]string {
	from := map[string]string{}
	for _, v := range l.cfg.Values() {
		from[v.Key] = "default"
	}
	for _, d := range configs.Diff(configs.Default(), l.enrolled) {
		from[d.Key] = "enrolment"
	}
	set := func(lines configs.Lines, name string) {
		for key, line := range lines {
			if _, leaf := from[key]; leaf {
				from[key] = fmt.Sprintf("%s:%d", name, line)
			}
		}
	}
	set(l.file, l.path)
	if l.bundle != nil {
		set(l.lines, l.bundle.Name())
	}
	if l.cfg.Control.StateDir != l.own.Control.StateDir { // a bundle cannot
		from["control.state_dir"] = "--state"
	}
	return from
}

// unflagged takes a configuration without flags.
func unflagged(cfg configs.Config) (configs.Config, error) { return cfg, nil }

// inState takes one with the state directory that a flag names, where it does.
func inState(dir string) func(configs.Config) (configs.Config, error) {
	return func(cfg configs.Config) (configs.Config, error) {
		cfg.Control.StateDir = cmp.Or(dir, cfg.Control.StateDir)
		return cfg, nil
	}
}

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
