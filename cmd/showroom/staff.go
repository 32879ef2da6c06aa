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
	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
)

// accounts are kept by the server that runs, or else in its files.
type accounts interface {
	Add(ctx context.Context, account staff.Account) error
	Accounts(ctx context.Context) ([]staff.Account, error)
	SetHash(ctx context.Context, name, hash string) error
	Remove(ctx context.Context, name string) error
	Sessions(ctx context.Context, name string) ([]staff.Session, error)
	Revoke(ctx context.Context, id string) error
	RevokeAll(ctx context.Context, name string) error
}

// staffCommand is what the commands below staff have in common.
type staffCommand struct {
	dir    string
	asJSON *bool
}

func newStaffCommand(asJSON *bool) *cobra.Command {
	s := &staffCommand{asJSON: asJSON}
	c := &cobra.Command{
		Use:   "staff",
		Short: "Keep the accounts of advisors and managers, and their logins",
		Long: `staff keeps the accounts for the page /staff: advisors see today's appointments
of their showroom, the conversations that go on and what was sent; managers see
all showrooms and ratings, and log in at /fleet, too, where the glasses'
configuration is rolled out. It works while the server runs, too.

A password is never given on the command line: it is asked for, or read from the
first line of --password-file, where - is standard input.
` + exitCodes,
		Example: `  showroom staff add anna --role advisor --data /var/lib/showroom
  pass show showroom/mia | showroom staff add mia --role manager --password-file - --data /var/lib/showroom
  showroom staff sessions --data /var/lib/showroom`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("staff needs a command: add, list, passwd, remove, sessions or revoke")}
		},
	}
	c.PersistentFlags().StringVar(&s.dir, "data", "", "the server's data directory")
	c.AddCommand(s.add(), s.list(), s.passwd(), s.remove(), s.sessions(), s.revoke())
	return c
}

// with asks the server that has the data directory, or opens the records itself
// where there is none.
func (s *staffCommand) with(do func(accounts) error) error {
	if err := existing("staff", s.dir); err != nil {
		return err
	}
	server, err := privacy.Dial(filepath.Join(s.dir, privacy.SocketName))
	if err == nil {
		return do(staff.NewClient(server.HTTP()))
	}
	if !errors.Is(err, privacy.ErrNoServer) {
		return err
	}
	db, err := records.Open(records.Config{Dir: s.dir})
	if errors.Is(err, directory.ErrInUse) {
		return &showroom.ConfigError{Problem: err, Hint: "wait until the other command has ended, or the server answers"}
	}
	if err != nil {
		return err
	}
	return errors.Join(do(staff.NewAdmin(db)), db.Close())
}

func (s *staffCommand) print(c *cobra.Command, key string, value any, text func(io.Writer)) error {
	if *s.asJSON {
		printJSON(c.OutOrStdout(), map[string]any{"schema_version": schemaVersion, key: value})
		return nil
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// one wants one argument, called what.
func one(command, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return usageError{fmt.Errorf("staff %s takes one %s", command, what)}
		}
		return nil
	}
}

func (s *staffCommand) add() *cobra.Command {
	var account staff.Account
	var file string
	c := &cobra.Command{
		Example: "  showroom staff add anna --role advisor --data /var/lib/showroom",
		Use:     "add NAME", Short: "Add an account", Args: one("add", "name"),
		RunE: func(c *cobra.Command, args []string) error {
			account.Name = staff.Name(args[0])
			if err := account.Check(); err != nil {
				return usageError{err}
			}
			return s.with(func(a accounts) (err error) {
				if account.Hash, err = newHash(c, file); err != nil {
					return err
				}
				if err := a.Add(c.Context(), account); err != nil {
					return err
				}
				account.Hash = ""
				return s.print(c, "account", account, func(w io.Writer) { fmt.Fprintf(w, "%s (%s)\n", account.Name, account.Role) })
			})
		},
	}
	c.Flags().StringVar(&account.Role, "role", "", "advisor or manager")
	c.Flags().StringVar(&account.Showroom, "showroom", "", "ID of an advisor's showroom, where there are several")
	passwordFlag(c, &file)
	return c
}

func (s *staffCommand) list() *cobra.Command {
	return &cobra.Command{
		Example: "  showroom staff list --data /var/lib/showroom",
		Use:     "list", Short: "List the accounts", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.with(func(a accounts) error {
				all, err := a.Accounts(c.Context())
				if err != nil {
					return err
				}
				return s.print(c, "accounts", all, func(w io.Writer) {
					fmt.Fprintln(w, "NAME\tROLE\tSHOWROOM\tSINCE")
					for _, account := range all {
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", account.Name, account.Role, account.Showroom, account.Created.Format(time.DateOnly))
					}
				})
			})
		},
	}
}

func (s *staffCommand) passwd() *cobra.Command {
	var file string
	c := &cobra.Command{
		Example: "  showroom staff passwd anna --data /var/lib/showroom",
		Use:     "passwd NAME", Short: "Set a new password, and end all sessions", Args: one("passwd", "name"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.with(func(a accounts) error {
				hash, err := newHash(c, file)
				if err != nil {
					return err
				}
				return a.SetHash(c.Context(), staff.Name(args[0]), hash)
			})
		},
	}
	passwordFlag(c, &file)
	return c
}

func (s *staffCommand) remove() *cobra.Command {
	return &cobra.Command{
		Example: "  showroom staff remove anna --data /var/lib/showroom",
		Use:     "remove NAME", Short: "Remove an account and its sessions", Args: one("remove", "name"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.with(func(a accounts) error { return a.Remove(c.Context(), staff.Name(args[0])) })
		},
	}
}

func (s *staffCommand) sessions() *cobra.Command {
	return &cobra.Command{
		Example: "  showroom staff sessions anna --data /var/lib/showroom",
		Use:     "sessions [NAME]", Short: "List who is logged in",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{errors.New("staff sessions takes one name at most")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = staff.Name(args[0])
			}
			return s.with(func(a accounts) error {
				all, err := a.Sessions(c.Context(), name)
				if err != nil {
					return err
				}
				return s.print(c, "sessions", all, func(w io.Writer) {
					fmt.Fprintln(w, "ID\tNAME\tDEVICE\tUSED\tEXPIRES")
					for _, one := range all {
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", one.ID, one.Name, one.Device, one.Used.Format(time.RFC3339), one.Expires.Format(time.RFC3339))
					}
				})
			})
		},
	}
}

func (s *staffCommand) revoke() *cobra.Command {
	var name string
	c := &cobra.Command{
		Example: "  showroom staff revoke --all anna --data /var/lib/showroom",
		Use:     "revoke ID", Short: "End a session, or with --all NAME all of one account",
		Args: func(_ *cobra.Command, args []string) error {
			if (len(args) == 1) == (name != "") || len(args) > 1 {
				return usageError{errors.New("staff revoke takes the ID of one session, or --all NAME")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return s.with(func(a accounts) error {
				if name != "" {
					return a.RevokeAll(c.Context(), staff.Name(name))
				}
				return a.Revoke(c.Context(), args[0])
			})
		},
	}
	c.Flags().StringVar(&name, "all", "", "end all sessions of this account")
	return c
}
