package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/showroom"
	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
	"github.com/bril-edge/bril/configs/fleet"
)

// What the environment may say, so that daily commands are short.
const (
	envServer = "BRIL_FLEET_SERVER"
	envToken  = "BRIL_FLEET_TOKEN_FILE"
	envCA     = "BRIL_FLEET_CA"
	envKey    = "BRIL_FLEET_KEY"
)

// fleetCommand is what the commands below fleet have in common.
type fleetCommand struct {
	asJSON        *bool
	server, token string
	ca, key       string
	trust         []string // files of public keys
}

func newFleetCommand(asJSON *bool) *cobra.Command {
	f := &fleetCommand{asJSON: asJSON}
	c := &cobra.Command{
		Use: "fleet", Short: "Change the configuration of many glasses, and see what runs where",
		Long: `fleet signs configuration for many glasses and rolls it out in waves. The key
that signs stays with the manager: the server hands out what is signed, and
cannot make any of it. A bundle holds all that the fleet sets; what it leaves
out is as each board's own file and the defaults have it.

The server and the token are found in the environment, too: ` + envServer + `,
` + envToken + ` (a file), ` + envCA + ` (a file, where the server has an
authority of its own: DATA/authority/ca.pem) and ` + envKey + ` (a file).
` + exitCodes,
		Example: `  showroom fleet keygen --out fleet.key
  showroom fleet push --config fleet.yaml --dry-run \
      --server https://showroom.example --token-file token --key fleet.key
  showroom fleet status --server https://showroom.example --token-file token`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return usageError{errors.New("fleet needs a command")} },
	}
	c.AddCommand(f.keygen(), f.sign(), f.push(), f.rollback(), f.status(), f.diff(), f.turn("pause", "Hold a rollout"), f.turn("resume", "Have a rollout go on"),
		f.history(), f.audit(), f.labels(), f.ask("restart", "Have a board start its program anew"), f.ask("support", "Have a board send a support bundle"), newManagerCommand(asJSON))
	return c
}

// remote adds the flags of commands that ask the server.
func (f *fleetCommand) remote(c *cobra.Command) *cobra.Command {
	flags := c.Flags()
	flags.StringVar(&f.server, "server", os.Getenv(envServer), "the server, https://HOST[:PORT]")
	flags.StringVar(&f.token, "token-file", os.Getenv(envToken), "`file` with a manager's token (showroom fleet manager add)")
	flags.StringVar(&f.ca, "ca", os.Getenv(envCA), "`file` with the authority of the server's certificate, PEM (default: the system's)")
	return c
}

func (f *fleetCommand) withKey(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.key, "key", os.Getenv(envKey), "`file` with the fleet's key (showroom fleet keygen)")
	return c
}

// withTrust adds the flag of commands that sign anew what was signed before.
func (f *fleetCommand) withTrust(c *cobra.Command) *cobra.Command {
	c.Flags().StringArrayVar(&f.trust, "trust", nil, "public key `file` whose bundles count beside --key's, as of the key before; may be repeated")
	return c
}

// client is one of the server that the flags name.
func (f *fleetCommand) client() (*manager.Client, error) {
	if f.server == "" {
		return nil, usageError{errors.New("which server? --server https://HOST, or " + envServer)}
	}
	if f.token == "" {
		return nil, usageError{errors.New("a manager's token is needed: --token-file FILE, or " + envToken)}
	}
	token, err := os.ReadFile(f.token)
	if err != nil {
		return nil, fmt.Errorf("read the manager's token: %w", err)
	}
	cfg := manager.Config{Server: strings.TrimSuffix(f.server, "/"), Token: strings.TrimSpace(string(token))}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("read the server's authority: %w", err)
		}
		cfg.Roots = x509.NewCertPool()
		if !cfg.Roots.AppendCertsFromPEM(text) {
			return nil, &showroom.ConfigError{Problem: fmt.Errorf("%s holds no certificate", f.ca), Hint: "it is DATA/authority/ca.pem of a server with --tls-own"}
		}
	}
	client, err := manager.New(cfg)
	if err != nil {
		return nil, usageError{err}
	}
	return client, nil
}

// readKey reads the fleet's key, which is its owner's alone.
func (f *fleetCommand) readKey() (ed25519.PrivateKey, error) {
	if f.key == "" {
		return nil, usageError{errors.New("the fleet's key is needed: --key FILE, or " + envKey + "; showroom fleet keygen makes one")}
	}
	return readKey(f.key, "fleet's key", "showroom fleet keygen")
}

// print prints a value as JSON, or what text makes of it, in columns.
func (f *fleetCommand) print(c *cobra.Command, value any, text func(io.Writer)) error {
	if *f.asJSON {
		printJSON(c.OutOrStdout(), value)
		return nil
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// told explains a refusal: problems of a configuration one a line.
func told(err error) error {
	var refused *manager.Error
	if !errors.As(err, &refused) || len(refused.Problems) == 0 {
		return err
	}
	return &showroom.ConfigError{Problem: errors.New(problemLines(refused.Problems)), Hint: "bril config show --reference explains every key"}
}

func problemLines(problems []service.Problem) string {
	var lines []string
	for _, p := range problems {
		line := p.Message
		if p.Key != "" {
			line = p.Key + ": " + line
		}
		if p.Line > 0 {
			line = fmt.Sprintf("line %d: %s", p.Line, line)
		}
		if p.Hint != "" {
			line += " (" + p.Hint + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func (f *fleetCommand) keygen() *cobra.Command {
	out := "fleet.key"
	c := &cobra.Command{
		Use: "keygen", Short: "Make the key that signs configuration", Args: noArguments,
		Long: `keygen makes the fleet's key: FILE, which only its owner may read and which
signs configuration, and FILE.pub, by which glasses check it. The second goes
to the server (showroom --configuration-key FILE.pub) before glasses are
enrolled: they keep the key of their enrolment. The first stays with the
manager, and in a safe: who has it configures all glasses, and without it
nobody does.
` + exitCodes,
		Example: "  showroom fleet keygen --out fleet.key",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := makeKey(out); err != nil {
				return err
			}
			key, err := readKey(out, "fleet's key", "showroom fleet keygen")
			if err != nil {
				return err
			}
			text := fleet.FormatKey(key.Public().(ed25519.PublicKey))
			v := map[string]any{"schema_version": schemaVersion, "key": out, "public_key": out + ".pub", "public": text}
			return f.print(c, v, func(w io.Writer) { fmt.Fprintf(w, "%s\n%s.pub\n", out, out) })
		},
	}
	c.Flags().StringVar(&out, "out", out, "the key's `FILE`")
	return c
}
