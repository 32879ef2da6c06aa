package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/showroom"
)

func newLinkCommand(asJSON *bool) *cobra.Command {
	var dir, base string
	c := &cobra.Command{
		Use:   "link NAME",
		Short: "Print the address to give to a customer, with its access key",
		Long: `link prints the address of a conversation's page. The access key is in the
fragment, behind the #, which a browser sends to no server. Whoever has the
link can watch. The key comes from the secret in the data directory; delete
access.key there and restart to make all links void.
` + exitCodes,
		Example: "  showroom link anna --data /var/lib/showroom --url https://showroom.example",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !showroom.ValidName(args[0]) {
				return usageError{errors.New("link takes one name of 1 to 64 letters, digits, - and _")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := existing("link", dir); err != nil {
				return err
			}
			keys, err := showroom.LoadKeys(dir)
			if err != nil {
				return err
			}
			return printLink(c.OutOrStdout(), keys.Link(base, args[0]), *asJSON)
		},
	}
	c.Flags().StringVar(&dir, "data", "", "the server's data directory")
	c.Flags().StringVar(&base, "url", "http://"+showroom.DefaultListen, "where customers reach the server")
	return c
}

func printLink(out io.Writer, link string, asJSON bool) error {
	if asJSON {
		printJSON(out, map[string]any{"schema_version": schemaVersion, "link": link})
		return nil
	}
	_, err := fmt.Fprintln(out, link)
	return err
}

// existing wants a server's data directory: a secret made here no server would
// know.
func existing(command, dir string) error {
	if dir == "" {
		return usageError{errors.New(command + " needs --data DIR, the server's data directory")}
	}
	if _, err := os.Stat(dir); err != nil {
		return &showroom.ConfigError{Problem: fmt.Errorf("data directory: %w", err), Hint: "give the one that showroom runs with: --data DIR"}
	}
	return nil
}

func newRecipientCommand(asJSON *bool) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "recipient",
		Short: "Print what glasses encrypt photos and clips to",
		Long: `recipient prints the public half of the server's age key, for spool.recipient
in the glasses' configuration. The other half is in age.key in the data
directory: keep a copy of it. What was encrypted to it and has not arrived is
lost with it.
` + exitCodes,
		Example: "  showroom recipient --data /var/lib/showroom",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := existing("recipient", dir); err != nil {
				return err
			}
			identity, err := showroom.LoadIdentity(dir)
			if err != nil {
				return err
			}
			recipient := identity.Recipient().String()
			if *asJSON {
				printJSON(c.OutOrStdout(), map[string]any{"schema_version": schemaVersion, "recipient": recipient})
				return nil
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), recipient)
			return err
		},
	}
	c.Flags().StringVar(&dir, "data", "", "the server's data directory")
	return c
}
