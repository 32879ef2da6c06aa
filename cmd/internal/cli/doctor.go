package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/configs"
)

func newDoctor(o *options) *cobra.Command {
	var f daemonFlags
	var only []string
	var noInput bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what does not work",
		Long: `doctor looks at everything that a conversation needs, in the order in which one
thing stands on the other, and says of each in one line how it is, a figure, and
what to do. It changes nothing, and a conversation that runs or begins is left
alone. Where the daemon runs, it is the daemon that looks, with its own rights;
otherwise the flags say what to look at, as those of bril run.

The checks: ` + idList() + `

Exit codes: that of the first failure; 0 where nothing fails.
` + strings.TrimPrefix(ExitCodes, "Exit codes:\n"),
		Example: `  bril doctor
  bril doctor --only camera,microphone
  bril doctor --no-input --json | jq -r '.checks[] | select(.status == "fail") | .message'`,
		Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			request := control.DoctorRequest{NoInput: noInput || o.json || !isTerminal(o.app.Stdin)}
			for _, id := range only {
				if !doctor.Known(doctor.ID(id)) {
					return &UsageError{c.CommandPath(), fmt.Errorf("there is no check %q: they are %s", id, idList())}
				}
				request.Only = append(request.Only, doctor.ID(id))
			}
			f.control = o.socket
			return o.doctor(c, f, request)
		},
	}
	f.add(c)
	c.Flags().StringSliceVar(&only, "only", nil, "look at these only, by `id`, with commas between them")
	c.Flags().BoolVar(&noInput, "no-input", false, "ask for no press of a button")
	return c
}

func idList() string {
	var b strings.Builder
	for i, id := range doctor.IDs() {
		switch {
		case i == 0:
		case i%7 == 0:
			b.WriteString(",\n")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(id))
	}
	return b.String()
}

// doctor prints the results as they come, and ends with the code of the first failure.
func (o *options) doctor(c *cobra.Command, f daemonFlags, request control.DoctorRequest) error {
	out := c.OutOrStdout()
	view := doctorView{out: out, ask: c.ErrOrStderr(), colour: isTerminal(out) && os.Getenv("NO_COLOR") == ""}
	tell := func(l control.DoctorLine) {
		if !o.json {
			view.line(l)
		}
	}
	report, err := o.examine(c, f, request, tell)
	if err != nil {
		return err
	}
	if o.json {
		err = o.print(c, report, nil)
	} else {
		err = view.end(report)
	}
	if code := report.Code(); err == nil && code != Done {
		return asTold(&control.Problem{Message: doctor.ErrFailed.Error(), Code: code})
	}
	return err
}

// examine has the daemon look, or looks itself where there is none.
func (o *options) examine(c *cobra.Command, f daemonFlags, request control.DoctorRequest, tell func(control.DoctorLine)) (doctor.Report, error) {
	client := o.client()
	defer client.Close()
	report, err := client.Doctor(c.Context(), request, tell)
	if !errors.Is(err, control.ErrNotRunning) {
		return report, err
	}
	return o.examineAlone(c, f, request, tell)
}

func (o *options) examineAlone(c *cobra.Command, f daemonFlags, request control.DoctorRequest, tell func(control.DoctorLine)) (doctor.Report, error) {
	cfg, _, broken := layered(f.config, func(cfg configs.Config) (configs.Config, error) { return f.apply(c, cfg) })
	if errors.As(broken, new(*UsageError)) {
		return doctor.Report{}, broken
	}
	if broken != nil {
		cfg = configs.Default()
	}
	state, err := configs.OSEnvironment().StatePath(cfg.Control.StateDir)
	if err != nil {
		return doctor.Report{}, err
	}
	opts := agent.Options{
		Version: o.app.Version, Built: o.app.Built, StateDir: state, ConfigPath: configs.OSEnvironment().ConfigPath(f.config), Stdin: o.app.Stdin,
		Log: slog.New(slog.DiscardHandler),
	}
	return agent.Examine(c.Context(), cfg, broken, opts, request, tell)
}

// doctorView prints results for people: the status and the check, and what is found in
// lines that fit a terminal.
type doctorView struct {
	out, ask io.Writer
	colour   bool
	err      error
}

func (v *doctorView) line(l control.DoctorLine) {
	if l.Ask != "" {
		fmt.Fprintf(v.ask, "%-*s%s, please\n", doctorIndent, "", printable(l.Ask))
		return
	}
	if r := l.Result; r != nil && v.err == nil {
		_, v.err = io.WriteString(v.out, doctorLines(*r, v.colour))
	}
}

// The width of a status, and of it with the check's name behind it.
const (
	statusWidth  = 6
	doctorIndent = statusWidth + 15
)

func doctorLines(r doctor.Result, colour bool) string {
	var b strings.Builder
	word := map[doctor.Status]string{doctor.OK: "ok", doctor.Warn: "warn", doctor.Fail: "FAIL", doctor.Skipped: "-"}[r.Status]
	fmt.Fprintf(&b, "%s%-*s", painted(fmt.Sprintf("%-*s", statusWidth, word), r.Status, colour), doctorIndent-statusWidth, r.ID)
	for i, line := range fold(printable(r.Message), columns-doctorIndent) {
		if i > 0 {
			fmt.Fprintf(&b, "%-*s", doctorIndent, "")
		}
		b.WriteString(line + "\n")
	}
	if r.Hint != "" {
		for _, line := range fold("hint: "+printable(r.Hint), columns-doctorIndent) {
			fmt.Fprintf(&b, "%-*s%s\n", doctorIndent, "", line)
		}
	}
	return b.String()
}

// painted gives a word the colour of its status: ANSI's green, yellow, red and grey,
// which every terminal has.
func painted(word string, s doctor.Status, colour bool) string {
	if !colour {
		return word
	}
	code := map[doctor.Status]string{doctor.OK: "32", doctor.Warn: "33", doctor.Fail: "1;31", doctor.Skipped: "90"}[s]
	return "\x1b[" + code + "m" + word + "\x1b[0m"
}

// end says how it is as a whole.
func (v *doctorView) end(r doctor.Report) error {
	counts := map[doctor.Status]int{}
	for _, c := range r.Checks {
		counts[c.Status]++
	}
	words := "all is well"
	switch {
	case counts[doctor.Fail] > 0:
		words = fmt.Sprintf("%d of %d fail. Begin with the first:\n\n%s", counts[doctor.Fail], len(r.Checks), v.first(r))
	case counts[doctor.Warn] > 0:
		words = fmt.Sprintf("it works; %d of %d deserve a look", counts[doctor.Warn], len(r.Checks))
	}
	if v.err == nil {
		_, v.err = fmt.Fprintf(v.out, "\n%s\n", strings.TrimSuffix(words, "\n"))
	}
	return v.err
}

// first is the first failure once more: on a small terminal it has left the screen.
func (v *doctorView) first(r doctor.Report) string {
	for _, c := range r.Checks {
		if c.Status == doctor.Fail {
			return doctorLines(c, v.colour)
		}
	}
	return ""
}
