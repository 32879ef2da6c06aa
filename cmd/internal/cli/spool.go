package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bril-edge/bril/cmd/internal/control"
)

func newSpool(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "spool",
		Short: "Show and manage what waits for the cloud",
		Long: `spool is about the photos and clips that the cloud does not have yet. They are
encrypted: nobody can look at them here.

` + ExitCodes,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(c, args[0])
			}
			return c.Help()
		},
	}
	c.AddCommand(newSpoolList(o), newSpoolRetry(o), newSpoolDrop(o))
	return c
}

func newSpoolList(o *options) *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List what waits, and how far its upload is",
		Long: `list shows what the cloud does not have yet, the oldest first. --watch shows it
again twice a second, with the speed of the upload, until interrupted.

` + ExitCodes,
		Example: "  bril spool list\n  bril spool list --watch\n  bril spool list --json | jq '.items[].id'",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := o.client()
			defer client.Close()
			if watch {
				return o.watchSpool(c, client)
			}
			spool, err := client.Spool(c.Context())
			if err != nil {
				return err
			}
			if o.json {
				return o.print(c, spool, nil)
			}
			status, err := client.Status(c.Context())
			if err != nil {
				return err
			}
			var b strings.Builder
			writeSpool(&b, spool, status, 0, isTerminal(c.OutOrStdout()))
			_, err = io.WriteString(c.OutOrStdout(), b.String())
			return err
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again")
	return c
}

// isTerminal says whether a person looks at what is written.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// watchInterval is how often the spool is shown: often enough for a bar to move.
const watchInterval = 500 * time.Millisecond

// watchSpool redraws in place on a terminal, as the watch of the status does.
func (o *options) watchSpool(c *cobra.Command, client *control.Client) error {
	out := c.OutOrStdout()
	clear, restore := clearing(out)
	defer restore()
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for meter := (uploadMeter{}); ; {
		err := o.showSpool(c.Context(), client, &meter, out, clear)
		if c.Context().Err() != nil {
			return nil // the way to end it, whatever a request that it cut short says
		} else if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-c.Context().Done():
			return nil
		}
	}
}

// showSpool writes the spool as it is now; as JSON on one line.
func (o *options) showSpool(ctx context.Context, client *control.Client, meter *uploadMeter, out io.Writer, clear string) error {
	spool, err := client.Spool(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return printLine(out, spool)
	}
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	writeSpool(&b, spool, status, meter.next(status.Upload, time.Now()), clear != "")
	return redraw(out, clear, b.String(), footOf(b.String()))
}

func newSpoolRetry(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "retry [ID]",
		Short: "Try an upload again at once, or all of them",
		Long: `retry sends what waits, or the one item, without the pause after a failure. It
also takes up again what the cloud has refused.

` + ExitCodes,
		Example:           "  bril spool retry\n  bril spool retry kq3x5vjm2n7abcdefghijklmno",
		Args:              atMostOneID,
		ValidArgsFunction: o.completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			client := o.client()
			defer client.Close()
			id := ""
			if len(args) > 0 {
				id = args[0]
			}
			spool, err := client.SpoolAct(c.Context(), control.Retry, id)
			if err != nil {
				return err
			}
			return o.print(c, spool, func(w io.Writer) error {
				what := id
				switch n := len(spool.Items); {
				case n == 0:
					_, err := fmt.Fprintln(w, "nothing waits for the cloud")
					return err
				case id == "":
					what = count(uint64(n), "item")
				}
				_, err := fmt.Fprintf(w, "trying %s again; bril spool list --watch shows it\n", what)
				return err
			})
		},
	}
}

func newSpoolDrop(o *options) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "drop ID",
		Short: "Delete an item for ever, whether the cloud has it or not",
		Long: `drop deletes a photo or a clip from the glasses. There is no other copy unless
the cloud has it: it is gone for ever. It asks before, on a terminal; elsewhere
it needs --yes.

` + ExitCodes,
		Example:           "  bril spool drop kq3x5vjm2n7abcdefghijklmno",
		Args:              oneID,
		ValidArgsFunction: o.completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			client := o.client()
			defer client.Close()
			id := args[0]
			if !yes {
				if err := o.confirm(c, client, id); err != nil {
					return err
				}
			}
			if _, err := client.SpoolAct(c.Context(), control.Drop, id); err != nil {
				return err
			}
			v := struct {
				SchemaVersion int    `json:"schema_version"`
				Dropped       string `json:"dropped"`
			}{schemaVersion, id}
			return o.print(c, v, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, id+" is gone for ever")
				return err
			})
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

// errKept is the answer no.
var errKept = errors.New("nothing was dropped")

// confirm asks a person whether to delete an item for ever.
func (o *options) confirm(c *cobra.Command, client *control.Client, id string) error {
	if o.json || !isTerminal(o.app.Stdin) || !isTerminal(c.ErrOrStderr()) {
		return &UsageError{c.CommandPath(), errors.New("drop deletes for ever and cannot ask here: it needs --yes")}
	}
	spool, err := client.Spool(c.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(spool.Items, func(item control.SpoolItem) bool { return item.ID == id })
	if i < 0 {
		return WithHint(fmt.Errorf("spool drop: there is no item %q", id), "bril spool list shows the items")
	}
	item := spool.Items[i]
	fmt.Fprintf(c.ErrOrStderr(), "The %s %s (%s) is deleted for ever: the cloud does not have it.\nDelete it? [y/N] ",
		kindOf(item), id, size(item.Bytes))
	answer := make(chan string, 1)
	go func() { // ends with the process: a read of a terminal cannot be cut short
		line, _ := bufio.NewReader(o.app.Stdin).ReadString('\n') // without an answer it is no
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case word := <-answer:
		if word == "y" || word == "yes" {
			return nil
		}
		return errKept
	case <-c.Context().Done():
		return c.Context().Err()
	}
}

func atMostOneID(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return &UsageError{c.CommandPath(), fmt.Errorf("takes one id, not %d", len(args))}
	}
	return checkID(c, args)
}

func oneID(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return WithHint(&UsageError{c.CommandPath(), errors.New("needs the id of one item")}, "bril spool list shows the items")
	}
	return checkID(c, args)
}

// checkID refuses what cannot be an id before the daemon is asked.
func checkID(c *cobra.Command, args []string) error {
	for _, id := range args {
		if _, err := control.ParseSpoolAction(string(control.Drop), id); err != nil {
			return WithHint(&UsageError{c.CommandPath(), err}, "bril spool list shows the items")
		}
	}
	return nil
}

// completeIDs lets a shell complete ids.
func (o *options) completeIDs(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	client := o.client()
	defer client.Close()
	spool, err := client.Spool(c.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for _, item := range spool.Items {
		ids = append(ids, item.ID)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
