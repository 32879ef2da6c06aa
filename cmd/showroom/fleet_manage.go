package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// turn is pause or resume.
func (f *fleetCommand) turn(word, title string) *cobra.Command {
	var reason string
	long := map[string]string{
		"pause": `pause holds a rollout: no more devices are offered the bundle. Those that have
it keep it. Without SERIAL it is the newest.
`,
		"resume": `resume has a rollout go on that is paused, or that was stopped by failures:
then more of them do not stop it again. Without SERIAL it is the newest.
`,
	}[word]
	example := map[string]string{"pause": "until the weekend", "resume": "the weekend is over"}[word]
	c := f.remote(&cobra.Command{
		Use: word + " [SERIAL]", Short: title, Long: long + exitCodes,
		Example: fmt.Sprintf("  showroom fleet %s --reason %q\n  showroom fleet %s 12 --reason \"as agreed\"", word, example, word),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return usageError{fmt.Errorf("fleet %s takes one SERIAL at most", word)}
			case reason == "":
				return usageError{errors.New(`say why, for the history: --reason "…"`)}
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			var n uint64
			if len(args) == 1 {
				if n, err = strconv.ParseUint(args[0], 10, 64); err != nil {
					return usageError{fmt.Errorf("%q is not a serial", args[0])}
				}
			} else {
				o, err := client.Overview(c.Context())
				if err != nil {
					return err
				}
				if len(o.Rollouts) == 0 {
					return errors.New("there is no bundle yet")
				}
				n = o.Rollouts[0].Serial
			}
			do := client.Pause
			if word == "resume" {
				do = client.Resume
			}
			r, err := do(c.Context(), n, reason)
			if err != nil {
				return err
			}
			return f.print(c, r, func(w io.Writer) { fmt.Fprintf(w, "bundle %d: %s\n", r.Serial, wavesLine(r)) })
		},
	})
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	return c
}

func (f *fleetCommand) labels() *cobra.Command {
	var reason string
	c := f.remote(&cobra.Command{
		Use: "label NAME KEY=VALUE… KEY-…", Short: "Set and remove labels of a device",
		Long: `label sets labels of a device, by which bundles are meant for some of the
glasses, and with KEY- removes one. The device takes them up when nothing is
under way: at once where it is online, else when it comes; a bundle for labels
that it does not know yet waits for that. A device that gets the label of an
old bundle is to run that bundle, where it is the newest that is for it.
` + exitCodes,
		Example: `  showroom fleet label anna showroom=ghent pair=2 --reason "moved"
  showroom fleet label anna pair- --reason "there is one pair"`,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) < 2:
				return usageError{errors.New("fleet label takes a NAME, and what to set or to remove: KEY=VALUE or KEY-")}
			case reason == "":
				return usageError{errors.New(`say why, for the audit: --reason "…"`)}
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			d, err := client.Device(c.Context(), args[0])
			if err != nil {
				return err
			}
			labels := maps.Clone(d.Labels)
			for _, text := range args[1:] {
				if key, remove := strings.CutSuffix(text, "-"); remove && !strings.Contains(text, "=") {
					delete(labels, key)
					continue
				}
				key, value, ok := strings.Cut(text, "=")
				if !ok {
					return usageError{fmt.Errorf("%q is neither KEY=VALUE nor KEY-", text)}
				}
				labels[key] = value
			}
			now, err := client.SetLabels(c.Context(), args[0], service.SetLabels{Labels: labels, Reason: reason})
			if err != nil {
				return err
			}
			if !now.Online {
				fmt.Fprintf(c.ErrOrStderr(), "showroom: %s is offline, and hears of it when it comes\n", printable(now.Name))
			}
			if now.Wanted != d.Wanted {
				fmt.Fprintf(c.ErrOrStderr(), "showroom: warning: by its labels %s is to run bundle %s from now on, and was to run %s\n", printable(now.Name), serial(now.Wanted), serial(d.Wanted))
			}
			v := map[string]any{"schema_version": schemaVersion, "device": now}
			return f.print(c, v, func(w io.Writer) {
				fmt.Fprintf(w, "%s", now.Name)
				for _, key := range slices.Sorted(maps.Keys(now.Labels)) {
					fmt.Fprintf(w, "  %s=%s", key, now.Labels[key])
				}
				fmt.Fprintln(w)
			})
		},
	})
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	return c
}

// ask is restart or support.
func (f *fleetCommand) ask(word, title string) *cobra.Command {
	var reason string
	long := map[string]string{
		"restart": `restart has a board start its program anew, when nobody is cut off by that,
and at most three times an hour.
`,
		"support": `support has a board send a support bundle, as bril support makes it. It is
encrypted to the server's key and lands in DATA/support, for 30 days:
  age -d -i DATA/age.key DATA/support/FILE | tar xz
A board sends one a minute at most, and none when it takes a new configuration
just then: where nothing came, ask again.
`,
	}[word]
	then := map[string]string{"restart": "it starts anew when nobody is cut off by that", "support": "within minutes it lands in DATA/support of the server"}[word]
	c := f.remote(&cobra.Command{
		Use: word + " NAME", Short: title, Args: oneArgument("fleet "+word, "NAME"), Long: long + exitCodes,
		Example: fmt.Sprintf("  showroom fleet %s anna --reason \"ticket 4711\"", word),
		RunE: func(c *cobra.Command, args []string) error {
			if reason == "" {
				return usageError{errors.New(`say why, for the history: --reason "…"`)}
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			do := client.Restart
			if word == "support" {
				do = client.Support
			}
			d, err := do(c.Context(), args[0], reason)
			if err != nil {
				return err
			}
			v := map[string]any{"schema_version": schemaVersion, "device": d}
			return f.print(c, v, func(w io.Writer) { fmt.Fprintf(w, "%s is asked: %s\n", d.Name, then) })
		},
	})
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	return c
}

// managers are kept by the server that runs, or else in its files.
type managers interface {
	Add(ctx context.Context, name string) (service.NewManager, error)
	List(ctx context.Context) ([]service.Manager, error)
	Revoke(ctx context.Context, name string) error
}

// managerCommand is on the server's own machine.
type managerCommand struct{ deviceCommand }

func newManagerCommand(asJSON *bool) *cobra.Command {
	m := &managerCommand{deviceCommand{asJSON: asJSON}}
	return m.group(&cobra.Command{
		Use: "manager", Short: "Say who may change the fleet's configuration",
		Long: `manager makes the tokens by which managers ask the server. It is for who runs
the server, on its machine, and works while the server runs, too. A token lets
its holder push what is signed; it signs nothing.
` + exitCodes,
		Example: `  showroom fleet manager add Marie --data /var/lib/showroom > token
  showroom fleet manager list --data /var/lib/showroom
  showroom fleet manager revoke Marie --data /var/lib/showroom`,
	}, m.add(), m.list(), m.revoke())
}

// with asks the server that has the data directory, or opens the records itself.
func (m *managerCommand) with(do func(managers) error) error {
	if err := existing("fleet manager", m.dir); err != nil {
		return err
	}
	server, err := privacy.Dial(filepath.Join(m.dir, privacy.SocketName))
	if err == nil {
		return do(service.NewAdminClient(server.HTTP()))
	}
	if !errors.Is(err, privacy.ErrNoServer) {
		return err
	}
	db, err := records.Open(records.Config{Dir: m.dir})
	if errors.Is(err, directory.ErrInUse) {
		return &showroom.ConfigError{Problem: err, Hint: "wait until the other command has ended, or the server answers"}
	}
	if err != nil {
		return err
	}
	return errors.Join(do(service.NewAdmin(db, nil)), db.Close())
}

func (m *managerCommand) add() *cobra.Command {
	return &cobra.Command{
		Use: "add NAME", Short: "Make a manager's token", Args: oneArgument("fleet manager add", "NAME"),
		Long: `add makes a token for a manager and prints it, once: the server keeps a hash
of it. The name stands in the history of all that is done by it.
` + exitCodes,
		Example: "  showroom fleet manager add Marie --data /var/lib/showroom > token",
		RunE: func(c *cobra.Command, args []string) error {
			return m.with(func(all managers) error {
				made, err := all.Add(c.Context(), args[0])
				if errors.Is(err, records.ErrNameTaken) {
					return advised{fmt.Errorf("%s has a token already", args[0]), "showroom fleet manager revoke " + args[0] + " first"}
				}
				if err != nil {
					return err
				}
				return m.print(c, map[string]any{"name": made.Name, "token": made.Token}, func(w io.Writer) { fmt.Fprintln(w, made.Token) })
			})
		},
	}
}

func (m *managerCommand) list() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the managers", Args: noArguments,
		Long:    "list shows who has a token, and whose was revoked.\n" + exitCodes,
		Example: "  showroom fleet manager list --data /var/lib/showroom",
		RunE: func(c *cobra.Command, _ []string) error {
			return m.with(func(all managers) error {
				list, err := all.List(c.Context())
				if err != nil {
					return err
				}
				return m.print(c, map[string]any{"managers": append([]service.Manager{}, list...)}, func(w io.Writer) {
					if len(list) == 0 {
						fmt.Fprintln(w, "no managers")
						return
					}
					fmt.Fprintln(w, "NAME\tSINCE\tREVOKED")
					for _, one := range list {
						revoked := "-"
						if !one.Revoked.IsZero() {
							revoked = one.Revoked.Local().Format(time.DateTime)
						}
						fmt.Fprintf(w, "%s\t%s\t%s\n", one.Name, one.Created.Local().Format(time.DateTime), revoked)
					}
				})
			})
		},
	}
}

func (m *managerCommand) revoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke NAME", Short: "Revoke a manager's token", Args: oneArgument("fleet manager revoke", "NAME"),
		Long:    "revoke ends what a manager's token is good for, at once.\n" + exitCodes,
		Example: "  showroom fleet manager revoke Marie --data /var/lib/showroom",
		RunE: func(c *cobra.Command, args []string) error {
			return m.with(func(all managers) error {
				err := all.Revoke(c.Context(), args[0])
				if errors.Is(err, service.ErrManager) {
					return advised{fmt.Errorf("revoke %s: %w", args[0], err), "showroom fleet manager list shows who there is"}
				}
				if err != nil {
					return err
				}
				return m.print(c, map[string]any{"revoked": args[0]}, func(w io.Writer) { fmt.Fprintf(w, "%s may do nothing any more\n", args[0]) })
			})
		},
	}
}
