package enrol

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/enrol/token"
	"github.com/bril-edge/bril/uplink/origin"
)

// hintOf returns a hint as commands find it.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return origin.Hint(err)
}

// secretless looks for the token's secret in what is printed of values.
func secretless(t *testing.T, of token.Token, values ...any) {
	t.Helper()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if said := fmt.Sprintf(verb, v); strings.Contains(said, of.SecretText()) {
				t.Errorf("%s of %T has the secret: %s", verb, v, said)
			}
		}
	}
}

// TestRun renews by a moved clock, and ends with nothing running.
func TestRun(t *testing.T) {
	cfg, e, i := enrolled(t)
	var said lines
	i.cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
	before := runtime.NumGoroutine()
	e.Sleep(100 * 24 * time.Hour) // the certificate has expired: it is not waited for
	ctx, cancel := context.WithCancel(t.Context())
	said.wanted, said.seen = "the certificate was renewed", make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	select {
	case <-said.seen:
	case <-time.After(20 * time.Second):
		t.Fatal("not renewed")
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if loaded, err := Load(cfg); err != nil || loaded.Status().State != Enrolled {
		t.Errorf("on the disk: %v", err)
	}
	for n := 0; runtime.NumGoroutine() > before+2; n++ { // the endpoint's own end by themselves
		if runtime.Gosched(); n > 1e6 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// lines keeps what is logged, and tells when something wanted is.
type lines struct {
	mu     sync.Mutex
	text   strings.Builder
	wanted string
	seen   chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if l.wanted != "" && strings.Contains(l.text.String(), l.wanted) {
		l.wanted = ""
		close(l.seen)
	}
	return len(p), nil
}

// TestWhatLeaves searches all that the endpoint gets, all that is logged and all that
// can be printed for the key, and all but the one request for the token.
func TestWhatLeaves(t *testing.T) {
	cfg, e := board(t)
	var said lines
	cfg.Log = slog.New(slog.NewJSONHandler(&said, nil))
	of := e.Token("anna")
	i, err := Enrol(t.Context(), cfg, e.URL, of)
	if err != nil {
		t.Fatal(err)
	}
	enrolment := e.Heard()
	e.Sleep(70 * 24 * time.Hour)
	if err := i.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Revoke()
	refusal := i.Tend(t.Context())
	loaded, err := Load(cfg)
	if err != nil {
		t.Fatal(err)
	}
	key := i.key.(*ecdsa.PrivateKey)
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(cfg.Dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	onDisk := ""
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(name) == recordFile {
			onDisk += string(text)
		}
		if strings.Contains(string(text), of.SecretText()) {
			t.Errorf("the secret is in %s", name)
		}
	}
	printed := fmt.Sprintf("%v %+v %#v %s", i, i, i, loaded) + fmt.Sprintf("%+v %#v", i.Document(), i.Document()) + fmt.Sprintf("%+v %#v", i.Status(), refusal) + fmt.Sprintf("%+v", cfg)
	if n := strings.Count(e.Heard(), of.SecretText()); n != 1 || !strings.Contains(enrolment, of.SecretText()) {
		t.Errorf("the secret was sent %d times", n)
	}
	if strings.Contains(printed+said.text.String(), of.SecretText()) || strings.Contains(printed+said.text.String(), "relay-secret") {
		t.Error("a secret is logged or printed")
	}
	everywhere := e.Heard() + said.text.String() + printed + onDisk
	for _, form := range []string{hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), string(raw), fmt.Sprint(raw), new(big.Int).SetBytes(raw).String(), "PRIVATE KEY"} {
		if strings.Contains(everywhere, form) {
			t.Errorf("the key is found as %.8s…", form)
		}
	}
}

// TestPanic ends a process in the middle of an enrolment: what Go prints then has
// neither the token nor a key.
func TestPanic(t *testing.T) {
	if text := os.Getenv("ENROL_PANIC"); text != "" {
		all, err := io.ReadAll(os.Stdin)
		if err != nil {
			t.Fatal(err)
		}
		of, err := token.Parse(string(all))
		if err != nil {
			t.Fatal(err)
		}
		cfg := Config{Dir: filepath.Join(t.TempDir(), "enrolment"), before: func(op string) error {
			if strings.HasPrefix(op, "name key-") {
				command, _ := os.ReadFile("/proc/self/cmdline")
				environment, _ := os.ReadFile("/proc/self/environ")
				fmt.Fprintf(os.Stderr, "%s\n%s\n", command, environment)
				panic("a broken invariant")
			}
			return nil
		}}
		_, _ = Enrol(t.Context(), cfg, "https://127.0.0.1:1", of)
		return
	}
	of := token.Random([32]byte{1})
	c := exec.Command(os.Args[0], "-test.run=^TestPanic$")
	c.Env = append(os.Environ(), "ENROL_PANIC=1", "GOTRACEBACK=all")
	c.Stdin = strings.NewReader(of.Text())
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "a broken invariant") || !strings.Contains(string(out), "enrol.Enrol") {
		t.Fatalf("%v:\n%s", err, out)
	}
	words := ""
	for _, b := range of.Secret[:4] { // as an array is printed in a trace
		words += fmt.Sprintf("%#x, ", b)
	}
	for _, secret := range []string{of.SecretText(), hex.EncodeToString(of.Secret[:]), words, "PRIVATE KEY"} {
		if strings.Contains(string(out), secret) {
			t.Errorf("%q is in\n%s", secret, out)
		}
	}
}

// TestRace has two boards use one token at once: one of them gets it.
func TestRace(t *testing.T) {
	first, e := board(t)
	second := first
	second.Dir = filepath.Join(t.TempDir(), "enrolment")
	of := e.Token("anna")
	results := make(chan error, 2)
	for _, cfg := range []Config{first, second} {
		go func() {
			_, err := Enrol(t.Context(), cfg, e.URL, of)
			results <- err
		}()
	}
	a, b := <-results, <-results
	if (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), ErrToken) || e.Devices() != 1 {
		t.Errorf("%v and %v, %d devices", a, b, e.Devices())
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"schema_version":1,"device":"aaaaaaaaaaaaaaaaaaaaaaaaaa","name":"a","server":"https://a","whip_url":"https://a/whip/a"}`))
	f.Add([]byte(`{"schema_version":1,"ice_servers":[{"urls":["turn:a"],"credential":"c"}],"roots":"-----BEGIN"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseDocument(data)
		if err != nil {
			return
		}
		if !isID(d.Device) || !isName(d.Name) || len(d.Origins()) == 0 {
			t.Errorf("taken: %+v", d)
		}
	})
}
