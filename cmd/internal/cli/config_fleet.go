package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/adoption"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
)

// writeFleet adds what the fleet has set to a status.
func writeFleet(b *strings.Builder, f *control.FleetStatus) {
	if f != nil {
		row(b, "fleet", printable(fleetLine(*f)))
	}
}

func fleetLine(f control.FleetStatus) string {
	text := "nothing set"
	if f.Serial > 0 {
		text = fmt.Sprintf("bundle %d", f.Serial)
	}
	if a := f.Attempt; a != nil && (a.Serial != f.Serial || a.Phase == fleet.Probation) {
		text += fmt.Sprintf(", bundle %d is %s", a.Serial, a.Phase)
		if a.Waits != "" {
			text += ", waits: " + a.Waits
		}
	}
	if f.Connected {
		return text + "; connected"
	}
	return text + "; not connected" + withColon(f.Problem)
}

func withColon(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// fleetView asks the daemon what it has of its fleet. Where none runs, and none was
// named by its socket, or where its state was, the files are read.
func (o *options) fleetView(ctx context.Context, state string) (control.FleetView, error) {
	if state == "" {
		client := o.client()
		defer client.Close()
		v, err := client.Fleet(ctx)
		if o.socket != "" || !errors.Is(err, control.ErrNotRunning) {
			return v, err
		}
	}
	dir, err := enrolmentState("", state)
	if err != nil {
		return control.FleetView{}, err
	}
	look, err := adoption.Look(configs.FleetPath(dir))
	return control.NewFleetView(look), err
}

func newConfigHistory(o *options) *cobra.Command {
	var state string
	c := &cobra.Command{
		Use: "history", Short: "List what the fleet has set, and what became of it", Args: arguments(),
		Long: `history lists the bundles of configuration that this board was offered by its
fleet, the newest last: what became of each, and where it failed, why.

` + ExitCodes,
		Example: "  bril config history\n  bril config history --json",
		RunE: func(c *cobra.Command, _ []string) error {
			v, err := o.fleetView(c.Context(), state)
			if err != nil {
				return err
			}
			return o.print(c, v, func(w io.Writer) error { return writeHistory(w, v) })
		},
	}
	stateFlag(c, &state)
	return c
}

func writeHistory(out io.Writer, v control.FleetView) error {
	if len(v.History) == 0 && v.Attempt == nil {
		_, err := fmt.Fprintln(out, "the fleet has set nothing yet")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(a fleet.Attempt) {
		why := a.Waits
		if a.Error != "" {
			why = fmt.Sprintf("%s, %s", a.During, a.Cause())
		}
		fmt.Fprintf(w, "%s\tbundle %d\t%s\t%s\n", a.At.Local().Format(time.DateTime), a.Serial, a.Phase, printable(why))
	}
	for _, a := range v.History {
		line(a)
	}
	if a := v.Attempt; a != nil && (len(v.History) == 0 || v.History[len(v.History)-1].At.Before(a.At)) {
		line(*a)
	}
	return w.Flush()
}

func newConfigDiff(o *options) *cobra.Command {
	var path, state string
	c := &cobra.Command{
		Use: "diff", Short: "Show what the fleet has changed on this board", Args: arguments(),
		Long: `diff shows the keys that have another value by the fleet's bundle than by the
defaults, the enrolment and the board's own file.

` + ExitCodes,
		Example: "  bril config diff\n  bril config diff --json",
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := readLayers(path, inState(state))
			if err != nil {
				return err
			}
			view, err := o.fleetView(c.Context(), state)
			if err != nil {
				return err
			}
			own, serial := l.cfg, uint64(0)
			if b := view.Running; b != nil && l.own.Fleet.Enabled {
				serial = b.Serial
				if err := l.over(b.Bundle(), "/"); err != nil {
					return err
				}
			}
			list := configs.Diff(own, l.cfg)
			v := struct {
				SchemaVersion int                  `json:"schema_version"`
				Serial        uint64               `json:"serial"`
				Differences   []configs.Difference `json:"differences"`
			}{schemaVersion, serial, append([]configs.Difference{}, list...)}
			return o.print(c, v, func(w io.Writer) error {
				if len(list) == 0 {
					_, err := fmt.Fprintln(w, "the fleet changes nothing here")
					return err
				}
				for _, d := range list {
					if _, err := fmt.Fprintf(w, "%s: %s -> %s\n", d.Key, cmp.Or(d.From, "-"), cmp.Or(d.To, "-")); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	configFlag(c, &path)
	stateFlag(c, &state)
	return c
}
