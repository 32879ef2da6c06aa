package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/configs"
)

func newConfig(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check and show the configuration",
		Long:  "config checks and shows the configuration; it changes nothing.\n\n" + ExitCodes,
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(c, args[0])
			}
			return c.Help()
		},
	}
	c.AddCommand(newConfigCheck(o), newConfigShow(o), newConfigHistory(o), newConfigDiff(o), newConfigSchema())
	return c
}

func newConfigCheck(o *options) *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration file",
		Long: `check reads a file and names every line that is wrong, and what it allows.
Without --config it checks /etc/bril/bril.yaml, or the built-in defaults where
that does not exist.

` + ExitCodes,
		Example: "  bril config check --config /etc/bril/bril.yaml",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(path)
			if err != nil {
				return err
			}
			warnings := cfg.Warnings()
			v := struct {
				SchemaVersion int               `json:"schema_version"`
				Valid         bool              `json:"valid"`
				Warnings      []configs.Problem `json:"warnings"`
			}{schemaVersion, true, append([]configs.Problem{}, warnings...)}
			return o.print(c, v, func(w io.Writer) error {
				for _, problem := range warnings {
					fmt.Fprintf(c.ErrOrStderr(), "bril: warning: %v\n", problem)
				}
				what := "configuration is valid"
				if configs.OSEnvironment().ConfigPath(path) == "" {
					what = "the built-in defaults are valid; --config FILE checks a file"
				}
				_, err := fmt.Fprintln(w, what)
				return err
			})
		},
	}
	configFlag(c, &path)
	return c
}

func newConfigShow(o *options) *cobra.Command {
	var path, state string
	var reference, sources bool
	c := &cobra.Command{
		Use:     "show",
		Short:   "Show the configuration in effect, or the commented reference",
		Long:    "show prints every key with the value in effect, and with --sources where each\ncomes from. --reference prints the file that explains each key.\n\n" + ExitCodes,
		Example: "  bril config show --config /etc/bril/bril.yaml\n  bril config show --sources\n  bril config show --sources --state ./state\n  bril config show --reference > bril.yaml",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			if reference {
				if o.json {
					return &UsageError{c.CommandPath(), errors.New("the reference is a commented file: --json cannot print it")}
				}
				_, err := io.WriteString(c.OutOrStdout(), configs.Reference())
				return err
			}
			l, err := allLayers(path, inState(state))
			if err != nil {
				return err
			}
			if l.unread != nil {
				fmt.Fprintf(c.ErrOrStderr(), "bril: warning: a part is left out: %s\n", printable(l.unread.Error()))
			}
			cfg := l.cfg
			if sources {
				return o.printSources(c, l)
			}
			data, err := cfg.JSON()
			if err != nil {
				return err
			}
			return o.print(c, json.RawMessage(data), func(w io.Writer) error {
				text, err := cfg.YAML()
				if err == nil {
					_, err = w.Write(text)
				}
				return err
			})
		},
	}
	configFlag(c, &path)
	stateFlag(c, &state)
	c.Flags().BoolVar(&sources, "sources", false, "say of each key where its value comes from: the default, the enrolment, a line of the file or of the fleet's bundle")
	c.Flags().BoolVar(&reference, "reference", false, "print the commented reference, which holds the defaults")
	return c
}

func newConfigSchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the configuration", Args: arguments(),
		Long: `schema prints the JSON Schema of the configuration file, by which editors complete
and check it. It is JSON with and without --json. The package has it as
/usr/share/bril/bril.schema.json, and every endpoint at /api/bril.schema.json; a
first line as in the reference tells editors where it is.

` + ExitCodes,
		Example: "  bril config schema > bril.schema.json",
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(c.OutOrStdout(), configs.JSONSchema())
			return err
		},
	}
}

// printSources prints the keys, each with where its value comes from.
func (o *options) printSources(c *cobra.Command, l *layers) error {
	from := l.sources()
	type value struct {
		Key    string `json:"key"`
		Value  string `json:"value"`
		Source string `json:"source"`
	}
	v := struct {
		SchemaVersion int     `json:"schema_version"`
		Keys          []value `json:"keys"`
	}{SchemaVersion: schemaVersion}
	for _, one := range l.cfg.Values() {
		v.Keys = append(v.Keys, value{one.Key, one.Text, from[one.Key]})
	}
	return o.print(c, v, func(out io.Writer) error {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, one := range v.Keys {
			fmt.Fprintf(w, "%s\t%s\t%s\n", one.Key, one.Value, one.Source)
		}
		return w.Flush()
	})
}

// stateFlag is for a board whose daemon was started with a --state of its own.
func stateFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "state", "", "`directory` of the state, as bril run has it (default: that of the configuration, or the service's)")
}

func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "config", "", "configuration `file` (default: /etc/bril/bril.yaml where it exists, else the built-in defaults)")
}
