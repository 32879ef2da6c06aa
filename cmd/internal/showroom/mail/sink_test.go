package mail

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// letter is a mail as the sink got it.
type letter struct {
	from, to string
	data     []byte
	tls      bool
	user     string
}

// sink is a real SMTP server that keeps what it gets.
type sink struct {
	addr     string
	user     string // that must log in; "" asks for none
	password string
	rcpt     func(to string) error // its answers; nil takes all
	taken    func(to string) error

	mu   sync.Mutex
	mail []letter
	seen chan struct{} // gets one for each mail
}

// newSink serves until the test ends. implicit is TLS from the first byte; config
// nil offers no TLS.
func newSink(t testing.TB, config *tls.Config, implicit bool, change ...func(*sink)) *sink {
	t.Helper()
	s := &sink{seen: make(chan struct{}, 1000)}
	for _, c := range change {
		c(s)
	}
	server := smtp.NewServer(s)
	server.Domain, server.AllowInsecureAuth = "sink.test", true
	server.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	s.addr = listener.Addr().String()
	if implicit {
		listener = tls.NewListener(listener, config)
	} else {
		server.TLSConfig = config
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		listener.Close() // which the server may not have known of yet
		<-done
	})
	return s
}

func (s *sink) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, isTLS := c.TLSConnectionState()
	return &session{sink: s, letter: letter{tls: isTLS}}, nil
}

func (s *sink) letters() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mail)
}

type session struct {
	*sink
	letter letter
}

func (s *session) AuthMechanisms() []string {
	if s.user == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.user || password != s.password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "wrong password"}
		}
		s.letter.user = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.letter.user != s.user {
		return smtp.ErrAuthRequired
	}
	s.letter.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.rcpt != nil {
		if err := s.rcpt(to); err != nil {
			return err
		}
	}
	s.letter.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.taken != nil {
		if err := s.taken(s.letter.to); err != nil {
			return err
		}
	}
	got := s.letter
	got.data = data
	s.mu.Lock()
	s.mail = append(s.mail, got)
	s.mu.Unlock()
	s.seen <- struct{}{}
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func refused(code int, message string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: message}
}

// certificate is one for names, that the pool trusts.
func certificate(t testing.TB, name string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	parsed, err := x509.ParseCertificate(der)
	check(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// crlf are the lines of a mail as the sink sees them.
func crlf(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) }
