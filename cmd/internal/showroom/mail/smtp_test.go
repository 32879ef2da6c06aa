package mail

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// to is a queue that sends to a sink.
func (s *sink) config(scheme, user string) Config {
	if user != "" {
		user += "@"
	}
	return Config{SMTP: scheme + "://" + user + s.addr}
}

func passwordFile(t testing.TB, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	check(t, os.WriteFile(path, []byte(password+"\n"), 0o600))
	return path
}

func wantLetter(t testing.TB, l letter, id string) {
	t.Helper()
	if l.from != "showroom@jansen.example" || l.to != "anna@example.com" {
		t.Errorf("from %s to %s", l.from, l.to)
	}
	if !bytes.Contains(l.data, []byte("Message-ID: <"+id+"@jansen.example>")) {
		t.Errorf("message ID of\n%s", l.data)
	}
}

func TestSend(t *testing.T) {
	config, roots := certificate(t, "127.0.0.1")
	for name, test := range map[string]struct {
		scheme   string
		starttls bool
		user     string
		wantTLS  bool
	}{
		"plain to loopback":           {scheme: "smtp"},
		"STARTTLS":                    {scheme: "smtp", starttls: true, wantTLS: true},
		"implicit":                    {scheme: "smtps", wantTLS: true},
		"STARTTLS and password":       {scheme: "smtp", starttls: true, user: "showroom", wantTLS: true},
		"implicit TLS and password":   {scheme: "smtps", user: "showroom", wantTLS: true},
		"password, plain to loopback": {scheme: "smtp", user: "showroom"},
	} {
		t.Run(name, func(t *testing.T) {
			offered := config
			if !test.wantTLS {
				offered = nil
			}
			s := newSink(t, offered, test.scheme == "smtps", func(s *sink) { s.user, s.password = test.user, "geheim" })
			cfg := s.config(test.scheme, test.user)
			cfg.RootCAs = roots
			if test.user != "" {
				cfg.PasswordFile = passwordFile(t, "geheim")
			}
			q := open(t, cfg)
			id := put(t, q, message("anna@example.com"))
			stored, err := os.ReadFile(q.messagePath(id))
			check(t, err)
			q.pass(t.Context())
			wantState(t, q, id, Sent)
			got := s.letters()
			if len(got) != 1 || got[0].tls != test.wantTLS || got[0].user != test.user {
				t.Fatalf("%d letters: %+v", len(got), got)
			}
			wantLetter(t, got[0], id)
			if !bytes.Equal(crlf(got[0].data), crlf(stored)) {
				t.Errorf("sent\n%s\nstored\n%s", got[0].data, stored)
			}
			wantNothing(t, q.dir, "anna@", "Anna", "dinsdag")
			q.pass(t.Context())
			if n := len(s.letters()); n != 1 {
				t.Errorf("%d letters", n)
			}
		})
	}
}

// Off loopback nothing goes in the clear, and to nobody whose certificate is not signed.
func TestNothingInTheClear(t *testing.T) {
	config, roots := certificate(t, "mail.example")
	_, others := certificate(t, "mail.example")
	c := newClock()
	for name, test := range map[string]struct {
		sink    *sink
		scheme  string
		change  func(*server)
		problem string
	}{
		"no STARTTLS":            {newSink(t, nil, false), "smtp", func(s *server) { s.roots = roots }, "does not support STARTTLS"},
		"another's certificate":  {newSink(t, config, false), "smtp", func(s *server) { s.roots = others }, "certificate"},
		"another's, implicit":    {newSink(t, config, true), "smtps", func(s *server) { s.roots = others }, "certificate"},
		"a name that is not its": {newSink(t, config, true), "smtps", func(s *server) { s.roots = roots }, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := test.sink.config(test.scheme, "")
			cfg.Clock = c.now
			q := open(t, cfg)
			q.server.loopback = false // as if it were elsewhere
			test.change(q.server)
			id := put(t, q, message("anna@example.com"))
			q.pass(t.Context())
			if e := wantState(t, q, id, Queued); !strings.Contains(e.Problem, test.problem) || e.Attempts != 1 {
				t.Errorf("%+v", e)
			}
			if got := test.sink.letters(); len(got) != 0 {
				t.Errorf("sent %+v", got)
			}
		})
	}
}

// A password that does not fit is no reason to lose a mail.
func TestWrongPassword(t *testing.T) {
	c := newClock()
	s := newSink(t, nil, false, func(s *sink) { s.user, s.password = "showroom", "geheim" })
	cfg := s.config("smtp", "showroom")
	cfg.PasswordFile, cfg.Clock = passwordFile(t, "falsch"), c.now
	q := open(t, cfg)
	id := put(t, q, message("anna@example.com"))
	q.pass(t.Context())
	if e := wantState(t, q, id, Queued); !strings.Contains(e.Problem, "wrong password") || strings.Contains(e.Problem, "falsch") {
		t.Error(e.Problem)
	}
	check(t, os.WriteFile(cfg.PasswordFile, []byte("geheim"), 0o600))
	c.Time = c.Add(time.Minute)
	q.pass(t.Context())
	wantState(t, q, id, Sent)
}

func TestNoPasswordWhereOneIsWanted(t *testing.T) {
	s := newSink(t, nil, false, func(s *sink) { s.user = "showroom" })
	q := open(t, s.config("smtp", ""))
	id := put(t, q, message("anna@example.com"))
	q.pass(t.Context())
	if e := wantState(t, q, id, Queued); !strings.Contains(e.Problem, "authenticate") {
		t.Error(e.Problem)
	}
}

// One bad address holds up nobody else's mail, and stays visible without itself.
func TestRefused(t *testing.T) {
	c := newClock()
	s := newSink(t, nil, false, func(s *sink) {
		s.rcpt = func(to string) error {
			switch to {
			case "nobody@example.org":
				return refused(550, "<Nobody@example.org>: nobody, example.org has no such user")
			case "later@example.org":
				return refused(450, "greylisted, come back <later@example.org>")
			}
			return nil
		}
		s.taken = func(to string) error {
			if to == "spam@example.org" {
				return refused(554, "looks like junk")
			}
			return nil
		}
	})
	cfg := s.config("smtp", "")
	cfg.Clock = c.now
	q := open(t, cfg)
	bad, spam, later := put(t, q, message("nobody@example.org")), put(t, q, message("spam@example.org")), put(t, q, message("later@example.org"))
	good := put(t, q, message("anna@example.com"))
	q.pass(t.Context())
	wantState(t, q, good, Sent)
	e := wantState(t, q, bad, Failed)
	if !strings.Contains(e.Problem, "550") || !strings.Contains(e.Problem, "has no such user") {
		t.Error(e.Problem)
	}
	if e := wantState(t, q, spam, Failed); !strings.Contains(e.Problem, "looks like junk") {
		t.Error(e.Problem)
	}
	e = wantState(t, q, later, Queued)
	if !strings.Contains(e.Problem, "greylisted") || strings.Contains(e.Problem, "@") || !e.NextTry.Equal(c.Add(time.Minute)) {
		t.Errorf("%+v", e)
	}
	for _, id := range []string{bad, spam, good} {
		wantNothing(t, q.entryPath(id), "nobody", "Nobody", "example.org", "spam@", "anna")
	}
	if left := files(t, filepath.Join(q.dir, queueDir, "*.eml")); len(left) != 1 {
		t.Errorf("left %q", left)
	}
	q.Close()
	cfg.Dir = q.dir
	q = open(t, cfg)
	if again := wantState(t, q, bad, Failed); again.Problem == "" {
		t.Error("the problem is gone")
	}
	q.pass(t.Context())
	if again := wantState(t, q, later, Queued); again.Attempts != 1 {
		t.Errorf("tried too early: %+v", again)
	}
}

// A server that is away for days: given up with its last words.
func TestGivesUp(t *testing.T) {
	c := newClock()
	s := newSink(t, nil, false, func(s *sink) { s.rcpt = func(string) error { return refused(451, "try again") } })
	cfg := s.config("smtp", "")
	cfg.Clock = c.now
	q := open(t, cfg)
	id := put(t, q, message("anna@example.com"))
	for range 200 {
		q.pass(t.Context())
		c.Time = c.Add(maxBackOff)
	}
	e := wantState(t, q, id, Failed)
	if !strings.Contains(e.Problem, "try again") || e.Attempts < 100 || e.Done.Sub(e.At) < maxAge {
		t.Errorf("%+v", e)
	}
}

// The connection breaks within a mail: sent again, and once.
func TestConnectionLost(t *testing.T) {
	c := newClock()
	var s *sink
	broken := false
	s = newSink(t, nil, false, func(s *sink) {
		s.taken = func(string) error {
			if !broken {
				broken = true
				return refused(421, "shutting down")
			}
			return nil
		}
	})
	cfg := s.config("smtp", "")
	cfg.Clock = c.now
	q := open(t, cfg)
	first, second := put(t, q, message("anna@example.com")), put(t, q, message("anna@example.com"))
	q.pass(t.Context())
	c.Time = c.Add(time.Minute)
	q.pass(t.Context())
	wantState(t, q, first, Sent)
	wantState(t, q, second, Sent)
	if n := len(s.letters()); n != 2 {
		t.Errorf("%d letters", n)
	}
}

// After a mail was taken the disk is full: it is not sent again, and noted when
// there is room.
func TestFullDiskAfterSending(t *testing.T) {
	for _, step := range []string{"note", "record", "clear"} {
		s := newSink(t, nil, false)
		q := open(t, s.config("smtp", ""))
		id := put(t, q, message("anna@example.com"))
		q.fault = full(step)
		q.pass(t.Context())
		q.pass(t.Context())
		wantState(t, q, id, Sent)
		q.fault = nil
		q.pass(t.Context())
		wantNothing(t, q.dir, "anna@")
		q.Close()
		q = open(t, Config{Dir: q.dir})
		wantState(t, q, id, Sent)
		if n := len(s.letters()); n != 1 {
			t.Errorf("%s: %d letters", step, n)
		}
	}
}

// A mail that is erased or dropped while it is sent leaves nothing.
func TestErasedWhileSending(t *testing.T) {
	s := newSink(t, nil, false)
	q := open(t, s.config("smtp", ""))
	put(t, q, message("anna@example.com"))
	q.fault = func(step string) error {
		if step == "accepted" {
			n, err := q.Erase("customer-a")
			check(t, err)
			if n != 1 {
				t.Errorf("%d erased", n)
			}
		}
		return nil
	}
	q.pass(t.Context())
	if list := q.List(); len(list) != 0 {
		t.Errorf("left %+v", list)
	}
	wantNothing(t, q.dir, "anna@", "customer-a")
}

// At the end the mail that is being sent has its time: else it would be sent twice.
func TestStoppedWhileSending(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newSink(t, nil, false, func(s *sink) { s.taken = func(string) error { cancel(); return nil } })
	q := open(t, s.config("smtp", ""))
	first := put(t, q, message("anna@example.com"))
	check(t, q.Run(ctx))
	wantState(t, q, first, Sent)
}

func TestServerGone(t *testing.T) {
	c := newClock()
	q := open(t, Config{SMTP: "smtp://127.0.0.1:1", Clock: c.now})
	id, other := put(t, q, message("anna@example.com")), put(t, q, message("anna@example.com"))
	q.pass(t.Context())
	for _, id := range []string{id, other} {
		if e := wantState(t, q, id, Queued); e.Attempts != 1 || !strings.Contains(e.Problem, "mail server 127.0.0.1") {
			t.Errorf("%+v", e)
		}
	}
}

func TestConfig(t *testing.T) {
	password, seen := passwordFile(t, "geheim"), passwordFile(t, "geheim")
	check(t, os.Chmod(seen, 0o644))
	from := "showroom@jansen.example"
	for name, cfg := range map[string]Config{
		"no sender":         {SMTP: "smtp://mail.example"},
		"bad sender":        {From: "showroom\r\nBcc: x@y.example"},
		"scheme":            {SMTP: "http://mail.example", From: from},
		"no host":           {SMTP: "smtp://", From: from},
		"word":              {SMTP: "yes", From: from},
		"path":              {SMTP: "smtp://mail.example/x", From: from},
		"port":              {SMTP: "smtp://mail.example:70000", From: from},
		"port of smtps":     {SMTP: "smtp://mail.example:465", From: from},
		"password in URL":   {SMTP: "smtp://a:geheim@mail.example", From: from},
		"control character": {SMTP: "smtp://a:geheim@mail.example\n", From: from},
		"user only":         {SMTP: "smtp://a@mail.example", From: from},
		"password only":     {SMTP: "smtp://mail.example", PasswordFile: password, From: from},
		"others can read":   {SMTP: "smtp://a@mail.example", PasswordFile: seen, From: from},
		"empty password":    {SMTP: "smtp://a@mail.example", PasswordFile: passwordFile(t, ""), From: from},
		"no directory":      {Dir: "-"},
	} {
		if cfg.Dir = strings.TrimPrefix(cfg.Dir, "-"); name != "no directory" {
			cfg.Dir = t.TempDir()
		}
		_, err := Open(cfg)
		var hinted interface{ Hint() string }
		if !errors.As(err, &hinted) || hinted.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error()+hinted.Hint(), "geheim") {
			t.Errorf("%s: the password is in %v", name, err)
		}
	}
	_, err := Open(Config{Dir: t.TempDir(), SMTP: "smtp://a@mail.example", PasswordFile: filepath.Join(t.TempDir(), "none"), From: from})
	wantError(t, err, os.ErrNotExist)
	q, err := Open(Config{Dir: t.TempDir(), SMTP: "smtps://a%40b.example@mail.example", PasswordFile: password, From: from})
	check(t, err)
	if s := q.server; s.port != 465 || s.user != "a@b.example" || s.loopback {
		t.Errorf("%+v", s)
	}
	check(t, q.Close())
}
