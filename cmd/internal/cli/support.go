package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/setup"
	"github.com/bril-edge/bril/cmd/internal/support"
	"github.com/bril-edge/bril/configs"
)

// supportFlags are those of `bril support`.
type supportFlags struct {
	output, config string
	yes            bool
}

func newSupport(o *options) *cobra.Command {
	var f supportFlags
	c := &cobra.Command{
		Use:   "support",
		Short: "Pack what helps to find a fault into one file",
		Long: `support gathers the log, the status, what bril doctor finds, the configuration,
versions, devices and what the system tells, and lists it before it writes
anything. The file may be sent by mail: no photos, clips, keys, tokens,
passwords or names of customers are in it. Without a daemon it has what there
is, and says what is missing. As root it has the most.

` + ExitCodes,
		Example: "  bril support\n  bril support --yes --output /tmp/bril-support.tar.gz\n  bril support --yes --output - | ssh desk.example 'cat > bril-support.tar.gz'",
		Args:    arguments(),
		RunE:    func(c *cobra.Command, _ []string) error { return o.support(c, f) },
	}
	flags := c.Flags()
	configFlag(c, &f.config)
	flags.StringVarP(&f.output, "output", "o", "", "`file` to write, - for standard output (default: bril-support-NAME-TIME.tar.gz here)")
	flags.BoolVarP(&f.yes, "yes", "y", false, "write without asking")
	return c
}

func (f supportFlags) check(o *options, c *cobra.Command) error {
	switch {
	case f.output == "-" && o.json:
		return &UsageError{c.CommandPath(), errors.New("--output - writes the bundle where --json would print")}
	case !f.yes && (o.json || !isTerminal(o.app.Stdin)):
		return WithHint(&UsageError{c.CommandPath(), errors.New("support asks before it writes and cannot ask here")}, c.CommandPath()+" --yes writes without asking")
	case f.output == "-" && isTerminal(c.OutOrStdout()):
		return &UsageError{c.CommandPath(), errors.New("--output - is for a pipe: the bundle is no text for a terminal")}
	}
	return nil
}

func (o *options) support(c *cobra.Command, f supportFlags) error {
	if err := f.check(o, c); err != nil {
		return err
	}
	fmt.Fprintln(c.ErrOrStderr(), "gathering, which takes up to a minute …")
	bundle, err := support.Gather(c.Context(), o.supportConfig(f))
	if err != nil {
		return err
	}
	path := cmp.Or(f.output, bundle.Name+".tar.gz")
	fmt.Fprintf(c.ErrOrStderr(), "%s:\n%s", path, bundle.List())
	if !f.yes {
		ask := setup.Asker{In: o.app.Stdin, Out: c.ErrOrStderr()}
		switch yes, err := ask.Yes(c.Context(), "write it?", true); {
		case err != nil:
			return err
		case !yes:
			fmt.Fprintln(c.ErrOrStderr(), "nothing was written")
			return nil
		}
	}
	if f.output == "-" {
		return bundle.Write(c.OutOrStdout())
	}
	if err := bundle.WriteFile(path); err != nil {
		if errors.Is(err, os.ErrExist) {
			err = WithHint(err, c.CommandPath()+" --output another file")
		}
		return err
	}
	return o.reportSupport(c, path, bundle)
}

func (o *options) reportSupport(c *cobra.Command, path string, b *support.Bundle) error {
	v := struct {
		SchemaVersion int               `json:"schema_version"`
		File          string            `json:"file"`
		Entries       []support.Entry   `json:"entries"`
		LeftOut       []support.LeftOut `json:"left_out"`
	}{schemaVersion, path, b.Entries, append([]support.LeftOut{}, b.LeftOut...)}
	return o.print(c, v, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, path)
		return err
	})
}

// supportConfig says what goes into a bundle: what other commands print, and what
// the machine tells.
func (o *options) supportConfig(f supportFlags) support.Config {
	configuration := o.configuration(f.config)
	items := []support.Item{
		{Name: "status.json", What: "what the daemon does", Gather: o.printed("status")},
		{Name: "doctor.json", What: "what bril doctor finds", Gather: o.printed(withConfig(configuration, "doctor", "--no-input")...), Limit: time.Minute},
		{Name: "log.txt", What: "the daemon's last lines", Gather: o.daemonLog},
		{Name: "enrolment.json", What: "whether it is enrolled, without keys", Gather: o.printed("enrol", "--status")},
		{Name: "spool.json", What: "what waits for its upload, without contents", Gather: o.printed("spool", "list")},
		{Name: "devices.json", What: "board, cameras, encoders, sound and lines", Gather: o.printed(withConfig(configuration, "devices")...)},
	}
	items = append(items, configuration.Items()...)
	items = append(items, support.System{Version: o.app.Version}.Items()...)
	host, _ := os.Hostname() // without one it is unnamed
	return support.Config{
		Board: cmp.Or(named(configuration.Config), host),
		Items: items,
		Known: configuration.Known(),
		Now:   time.Now(),
	}
}

// named is what the glasses are called; "" where nobody has called them anything.
func named(cfg configs.Config) string {
	if cfg.Uplink.WHIPURL == configs.Default().Uplink.WHIPURL {
		return ""
	}
	return cfg.GlassesName()
}

// withConfig adds the configuration to a command, where it can be used.
func withConfig(c support.Configuration, args ...string) []string {
	if c.Path != "" && c.Err == nil {
		args = append(args, "--config", c.Path)
	}
	return args
}

// configuration finds what the daemon is configured by: the file that is given, or
// else that of the service, over what the enrolment says.
func (o *options) configuration(path string) support.Configuration {
	places := configs.OSEnvironment()
	c := support.Configuration{Path: places.ConfigPath(path), Control: places.FindSocket(o.socket)}
	if c.Config, c.Unread, c.Err = layered(path, unflagged); c.Err != nil {
		return c
	}
	if state, err := places.StatePath(c.Config.Control.StateDir); err == nil {
		c.StateDir = state
		keys, _ := filepath.Glob(filepath.Join(configs.EnrolmentPath(state), "*key*")) // the pattern is right
		c.Private = keys
	}
	return c
}

// printed returns what another command prints with --json. That it fails is no reason
// to leave that out, if it has printed something: doctor fails where a check does.
func (o *options) printed(args ...string) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		var out bytes.Buffer
		app := o.app
		app.Stdin, app.Stdout, app.Stderr = nil, &out, io.Discard
		app.Args = append(args, "--json", "--control", o.socket)
		root := newRoot(app)
		if c, _, err := root.Find(args); err != nil || c == root {
			return nil, fmt.Errorf("this bril has no command %s", args[0])
		}
		err := root.ExecuteContext(ctx)
		if out.Len() > 0 {
			return out.Bytes(), nil
		}
		return nil, cmp.Or(err, errors.New("it prints nothing"))
	}
}

// daemonLog asks the daemon for its last lines.
func (o *options) daemonLog(ctx context.Context) ([]byte, error) {
	client := o.client()
	defer client.Close()
	log, err := client.Log(ctx, 0)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if log.Before > 0 {
		fmt.Fprintf(&text, "(%d lines were before these)\n", log.Before)
	}
	for _, line := range log.Lines {
		text.WriteString(line + "\n")
	}
	return []byte(text.String()), nil
}
