package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/skip2/go-qrcode"
	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/uplink/enrol/keyfile"
	"github.com/bril-edge/bril/uplink/enrol/ticket"
	"github.com/bril-edge/bril/uplink/enrol/token"
)

// qrCommand is what the flags of qr say.
type qrCommand struct {
	deviceCommand
	wanted                devices.Wanted
	wifi                  ticket.WiFi
	passwordFile          string
	ntp, server, key, png string
}

func newQRCommand(asJSON *bool) *cobra.Command {
	q := &qrCommand{deviceCommand: deviceCommand{asJSON: asJSON}, wanted: devices.Wanted{Valid: devices.DefaultValid}}
	security := ""
	c := &cobra.Command{
		Use: "qr", Short: "Print a QR code that sets up a pair of glasses", Args: noArguments,
		Long: `qr makes a token for one board and prints a QR code of it, with the Wi-Fi, the
time server and this server, signed with the brand's provisioning key. The
glasses read it in provisioning mode (bril provision, or a button held while
they start). Who sees the code can read the password of the Wi-Fi and use the
token: it is for a screen or a paper that nobody keeps.
` + exitCodes,
		Example: `  showroom qr --name anna --wifi Showroom --wifi-password-file wifi.password \
              --server https://showroom.example --key provision.key \
              --data /var/lib/showroom
  showroom qr --name ben --server https://showroom.example \
              --key provision.key --png ben.png --data /var/lib/showroom`,
		RunE: func(c *cobra.Command, _ []string) error {
			q.wifi.Security = ticket.Security(security)
			return q.run(c)
		},
	}
	f := c.Flags()
	f.StringVar(&q.dir, "data", "", "the server's data directory")
	f.StringVar(&q.wanted.Name, "name", "", "what the glasses are called: they publish at /whip/NAME")
	f.StringVar(&q.wanted.Label, "label", "", "what people call them")
	f.StringVar(&q.wanted.Serial, "serial", "", "the serial number of the board that alone may use it (default: any)")
	f.DurationVar(&q.wanted.Valid, "valid", q.wanted.Valid, "how long the code is good, at most 24h")
	f.StringVar(&q.wifi.SSID, "wifi", "", "name of the Wi-Fi (default: none, the board has a wire)")
	f.StringVar(&security, "wifi-security", "", "wpa2, wpa3 or open (default: wpa2 with a password file, else open)")
	f.StringVar(&q.passwordFile, "wifi-password-file", "", "holds the password of the Wi-Fi; - is standard input")
	f.StringVar(&q.ntp, "ntp", "", "time server of the site (default: what the board uses)")
	f.StringVar(&q.server, "server", "", "where the glasses reach this server, https://HOST[:PORT]")
	f.StringVar(&q.key, "key", "", "the provisioning key, of showroom qr keygen")
	f.StringVar(&q.png, "png", "", "write a picture to this file, and print no code")
	c.AddCommand(newKeygenCommand(asJSON))
	return c
}

func (q *qrCommand) run(c *cobra.Command) error {
	t, key, err := q.ticket(c.InOrStdin())
	if err != nil {
		return err
	}
	// Whether it fits is known before a token is made: all are of one length.
	t.Token = token.Random([32]byte{})
	if _, err := t.Sign(key); err != nil {
		return usageError{err}
	}
	return q.with("qr", func(e enrolments) error {
		made, err := e.NewToken(c.Context(), q.wanted)
		if err != nil {
			return err
		}
		if t.Token, err = token.Parse(made.Text); err != nil {
			return err
		}
		text, err := t.Sign(key)
		if err != nil {
			return err
		}
		return q.show(c, text, made)
	})
}

// ticket returns what the flags ask for, without a token.
func (q *qrCommand) ticket(stdin io.Reader) (t ticket.Ticket, key ed25519.PrivateKey, err error) {
	if err := q.wanted.Check(showroom.GlassesName); err != nil {
		return t, nil, usageError{err}
	}
	if q.key == "" {
		return t, nil, usageError{errors.New("qr needs --key FILE; showroom qr keygen makes one")}
	}
	if q.passwordFile != "" {
		if q.wifi.Password, err = readPassword(q.passwordFile, stdin); err != nil {
			return t, nil, err
		}
	}
	q.wifi.Security = securityOf(q.wifi)
	t = ticket.Ticket{WiFi: q.wifi, NTP: q.ntp}
	if t.Server, err = url.Parse(q.server); err != nil || t.Server.Scheme != "https" {
		return t, nil, usageError{errors.New("qr needs --server https://HOST[:PORT], where the glasses reach this server")}
	}
	key, err = readKey(q.key, "provisioning key", "showroom qr keygen")
	return t, key, err
}

// securityOf is what most networks have, unless a flag says it.
func securityOf(w ticket.WiFi) ticket.Security {
	switch {
	case w.Security != "" || w.SSID == "":
		return w.Security
	case w.Password == "":
		return ticket.Open
	}
	return ticket.WPA2
}

const maxWiFiPassword = 1 << 10

func readPassword(path string, stdin io.Reader) (string, error) {
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("read the password of the Wi-Fi: %w", err)
		}
		defer file.Close()
		from = file
	}
	data, err := io.ReadAll(io.LimitReader(from, maxWiFiPassword))
	if err != nil {
		return "", fmt.Errorf("read the password of the Wi-Fi: %w", err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// readKey reads a private key, which is its owner's alone; what and keygen are its name
// and the command that makes one.
func readKey(path, what, keygen string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, advised{fmt.Errorf("read the %s: %w", what, err), keygen + " --out " + path}
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	if _, err := keyfile.ParsePublic(data); err == nil {
		return nil, &showroom.ConfigError{Problem: fmt.Errorf("%s %s: it is the public half", what, path), Hint: "give the file without .pub"}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &showroom.ConfigError{Problem: fmt.Errorf("%s %s: others may read it", what, path), Hint: "chmod 600 " + path}
	}
	key, err := keyfile.ParsePrivate(data)
	if err != nil {
		return nil, &showroom.ConfigError{Problem: fmt.Errorf("%s %s: %w", what, path, err), Hint: keygen}
	}
	return key, nil
}

// pixelsPerModule makes a picture that can be shown on a screen and printed.
const pixelsPerModule = 8

// show prints the code. Level L, as a code with larger modules is read from further
// away, and a screen has no dirt that a higher level would repair.
func (q *qrCommand) show(c *cobra.Command, text string, made devices.Made) error {
	code, err := qrcode.New(text, qrcode.Low)
	if err != nil {
		return fmt.Errorf("draw the code: %w", err)
	}
	if q.png != "" {
		if err := writePNG(q.png, code); err != nil {
			return err
		}
	}
	if *q.asJSON {
		made.Text = "" // it is in the code
		printJSON(c.OutOrStdout(), map[string]any{"schema_version": schemaVersion, "payload": text, "png": q.png,
			"version": code.VersionNumber, "token": made})
		return nil
	}
	fmt.Fprintf(c.ErrOrStderr(), "for %s, once, until %s\n", made.Name, made.Expires.Local().Format("15:04:05"))
	if q.png != "" {
		_, err = fmt.Fprintln(c.OutOrStdout(), q.png)
		return err
	}
	_, err = io.WriteString(c.OutOrStdout(), halfBlocks(code.Bitmap()))
	return err
}

// writePNG writes a picture that only its owner may read: it holds a password.
func writePNG(path string, code *qrcode.QRCode) error {
	picture, err := code.PNG(-pixelsPerModule)
	if err != nil {
		return fmt.Errorf("draw the code: %w", err)
	}
	_ = os.Remove(path) // one that others may read
	if err := create(path, picture, 0o600); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

// halfBlocks draws two rows of modules a line, black on white whatever the colours of
// the terminal are.
func halfBlocks(modules [][]bool) string {
	const blackOnWhite, plain = "\x1b[38;5;16;48;5;231m", "\x1b[0m"
	var b strings.Builder
	for y := 0; y < len(modules); y += 2 {
		b.WriteString(blackOnWhite)
		for x, upper := range modules[y] {
			lower := y+1 < len(modules) && modules[y+1][x]
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString(plain + "\n")
	}
	return b.String()
}

func newKeygenCommand(asJSON *bool) *cobra.Command {
	out := "provision.key"
	c := &cobra.Command{
		Use: "keygen", Short: "Make the key that signs codes", Args: noArguments,
		Long: `keygen makes the brand's provisioning key: FILE, which only its owner may read
and which signs codes, and FILE.pub, which glasses check them with. The second
goes into the package (make package PROVISION_KEY=FILE.pub), the first nowhere.
` + exitCodes,
		Example: "  showroom qr keygen --out provision.key",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := makeKey(out); err != nil {
				return err
			}
			if *asJSON {
				printJSON(c.OutOrStdout(), map[string]any{"schema_version": schemaVersion, "key": out, "public_key": out + ".pub"})
				return nil
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n%s.pub\n", out, out)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", out, "the key's `FILE`")
	return c
}

// makeKey never replaces a key: glasses could not be set up any more.
func makeKey(path string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	secret, err := keyfile.Private(private)
	if err == nil {
		err = create(path, secret, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	open, err := keyfile.Public(public)
	if err == nil {
		err = create(path+".pub", open, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the key: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// create makes a new file: it follows no link, and writes over nothing.
func create(path string, data []byte, mode os.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return advised{err, "keep the file that is there, or name another by --out"}
	}
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}
