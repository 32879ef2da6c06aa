package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
)

func (f *fleetCommand) status() *cobra.Command {
	var labels []string
	c := f.remote(&cobra.Command{
		Use: "status [NAME…]", Short: "Show what runs where, and why",
		Long: `status shows the devices of the fleet: the bundle that runs on each and the
one that it is to run, and in a few words why they differ. Of one NAME or ID
it shows all that is known, with the last lines of its log where a bundle
failed.
` + exitCodes,
		Example: `  showroom fleet status
  showroom fleet status --label showroom=ghent --json
  showroom fleet status anna`,
		RunE: func(c *cobra.Command, names []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			if len(names) == 1 && len(labels) == 0 {
				d, err := client.Device(c.Context(), names[0])
				if err != nil {
					return err
				}
				return f.print(c, d, func(w io.Writer) { printDevice(w, d) })
			}
			o, err := client.Overview(c.Context())
			if err != nil {
				return err
			}
			list, err := client.Devices(c.Context(), labels, names)
			if err != nil {
				return err
			}
			v := map[string]any{"schema_version": schemaVersion, "overview": o, "devices": append([]service.Device{}, list...)}
			return f.print(c, v, func(w io.Writer) { printFleet(w, o, list) })
		},
	})
	c.Flags().StringArrayVar(&labels, "label", nil, "only devices with this `KEY=VALUE`; may be repeated")
	return c
}

func printFleet(w io.Writer, o service.Overview, list []service.Device) {
	n := o.Devices
	fmt.Fprintf(w, "fleet %s: %s, %d online; %d current, %d waiting, %d drift, %d failed\n", o.Fleet, counted(n.Total, "device"), n.Online, n.Current, n.Waiting, n.Drift, n.Failed)
	for _, r := range o.Rollouts {
		if r.State == service.StateRunning || r.State == service.StatePaused || r.State == service.StateStopped && r.Serial == o.Rollouts[0].Serial {
			fmt.Fprintf(w, "bundle %d: %s\n", r.Serial, wavesLine(r))
		}
	}
	if len(list) == 0 {
		fmt.Fprintln(w, "no such device")
		return
	}
	fmt.Fprintln(w)
	rows := [][]string{{"NAME", "RUNS", "WANTS", "STATUS", "STATE", "SEEN", "BATTERY", "WHY"}}
	for _, d := range list {
		rows = append(rows, []string{short(d.Name, 12), serial(d.Running.Serial), serial(d.Wanted), d.Status,
			dash(short(d.State, 10)), seen(d), battery(d), printable(d.Why)})
	}
	writeRows(w, rows)
}

const columns = 80 // of a terminal

// writeRows writes a table whose last column is cut to what is left of a line.
func writeRows(w io.Writer, rows [][]string) {
	left, last := columns, len(rows[0])-1
	for i := range last {
		width := 0
		for _, row := range rows {
			width = max(width, utf8.RuneCountInString(row[i]))
		}
		left -= width + 2
	}
	for _, row := range rows {
		row[last] = short(row[last], max(left, len(rows[0][last])))
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func serial(n uint64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatUint(n, 10)
}

// seen is how long ago a device told anything, or now.
func seen(d service.Device) string {
	switch ago := time.Since(d.LastSeen); {
	case d.Online:
		return "now"
	case d.LastSeen.IsZero():
		return "never"
	case ago < time.Minute:
		return "<1m"
	case ago < 2*time.Hour:
		return fmt.Sprintf("%dm", int(ago.Minutes()))
	case ago < 48*time.Hour:
		return fmt.Sprintf("%dh", int(ago.Hours()))
	default:
		return fmt.Sprintf("%dd", int(ago.Hours()/24))
	}
}

func battery(d service.Device) string {
	switch {
	case d.Battery == nil:
		return "-"
	case d.Charging:
		return fmt.Sprintf("%d%%+", *d.Battery)
	}
	return fmt.Sprintf("%d%%", *d.Battery)
}

// short cuts what does not fit into a line of a table; status NAME has all of it.
func short(text string, n int) string {
	if r := []rune(printable(text)); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return printable(text)
}

// printable keeps what a device said from steering the terminal, and a line one.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

func printDevice(w io.Writer, d service.DeviceDetail) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	row("name", "%s (%s)", d.Name, d.Device.Device)
	row("label", "%s", dash(d.Label))
	row("labels", "%s", dash(strings.TrimPrefix(fleet.Audience{Fleet: "-", Labels: d.Labels}.String()[len("fleet -"):], ", ")))
	row("model", "%s, version %s", dash(d.Model), dash(d.Version))
	row("seen", "%s, %s, battery %s", seen(d.Device), dash(d.State), battery(d.Device))
	row("runs", "%s", serial(d.Running.Serial))
	row("wants", "%s", serial(d.Wanted))
	row("status", "%s", d.Status)
	if d.Why != "" {
		row("why", "%s", d.Why)
	}
	if a := d.Attempted; a != nil {
		row("attempted", "bundle %d, %s at %s", a.Serial, a.Phase, a.At.Local().Format(time.DateTime))
		if a.Error != "" {
			row("error", "%s", a.Cause())
		}
		if a.Hint != "" {
			row("hint", "%s", a.Hint)
		}
		for _, line := range a.Log {
			row("log", "%s", line)
		}
	}
	for _, p := range d.Problems {
		row("problem", "%s", p)
	}
}

// wavesLine is a rollout in a line.
func wavesLine(r service.Rollout) string {
	var parts []string
	for i, v := range r.Waves {
		done := fmt.Sprintf("%d%% %d/%d", v.Percent, v.Confirmed, v.Devices)
		if v.Failed > 0 {
			done += fmt.Sprintf(" (%d failed)", v.Failed)
		}
		if i+1 == r.Wave && r.State == service.StateRunning {
			done = "[" + done + "]"
		}
		parts = append(parts, done)
	}
	text := r.State + ", waves " + strings.Join(parts, ", ")
	if r.Why != "" {
		text += ": " + printable(r.Why)
	}
	return text
}

// errStopped says that a rollout that was watched did not come to its end.
var errStopped = errors.New("the rollout was stopped")

const watchEvery = time.Second

// watch shows a rollout until it is over.
func (f *fleetCommand) watch(c *cobra.Command, client *manager.Client, n uint64) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for last := ""; ; {
		r, err := client.Rollout(c.Context(), n)
		if c.Context().Err() != nil {
			return unwatched(c, n)
		}
		if err != nil {
			return err
		}
		if line := wavesLine(r); line != last && !*f.asJSON {
			fmt.Fprintf(c.OutOrStdout(), "bundle %d: %s\n", n, line)
			last = line
		}
		if r.State != service.StateRunning {
			if *f.asJSON {
				printJSON(c.OutOrStdout(), r)
			}
			if r.State == service.StateDone {
				return nil
			}
			return advised{fmt.Errorf("bundle %d is %s: %w", n, r.State, errStopped), "showroom fleet status shows why; showroom fleet rollback --to an older serial"}
		}
		select {
		case <-tick.C:
		case <-c.Context().Done():
			return unwatched(c, n)
		}
	}
}

// unwatched says that Ctrl-C ends the watching, and not what is watched.
func unwatched(c *cobra.Command, n uint64) error {
	fmt.Fprintf(c.ErrOrStderr(), "\nshowroom: bundle %d goes on: showroom fleet status shows it, showroom fleet pause %d holds it\n", n, n)
	return c.Context().Err()
}

func (f *fleetCommand) diff() *cobra.Command {
	var device string
	c := f.remote(&cobra.Command{
		Use: "diff SERIAL [SERIAL]", Short: "Show what bundles change",
		Long: `diff shows in which keys two bundles differ; of one SERIAL, what it sets over
the defaults; with --device, what a device runs over its own file and the
defaults.
` + exitCodes,
		Example: `  showroom fleet diff 11 12
  showroom fleet diff 12
  showroom fleet diff --device anna`,
		RunE: func(c *cobra.Command, args []string) error {
			if (device == "") == (len(args) == 0) || len(args) > 2 {
				return usageError{errors.New("diff takes one or two serials, or --device NAME")}
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			from, to, err := sides(c.Context(), client, device, args)
			if err != nil {
				return err
			}
			list := configs.Diff(from, to)
			v := map[string]any{"schema_version": schemaVersion, "differences": append([]configs.Difference{}, list...)}
			return f.print(c, v, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, "no difference")
				}
				for _, d := range list {
					fmt.Fprintf(w, "%s\t%s\t->\t%s\n", d.Key, printable(d.From), printable(d.To))
				}
			})
		},
	})
	c.Flags().StringVar(&device, "device", "", "what this device runs, its `NAME` or ID")
	return c
}

func sides(ctx context.Context, client *manager.Client, device string, args []string) (from, to configs.Config, err error) {
	if device != "" {
		d, err := client.Device(ctx, device)
		if err != nil {
			return from, to, err
		}
		if d.Effective == "" {
			return from, to, fmt.Errorf("%s has not told yet what it runs", d.Name)
		}
		if from, err = configs.ParseTold([]byte(d.Base), "the file of "+d.Name); err != nil {
			return from, to, err
		}
		to, err = configs.ParseTold([]byte(d.Effective), "what "+d.Name+" runs")
		return from, to, err
	}
	from = configs.Default()
	for _, text := range args {
		if len(args) == 2 {
			from = to
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return from, to, usageError{fmt.Errorf("%q is not a serial", text)}
		}
		b, err := client.Bundle(ctx, n)
		if err != nil {
			return from, to, err
		}
		if to, err = setBy(b); err != nil {
			return from, to, err
		}
	}
	return from, to, nil
}

// setBy is what a bundle sets over the defaults.
func setBy(b service.Bundle) (configs.Config, error) {
	own := fleet.Bundle{Serial: b.Serial, Configuration: b.Configuration, Secrets: map[string]string{}}
	for _, name := range b.Secrets {
		own.Secrets[name] = "-"
	}
	cfg, _, err := own.Over(configs.Default(), "/secrets")
	return cfg, err
}

func (f *fleetCommand) history() *cobra.Command {
	return f.remote(&cobra.Command{
		Use: "history", Short: "List the bundles, the newest first", Args: noArguments,
		Long: `history lists the bundles: when, who, for whom, how it went, and why. What is
cut to fit a line of a terminal is whole with --json.
` + exitCodes,
		Example: "  showroom fleet history",
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			list, err := client.Bundles(c.Context())
			if err != nil {
				return err
			}
			v := map[string]any{"schema_version": schemaVersion, "bundles": append([]service.Rollout{}, list...)}
			return f.print(c, v, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, "no bundles")
					return
				}
				rows := [][]string{{"SERIAL", "WHEN", "WHO", "STATE", "FOR", "REASON"}}
				for _, r := range list {
					rows = append(rows, []string{serial(r.Serial), r.Created.Local().Format("Jan 02 15:04"), short(r.Author, 10), r.State,
						short(audienceOf(r), 15), printable(r.Reason)})
				}
				writeRows(w, rows)
			})
		},
	})
}

// audienceOf is whom a bundle is for: the fleet's name, or who of it.
func audienceOf(r service.Rollout) string {
	name := "fleet " + r.Audience.Fleet
	if some, ok := strings.CutPrefix(r.Audience.String(), name+", "); ok {
		return some
	}
	return r.Audience.Fleet
}

// errTampered says that the audit is not what was written.
var errTampered = errors.New("the audit has been tampered with: its hashes do not follow each other")

func (f *fleetCommand) audit() *cobra.Command {
	return f.remote(&cobra.Command{
		Use: "audit", Short: "List who changed what, when and why", Args: noArguments,
		Long: `audit lists all that was done to the fleet's configuration, the oldest first,
and checks that nothing of it was changed since: each entry has the hash of
the one before in its own. It fails where one does not fit.
` + exitCodes,
		Example: "  showroom fleet audit --json",
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			all, err := client.Audit(c.Context())
			if err != nil {
				return err
			}
			all.Entries = append([]service.Entry{}, all.Entries...)
			if err := f.print(c, all, func(w io.Writer) {
				for _, e := range all.Entries {
					what := e.Action + " " + e.Object
					if e.Reason != "" {
						what += ": " + e.Reason
					}
					fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", e.Seq, e.At.Local().Format(time.DateTime), printable(e.Who), printable(what))
				}
			}); err != nil {
				return err
			}
			if !all.Intact {
				return errTampered
			}
			return nil
		},
	})
}
