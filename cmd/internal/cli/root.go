package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/configs"
)

// App is what a command runs in.
type App struct {
	Version        string
	Built          string // when, RFC 3339; "" where nobody knows
	Stdin          *os.File
	Stdout, Stderr io.Writer
	Args           []string
}

// Main runs the command line and returns the exit code. SIGINT and SIGTERM end
// what runs in good order: with Interrupted, as shells expect of Ctrl-C, and with
// Done, as a service manager expects of a daemon. A second one ends it at once.
func Main(app App) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer watchSignals(cancel)()
	err := newRoot(app).ExecuteContext(ctx)
	var by signalled
	byUser := errors.As(context.Cause(ctx), &by)
	switch {
	case byUser && by.Signal == os.Interrupt && (err == nil || errors.Is(err, context.Canceled)):
		return Interrupted
	case byUser && errors.Is(err, context.Canceled):
		return ExitCode(err) // the user knows
	case errors.As(err, new(told)):
		return ExitCode(err)
	case err != nil:
		// Nothing is left to do when even that cannot be written.
		_ = PrintError(app.Stdout, app.Stderr, slices.Contains(app.Args, "--json"), err)
	}
	return ExitCode(err)
}

// signalled is why a context ended.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return s.String() }

// watchSignals cancels by the first signal and leaves the next ones to the
// system, until the function that it returns is called.
func watchSignals(cancel context.CancelCauseFunc) (end func()) {
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP) // of a terminal that is closed
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		defer signal.Stop(signals)
		select {
		case s := <-signals:
			cancel(signalled{s})
		case <-ended:
		}
	})
	return func() {
		close(ended)
		watching.Wait()
	}
}

// options are the flags that every command has.
type options struct {
	app    App
	json   bool
	socket string
}

// Root returns the tree of commands, for what documents it.
func Root(app App) *cobra.Command { return newRoot(app) }

func newRoot(app App) *cobra.Command {
	o := &options{app: app}
	root := &cobra.Command{
		Use:   "bril",
		Short: "The agent on a sales advisor's smart glasses",
		Long: `bril streams a camera and a microphone to a customer's browser by WebRTC,
through any endpoint that speaks WHIP (RFC 9725).
` + tryIt + "\n" + ExitCodes,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(c, args[0])
			}
			return c.Help()
		},
	}
	root.PersistentFlags().BoolVar(&o.json, "json", false, "print JSON, errors too")
	root.PersistentFlags().StringVar(&o.socket, "control", "", "control `socket` of the daemon (default: found by itself)")
	root.SetUsageFunc(writeUsage)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &UsageError{c.CommandPath(), err} })
	root.SetIn(app.Stdin)
	root.SetOut(app.Stdout)
	root.SetErr(app.Stderr)
	root.SetArgs(app.Args)
	root.AddCommand(
		newRun(o), newLive(o), newCall(o), newPhoto(o), newClip(o), newSpool(o), newStatus(o), newMute(o),
		newDevices(o), newDoctor(o), newCue(o), newConfig(o), newVersion(o),
		newSetup(o), newSupport(o), newEnrol(o), newUpdate(o), newProvision(o),
	)
	root.AddCommand(demoCommands(o)...)
	addCompletion(root, app.Args)
	return root
}

func unknownCommand(c *cobra.Command, name string) error {
	err := fmt.Errorf("unknown command %q", name)
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(name); len(near) > 0 {
		return WithHint(&UsageError{c.CommandPath(), err}, c.CommandPath()+" "+near[0])
	}
	return &UsageError{c.CommandPath(), err}
}

// arguments checks a command's arguments; allowed is what help calls them.
func arguments(allowed ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(allowed) == 0 && len(args) > 0:
			return &UsageError{c.CommandPath(), fmt.Errorf("unexpected argument %q", args[0])}
		case len(allowed) > 0 && len(args) != 1:
			return &UsageError{c.CommandPath(), fmt.Errorf("needs one of %s", strings.Join(allowed, ", "))}
		case len(allowed) > 0 && !slices.Contains(allowed, args[0]):
			return &UsageError{c.CommandPath(), fmt.Errorf("needs one of %s, not %q", strings.Join(allowed, ", "), args[0])}
		}
		return nil
	}
}

// client returns the daemon's, wherever it runs.
func (o *options) client() *control.Client {
	return control.NewClient(configs.OSEnvironment().FindSocket(o.socket))
}
