package control

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bril-edge/bril/uplink/enrol/token"
)

func (f *fake) Enrolment() Enrolment { return Enrolment{State: "not-enrolled"} }

func (f *fake) Enrol(_ context.Context, server string, t token.Token) (Enrolment, error) {
	if f.err != nil {
		return Enrolment{}, f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, "enrol at "+server+" by "+t.Text())
	return Enrolment{Enrolled: true, Name: "anna", Server: server, State: "enrolled"}, nil
}

func (f *fake) ResetEnrolment(context.Context) (Enrolment, error) {
	return Enrolment{State: "not-enrolled"}, f.err
}

func TestEnrol(t *testing.T) {
	f := &fake{}
	path, _ := serve(t, Server{Daemon: f})
	c := client(t, path)
	of := token.Random([32]byte{1})
	e, err := c.Enrol(t.Context(), "https://a.example", of)
	if err != nil || !e.Enrolled || e.SchemaVersion != SchemaVersion || f.asked[0] != "enrol at https://a.example by "+of.Text() {
		t.Errorf("%+v, %v, %q", e, err, f.asked)
	}
	for name, ask := range map[string]func(context.Context) (Enrolment, error){"status": c.Enrolment, "reset": c.ResetEnrolment} {
		if e, err := ask(t.Context()); err != nil || e.Enrolled || e.State != "not-enrolled" || e.SchemaVersion != SchemaVersion {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	f.err = fmt.Errorf("the daemon is live")
	if _, err := c.Enrol(t.Context(), "", of); err == nil || err.Error() != "enrol: the daemon is live" {
		t.Error(err)
	}
	said := fmt.Sprintf("%v %+v %#v", enrolRequest{"", private(of.Text())}, enrolRequest{"", private(of.Text())}, enrolRequest{"", private(of.Text())})
	if strings.Contains(said, of.SecretText()) {
		t.Errorf("printed: %s", said)
	}
}

// TestEnrolRefuses sends tokens that are none: no answer repeats them.
func TestEnrolRefuses(t *testing.T) {
	f := &fake{}
	path, _ := serve(t, Server{Daemon: f})
	for _, body := range []string{`{"token":"bril1.secretsecret.x.y"}`, `{"token":7}`, `{"token":"","serve":"secretsecret"}`, `secretsecret`} {
		status, answer := raw(t, path, fmt.Sprintf("POST /v1/enrol HTTP/1.1\r\nHost: bril\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		if status != 400 || strings.Contains(answer, "secretsecret") {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	if len(f.asked) != 0 {
		t.Errorf("asked %q", f.asked)
	}
}

// TestLend serves one socket by one server after another, whose clients notice nothing
// but a wait.
func TestLend(t *testing.T) {
	l, err := Listen(filepath.Join(t.TempDir(), "run", "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := client(t, l.path)
	answers := make(chan string)
	for i := range 5 {
		lent, err := l.Lend()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- Server{Daemon: &fake{state: fmt.Sprint(i)}}.Run(ctx, lent) }()
		if i > 0 {
			if got := <-answers; got != fmt.Sprint(i) {
				t.Errorf("server %d: answered by %q", i, got)
			}
		}
		if _, err := c.Status(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if i == 4 {
			break
		}
		waits, err := net.Dial("unix", l.path) // it is queued: there is nobody who takes it
		if err != nil {
			t.Fatal(err)
		}
		waits.Close()
		go func() {
			s, err := c.Status(t.Context())
			if err != nil {
				t.Error(err)
			}
			answers <- s.State
		}()
	}
}
