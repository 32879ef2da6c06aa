package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/cmd/internal/setup"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/uplink/enrol"
)

type setupFlags struct {
	setup.Config
	yes       bool
	noService bool
	noDoctor  bool
	tokenFile string
}

func newSetup(o *options) *cobra.Command {
	var f setupFlags
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make a bare board work, from its configuration to its service",
		Long: `setup goes from a bare board to working glasses: it finds the hardware, writes a
configuration with the reason for each line, saves a picture of the camera to
look at, tests the light and the buttons, enrols, has the service started, and
lets bril doctor look at it all. On a terminal it asks; with --yes it takes what
it finds and what the flags say. What is as it should be is left alone, so that
it may be run at any time again. The old configuration is kept, as FILE.old.

` + ExitCodes,
		Example: `  bril setup
  bril setup --print
  bril setup --yes --server https://showroom.example --token-file token --json
  bril setup --yes --camera auto --snapshot camera.jpg --no-service`,
		Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(o, c); err != nil {
				return err
			}
			report, err := setup.Run(c.Context(), o.setup(c, f))
			return o.reportSetup(c, f, report, err)
		},
	}
	f.add(c)
	return c
}

func (f *setupFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.Path, "config", setup.UnitConfig, "configuration `file` to write")
	flags.BoolVarP(&f.yes, "yes", "y", false, "ask nothing: take what is found and what the flags say")
	flags.BoolVar(&f.Print, "print", false, "print the configuration that is proposed, and change nothing")
	flags.StringVar(&f.Choices.Profile, "profile", "", "board `profile`, as board.profile")
	flags.StringVar(&f.Choices.Camera, "camera", "", "`source`: auto, none, /dev/videoN or another of bril run")
	flags.StringVar(&f.Choices.Microphone, "microphone", "", "`source`: auto, none, hw:CARD,DEVICE or another of bril run")
	flags.StringVar(&f.Choices.Output, "output", "", "`where` the customer is heard: open or in-ear")
	flags.StringVar(&f.Choices.Language, "language", "", "`language` of the cues: none, nl, de or en")
	flags.StringVar(&f.Picture, "snapshot", "", "save a picture of the camera as `FILE.jpg`")
	flags.BoolVar(&f.NoInput, "no-input", false, "ask for no press of a button")
	flags.StringVar(&f.Server, "server", "", "enrol at this server, an https `URL`")
	flags.StringVar(&f.tokenFile, "token-file", "", "`file` with the enrolment token, - for standard input")
	flags.BoolVar(&f.noService, "no-service", false, "leave the service as it is")
	flags.BoolVar(&f.noDoctor, "no-doctor", false, "test nothing, neither light and buttons nor the rest")
}

// check looks at the flags before anything is done.
func (f *setupFlags) check(o *options, c *cobra.Command) error {
	wrong := func(err error) error { return &UsageError{c.CommandPath(), err} }
	if f.Choices.Camera != "" {
		if _, err := configs.ParseVideoSource(f.Choices.Camera); err != nil {
			return wrong(err)
		}
	}
	if f.Choices.Microphone != "" {
		if _, err := configs.ParseAudioSource(f.Choices.Microphone); err != nil {
			return wrong(err)
		}
	}
	if f.tokenFile != "" && f.Server == "" {
		return wrong(errors.New("--token-file needs --server"))
	}
	if f.yes && f.Server != "" && f.tokenFile == "" {
		return wrong(errors.New("--server needs --token-file, as nothing is asked"))
	}
	if !f.yes && !f.Print && (o.json || !isTerminal(o.app.Stdin)) {
		return WithHint(wrong(errors.New("setup asks questions and cannot ask here")), c.CommandPath()+" --yes takes what is found, --print only shows it")
	}
	return nil
}

// setup is what a run of it needs.
func (o *options) setup(c *cobra.Command, f setupFlags) setup.Config {
	cfg := f.Config
	cfg.Version = o.app.Version
	cfg.Service = !f.noService
	if !f.yes && !f.Print {
		cfg.Ask = &setup.Asker{In: o.app.Stdin, Out: c.ErrOrStderr()}
	}
	cfg.Tell = func(done setup.Step) {
		if !o.json && !f.Print {
			_ = writeStep(c.OutOrStdout(), done) // the report's result tells a script
		}
	}
	cfg.Board = machine{}
	cfg.Enrol = setupEnrolment{c, o, enrolFlags{config: f.Path, tokenFile: f.tokenFile}}
	if !f.noDoctor {
		cfg.Doctor = setupDoctor{c, o, f.Path}
	}
	cfg.Manager = setup.Systemd{Status: o.daemonStatus, Config: f.Path}
	return cfg
}

// daemonStatus asks the daemon, if there is one.
func (o *options) daemonStatus(ctx context.Context) (control.Status, error) {
	client := o.client()
	defer client.Close()
	return client.Status(ctx)
}

// machine is the hardware of this one.
type machine struct{}

// List lists it.
func (machine) List(cfg configs.Config) (agent.Devices, error) { return agent.ListDevices(cfg) }

// Snapshot takes a picture.
func (machine) Snapshot(ctx context.Context, cfg configs.Config) ([]byte, error) {
	return agent.Snapshot(ctx, cfg, agent.Options{Log: slog.New(slog.DiscardHandler)})
}

// reportSetup prints what there is to print at the end.
func (o *options) reportSetup(c *cobra.Command, f setupFlags, r setup.Report, failed error) error {
	if o.json {
		v := struct {
			setup.Report
			Error *control.Problem `json:"error,omitempty"`
		}{Report: r}
		if failed != nil {
			v.Error = Describe(failed)
		}
		if err := o.print(c, v, nil); err != nil {
			return err
		}
		return asTold(failed)
	}
	if failed != nil {
		return failed
	}
	if f.Print {
		_, err := io.WriteString(c.OutOrStdout(), r.Text)
		return err
	}
	end := "Nothing had to be changed."
	if r.Changed {
		end = "The board is set up."
	}
	if r.Result == setup.Warn {
		end += " What is marked warn deserves a look."
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), "\n"+end)
	return err
}

func writeStep(w io.Writer, s setup.Step) error {
	var b strings.Builder
	what := fmt.Sprintf("%-14s ", s.ID)
	lines := fold(printable(s.Message), columns-labelWidth-len(what))
	if s.Status == setup.Failed {
		lines = []string{""} // the error says it
	}
	for i, line := range lines {
		if i > 0 {
			what = strings.Repeat(" ", len(what))
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%-*s%s%s", labelWidth, map[bool]string{true: string(s.Status)}[i == 0], what, line), " "))
	}
	for _, line := range s.Lines {
		if s.Status != setup.Changed {
			break // nothing is new
		}
		row(&b, "", fmt.Sprintf("%s: %s", line.Key, printable(line.Value)))
		row(&b, "", "  "+printable(line.Reason))
	}
	for _, check := range s.Checks {
		if check.Status == string(doctor.Fail) || check.Status == string(doctor.Warn) {
			row(&b, "", fmt.Sprintf("%s: %s: %s", check.Status, check.ID, printable(check.Message)))
		}
	}
	if s.Hint != "" && s.Status != setup.Failed {
		row(&b, "", "hint: "+printable(s.Hint))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// setupEnrolment is what `bril enrol` does, by the daemon or without one.
type setupEnrolment struct {
	command *cobra.Command
	options *options
	flags   enrolFlags
}

// Enrolled tells who the board is.
func (e setupEnrolment) Enrolled(ctx context.Context) (name, server string, err error) {
	by, end, err := e.flags.enroller(e.command, e.options)
	if err != nil {
		return "", "", err
	}
	defer end()
	is, err := by.Enrolment(ctx)
	if err == nil && is.Enrolled && is.Problem != "" {
		err = WithHint(errors.New(is.Problem), is.Hint)
	}
	return is.Name, is.Server, err
}

// Enrol reads the token, or asks for it.
func (e setupEnrolment) Enrol(ctx context.Context, server string) (name string, err error) {
	if _, err := enrol.ParseServer(server); err != nil {
		return "", &UsageError{e.command.CommandPath(), fmt.Errorf("--server %q: %w", server, err)}
	}
	t, err := e.flags.token(e.command, e.options.app.Stdin)
	if err != nil {
		return "", err
	}
	by, end, err := e.flags.enroller(e.command, e.options)
	if err != nil {
		return "", err
	}
	defer end()
	is, err := by.Enrol(ctx, server, t)
	return is.Name, err
}

// setupDoctor is what `bril doctor` does, by the daemon or without one.
type setupDoctor struct {
	command *cobra.Command
	options *options
	config  string
}

// Check examines.
func (d setupDoctor) Check(_ context.Context, only []string, input bool) (checks []setup.Check, err error) {
	request := control.DoctorRequest{NoInput: !input}
	for _, id := range only {
		request.Only = append(request.Only, doctor.ID(id))
	}
	view := doctorView{ask: d.command.ErrOrStderr()}
	tell := func(l control.DoctorLine) {
		if l.Result == nil {
			view.line(l) // a question
		}
	}
	report, err := d.options.examine(d.command, daemonFlags{config: d.config, control: d.options.socket}, request, tell)
	for _, c := range report.Checks {
		checks = append(checks, setup.Check{ID: string(c.ID), Status: string(c.Status), Message: c.Message, Hint: c.Hint})
	}
	return checks, err
}
