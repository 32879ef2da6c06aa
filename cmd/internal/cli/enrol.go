package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/uplink/enrol"
	"github.com/bril-edge/bril/uplink/enrol/token"
)

// maxToken is in bytes; a token has 84.
const maxToken = 4 << 10

type enrolFlags struct {
	server, tokenFile string
	status, reset     bool
	config, state     string
}

func newEnrol(o *options) *cobra.Command {
	var f enrolFlags
	c := &cobra.Command{
		Use:   "enrol",
		Short: "Make this board a device that its endpoint knows",
		Long: `enrol makes a key on this board, shows the endpoint a token, and gets a
certificate and all that the board needs to know: where to stream, to upload,
whom to trust. The token comes from a file, from standard input with -, or from
a prompt; never from the command line. It is good for one board, for minutes.

The daemon does it where one runs, and goes on with what it has got. The
certificate is renewed by itself.

` + ExitCodes,
		Example: `  bril enrol --server https://showroom.example --token-file token
  bril enrol --server https://showroom.example --token-file - < token
  bril enrol --status --json
  bril enrol --reset`,
		Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			e, done, err := f.run(c, o)
			if err != nil {
				return err
			}
			return o.print(c, e, func(w io.Writer) error { return writeEnrolment(w, done, e) })
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.server, "server", "", "the endpoint, `https://host[:port]` (default: where the board is enrolled)")
	flags.StringVar(&f.tokenFile, "token-file", "", "`file` with the token; - is standard input (default: a prompt)")
	flags.BoolVar(&f.status, "status", false, "show who this board is")
	flags.BoolVar(&f.reset, "reset", false, "make it a bare board again")
	flags.StringVar(&f.state, "state", "", "`directory` of the state, where no daemon runs")
	configFlag(c, &f.config)
	c.MarkFlagsMutuallyExclusive("status", "reset", "token-file")
	c.MarkFlagsMutuallyExclusive("status", "reset", "server")
	return c
}

// enroller is the daemon, or this process where none runs.
type enroller interface {
	Enrolment(ctx context.Context) (control.Enrolment, error)
	Enrol(ctx context.Context, server string, t token.Token) (control.Enrolment, error)
	ResetEnrolment(ctx context.Context) (control.Enrolment, error)
}

func (f enrolFlags) run(c *cobra.Command, o *options) (e control.Enrolment, done string, err error) {
	var t token.Token
	if !f.status && !f.reset {
		if f.server != "" {
			if _, err := enrol.ParseServer(f.server); err != nil {
				return e, "", &UsageError{c.CommandPath(), fmt.Errorf("--server %q: %w", f.server, err)}
			}
		}
		if t, err = f.token(c, o.app.Stdin); err != nil {
			return e, "", err
		}
	}
	by, end, err := f.enroller(c, o)
	if err != nil {
		return e, "", err
	}
	defer end()
	switch {
	case f.status:
		e, err = by.Enrolment(c.Context())
	case f.reset:
		done = "this board is a bare one again; its endpoint knows it until it is revoked there"
		e, err = by.ResetEnrolment(c.Context())
	default:
		done = "enrolled"
		e, err = by.Enrol(c.Context(), f.server, t)
	}
	return e, done, err
}

// enroller asks for the daemon.
func (f enrolFlags) enroller(c *cobra.Command, o *options) (by enroller, end func(), err error) {
	client := o.client()
	_, err = client.Enrolment(c.Context())
	if err == nil {
		return client, client.Close, nil
	}
	client.Close()
	if !errors.Is(err, control.ErrNotRunning) {
		return nil, nil, err
	}
	state, err := enrolmentState(f.config, f.state)
	if err != nil {
		return nil, nil, err
	}
	cfg := agent.EnrolConfig(state, o.app.Version, nil)
	return alone{cfg}, func() {}, nil
}

// alone does without a daemon.
type alone struct{ cfg enrol.Config }

func (a alone) Enrolment(context.Context) (control.Enrolment, error) {
	i, err := enrol.Load(a.cfg)
	if errors.Is(err, os.ErrPermission) {
		return control.Enrolment{}, err
	}
	return complete(agent.ShowEnrolment(i, err)), nil
}

func (a alone) Enrol(ctx context.Context, server string, t token.Token) (control.Enrolment, error) {
	if server == "" {
		i, err := enrol.Load(a.cfg)
		if err != nil {
			return control.Enrolment{}, agent.ErrNoServer
		}
		server = i.Document().Server
	}
	i, err := enrol.Enrol(ctx, a.cfg, server, t)
	if err != nil {
		return control.Enrolment{}, err
	}
	return complete(agent.ShowEnrolment(i, nil)), nil
}

func (a alone) ResetEnrolment(context.Context) (control.Enrolment, error) {
	if err := enrol.Reset(a.cfg); err != nil {
		return control.Enrolment{}, err
	}
	return complete(agent.ShowEnrolment(nil, enrol.ErrNotEnrolled)), nil
}

func complete(e control.Enrolment) control.Enrolment {
	e.SchemaVersion = schemaVersion
	return e
}

// token reads the token; no error repeats any of it.
func (f enrolFlags) token(c *cobra.Command, stdin *os.File) (token.Token, error) {
	var text string
	var err error
	switch f.tokenFile {
	case "":
		text, err = askHidden(c, stdin, "Token: ")
	case "-":
		var data []byte
		data, err = io.ReadAll(io.LimitReader(stdin, maxToken))
		text = string(data)
	default:
		var secret configs.Secret
		secret, err = configs.ReadToken(f.tokenFile)
		text = secret.Reveal()
	}
	if err != nil {
		return token.Token{}, err
	}
	t, err := token.Parse(text)
	if err != nil {
		return t, WithHint(err, "copy all of it: bril1., three parts and two more full stops")
	}
	return t, nil
}

// askHidden asks on a terminal, on which nothing of the answer is shown.
func askHidden(c *cobra.Command, in *os.File, prompt string) (string, error) {
	if in == nil || !term.IsTerminal(int(in.Fd())) {
		return "", &UsageError{c.CommandPath(), errors.New("there is no terminal to ask for the token on: give --token-file FILE, or - for standard input")}
	}
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", fmt.Errorf("ask for the token: %w", err)
	}
	fmt.Fprint(c.ErrOrStderr(), prompt)
	defer fmt.Fprintln(c.ErrOrStderr())
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // who interrupts the command leaves it at its read, until the process ends
		text, err := term.ReadPassword(int(in.Fd()))
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil {
			return "", fmt.Errorf("read the token: %w", a.err)
		}
		return string(a.text), nil
	case <-c.Context().Done():
		_ = term.Restore(int(in.Fd()), before) // else the shell would be without echo
		return "", c.Context().Err()
	}
}

// writeEnrolment writes for people who a board is, and what was done to it.
func writeEnrolment(w io.Writer, done string, e control.Enrolment) error {
	if done != "" {
		if _, err := fmt.Fprintln(w, done); err != nil || !e.Enrolled {
			return err
		}
	}
	if !e.Enrolled {
		_, err := fmt.Fprintln(w, "this board is not enrolled")
		return errors.Join(err, writeProblem(w, e))
	}
	name := e.Name
	if e.Label != "" {
		name += " (" + printable(e.Label) + ")"
	}
	_, err := fmt.Fprintf(w, "name     %s\ndevice   %s\nserver   %s\nstate    %s\n", name, e.Device, printable(e.Server), enrolmentLine(e.State, e.NotAfter))
	return errors.Join(err, writeProblem(w, e))
}

func writeProblem(w io.Writer, e control.Enrolment) error {
	if e.Problem == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "PROBLEM  %s\n", printable(e.Problem))
	if e.Hint != "" && err == nil {
		_, err = fmt.Fprintf(w, "         hint: %s\n", printable(e.Hint))
	}
	return err
}

func enrolmentLine(state string, until time.Time) string {
	day := until.Local().Format(time.DateOnly)
	switch enrol.State(state) {
	case enrol.Enrolled:
		return "enrolled, certificate until " + day + ", renewed by itself"
	case enrol.RenewalDue:
		return "enrolled, certificate until " + day + ", to be renewed now"
	case enrol.Expired:
		return "certificate expired on " + day
	}
	return spoken(state)
}
