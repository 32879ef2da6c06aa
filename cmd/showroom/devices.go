package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// enrolments are kept by the server that runs, or else in its files.
type enrolments interface {
	NewToken(ctx context.Context, w devices.Wanted) (devices.Made, error)
	Tokens(ctx context.Context) ([]devices.ListedToken, error)
	DropToken(ctx context.Context, id string) error
	Devices(ctx context.Context) ([]devices.ListedDevice, error)
	Revoke(ctx context.Context, who string) (devices.ListedDevice, error)
}

// deviceCommand is what the commands below token and devices have in common.
type deviceCommand struct {
	dir    string
	asJSON *bool
}

// with asks the server that has the data directory, or opens the records itself
// where there is none.
func (d *deviceCommand) with(command string, do func(enrolments) error) error {
	if err := existing(command, d.dir); err != nil {
		return err
	}
	server, err := privacy.Dial(filepath.Join(d.dir, privacy.SocketName))
	if err == nil {
		return hinted(do(devices.NewClient(server.HTTP())))
	}
	if !errors.Is(err, privacy.ErrNoServer) {
		return err
	}
	db, err := records.Open(records.Config{Dir: d.dir})
	if errors.Is(err, directory.ErrInUse) {
		return &showroom.ConfigError{Problem: err, Hint: "wait until the other command has ended, or the server answers"}
	}
	if err != nil {
		return err
	}
	return hinted(errors.Join(do(devices.NewAdmin(db, d.dir)), db.Close()))
}

func hinted(err error) error {
	if errors.Is(err, devices.ErrUnknown) {
		return advised{err, "showroom devices list and showroom token list show what there is"}
	}
	if errors.Is(err, devices.ErrNoPin) {
		return &showroom.ConfigError{Problem: err, Hint: "start showroom with --data and --tls-own (or --tls-cert and --tls-key) first"}
	}
	return err
}

func (d *deviceCommand) print(c *cobra.Command, value map[string]any, text func(io.Writer)) error {
	if *d.asJSON {
		value["schema_version"] = schemaVersion
		printJSON(c.OutOrStdout(), value)
		return nil
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// group is a command that has commands only.
func (d *deviceCommand) group(c *cobra.Command, below ...*cobra.Command) *cobra.Command {
	c.Args = noArguments
	c.RunE = func(c *cobra.Command, _ []string) error {
		return usageError{fmt.Errorf("%s needs a command", c.Name())}
	}
	c.PersistentFlags().StringVar(&d.dir, "data", "", "the server's data directory")
	c.AddCommand(below...)
	return c
}

func newTokenCommand(asJSON *bool) *cobra.Command {
	d := &deviceCommand{asJSON: asJSON}
	return d.group(&cobra.Command{
		Use:   "token",
		Short: "Make tokens that enrol a board each",
		Long: `token makes and lists the tokens by which boards are enrolled: each is good for
one board and for ten minutes. It works while the server runs, too. Only what
token new prints holds the token: the server keeps a hash of it.
` + exitCodes,
		Example: `  showroom token new --name anna --data /var/lib/showroom > token
  showroom token new --name ben --label "Ghent, second pair" \
                     --serial 10000000a1b2c3d4 --data /var/lib/showroom
  showroom token list --data /var/lib/showroom`,
	}, d.tokenNew(), d.tokenList(), d.tokenRevoke())
}

func (d *deviceCommand) tokenNew() *cobra.Command {
	w := devices.Wanted{Valid: devices.DefaultValid}
	c := &cobra.Command{
		Use: "new", Short: "Make a token", Args: noArguments,
		Long: `new makes a token for one board and prints it. Who holds it can publish under
the name: hand it over by a file, not by e-mail. A device that has the name
loses it when the token is used.
` + exitCodes,
		Example: `  showroom token new --name anna --data /var/lib/showroom > token
  showroom token new --name anna --valid 1h --json --data /var/lib/showroom`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := w.Check(showroom.GlassesName); err != nil {
				return usageError{err}
			}
			return d.with("token", func(e enrolments) error {
				made, err := e.NewToken(c.Context(), w)
				if err != nil {
					return err
				}
				if !*d.asJSON {
					fmt.Fprintf(c.ErrOrStderr(), "for %s, once, until %s\n", made.Name, made.Expires.Local().Format(time.TimeOnly))
					if made.Replaces != "" {
						fmt.Fprintf(c.ErrOrStderr(), "the device that is called %s now (%s) is revoked when it is used\n", made.Name, made.Replaces)
					}
				}
				return d.print(c, map[string]any{"token": made}, func(out io.Writer) { fmt.Fprintln(out, made.Text) })
			})
		},
	}
	f := c.Flags()
	f.StringVar(&w.Name, "name", "", "what the glasses are called: they publish at /whip/NAME")
	f.StringVar(&w.Label, "label", "", "what people call them")
	f.StringVar(&w.Serial, "serial", "", "the serial number of the board that alone may use it (default: any)")
	f.DurationVar(&w.Valid, "valid", w.Valid, "how long it is good, at most 24h")
	return c
}

func (d *deviceCommand) tokenList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the tokens", Args: noArguments,
		Example: "  showroom token list --data /var/lib/showroom",
		Long:    "list shows the tokens of the last day: what each is for, and what became of it.\n" + exitCodes,
		RunE: func(c *cobra.Command, _ []string) error {
			return d.with("token", func(e enrolments) error {
				list, err := e.Tokens(c.Context())
				if err != nil {
					return err
				}
				return d.print(c, map[string]any{"tokens": list}, func(out io.Writer) {
					if len(list) == 0 {
						fmt.Fprintln(out, "no tokens")
						return
					}
					fmt.Fprintln(out, "ID\tNAME\tSTATE\tEXPIRES\tSERIAL\tLABEL")
					for _, t := range list {
						fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, t.State, t.Expires.Local().Format(time.DateTime), dash(t.Serial), t.Label)
					}
				})
			})
		},
	}
}

func (d *deviceCommand) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Make a token void", Args: oneArgument("token revoke", "ID"),
		Example: "  showroom token revoke Vxq3nC0b2mE --data /var/lib/showroom",
		Long:    "revoke makes a token void. The device that used it already stays.\n" + exitCodes,
		RunE: func(c *cobra.Command, args []string) error {
			return d.with("token", func(e enrolments) error {
				if err := e.DropToken(c.Context(), args[0]); err != nil {
					return err
				}
				return d.print(c, map[string]any{"revoked": args[0]}, func(out io.Writer) { fmt.Fprintf(out, "%s is void\n", args[0]) })
			})
		},
	}
}

func newDevicesCommand(asJSON *bool) *cobra.Command {
	d := &deviceCommand{asJSON: asJSON}
	return d.group(&cobra.Command{
		Use:   "devices",
		Short: "List the enrolled boards, and revoke them",
		Long: `devices lists the boards that are enrolled, and revokes them. It works while the
server runs, too.
` + exitCodes,
		Example: `  showroom devices list --data /var/lib/showroom
  showroom devices revoke anna --data /var/lib/showroom`,
	}, d.deviceList(), d.deviceRevoke())
}

func (d *deviceCommand) deviceList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the devices", Args: noArguments,
		Example: "  showroom devices list --json --data /var/lib/showroom",
		Long:    "list shows all devices, those that are revoked, too.\n" + exitCodes,
		RunE: func(c *cobra.Command, _ []string) error {
			return d.with("devices", func(e enrolments) error {
				list, err := e.Devices(c.Context())
				if err != nil {
					return err
				}
				return d.print(c, map[string]any{"devices": list}, func(out io.Writer) { writeDevices(out, list) })
			})
		},
	}
}

func writeDevices(out io.Writer, list []devices.ListedDevice) {
	if len(list) == 0 {
		fmt.Fprintln(out, "no devices")
		return
	}
	fmt.Fprintln(out, "NAME\tSTATE\tUNTIL\tVERSION\tSERIAL\tID\tLABEL")
	for _, v := range list {
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Name, v.State, v.NotAfter.Local().Format(time.DateOnly), dash(v.Version), dash(v.Serial), v.ID, v.Label)
	}
}

func (d *deviceCommand) deviceRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID|NAME", Short: "Revoke a device, for good", Args: oneArgument("devices revoke", "ID or NAME"),
		Example: "  showroom devices revoke anna --data /var/lib/showroom",
		Long: `revoke takes a device's identity back, for good: what it has running ends at
once, and it is refused from then on. A new token enrols the board again.
` + exitCodes,
		RunE: func(c *cobra.Command, args []string) error {
			return d.with("devices", func(e enrolments) error {
				device, err := e.Revoke(c.Context(), args[0])
				if err != nil {
					return err
				}
				return d.print(c, map[string]any{"device": device}, func(out io.Writer) { fmt.Fprintf(out, "%s (%s) is revoked\n", device.Name, device.ID) })
			})
		},
	}
}

func oneArgument(command, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return usageError{fmt.Errorf("%s takes one %s", command, what)}
		}
		return nil
	}
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
