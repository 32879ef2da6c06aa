package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

func newPrivacyCommand(asJSON *bool) *cobra.Command {
	c := &cobra.Command{
		Use:   "privacy",
		Short: "Give out or erase what is stored of a customer; print the record of processing",
		Long: `privacy answers a person who asks what is stored of them, or wants it erased. It
works with a server that runs on the data directory, and without one.
` + exitCodes,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("privacy takes export, erase or record")}
		},
	}
	c.AddCommand(newExportCommand(), newEraseCommand(asJSON), newRecordCommand(asJSON))
	return c
}

// customerFlags are those of export and erase.
type customerFlags struct{ data, customer string }

func (f *customerFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.data, "data", "", "the server's data directory")
	c.Flags().StringVar(&f.customer, "customer", "", "e-mail address, in any case, or ID")
}

func (f *customerFlags) check(command string) error {
	if f.customer == "" {
		return usageError{errors.New(command + " needs --customer, an e-mail address or an ID")}
	}
	return existing(command, f.data)
}

func newExportCommand() *cobra.Command {
	var flags customerFlags
	var output string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write all that is stored of a customer",
		Long: `export writes what is stored of a customer: with --output as a zip archive with
data.json, mails and the photos and clips of their conversations, else as JSON
to the standard output, in which photos and clips are only named.
` + exitCodes,
		Example: "  showroom privacy export --customer anna@example.com --output anna.zip --data /var/lib/showroom",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := flags.check("export"); err != nil {
				return err
			}
			return known(withAdmin(flags.data, func(admin privacy.Admin) error {
				if output == "" {
					return admin.Export(c.Context(), flags.customer, privacy.JSON, c.OutOrStdout())
				}
				return exportTo(c.Context(), admin, flags.customer, output)
			}))
		},
	}
	flags.add(c)
	c.Flags().StringVarP(&output, "output", "o", "", "zip archive to write, readable by you only")
	return c
}

// known says what not found means here. The address itself stays out of it: the
// output of commands is logged.
func known(err error) error {
	if errors.Is(err, records.ErrNotFound) {
		return errors.New("nothing is stored of a customer with this address or ID")
	}
	return err
}

// exportTo writes all of the archive or none.
func exportTo(ctx context.Context, admin privacy.Admin, customer, path string) error {
	file, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600), renameio.IgnoreUmask())
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	defer file.Cleanup()
	if err := admin.Export(ctx, customer, privacy.Archive, file); err != nil {
		return err
	}
	return file.CloseAtomicallyReplace()
}

func newEraseCommand(asJSON *bool) *cobra.Command {
	var flags customerFlags
	c := &cobra.Command{
		Use:   "erase",
		Short: "Erase all that is stored of a customer",
		Long: `erase removes a customer from the records and from all backups in the data
directory, and their mails, photos and clips with them. It cannot be taken back.
Copies that you have put elsewhere are yours to delete; a mail that was sent has
arrived.
` + exitCodes,
		Example: "  showroom privacy erase --customer anna@example.com --data /var/lib/showroom",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := flags.check("erase"); err != nil {
				return err
			}
			return known(withAdmin(flags.data, func(admin privacy.Admin) error {
				counts, err := admin.Erase(c.Context(), flags.customer)
				if err != nil {
					return err
				}
				return printErased(c.OutOrStdout(), counts, *asJSON)
			}))
		},
	}
	flags.add(c)
	return c
}

func printErased(out io.Writer, counts records.Counts, asJSON bool) error {
	if asJSON {
		printJSON(out, map[string]any{"schema_version": schemaVersion, "erased": counts})
		return nil
	}
	if _, err := fmt.Fprintln(out, "erased:"); err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		if _, err := fmt.Fprintf(out, "  %-18s %d\n", kind, counts[kind]); err != nil {
			return err
		}
	}
	return nil
}

func newRecordCommand(asJSON *bool) *cobra.Command {
	return &cobra.Command{
		Use:   "record",
		Short: "Print the record of processing: what is stored, why, how long, and who sees it",
		Long: `record prints the record of processing (Article 30 GDPR) of what this program
stores, from what stands beside its schema. It needs no data directory. Add what
your showroom does beside it: who is responsible, and where the server stands.
` + exitCodes,
		Example: "  showroom privacy record > record-of-processing.txt",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			record := privacy.NewRecord()
			if *asJSON {
				printJSON(c.OutOrStdout(), record)
				return nil
			}
			return record.WriteText(c.OutOrStdout())
		},
	}
}

func newBackupCommand(asJSON *bool) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "backup",
		Short: "Write a backup of the records",
		Long: `backup writes a copy of showroom.db to the directory backups below the data
directory, and prints its path. Purges and erasures reach it there, and nowhere
else; it is deleted when the retention is over. To go back to it, end the server
and put it in the place of showroom.db.
` + exitCodes,
		Example: "  showroom backup --data /var/lib/showroom",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := existing("backup", dir); err != nil {
				return err
			}
			return withAdmin(dir, func(admin privacy.Admin) error {
				path, err := admin.Backup(c.Context())
				if err != nil {
					return err
				}
				if *asJSON {
					printJSON(c.OutOrStdout(), map[string]any{"schema_version": schemaVersion, "path": path})
					return nil
				}
				_, err = fmt.Fprintln(c.OutOrStdout(), path)
				return err
			})
		},
	}
	c.Flags().StringVar(&dir, "data", "", "the server's data directory")
	return c
}

// withAdmin asks the server that has the data directory, or opens the directory
// itself where there is none.
func withAdmin(dir string, do func(privacy.Admin) error) error {
	client, err := privacy.Dial(filepath.Join(dir, privacy.SocketName))
	if err == nil {
		return do(client)
	}
	if !errors.Is(err, privacy.ErrNoServer) {
		return err
	}
	return withKeeper(dir, do)
}

func withKeeper(dir string, do func(privacy.Admin) error) (err error) {
	if _, err := os.Stat(filepath.Join(dir, "showroom.db")); err != nil {
		return &showroom.ConfigError{Problem: fmt.Errorf("no records in the data directory: %w", err), Hint: "give the one that showroom runs with: --data DIR"}
	}
	db, err := records.Open(records.Config{Dir: dir})
	if errors.Is(err, directory.ErrInUse) {
		return &showroom.ConfigError{Problem: err, Hint: "wait until the other command has ended, or the server answers"}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	identity, err := showroom.LoadIdentity(dir)
	if err != nil {
		return err
	}
	store, err := media.Open(media.Config{Dir: dir, Identity: identity, ValidName: showroom.ValidName, Erased: privacy.Erased(db, nil)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	queue, err := mail.Open(mail.Config{Dir: filepath.Join(dir, "outbox")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, queue.Close()) }()
	return do(privacy.New(privacy.Config{Records: db, Media: store, Mail: queue}))
}
