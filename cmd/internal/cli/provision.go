package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/control"
)

func newProvision(o *options) *cobra.Command {
	var stop bool
	c := &cobra.Command{
		Use:   "provision",
		Short: "Be set up by a QR code that is held in front of the camera",
		Long: `provision has the glasses look for the QR code that showroom qr makes, for five
minutes at most: hold it so that it fills a third of the height of the picture
or more. They join its Wi-Fi, take the time from its server and enrol. A code
that is refused leaves nothing behind, and the next one may be shown. The
capture light is on meanwhile, and nothing is live. A button that is held while
the daemon starts does the same. Ctrl-C leaves the glasses looking; --stop does
not.

` + ExitCodes,
		Example: "  bril provision\n  bril provision --stop",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := o.client()
			defer client.Close()
			if stop {
				return o.stopProvision(c, client)
			}
			return o.provision(c, client)
		},
	}
	c.Flags().BoolVar(&stop, "stop", false, "look no longer")
	return c
}

func (o *options) stopProvision(c *cobra.Command, client *control.Client) error {
	if err := client.StopProvision(c.Context()); err != nil {
		return err
	}
	return o.print(c, control.Provisioning{SchemaVersion: schemaVersion, Phase: "off", Message: "stopped"}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "stopped")
		return err
	})
}

// provision prints each step once: what is under way on stderr, what came of it on
// stdout. With --json all of it is a line each on stdout.
func (o *options) provision(c *cobra.Command, client *control.Client) error {
	var last control.Provisioning
	err := client.Provision(c.Context(), func(p control.Provisioning) error {
		said := last
		last = p
		switch {
		case o.json:
			return json.NewEncoder(c.OutOrStdout()).Encode(p)
		case p.Phase == "done":
			_, err := fmt.Fprintln(c.OutOrStdout(), p.Message)
			return err
		case p.Over():
			return nil // the error says it
		}
		return writeProvisionStep(c.ErrOrStderr(), said, p)
	})
	if errors.Is(err, context.Canceled) && !o.json {
		fmt.Fprintln(c.ErrOrStderr(), "the glasses go on looking: bril provision --stop ends it")
	}
	if err != nil || last.Phase == "done" {
		return err
	}
	err = errors.New("stopped")
	if last.Problem != nil {
		err = last.Problem
	}
	if o.json {
		return asTold(err)
	}
	return err
}

func writeProvisionStep(w io.Writer, said, p control.Provisioning) error {
	if p.Problem != nil {
		fmt.Fprintf(w, "refused: %s\n", printable(p.Problem.Message))
		if p.Problem.Text != "" {
			fmt.Fprintf(w, "hint: %s\n", printable(p.Problem.Text))
		}
	}
	if p.Phase == said.Phase && p.Message == said.Message && p.Problem == nil {
		return nil
	}
	line := p.Message
	if p.Phase == "looking" {
		line += ", until " + p.Until.Local().Format(time.TimeOnly)
	}
	_, err := fmt.Fprintln(w, printable(line))
	return err
}
