package main

import (
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/showroom"
	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/enrol/keyfile"
)

// bundleFlags say what is signed, and for whom.
type bundleFlags struct {
	config    string
	set       []string
	labels    []string
	devices   []string
	secrets   []string
	notBefore string
	valid     days
	successor string
	retry     bool
}

const defaultValid = days(90 * 24 * time.Hour)

func (b *bundleFlags) add(c *cobra.Command) {
	b.valid = defaultValid
	f := c.Flags()
	f.StringVar(&b.config, "config", "", "YAML `file` with the keys that the fleet sets, and no others; - is standard input")
	f.StringArrayVar(&b.labels, "label", nil, "only for devices with this `KEY=VALUE` (showroom fleet label); may be repeated")
	f.StringArrayVar(&b.devices, "device", nil, "only for this device, its `ID` or name; may be repeated")
	f.StringArrayVar(&b.secrets, "secret", nil, "`NAME=FILE`: what the file holds goes along, for a credential_file of secrets/NAME; may be repeated")
	f.StringVar(&b.notBefore, "not-before", "", "from when it may be applied, RFC 3339 (default: now)")
	f.Var(&b.valid, "valid", "for how long it may arrive, as 90d; what runs has no end")
	f.StringVar(&b.successor, "successor", "", "public key `file` that signs from the next bundle on, and this one's no longer")
	f.BoolVar(&b.retry, "retry", false, "try it again where the same content has failed before")
}

// bundle is what the flags say, without a serial and a fleet.
func (b *bundleFlags) bundle(stdin io.Reader, now time.Time) (out fleet.Bundle, err error) {
	out = fleet.Bundle{Retry: b.retry, NotBefore: now.Add(-time.Minute), Secrets: map[string]string{}} // clocks differ
	if b.notBefore != "" {
		if out.NotBefore, err = time.Parse(time.RFC3339, b.notBefore); err != nil {
			return out, usageError{fmt.Errorf("--not-before %q is not a time such as 2027-01-31T06:00:00Z", b.notBefore)}
		}
	}
	out.Expires = maxTime(out.NotBefore, now).Add(time.Duration(b.valid))
	if out.Audience.Labels, err = pairs("--label", b.labels); err != nil {
		return out, err
	}
	out.Audience.Devices = slices.Clone(b.devices)
	if err := b.readSecrets(out.Secrets); err != nil {
		return out, err
	}
	if b.successor != "" {
		keys, err := readPublic(b.successor)
		if err != nil {
			return out, err
		}
		if len(keys) != 1 {
			return out, &showroom.ConfigError{Problem: fmt.Errorf("key %s: it holds more than one", b.successor), Hint: "the next key is one"}
		}
		out.Successor = fleet.FormatKey(keys[0])
	}
	if b.config != "" {
		text, err := readAll(b.config, stdin)
		if err != nil {
			return out, fmt.Errorf("read the configuration: %w", err)
		}
		out.Configuration = string(text)
	}
	return out, nil
}

// readPublic reads a file of public keys.
func readPublic(path string) ([]ed25519.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a public key: %w", err)
	}
	keys, err := keyfile.ParsePublic(text)
	if err != nil {
		return nil, &showroom.ConfigError{Problem: fmt.Errorf("key %s: %w", path, err), Hint: "give its public half, FILE.pub"}
	}
	return keys, nil
}

func (b *bundleFlags) readSecrets(to map[string]string) error {
	files, err := pairs("--secret", b.secrets)
	if err != nil {
		return err
	}
	for name, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read secret %s: %w", name, err)
		}
		to[name] = string(text)
	}
	return nil
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func pairs(flag string, list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" || value == "" {
			return nil, usageError{fmt.Errorf("%s %q is not KEY=VALUE", flag, text)}
		}
		out[key] = value
	}
	return out, nil
}

func readAll(path string, stdin io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(stdin, configs.MaxSize+1))
	}
	return os.ReadFile(path)
}

// checked refuses a configuration here, before it goes anywhere, with the lines of its
// file.
func checked(b fleet.Bundle, path string) error {
	_, _, err := b.Over(configs.Default(), "/secrets")
	var problems configs.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for i := range problems {
		problems[i].File = cmp.Or(path, "the configuration")
	}
	return &showroom.ConfigError{Problem: problems, Hint: problems.Hint()}
}

func (f *fleetCommand) sign() *cobra.Command {
	var flags bundleFlags
	var serial uint64
	var out string
	name := showroom.DefaultFleet
	c := f.withKey(&cobra.Command{
		Use: "sign", Short: "Sign a bundle without a server", Args: noArguments,
		Long: `sign writes a signed bundle to a file, for a key that is kept on a machine
without a network. showroom fleet push --bundle FILE hands it over. The serial
has to be above all before (showroom fleet history).
` + exitCodes,
		Example: `  showroom fleet sign --key fleet.key --config fleet.yaml --serial 12 \
      --label showroom=ghent --out 12.dsse`,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case serial == 0 || serial > fleet.MaxSerial:
				return usageError{fmt.Errorf("sign needs --serial N, above all before and at most %d", uint64(fleet.MaxSerial))}
			case flags.config == "":
				return usageError{errors.New("sign needs --config FILE")}
			case out == "":
				return usageError{errors.New("sign needs --out FILE")}
			}
			b, err := flags.bundle(c.InOrStdin(), time.Now())
			if err != nil {
				return err
			}
			b.Serial, b.Audience.Fleet = serial, name
			if err := checked(b, flags.config); err != nil {
				return err
			}
			key, err := f.readKey()
			if err != nil {
				return err
			}
			sealed, err := fleet.Sign(b, key)
			if err != nil {
				return usageError{err}
			}
			if err := create(out, sealed, 0o600); err != nil { // it may hold secrets
				return fmt.Errorf("write the bundle: %w", err)
			}
			v := map[string]any{"schema_version": schemaVersion, "file": out, "serial": serial, "content": b.Content()}
			return f.print(c, v, func(w io.Writer) { fmt.Fprintln(w, out) })
		},
	})
	flags.add(c)
	c.Flags().Uint64Var(&serial, "serial", 0, "the bundle's number")
	c.Flags().StringVar(&name, "fleet", name, "the fleet's name, as showroom --fleet has it")
	c.Flags().StringVar(&out, "out", "", "the `FILE` to write")
	return c
}

// rolloutFlags say how it is rolled out.
type rolloutFlags struct {
	waves       string
	maxFailures string
	soak        time.Duration
	atOnce      bool
	reason      string
	dryRun      bool
	watch       bool
}

func (r *rolloutFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.waves, "waves", "5,25,100", "percents of the devices, rising to 100")
	f.StringVar(&r.maxFailures, "max-failures", "5%", "how many may fail before it stops: a number, or a share of the devices so far")
	f.DurationVar(&r.soak, "soak", 0, "the least time from one wave to the next")
	f.BoolVar(&r.atOnce, "at-once", false, "one wave of all")
	f.StringVar(&r.reason, "reason", "", "why, for the history and the audit")
	f.BoolVar(&r.dryRun, "dry-run", false, "only say on which devices what would change")
	f.BoolVar(&r.watch, "watch", false, "show how it goes, until it has come to all that are online")
}

func (r *rolloutFlags) push() (p service.Push, err error) {
	p = service.Push{Reason: r.reason, MaxFailures: r.maxFailures, SoakSeconds: int(r.soak.Seconds())}
	if r.reason == "" && !r.dryRun {
		return p, usageError{errors.New(`say why, for the history: --reason "…"`)}
	}
	waves := r.waves
	if r.atOnce {
		waves = "100"
	}
	for text := range strings.SplitSeq(waves, ",") {
		percent, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return p, usageError{fmt.Errorf("--waves %q is not percents such as 5,25,100", r.waves)}
		}
		p.Waves = append(p.Waves, percent)
	}
	return p, nil
}

func (f *fleetCommand) push() *cobra.Command {
	var flags bundleFlags
	var roll rolloutFlags
	var sealed string
	c := f.withTrust(f.withKey(f.remote(&cobra.Command{
		Use: "push", Short: "Sign configuration and roll it out", Args: noArguments,
		Long: `push signs a configuration under the next serial and hands it to the server,
which rolls it out in waves. Glasses take it when they are online, check and
try it, never in a conversation, and go back by themselves where it does not
work; when too many do, the rollout stops. --config FILE holds all that the
fleet sets; --set KEY=VALUE changes the newest bundle for the same devices. On
a device the newest counts that is for it, whole: one for all takes the place
of those for a label, too. --reason is needed but for --dry-run.
` + exitCodes,
		Example: `  showroom fleet push --config fleet.yaml --dry-run
  showroom fleet push --config fleet.yaml --reason "less on 4G" --watch
  showroom fleet push --set video.max_bitrate=1.5M --label showroom=ghent \
      --reason "their uplink is slow"
  showroom fleet push --bundle 12.dsse --at-once --reason "signed in the safe"`,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := roll.push()
			if err != nil {
				return err
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			if sealed != "" {
				if err := nothingToSign(c); err != nil {
					return err
				}
				return f.pushSealed(c, client, sealed, p, roll)
			}
			if (flags.config == "") == (len(flags.set) == 0) {
				return usageError{errors.New("push takes one of --config FILE, --set KEY=VALUE and --bundle FILE")}
			}
			b, err := flags.bundle(c.InOrStdin(), time.Now())
			if err != nil {
				return err
			}
			key, err := f.readKey()
			if err != nil {
				return err
			}
			if err := f.resolve(c.Context(), client, &b, flags.set, key); err != nil {
				return told(err)
			}
			if err := checked(b, flags.config); err != nil {
				return err
			}
			return f.signed(c, client, b, key, p, roll)
		},
	})))
	flags.add(c)
	roll.add(c)
	c.Flags().StringArrayVar(&flags.set, "set", nil, "`KEY=VALUE`, on top of the newest bundle for the same devices; may be repeated")
	c.Flags().StringVar(&sealed, "bundle", "", "`file` with a bundle that is signed already (showroom fleet sign)")
	return c
}

// nothingToSign refuses what a bundle that is signed already says itself: who gives a
// label with it means less than the whole fleet, and would get the whole.
func nothingToSign(c *cobra.Command) error {
	for _, name := range []string{"config", "set", "label", "device", "secret", "not-before", "valid", "successor", "retry"} {
		if c.Flags().Changed(name) {
			return usageError{fmt.Errorf("--%s is part of what is signed: give it to showroom fleet sign, or leave --bundle out", name)}
		}
	}
	return nil
}

// signed signs a bundle and hands it over.
func (f *fleetCommand) signed(c *cobra.Command, client *manager.Client, b fleet.Bundle, key ed25519.PrivateKey, p service.Push, roll rolloutFlags) error {
	r, d, err := client.SignAndPush(c.Context(), b, key, p, roll.dryRun)
	if err != nil {
		return told(err)
	}
	if roll.dryRun {
		return f.printDryRun(c, d)
	}
	return f.pushed(c, client, r, roll)
}

func (f *fleetCommand) pushSealed(c *cobra.Command, client *manager.Client, path string, p service.Push, roll rolloutFlags) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the bundle: %w", err)
	}
	if !json.Valid(data) {
		return advised{fmt.Errorf("%s is not a signed bundle", path), "showroom fleet sign makes one; --config takes what is not signed"}
	}
	p.Envelope = data
	if roll.dryRun {
		d, err := client.DryRun(c.Context(), p)
		if err != nil {
			return told(err)
		}
		return f.printDryRun(c, d)
	}
	r, err := client.Push(c.Context(), p)
	if err != nil {
		return told(err)
	}
	return f.pushed(c, client, r, roll)
}

func (f *fleetCommand) pushed(c *cobra.Command, client *manager.Client, r service.Rollout, roll rolloutFlags) error {
	if devices := devicesOf(r); devices == 0 {
		fmt.Fprintf(c.ErrOrStderr(), "showroom: warning: bundle %d is for no device that there is: showroom fleet status --label shows who has a label\n", r.Serial)
	}
	if roll.watch {
		return f.watch(c, client, r.Serial)
	}
	return f.print(c, r, func(w io.Writer) {
		fmt.Fprintf(w, "bundle %d for %v: %s\n", r.Serial, r.Audience, wavesLine(r))
	})
}

// devicesOf is how many devices a rollout is for.
func devicesOf(r service.Rollout) (n int) {
	for _, w := range r.Waves {
		n += w.Devices
	}
	return n
}

func (f *fleetCommand) printDryRun(c *cobra.Command, d service.DryRun) error {
	return f.print(c, d, func(w io.Writer) {
		if len(d.Devices) == 0 {
			fmt.Fprintln(w, "no device would get it")
			return
		}
		fmt.Fprintln(w, "DEVICE\tWAVE\tKEY\tNOW\tTHEN")
		for _, v := range d.Devices {
			name := fmt.Sprintf("%s\t%d", printable(v.Name), v.Wave)
			switch {
			case v.Problem != "":
				fmt.Fprintf(w, "%s\twould be refused: %s\n", name, printable(v.Problem))
			case !v.Known:
				fmt.Fprintf(w, "%s\t-\tit has not told what it runs\t\n", name)
			case len(v.Changes) == 0:
				fmt.Fprintf(w, "%s\t-\tnothing changes\t\n", name)
			}
			for _, change := range v.Changes {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, change.Key, printable(change.From), printable(change.To))
			}
		}
	})
}
