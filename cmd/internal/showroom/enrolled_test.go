package showroom

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
	"github.com/bril-edge/bril/uplink/enrol/token"
)

// TestEnrolmentSecrets looks for what must be nowhere, in the log and in the data:
// secrets of tokens, and keys but in the files that are for them.
func TestEnrolmentSecrets(t *testing.T) {
	b := startAuthority(t, nil)
	used := b.token(devices.Wanted{})
	d := b.board()
	d.enrol(used)
	unused := b.token(devices.Wanted{Name: "ben"})
	wrong := unused
	wrong.Secret[0] ^= 1
	b.board().tryEnrol(wrong, "")
	// Who takes one field for another must not find the secret in a log.
	csr := csrOf(t, b.board().key)
	body := strings.Replace(enrolmentBody(unused, csr, ""), unused.IDText(), unused.Text(), 1)
	status, answer := b.board().ask("POST", "/api/enrol", jsonType, body)
	wants(t, "a token instead of its ID", status, answer, 401, "token-unknown")
	_, err := b.server.deviceAdmin().Revoke(t.Context(), "anna")
	check(t, err)
	b.stop()
	said := b.log.String()
	if !strings.Contains(said, "a board was enrolled") || !strings.Contains(said, "a device was revoked") || !strings.Contains(said, "a token was made") {
		t.Errorf("not all that happened is in the log:\n%s", said)
	}
	var needles []string
	for _, secret := range [][16]byte{used.Secret, unused.Secret, wrong.Secret} {
		needles = append(needles, string(secret[:]), hex.EncodeToString(secret[:]), base64.StdEncoding.EncodeToString(secret[:])[:20], base64.RawURLEncoding.EncodeToString(secret[:]))
	}
	secret, err := d.key.Bytes()
	check(t, err)
	needles = append(needles, string(secret), "PRIVATE KEY")
	for _, needle := range needles {
		if strings.Contains(said, needle) {
			t.Errorf("the log has %q", needle)
		}
	}
	keys := []string{"ca.key", "server.key"}
	check(t, filepath.WalkDir(b.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		check(t, err)
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[e.IsDir()]; path != b.dir && info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if !e.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		for _, needle := range needles {
			if bytes.Contains(data, []byte(needle)) && !(needle == "PRIVATE KEY" && slices.Contains(keys, e.Name())) {
				t.Errorf("%s has %q", path, needle)
			}
		}
		return err
	}))
}

// TestAuthoritySurvivesARestart: devices, tokens, revocations and the pin.
func TestAuthoritySurvivesARestart(t *testing.T) {
	before := startAuthority(t, nil)
	anna, ben := before.board(), before.board()
	anna.enrol(before.token(devices.Wanted{}))
	ben.enrol(before.token(devices.Wanted{Name: "ben"}))
	_, err := before.server.deviceAdmin().Revoke(t.Context(), "ben")
	check(t, err)
	open := before.token(devices.Wanted{Name: "carl"})
	before.stop()

	after := startAuthority(t, func(c *Config) { c.DataDir = before.dir })
	if after.token(devices.Wanted{Name: "dora"}).Pin != open.Pin {
		t.Error("the pin has changed")
	}
	anna.b, ben.b = after, after
	status, answer := anna.ask("GET", "/api/device", "", "")
	wants(t, "anna", status, answer, 200, "")
	status, answer = ben.ask("GET", "/api/device", "", "")
	wants(t, "ben, who is revoked", status, answer, 403, "device-revoked")
	after.board().enrol(open)
}

// TestGivenCertificate: the server shows another authority's certificate, and devices
// are known by ours all the same.
func TestGivenCertificate(t *testing.T) {
	cert, key, roots := certificate(t)
	b := startAuthority(t, func(c *Config) { c.TLSOwn, c.TLSCert, c.TLSKey = false, cert, key })
	d := b.board()
	d.roots = roots
	tk := b.token(devices.Wanted{})
	document := d.enrol(tk)
	if document.Roots != "" {
		t.Error("a board is told to trust the authority of devices")
	}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(b.url, "https://"), d.tls())
	check(t, err)
	defer conn.Close()
	if !tk.Pins(conn.ConnectionState().PeerCertificates[0]) {
		t.Error("the token pins another certificate")
	}
	status, answer := d.ask("GET", "/api/device", "", "")
	wants(t, "the device asks", status, answer, 200, "")
}

// TestBrowsersAreNotAsked for a certificate that cannot be the right one.
func TestBrowsersAreNotAsked(t *testing.T) {
	b := startAuthority(t, nil)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "somebody"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	browser := &testBoard{b: b, key: key}
	cfg := browser.tls()
	asked := false
	cfg.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		if info.SupportsCertificate(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}) == nil {
			t.Error("any certificate will do")
		}
		return new(tls.Certificate), nil
	}
	transport := &http.Transport{TLSClientConfig: cfg}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(b.url + "/")
	check(t, err)
	answer.Body.Close()
	if answer.StatusCode != 200 || !asked {
		t.Errorf("%s; asked: %v", answer.Status, asked)
	}
}

// TestUploadsUnderAnotherName: no device puts photos where another is at home.
func TestUploadsUnderAnotherName(t *testing.T) {
	b := startAuthority(t, func(c *Config) { c.Clock = nil })
	anna, ben := b.board(), b.board()
	anna.enrol(b.token(devices.Wanted{}))
	ben.enrol(b.token(devices.Wanted{Name: "ben"}))
	for n, test := range []struct {
		what  string
		board *testBoard
		room  string
		state string
	}{
		{"its own", anna, "anna", "stored"},
		{"another's", ben, "anna", "refused"},
		{"nobody's, as before it was enrolled anew", ben, "carl", "stored"},
	} {
		id := fmt.Sprintf("abcdefghijklmnopqrstuvwxy%d", n+2)
		if got := test.board.upload(id, test.room); !strings.Contains(got, `"state":"`+test.state+`"`) {
			t.Errorf("%s: %s", test.what, got)
		}
	}
}

// upload sends a photo and returns its receipt.
func (d *testBoard) upload(id, room string) string {
	t := d.b.t
	t.Helper()
	cipher, metadata := encrypted(t, d.b.server.identity.Recipient(), room, id, false, tinyJPEG(t))
	d.header = http.Header{"Tus-Resumable": {"1.0.0"}, "Upload-Length": {fmt.Sprint(len(cipher))}, "Upload-Metadata": {metadata}, "Upload-Offset": {"0"}}
	defer func() { d.header = nil }()
	status, answer := d.ask("POST", "/api/uploads/", "", "")
	wants(t, "POST", status, answer, 201, "")
	d.header.Del("Upload-Length")
	status, answer = d.ask("PATCH", "/api/uploads/"+id, "application/offset+octet-stream", string(cipher))
	wants(t, "PATCH", status, answer, 204, "")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if status, answer = d.ask("GET", "/api/uploads/"+id+"/receipt", "", ""); status != 202 {
			break
		}
	}
	return answer
}

// TestRevokedWhileLive ends what a device has running: pictures and sound, what it
// hears, and an upload that is on its way.
func TestRevokedWhileLive(t *testing.T) {
	b := startAuthority(t, func(c *Config) { c.Clock = nil })
	d := b.board()
	document := d.enrol(b.token(devices.Wanted{}))
	options := rtctest.Options{Roots: b.server.authority.Pool(), Certificate: &d.tls().Certificates[0]}
	p := rtctest.NewPublisher(t, options)
	p.Connect(b.url+"/whip/anna", "")
	mouth := rtctest.NewPublisher(t, rtctest.Options{SoundOnly: true, Roots: options.Roots})
	mouth.Connect(b.url+"/talk/anna", "")
	options.SoundOnly = true
	ear := rtctest.NewViewer(t, options)
	offer, status, answer := ear.Offer(), http.StatusConflict, ""
	for deadline := time.Now().Add(rtctest.Timeout); status == http.StatusConflict && time.Now().Before(deadline); {
		status, answer = ear.Post(b.url+"/hear/anna", "", offer)
	}
	wants(t, "hear", status, answer, 201, "")

	const id = "abcdefghijklmnopqrstuvwxy2"
	cipher := make([]byte, 64<<10) // more than a client keeps before it sends
	_, metadata := encrypted(t, b.server.identity.Recipient(), "anna", id, false, tinyJPEG(t))
	d.header = http.Header{"Tus-Resumable": {"1.0.0"}, "Upload-Length": {fmt.Sprint(len(cipher))}, "Upload-Metadata": {metadata}, "Upload-Offset": {"0"}}
	status, answer = d.ask("POST", "/api/uploads/", "", "")
	wants(t, "POST", status, answer, 201, "")
	d.header.Del("Upload-Length")
	uploaded := make(chan string, 1)
	go func() { uploaded <- d.dribble("/api/uploads/"+id, cipher[:len(cipher)/2]) }()
	for deadline := time.Now().Add(patience); !b.server.uploading.has(deviceOwner + document.Device); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the upload does not begin")
		}
	}

	phases, cancel, err := b.server.relay.Follow("anna")
	check(t, err)
	defer cancel()
	_, err = b.server.deviceAdmin().Revoke(t.Context(), document.Device)
	check(t, err)
	if said := rtctest.Next(t, "the end of the upload", uploaded); !strings.HasPrefix(said, "403") {
		t.Errorf("the upload: %s", said)
	}
	for state := range phases {
		if state.Phase == relay.Waiting || state.Phase == relay.Interrupted {
			break
		}
	}
	if b.server.relay.PublishedBy("anna", deviceOwner+document.Device) {
		t.Error("it is live")
	}
	if _, viewers := b.server.relay.Status(relay.VoiceRoom("anna")); viewers != 0 {
		t.Error("it hears the customer")
	}
	status, answer = p.Post(b.url+"/whip/anna", "", p.PC.LocalDescription().SDP)
	wants(t, "live again", status, answer, 403, "device-revoked")
}

// TestWhoHangsUp: a client that has gone has not lost its right to what its device has
// running.
func TestWhoHangsUp(t *testing.T) {
	b := startAuthority(t, func(c *Config) { c.Clock = nil })
	d := b.board()
	document := d.enrol(b.token(devices.Wanted{}))
	owner := deviceOwner + document.Device
	leaf, err := x509.ParseCertificate(d.certificate)
	check(t, err)
	p := rtctest.NewPublisher(t, rtctest.Options{Roots: b.server.authority.Pool(), Certificate: &d.tls().Certificates[0]})
	p.Connect(b.url+"/whip/anna", "")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r := (&http.Request{TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}}).WithContext(gone)
	if err := b.server.stillEnrolled(r, owner); err != nil || !b.server.relay.PublishedBy("anna", owner) {
		t.Errorf("it is live no longer: %v", err)
	}
}

// dribble sends the beginning of an upload and no more, and returns the answer.
func (d *testBoard) dribble(path string, first []byte) string {
	body, more := io.Pipe()
	defer more.Close()
	go func() { _, _ = more.Write(first) }() // which fails at the latest when more is closed
	r, err := http.NewRequest(http.MethodPatch, d.b.url+path, body)
	if err != nil {
		return err.Error()
	}
	r.Header = d.header.Clone()
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	transport := &http.Transport{TLSClientConfig: d.tls()}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.Status + string(text)
}

// TestDocument is for the address that people know the server by.
func TestDocument(t *testing.T) {
	b := startAuthority(t, func(c *Config) { c.PublicURL = "https://showroom.example/" })
	document := b.board().enrol(b.token(devices.Wanted{}))
	for got, want := range map[string]string{
		document.Server: "https://showroom.example", document.WHIP: "https://showroom.example/whip/anna",
		document.Uploads: "https://showroom.example/api/uploads/", document.Events: "https://showroom.example/api/glasses/anna/events",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if document.Issued.IsZero() || document.Time.Before(document.Issued) {
		t.Errorf("issued %v, told at %v", document.Issued, document.Time)
	}
	leaf, err := b.server.leaf()
	check(t, err)
	if !slices.Contains(leaf.DNSNames, "showroom.example") {
		t.Errorf("the certificate is for %v", leaf.DNSNames)
	}
	if made := b.token(devices.Wanted{Name: "ben"}); made.Pin != token.PinOf(leaf) {
		t.Error("a token pins something else")
	}
}

func (u *underway) has(owner string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.running[owner]) > 0
}

func TestEnrolmentIsLimited(t *testing.T) {
	b := startAuthority(t, nil)
	for _, ask := range []struct{ method, path string }{{"POST", "/api/enrol"}, {"GET", "/api/device"}, {"POST", "/api/device/renew"}} {
		limited := false
		for range 1000 {
			if status, _ := b.board().ask(ask.method, ask.path, "text/plain", "x"); status == 429 {
				limited = true
				break
			}
		}
		if !limited {
			t.Errorf("%s: a thousand questions are answered", ask.path)
		}
	}
}

// TestServerCertificate is made anew in time, of the same key.
func TestServerCertificate(t *testing.T) {
	b := startAuthority(t, nil)
	shown := func() *x509.Certificate {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(b.url, "https://"), &tls.Config{RootCAs: b.server.authority.Pool(), ServerName: "localhost", Time: b.clock})
		check(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	first := shown()
	b.move(65 * 24 * time.Hour)
	second := shown()
	if !second.NotAfter.After(first.NotAfter) || token.PinOf(second) != token.PinOf(first) {
		t.Errorf("%v, then %v", first.NotAfter, second.NotAfter)
	}
	if !slices.Contains(first.DNSNames, "localhost") || len(first.IPAddresses) == 0 {
		t.Errorf("it is for %v and %v", first.DNSNames, first.IPAddresses)
	}
}
