// Package showroom is the reference cloud endpoint: WHIP in, WHEP out, and the
// customer's page. It is the default for demos, development and tests, and
// built for what a dropped, stalled or hostile client does to it.
//
// It stores what glasses upload, and nothing of what they stream. Off loopback it
// serves nothing without TLS, publishers' tokens and the conversations' access
// keys.
package showroom

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/configs/fleet"
)

// DefaultListen is where a server listens unless told otherwise.
const DefaultListen = "127.0.0.1:8080"

// Config is what a server is made of. Zero means the default.
type Config struct {
	Listen    string       // IP:port; default DefaultListen; port 0 takes a free one
	Advertise string       // IP that clients are offered for media beside Listen's, as behind a NAT; default: none
	DataDir   string       // holds secrets, photos and clips, records and mails; needed with RequireKey and off loopback; default: nothing is stored
	TokenFile string       // publishers' bearer tokens, one a line; default: publishing is open
	TLSCert   string       // PEM files; default: plain HTTP
	TLSKey    string       //
	TLSOwn    bool         // the server makes itself an authority and a certificate, which enrolled glasses trust; default: no
	Log       *slog.Logger // default: none

	// RequireKey asks viewers for the conversation's access key on loopback too.
	// Off loopback it is always asked for.
	RequireKey bool

	// RequireEnrolment takes what glasses send from enrolled devices only, on loopback
	// too. It needs TLS and DataDir.
	RequireEnrolment bool

	// ConfigurationKeys are files with the Ed25519 public keys that may sign the
	// devices' configuration, as PEM; devices are told them when they are enrolled.
	ConfigurationKeys []string

	// Fleet is what the devices of this server are called together, in bundles that are
	// meant for them; default DefaultFleet.
	Fleet string

	// Retention is how long photos and clips are kept after they were taken, and
	// what is known of a customer after the last service; default and at most
	// media.MaxRetention, six months.
	Retention time.Duration

	Hours            string // file of the showrooms' office hours, or always; default: always
	SMTP             string // smtp://USER@HOST:587, smtps://USER@HOST:465 or none; default: none, mails stay in DataDir/outbox
	SMTPPasswordFile string // holds USER's password; default: no authentication
	MailFrom         string // the sender's address; needed with SMTP
	PublicURL        string // where customers reach the server, for links in mails; default: the listening URL

	// Clock tells the time that appointments, mails and retention go by. It is for
	// tests: no flag sets it. Default: time.Now.
	Clock func() time.Time

	Limits Limits
}

// Limits is how much a server bears. Zero means the default.
type Limits struct {
	Publishers     int           // conversations live at once; default 64
	Viewers        int           // of one conversation; default 64
	Sessions       int           // publishers and viewers together; default 512
	Watchers       int           // pages that wait for news, and of one conversation as many as viewers; default 512
	Connections    int           // TCP connections; default 10240
	Lines          int           // of the fleet's devices at once; default 8192
	UploadSize     int64         // of one upload, in bytes; default 1 GiB
	Uploads        int           // begun and not finished; default 256
	UploadStall    time.Duration // an upload that sends nothing for so long is cut; default 30 s
	ConnectTimeout time.Duration // of a new media session; default 10 s
	Silence        time.Duration // a session ends after twice this without a packet; default 3 s
	Grace          time.Duration // viewers wait so long for a lost publisher; default 60 s
}

// ConfigError is a configuration that the server refuses to start with.
type ConfigError struct {
	Problem error
	Hint    string // what to type instead; may be empty
}

func (e *ConfigError) Error() string { return e.Problem.Error() }

func (e *ConfigError) Unwrap() error { return e.Problem }

func refuse(hint, format string, a ...any) error {
	return &ConfigError{Problem: fmt.Errorf(format, a...), Hint: hint}
}

// listenAddr reads Listen. A host name could mean another address tomorrow, so
// only localhost is taken.
func (c Config) listenAddr() (netip.AddrPort, error) {
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return netip.AddrPort{}, refuse("give it as IP:port, e.g. --listen "+DefaultListen, "listen address %q: %w", c.Listen, err)
	}
	switch host {
	case "localhost":
		host = "127.0.0.1"
	case "":
		host = "::"
	}
	addr, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil {
		return netip.AddrPort{}, refuse("give it as IP:port, e.g. --listen "+DefaultListen, "listen address %q: %w", c.Listen, err)
	}
	return addr, nil
}

// advertised reads Advertise.
func (c Config) advertised() (netip.Addr, error) {
	if c.Advertise == "" {
		return netip.Addr{}, nil
	}
	addr, err := netip.ParseAddr(c.Advertise)
	if err != nil || addr.IsUnspecified() || addr.IsMulticast() {
		return netip.Addr{}, refuse("give one address of this server, e.g. --advertise 203.0.113.7", "advertised address %q: not the IP address of a host", c.Advertise)
	}
	return addr, nil
}

// check refuses what would be open to the world, and what is half said.
func (c Config) check(addr netip.AddrPort) error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return refuse("give both --tls-cert and --tls-key", "TLS needs a certificate and its key")
	}
	if err := c.checkDevices(addr); err != nil {
		return err
	}
	if c.RequireKey && c.DataDir == "" {
		return refuse("add --data DIR", "access keys need a data directory")
	}
	if err := c.checkMail(addr); err != nil {
		return err
	}
	if c.Retention < 0 || c.Retention > media.MaxRetention {
		return refuse("give at most 182d", "retention of %v: it is above 0 and at most %v", c.Retention, media.MaxRetention)
	}
	if addr.Addr().Unmap().IsLoopback() {
		return nil
	}
	var missing []error
	if !c.overTLS() {
		missing = append(missing, errors.New("TLS (--tls-cert and --tls-key, or --tls-own)"))
	}
	if c.TokenFile == "" && !c.RequireEnrolment {
		missing = append(missing, errors.New("publishers' tokens (--token-file) or --require-enrolment"))
	}
	if c.DataDir == "" {
		missing = append(missing, errors.New("a data directory for the access keys (--data)"))
	}
	if len(missing) == 0 {
		return nil
	}
	return refuse("add the flags, or listen on 127.0.0.1", "listen on %v, which is not loopback, without %w", addr, joinWith(" and ", missing))
}

func (c Config) overTLS() bool { return c.TLSOwn || c.TLSCert != "" }

// checkDevices refuses an enrolment that could not work.
func (c Config) checkDevices(addr netip.AddrPort) error {
	switch {
	case c.Fleet != "" && !fleet.ValidFleet(c.Fleet):
		return refuse("give letters, digits, -, _ and dots, 64 at most", "the fleet's name %q (--fleet)", c.Fleet)
	case c.TLSOwn && c.TLSCert != "":
		return refuse("give one of them", "TLS has the server's own certificate (--tls-own) and another one (--tls-cert)")
	case c.TLSOwn && c.DataDir == "":
		return refuse("add --data DIR", "the server's own certificate needs a data directory")
	case c.RequireEnrolment && c.DataDir == "":
		return refuse("add --data DIR", "enrolment needs a data directory")
	case c.RequireEnrolment && !c.overTLS():
		return refuse("add --tls-own, or --tls-cert and --tls-key", "enrolment needs TLS: devices are known by their certificates")
	case (c.TLSOwn || c.RequireEnrolment) && strings.HasPrefix(c.PublicURL, "http:"):
		return refuse("give it as https://HOST", "devices would be told to reach the server without TLS, at %s", c.PublicURL)
	case (c.TLSOwn || c.RequireEnrolment) && addr.Addr().IsUnspecified() && c.PublicURL == "" && c.Advertise == "":
		return refuse("add --public-url https://HOST, or --advertise IP", "devices cannot be told where to reach a server that listens on all addresses")
	}
	return nil
}

// checkMail refuses mails that would be lost, or whose links would lead nowhere.
func (c Config) checkMail(addr netip.AddrPort) error {
	if c.mails() && c.DataDir == "" {
		return refuse("add --data DIR", "mails by %s need a data directory", c.SMTP)
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return refuse("give scheme and host, e.g. --public-url https://showroom.example", "public URL %q: not the address of a server", c.PublicURL)
		}
		return nil
	}
	if c.mails() && addr.Addr().IsUnspecified() {
		return refuse("add --public-url https://HOST", "links in mails need an address, and %v is none", addr)
	}
	return nil
}

// mails says whether there is a server to send mails by.
func (c Config) mails() bool { return c.SMTP != "" && c.SMTP != mail.None }

func joinWith(separator string, errs []error) error {
	err := errs[0]
	for _, next := range errs[1:] {
		err = fmt.Errorf("%w%s%w", err, separator, next)
	}
	return err
}
