package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

const (
	dialTimeout    = 30 * time.Second // until the server has greeted, and knows who we are
	commandTimeout = 5 * time.Minute  // RFC 5321, 4.5.3.2
	// Giving up early on the answer to the last line is what sends mails twice
	// (RFC 5321, 4.5.3.2.6).
	answerTimeout = 10 * time.Minute
)

// server is the SMTP server that takes our mails.
type server struct {
	host         string
	port         int
	implicit     bool // TLS from the first byte
	loopback     bool // where nobody is between us and the server
	user         string
	passwordFile string
	roots        *x509.CertPool
}

const exampleURL = "smtp://USER@smtp.example.com:587"

// parseServer returns nil for None.
func parseServer(cfg Config) (*server, error) {
	if cfg.SMTP == "" || cfg.SMTP == None {
		return nil, nil
	}
	u, err := url.Parse(cfg.SMTP)
	if err != nil { // whose words repeat a password
		return nil, refuse("give it as "+exampleURL, "SMTP server: not a URL")
	}
	if _, has := u.User.Password(); has {
		return nil, refuse("put the password into a file, and leave it out of the URL", "SMTP server %s: passwords in a URL are seen by others", u.Host)
	}
	s := &server{host: u.Hostname(), implicit: u.Scheme == "smtps", user: u.User.Username(), passwordFile: cfg.PasswordFile, roots: cfg.RootCAs}
	if u.Scheme != "smtp" && !s.implicit || s.host == "" || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		return nil, refuse("give it as "+exampleURL+", smtps://... or none", "SMTP server %.80q: not an address of one", u.Redacted())
	}
	if s.port, err = portOf(u, s.implicit); err != nil {
		return nil, err
	}
	if s.port == 465 && !s.implicit { // each would wait for the other's first word
		return nil, refuse("give it as smtps://"+u.Host, "SMTP server %s: its port takes TLS from the first byte", u.Host)
	}
	addr, err := netip.ParseAddr(s.host)
	s.loopback = s.host == "localhost" || err == nil && addr.Unmap().IsLoopback()
	if (s.user == "") != (s.passwordFile == "") {
		return nil, refuse("give both smtp://USER@HOST and --smtp-password-file FILE, or neither", "SMTP server %s: a user needs a password file, and a password a user", u.Host)
	}
	if _, err = s.password(); errors.Is(err, fs.ErrNotExist) {
		err = refuse("check --smtp-password-file", "%w", err)
	}
	return s, err
}

func portOf(u *url.URL, implicit bool) (int, error) {
	if u.Port() == "" {
		if implicit {
			return 465, nil
		}
		return 587, nil
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil || port < 1 || port > 65535 {
		return 0, refuse("give it as "+exampleURL, "SMTP server %s: port %q", u.Hostname(), u.Port())
	}
	return port, nil
}

// password is read for every connection, so that a new one needs no restart.
func (s *server) password() (string, error) {
	if s.passwordFile == "" {
		return "", nil
	}
	info, err := os.Stat(s.passwordFile)
	if err != nil {
		return "", fmt.Errorf("read the SMTP password: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", refuse("chmod 600 "+s.passwordFile, "SMTP password file %s can be read by others", s.passwordFile)
	}
	data, err := os.ReadFile(s.passwordFile)
	if err != nil {
		return "", fmt.Errorf("read the SMTP password: %w", err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	if password == "" || strings.ContainsAny(password, "\r\n\x00") {
		return "", refuse("write one line into it", "SMTP password file %s: not one line", s.passwordFile)
	}
	return password, nil
}

// connection is an open session with the server.
type connection struct {
	client *smtp.Client
	conn   net.Conn
	stop   func() bool // watching the context
}

// dial connects, encrypts and authenticates. When ctx ends, what is going on with
// the connection fails.
func (s *server) dial(ctx context.Context) (*connection, error) {
	options, err := s.options()
	if err != nil {
		return nil, err
	}
	c := &connection{stop: func() bool { return true }}
	options = append(options, gomail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := s.connect(dialing, network, address)
		if err == nil {
			c.conn, c.stop = conn, context.AfterFunc(ctx, func() { conn.Close() })
		}
		return conn, err
	}))
	client, err := gomail.NewClient(s.host, options...)
	if err == nil {
		c.client, err = client.DialToSMTPClientWithContext(ctx)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("mail server %s: %w", s.host, err)
	}
	return c, nil
}

// options are go-mail's. In the clear it sends a password to loopback only, see
// smtp.PlainAuth.
func (s *server) options() ([]gomail.Option, error) {
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(dialTimeout), gomail.WithoutSMTPUTF8(),
		gomail.WithTLSConfig(s.tlsConfig()),
	}
	switch {
	case s.implicit:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS)) // connect has done it
	case s.loopback:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	password, err := s.password()
	if err != nil || s.user == "" {
		return options, err
	}
	return append(options, gomail.WithUsername(s.user), gomail.WithPassword(password),
		gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthCramMD5)), nil
}

// tlsConfig takes any certificate for STARTTLS to loopback: Debian's mail servers
// come with one that nobody signed, and without TLS it would be no safer.
func (s *server) tlsConfig() *tls.Config {
	return &tls.Config{
		ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: s.loopback && !s.implicit,
	}
}

func (s *server) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if s.implicit {
		return (&tls.Dialer{Config: s.tlsConfig()}).DialContext(ctx, network, address)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil || !s.loopback {
		return conn, err
	}
	if remote, ok := conn.RemoteAddr().(*net.TCPAddr); !ok || !remote.IP.IsLoopback() {
		conn.Close()
		return nil, fmt.Errorf("%s is not on this machine", s.host)
	}
	return conn, nil
}

// send hands a mail over. It returns nil only when the server has taken it.
func (c *connection) send(from, to string, message []byte) error {
	if err := c.client.UpdateDeadline(commandTimeout); err != nil {
		return err
	}
	if err := c.client.Mail("<" + from + ">"); err != nil {
		return &senderError{err}
	}
	if err := c.client.Rcpt("<" + to + ">"); err != nil {
		return err
	}
	data, err := c.client.Data()
	if err != nil {
		return err
	}
	if _, err := data.Write(message); err != nil {
		return err
	}
	if err := c.client.UpdateDeadline(answerTimeout); err != nil {
		return err
	}
	return data.Close()
}

// quit says goodbye.
func (c *connection) quit() {
	_ = c.client.UpdateDeadline(dialTimeout) // of a broken connection; Quit says so too
	_ = c.client.Quit()                      // all that matters was said before
	c.close()
}

func (c *connection) close() {
	c.stop()
	if c.conn != nil {
		c.conn.Close()
	}
}

// senderError is what the server has against us, and not against a mail.
type senderError struct{ error }

func (e *senderError) Unwrap() error { return e.error }

// permanent says whether no later try of the same mail can help: the server's answer
// is in the 500s (RFC 5321, 4.2.1), and came when it knew who the mail is to. Before
// that it refuses us, as without a password: mails wait until that is put right.
func permanent(err error) bool {
	var answer *textproto.Error
	if !errors.As(err, &answer) || answer.Code < 500 || answer.Code > 599 {
		return false
	}
	var sender *senderError
	return !errors.As(err, &sender)
}
