package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
)

const schemaVersion = 1

const exitCodes = `
Exit codes: 0 done, 1 failed, 3 usage, 4 configuration, 6 permission,
130 interrupted.`

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func newCommand(out, errOut io.Writer, args []string) *cobra.Command {
	var cfg showroom.Config
	var asJSON, verbose bool
	c := &cobra.Command{
		Use:   "showroom",
		Short: "Bril's reference endpoint: WHIP in, WHEP and the customer's page out",
		Long: `showroom takes what glasses publish at /whip/NAME and shows it at /NAME, or to
any WHEP player at /whep/NAME. With --data it also takes the photos and clips
that they upload, keeps them in DIR/sessions/NAME and shows them on the page;
whoever has DIR/age.key can read what is still on its way. With --data customers
can call and book, too: the page / is theirs, and what they and the glasses say
is documented at /api/openapi.yaml. On loopback it is open but for the
customers' conversations; on any other address it wants TLS, publishers' tokens,
and gives each room an access key.

A file of office hours:

  showrooms:
    - id: antwerp                  # a-z, 0-9 and -
      title: Showroom Antwerpen
      time_zone: Europe/Brussels
      slot: 30m
      glasses: [anna, ben]         # the pairs that serve it; default: any
      hours:
        monday: 09:00-12:30, 13:30-18:00
        saturday: 10:00-17:00
      holidays: [2027-01-01, 2027-07-19..2027-07-25]
` + exitCodes,
		Example: `  showroom --listen 127.0.0.1:8080 --data ./showroom-data
  showroom --data ./showroom-data --tls-own --require-enrolment
  showroom --listen 192.0.2.10:443 --data /var/lib/showroom \
           --token-file tokens --tls-cert fullchain.pem --tls-key privkey.pem \
           --public-url https://showroom.example --hours hours.yaml \
           --smtp smtp://showroom@mail.example:587 \
           --smtp-password-file smtp.password \
           --mail-from showroom@showroom.example`,
		Args:          noArguments,
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg.Log = newLog(errOut, verbose)
			return serve(c, cfg, asJSON)
		},
	}
	addFlags(c, &cfg)
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "log what clients do wrong, too")
	c.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON, errors too")
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.SetUsageTemplate(strings.ReplaceAll(c.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	c.SetOut(out)
	c.SetErr(errOut)
	c.SetArgs(args)
	c.CompletionOptions.DisableDefaultCmd = true
	c.AddCommand(newLinkCommand(&asJSON), newRecipientCommand(&asJSON), newPrivacyCommand(&asJSON), newBackupCommand(&asJSON), newStaffCommand(&asJSON),
		newQRCommand(&asJSON), newTokenCommand(&asJSON), newDevicesCommand(&asJSON), newFleetCommand(&asJSON))
	return c
}

// addFlags are those of the server's configuration.
func addFlags(c *cobra.Command, cfg *showroom.Config) {
	f := c.Flags()
	f.StringVar(&cfg.Listen, "listen", showroom.DefaultListen, "IP:port for HTTP; media takes the same UDP port where it is free")
	f.StringVar(&cfg.Advertise, "advertise", "", "another IP that clients reach this server's media at, as behind a NAT")
	f.StringVar(&cfg.DataDir, "data", "", "data directory, made when missing; without it nothing is stored")
	f.Var((*days)(&cfg.Retention), "retention", "what is personal is kept so long, photos and clips too, as 30d or 12h (default and at most 182d)")
	f.StringVar(&cfg.TokenFile, "token-file", "", "publishers' bearer tokens, one a line (default: open on loopback)")
	f.StringVar(&cfg.Hours, "hours", "always", "file of the showrooms' office hours, or always")
	f.StringVar(&cfg.SMTP, "smtp", mail.None, "server for mails, smtp://USER@HOST:587 or smtps://USER@HOST:465; none leaves them in DIR/outbox")
	f.StringVar(&cfg.SMTPPasswordFile, "smtp-password-file", "", "holds the password of USER")
	f.StringVar(&cfg.MailFrom, "mail-from", "", "sender of mails, an address or Name <address>")
	f.StringVar(&cfg.PublicURL, "public-url", "", "where customers reach the server, for links in mails (default: where it listens)")
	f.StringVar(&cfg.TLSCert, "tls-cert", "", "certificate chain, PEM")
	f.StringVar(&cfg.TLSKey, "tls-key", "", "private key, PEM")
	f.BoolVar(&cfg.TLSOwn, "tls-own", false, "TLS by an authority of the server's own, kept in DIR/authority; enrolled glasses trust it")
	f.BoolVar(&cfg.RequireEnrolment, "require-enrolment", false, "take what glasses send from enrolled devices only (showroom token new)")
	f.StringVar(&cfg.Fleet, "fleet", showroom.DefaultFleet, "`name` of the fleet that the devices of this server are, for which configuration is signed")
	f.StringArrayVar(&cfg.ConfigurationKeys, "configuration-key", nil, "`file` with an Ed25519 public key that may sign the devices' configuration, PEM; may be repeated")
	f.BoolVar(&cfg.RequireKey, "require-key", false, "ask viewers for the access key on loopback too")
}

// runCommand runs the command that the arguments name. A wrong use of it refers to
// its own help.
func runCommand(ctx context.Context, c *cobra.Command) error {
	c, err := c.ExecuteContextC(ctx)
	if usage := (usageError{}); errors.As(err, &usage) && c != nil {
		return misused{err, c.CommandPath() + " --help"}
	}
	return err
}

type misused struct {
	error
	hint string
}

func (e misused) Unwrap() error { return e.error }

// advised is an error that says what to do.
type advised struct {
	error
	hint string
}

func (e advised) Unwrap() error { return e.error }
func (e advised) Hint() string  { return e.hint }

func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		if !c.HasSubCommands() {
			return usageError{fmt.Errorf("unexpected argument %q", args[0])}
		}
		return usageError{fmt.Errorf("unknown command %q", args[0])}
	}
	return nil
}

func newLog(to io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))
}

func serve(c *cobra.Command, cfg showroom.Config, asJSON bool) error {
	server, err := showroom.New(cfg)
	if err != nil {
		return err
	}
	return server.Run(c.Context(), func(url string) {
		if asJSON {
			printJSON(c.OutOrStdout(), map[string]any{"schema_version": schemaVersion, "url": url})
			return
		}
		fmt.Fprintf(c.OutOrStdout(), "listening on %s\n", url)
	})
}

func printJSON(out io.Writer, value any) {
	_ = json.NewEncoder(out).Encode(value) // stdout is gone, nobody to tell
}

func wantsJSON(args []string) bool {
	return slices.Contains(args, "--json") || slices.Contains(args, "--json=true")
}

// failure is an error as JSON, in the shape that bril prints its own in.
type failure struct {
	SchemaVersion int             `json:"schema_version"`
	Error         control.Problem `json:"error"`
}

// report prints an error and returns the exit code for it.
func report(err error, asJSON bool, out, errOut io.Writer) int {
	if err == nil {
		return 0
	}
	code, hint := classify(err)
	if code == codeInterrupted {
		return code
	}
	if asJSON {
		printJSON(out, failure{schemaVersion, control.Problem{Message: err.Error(), Text: hint, Code: code}})
		return code
	}
	fmt.Fprintf(errOut, "showroom: %v\n", err)
	if hint != "" {
		fmt.Fprintf(errOut, "hint: %s\n", hint)
	}
	return code
}

// Exit codes, as in the help.
const (
	codeFailed        = 1
	codeUsage         = 3
	codeConfiguration = 4
	codePermission    = 6
	codeInterrupted   = 130
)

func classify(err error) (code int, hint string) {
	var usage misused
	var refused *showroom.ConfigError
	switch {
	case errors.Is(err, errInterrupted):
		return codeInterrupted, ""
	case errors.As(err, &usage):
		return codeUsage, usage.hint
	case errors.As(err, &refused):
		hint = refused.Hint
		if errors.Is(err, fs.ErrPermission) {
			return codePermission, hint
		}
		return codeConfiguration, hint
	case errors.Is(err, syscall.EADDRINUSE):
		return codeFailed, "another program has the port; --listen 127.0.0.1:0 takes one that is free"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return codeFailed, "this machine has no such address: --listen takes one of its own, or 0.0.0.0 for all"
	case errors.Is(err, fs.ErrPermission):
		return codePermission, "be the user whose files these are; a port below 1024 is for root"
	}
	if hinted := (interface{ Hint() string })(nil); errors.As(err, &hinted) {
		hint = hinted.Hint()
	}
	return codeFailed, hint
}
