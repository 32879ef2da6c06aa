package devices

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/uplink/enrol/token"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bench is a registry of a data directory of its own, at a time that a test moves.
type bench struct {
	*Registry
	Admin
	authority *Authority
	dir       string
	now       time.Time
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), now: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return b.now }
	db, err := records.Open(records.Config{Dir: b.dir, Clock: clock})
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	b.authority, err = OpenAuthority(b.dir, clock)
	check(t, err)
	b.Registry = New(Config{
		Records: db, Authority: b.authority, Clock: clock, Log: slog.New(slog.DiscardHandler),
		Endpoint: func(_, name string) Endpoint { return Endpoint{WHIP: "https://showroom.example/whip/" + name} },
	})
	b.Admin = b.Registry.Admin(func() ([32]byte, error) { return [32]byte{1}, nil })
	return b
}

func (b *bench) token(t testing.TB) token.Token {
	t.Helper()
	made, err := b.NewToken(t.Context(), Wanted{Name: "anna"})
	check(t, err)
	read, err := token.Parse(made.Text)
	check(t, err)
	return read
}

func csrOf(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	check(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	check(t, err)
	return key
}

func TestRequestsOfOtherKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	for name, key := range map[string]any{
		"RSA": small, "Ed25519": edwards, "P-224": newKey(t, elliptic.P224()), "P-521": newKey(t, elliptic.P521()),
	} {
		if _, err := request(csrOf(t, key)); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := request(csrOf(t, newKey(t, elliptic.P256()))); err != nil {
		t.Error(err)
	}
}

func TestCertificateOfADevice(t *testing.T) {
	b := newBench(t)
	tk, key := b.token(t), newKey(t, elliptic.P256())
	document, err := b.Enrol(t.Context(), Question{TokenID: tk.IDText(), Secret: tk.SecretText(), CSR: csrOf(t, key)})
	check(t, err)
	block, _ := pem.Decode([]byte(document.Certificate))
	leaf, err := x509.ParseCertificate(block.Bytes)
	check(t, err)
	if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature || len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
		t.Errorf("%v %v %v", leaf.IsCA, leaf.KeyUsage, leaf.ExtKeyUsage)
	}
	if got := leaf.NotAfter.Sub(b.now); got != certificateLife || len(document.Device) != 26 || leaf.Subject.CommonName != document.Device {
		t.Errorf("%v for %s", got, leaf.Subject)
	}
	for _, test := range []struct {
		what  string
		after time.Duration
		want  error
	}{
		{"at once", 0, nil},
		{"a board without a clock", -24 * time.Hour, nil},
		{"before it began", -72 * time.Hour, ErrForeign},
		{"on the last day", 89 * 24 * time.Hour, nil},
		{"on the day after", 91 * 24 * time.Hour, ErrExpired},
	} {
		b.now = document.Time.Add(test.after)
		if _, err := b.Holder(t.Context(), leaf); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.what, err, test.want)
		}
	}
	b.now = leaf.NotAfter.Add(364 * 24 * time.Hour)
	if !b.MayRenew(leaf) {
		t.Error("not renewed after 364 days")
	}
	b.now = leaf.NotAfter.Add(366 * 24 * time.Hour)
	if b.MayRenew(leaf) {
		t.Error("renewed after 366 days")
	}
}

// TestServersCertificateIsNoDevices, though the same authority made it.
func TestServersCertificateIsNoDevices(t *testing.T) {
	b := newBench(t)
	check(t, b.authority.OwnServer(b.dir, []string{"localhost", "127.0.0.1"}))
	c, err := b.authority.ServerCertificate(new(tls.ClientHelloInfo))
	check(t, err)
	if _, err := b.Holder(t.Context(), c.Leaf); !errors.Is(err, ErrForeign) {
		t.Errorf("the server's: %v", err)
	}
	if _, err := b.Holder(t.Context(), b.authority.root); !errors.Is(err, ErrForeign) {
		t.Errorf("the authority's: %v", err)
	}
}

func TestOpenAuthority(t *testing.T) {
	for _, test := range []struct {
		what   string
		spoil  func(dir string) error
		refuse string
	}{
		{"as it was", func(string) error { return nil }, ""},
		{"readable by others", func(dir string) error { return os.Chmod(filepath.Join(dir, keyFile), 0o640) }, "can be read by others"},
		{"a damaged key", func(dir string) error { return os.WriteFile(filepath.Join(dir, keyFile), []byte("x"), 0o600) }, "not PEM"},
		{"a damaged certificate", func(dir string) error { return os.WriteFile(filepath.Join(dir, rootFile), nil, 0o600) }, "not PEM"},
		{"a key that was lost", func(dir string) error { return os.Remove(filepath.Join(dir, keyFile)) }, "of another key"},
		{"a certificate that was lost", func(dir string) error { return os.Remove(filepath.Join(dir, rootFile)) }, ""},
	} {
		t.Run(test.what, func(t *testing.T) {
			data := t.TempDir()
			_, err := OpenAuthority(data, time.Now)
			check(t, err)
			check(t, test.spoil(filepath.Join(data, authorityDir)))
			_, err = OpenAuthority(data, time.Now)
			if test.refuse == "" && err != nil || test.refuse != "" && (err == nil || !strings.Contains(err.Error(), test.refuse)) {
				t.Errorf("%v, want %q", err, test.refuse)
			}
		})
	}
}

func TestWanted(t *testing.T) {
	valid := func(name string) bool { return name == "anna" }
	for what, test := range map[string]struct {
		wanted Wanted
		ok     bool
	}{
		"all":              {Wanted{Name: "anna", Label: "Ghent, second pair", Serial: "10000000a1b2c3d4", Valid: time.Hour}, true},
		"another name":     {Wanted{Name: "an/na"}, false},
		"a long label":     {Wanted{Name: "anna", Label: strings.Repeat("x", maxLabel+1)}, false},
		"lines in a label": {Wanted{Name: "anna", Label: "a\nb"}, false},
		"a strange serial": {Wanted{Name: "anna", Serial: "a b"}, false},
		"too long":         {Wanted{Name: "anna", Valid: 25 * time.Hour}, false},
		"over already":     {Wanted{Name: "anna", Valid: -time.Second}, false},
	} {
		if err := test.wanted.Check(valid); (err == nil) != test.ok {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestReplaced: the device that loses its name loses what it has running, with nothing
// to be asked for it first that may fail.
func TestReplaced(t *testing.T) {
	b := newBench(t)
	ended := ""
	b.cfg.Revoked = func(id, name string) { ended += id + " " + name }
	enrol := func() Document {
		tk := b.token(t)
		document, err := b.Enrol(t.Context(), Question{TokenID: tk.IDText(), Secret: tk.SecretText(), CSR: csrOf(t, newKey(t, elliptic.P256()))})
		check(t, err)
		return document
	}
	first := enrol()
	if ended != "" {
		t.Errorf("%s ended by a first device", ended)
	}
	enrol()
	if ended != first.Device+" anna" {
		t.Errorf("ended %q, want what %s has running", ended, first.Device)
	}
}

// TestEndOfTheAuthority: no certificate outlives it, and one of its last days is good
// to its end.
func TestEndOfTheAuthority(t *testing.T) {
	b := newBench(t)
	end := b.authority.root.NotAfter
	b.now = end.Add(-10 * 24 * time.Hour)
	leaf, err := b.authority.device("a", "anna", &newKey(t, elliptic.P256()).PublicKey)
	check(t, err)
	if !leaf.NotAfter.Equal(end) {
		t.Errorf("good until %v, the authority until %v", leaf.NotAfter, end)
	}
	if _, err := b.authority.holder(leaf); err != nil {
		t.Error(err)
	}
	b.now = end.Add(time.Second)
	if _, err := b.authority.device("a", "anna", &newKey(t, elliptic.P256()).PublicKey); err == nil {
		t.Error("it signs after its end")
	}
}

// FuzzEnrol asks without the secret, in every way: nobody is enrolled.
func FuzzEnrol(f *testing.F) {
	b := newBench(f)
	tk := b.token(f)
	csr := csrOf(f, newKey(f, elliptic.P256()))
	good, err := json.Marshal(Question{TokenID: tk.IDText(), Secret: token.Random([32]byte{}).SecretText(), CSR: csr, Serial: "1"})
	check(f, err)
	f.Add(string(good))
	f.Add(`{"TokenID":"' OR 1=1 --","Secret":"","CSR":""}`)
	f.Add(`{"CSR":"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var q Question
		if json.Unmarshal([]byte(text), &q) != nil || q.Secret == tk.SecretText() {
			return
		}
		if _, err := b.Enrol(t.Context(), q); !errors.Is(err, ErrRequest) && !errors.Is(err, records.ErrNotFound) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
