package showroom

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/uplink/enrol/token"
)

// authorityBench is a server with its own authority, at a time that a test moves.
type authorityBench struct {
	t      *testing.T
	server *Server
	url    string
	dir    string
	log    *syncedLog
	stop   func() // may be called before the test ends

	mu  sync.Mutex
	now time.Time
}

func (b *authorityBench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *authorityBench) move(by time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(by)
}

// syncedLog lets a test read what a server logs.
type syncedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *syncedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *syncedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func startAuthority(t *testing.T, change func(*Config)) *authorityBench {
	t.Helper()
	b := &authorityBench{t: t, dir: t.TempDir(), now: time.Now(), log: new(syncedLog)}
	cfg := Config{
		Listen: "127.0.0.1:0", DataDir: b.dir, TLSOwn: true, RequireEnrolment: true, Clock: b.clock,
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	b.server, err = New(cfg)
	check(t, err)
	b.dir = cfg.DataDir
	url, stop := runUntil(t, b.server)
	b.url, b.stop = url, sync.OnceFunc(stop)
	t.Cleanup(b.stop)
	return b
}

func (b *authorityBench) token(w devices.Wanted) token.Token {
	b.t.Helper()
	if w.Name == "" {
		w.Name = "anna"
	}
	made, err := b.server.deviceAdmin().NewToken(b.t.Context(), w)
	check(b.t, err)
	read, err := token.Parse(made.Text)
	check(b.t, err)
	return read
}

// testBoard is a board with a key, and a certificate once it has one.
type testBoard struct {
	b           *authorityBench
	key         *ecdsa.PrivateKey
	certificate []byte // DER; nil without

	header http.Header    // more of each request
	roots  *x509.CertPool // nil for the server's own authority
}

func (b *authorityBench) board() *testBoard {
	b.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(b.t, err)
	return &testBoard{b: b, key: key}
}

func csrOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	check(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// tls is how the board connects, with its certificate if it has one.
func (d *testBoard) tls() *tls.Config {
	cfg := &tls.Config{RootCAs: d.roots, Time: d.b.clock}
	if d.roots == nil {
		cfg.RootCAs = d.b.server.authority.Pool()
	}
	if d.certificate != nil {
		cfg.Certificates = []tls.Certificate{{Certificate: [][]byte{d.certificate}, PrivateKey: d.key}}
	}
	return cfg
}

// ask asks the server with the board's certificate, if it has one.
func (d *testBoard) ask(method, path, kind, body string) (status int, answer string) {
	d.b.t.Helper()
	response, text := d.exchange(method, path, kind, body)
	return response.StatusCode, text
}

// exchange is ask for who wants more of the answer than its status; its body is read.
func (d *testBoard) exchange(method, path, kind, body string) (*http.Response, string) {
	d.b.t.Helper()
	transport := &http.Transport{TLSClientConfig: d.tls()}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(d.b.t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, d.b.url+path, strings.NewReader(body))
	check(d.b.t, err)
	for key, values := range d.header {
		request.Header[key] = values
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	check(d.b.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(d.b.t, err)
	return response, string(text)
}

func enrolmentBody(t token.Token, csr, serial string) string {
	body, _ := json.Marshal(map[string]any{
		"schema_version": 1, "token_id": t.IDText(), "secret": t.SecretText(), "csr": csr, "serial": serial, "model": "Virtual board", "version": "1.0.0",
	})
	return string(body)
}

func (d *testBoard) tryEnrol(t token.Token, serial string) (int, string) {
	return d.ask("POST", "/api/enrol", jsonType, enrolmentBody(t, csrOf(d.b.t, d.key), serial))
}

// enrol takes the certificate.
func (d *testBoard) enrol(t token.Token) devices.Document {
	d.b.t.Helper()
	status, answer := d.tryEnrol(t, "")
	if status != 201 {
		d.b.t.Fatalf("%d %s", status, answer)
	}
	return d.take(answer)
}

func (d *testBoard) take(answer string) (document devices.Document) {
	d.b.t.Helper()
	check(d.b.t, json.Unmarshal([]byte(answer), &document))
	block, _ := pem.Decode([]byte(document.Certificate))
	if block == nil {
		d.b.t.Fatalf("no certificate in %s", answer)
	}
	d.certificate = block.Bytes
	return document
}

// wants fails unless the answer is of the status and, where word is not empty, a
// problem of that word.
func wants(t *testing.T, what string, status int, answer string, wantStatus int, word string) {
	t.Helper()
	if status != wantStatus || word != "" && !strings.Contains(answer, `"urn:bril:problem:`+word+`"`) {
		t.Errorf("%s: %d %s; want %d %s", what, status, answer, wantStatus, word)
	}
}

func TestEnrolment(t *testing.T) {
	b := startAuthority(t, nil)
	d := b.board()
	tk := b.token(devices.Wanted{Label: "first pair"})
	document := d.enrol(tk)
	if document.Name != "anna" || document.Label != "first pair" || document.WHIP != b.url+"/whip/anna" || document.Roots == "" ||
		!strings.HasPrefix(document.Recipient, "age1") || !document.NotAfter.After(b.clock().Add(80*24*time.Hour)) {
		t.Errorf("%+v", document)
	}
	again := d.enrol(tk) // as when the answer was lost
	if again.Device != document.Device {
		t.Error("asked again the board becomes another device")
	}
	status, answer := b.board().tryEnrol(tk, "")
	wants(t, "another board with the same token", status, answer, 410, "token-used")
	status, answer = d.ask("GET", "/api/device", "", "")
	wants(t, "the device asks", status, answer, 200, "")
	if strings.Contains(answer, "BEGIN CERTIFICATE REQUEST") || strings.Contains(answer, `"certificate":`) {
		t.Errorf("a certificate nobody asked for: %s", answer)
	}
	b.move(11 * time.Minute)
	status, answer = d.tryEnrol(tk, "")
	wants(t, "the same board, late", status, answer, 410, "token-used")
	status, answer = b.board().ask("GET", "/api/device", "", "")
	wants(t, "nobody asks", status, answer, 401, "not-enrolled")
	status, answer = b.board().ask("POST", "/api/device/renew", jsonType, renewal(t, d.key))
	wants(t, "nobody renews", status, answer, 401, "not-enrolled")
}

func TestEnrolmentRefuses(t *testing.T) {
	b := startAuthority(t, nil)
	foreign, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(t, err)
	good := csrOf(t, b.board().key)
	unsigned := strings.Replace(good, good[120:124], "AAAA", 1)
	wrong := b.token(devices.Wanted{})
	wrong.Secret[3] ^= 1
	void := b.token(devices.Wanted{})
	check(t, b.server.deviceAdmin().DropToken(t.Context(), void.IDText()))
	late := b.token(devices.Wanted{Valid: time.Second})
	bound := b.token(devices.Wanted{Name: "ben", Serial: "10000000a1b2c3d4"})
	b.move(2 * time.Second)
	for _, test := range []struct {
		name, body string
		status     int
		word       string
	}{
		{"unknown", enrolmentBody(token.Random([32]byte{}), good, ""), 401, "token-unknown"},
		{"wrong secret", enrolmentBody(wrong, good, ""), 401, "token-unknown"},
		{"made void", enrolmentBody(void, good, ""), 401, "token-unknown"},
		{"expired", enrolmentBody(late, good, ""), 410, "token-expired"},
		{"of another board", enrolmentBody(bound, good, "20000000a1b2c3d4"), 403, "token-bound"},
		{"of no serial number", enrolmentBody(bound, good, ""), 403, "token-bound"},
		{"no request", enrolmentBody(bound, "", "10000000a1b2c3d4"), 400, "csr"},
		{"not PEM", enrolmentBody(bound, "x", "10000000a1b2c3d4"), 400, "csr"},
		{"another key", enrolmentBody(bound, csrOf(t, foreign), "10000000a1b2c3d4"), 400, "csr"},
		{"not signed", enrolmentBody(bound, unsigned, "10000000a1b2c3d4"), 400, "csr"},
		{"two requests", enrolmentBody(bound, good+good, "10000000a1b2c3d4"), 400, "csr"},
		{"of a later version", strings.Replace(enrolmentBody(bound, good, ""), `"schema_version":1`, `"schema_version":2`, 1), 400, ""},
		{"control characters", enrolmentBody(bound, good, "a\nb"), 400, ""},
		{"long words", enrolmentBody(bound, good, strings.Repeat("x", 129)), 400, ""},
		{"unknown fields", `{"strange":1}`, 400, ""},
		{"huge", `{"csr":"` + strings.Repeat("x", maxBody) + `"}`, 413, ""},
	} {
		status, answer := b.board().ask("POST", "/api/enrol", jsonType, test.body)
		wants(t, test.name, status, answer, test.status, test.word)
	}
	for _, path := range []string{"/api/enrol", "/api/device/renew"} {
		d := b.board()
		if path != "/api/enrol" {
			d.enrol(b.token(devices.Wanted{}))
			status, answer := d.ask("POST", path, jsonType, `{"schema_version":1,"csr":"`+strings.Repeat("x", maxBody)+`"}`)
			wants(t, "huge", status, answer, 413, "")
			status, answer = d.ask("POST", path, jsonType, `{"schema_version":1,"csr":"x"}`)
			wants(t, "not PEM", status, answer, 400, "csr")
		}
		status, answer := d.ask("POST", path, "text/plain", "{}")
		wants(t, path, status, answer, 415, "")
	}
	// What was refused took nothing away.
	status, answer := b.board().ask("POST", "/api/enrol", jsonType, enrolmentBody(bound, good, "10000000a1b2c3d4"))
	wants(t, "the board that was meant", status, answer, 201, "")
}

func TestTwoBoardsRaceWithOneToken(t *testing.T) {
	b := startAuthority(t, nil)
	for round := range 100 {
		tk := b.token(devices.Wanted{Name: fmt.Sprintf("pair-%d", round)})
		var won, lost sync.Map
		var racing sync.WaitGroup
		for i := range 2 {
			d := b.board()
			racing.Go(func() {
				status, answer := d.tryEnrol(tk, "")
				switch {
				case status == 201:
					won.Store(i, answer)
				case status == 410:
					lost.Store(i, answer)
				default:
					t.Errorf("%d %s", status, answer)
				}
			})
		}
		racing.Wait()
		if count(&won) != 1 || count(&lost) != 1 {
			t.Fatalf("round %d: %d won, %d lost", round, count(&won), count(&lost))
		}
		b.move(time.Hour) // the limit of strangers' requests
	}
}

func count(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

func renewal(t *testing.T, key *ecdsa.PrivateKey) string {
	body, err := json.Marshal(map[string]any{"schema_version": 1, "csr": csrOf(t, key), "version": "1.1.0"})
	check(t, err)
	return string(body)
}

func TestRenewal(t *testing.T) {
	b := startAuthority(t, nil)
	d := b.board()
	first := d.enrol(b.token(devices.Wanted{}))
	old := *d
	b.move(70 * 24 * time.Hour)
	next := b.board()
	status, answer := d.ask("POST", "/api/device/renew", jsonType, renewal(t, next.key))
	wants(t, "renewed", status, answer, 200, "")
	d.key = next.key
	if renewed := d.take(answer); renewed.Device != first.Device || !renewed.NotAfter.After(first.NotAfter) {
		t.Errorf("%+v", renewed)
	}
	for name, board := range map[string]*testBoard{"old": &old, "new": d} {
		status, answer := board.ask("GET", "/api/device", "", "")
		wants(t, name+" certificate", status, answer, 200, "")
	}
	b.move(21 * 24 * time.Hour) // the old one has ended
	status, answer = old.ask("GET", "/api/device", "", "")
	wants(t, "old certificate, later", status, answer, 403, "certificate-expired")
	status, answer = d.ask("GET", "/api/device", "", "")
	wants(t, "new certificate, later", status, answer, 200, "")

	b.move(300 * 24 * time.Hour) // in a drawer
	for _, path := range []string{"/api/device", "/api/glasses/anna/events"} {
		status, answer = d.ask("GET", path, "", "")
		wants(t, path+" out of the drawer", status, answer, 403, "certificate-expired")
	}
	status, answer = d.ask("POST", "/api/device/renew", jsonType, renewal(t, d.key))
	wants(t, "renewed out of the drawer", status, answer, 200, "")
	d.take(answer)
	b.move(500 * 24 * time.Hour)
	status, answer = d.ask("POST", "/api/device/renew", jsonType, renewal(t, d.key))
	wants(t, "too long in the drawer", status, answer, 403, "certificate-expired")
}

// TestRevoked: at once, everywhere, what runs included.
func TestRevoked(t *testing.T) {
	b := startAuthority(t, nil)
	d := b.board()
	d.enrol(b.token(devices.Wanted{}))
	events := make(chan string, 1)
	opened := make(chan struct{})
	go func() { events <- d.stream(opened) }()
	<-opened
	revoked, err := b.server.deviceAdmin().Revoke(t.Context(), "anna")
	check(t, err)
	if revoked.State != "revoked" {
		t.Errorf("%+v", revoked)
	}
	select {
	case said := <-events:
		if !strings.Contains(said, "event: hello") {
			t.Errorf("the stream said %q", said)
		}
	case <-time.After(patience):
		t.Error("the event stream goes on")
	}
	for what, ask := range publishing(d) {
		status, answer := ask()
		wants(t, what, status, answer, 403, "device-revoked")
	}
	status, answer := d.ask("POST", "/api/device/renew", jsonType, renewal(t, d.key))
	wants(t, "renew", status, answer, 403, "device-revoked")
	if _, err := b.server.deviceAdmin().Revoke(t.Context(), "anna"); err == nil {
		t.Error("revoked twice")
	}
	again := b.board()
	again.enrol(b.token(devices.Wanted{})) // the name is free again
	status, answer = again.ask("GET", "/api/device", "", "")
	wants(t, "the next board", status, answer, 200, "")
}

// stream reads the device's events until the server ends them.
func (d *testBoard) stream(opened chan struct{}) string {
	transport := &http.Transport{TLSClientConfig: d.tls()}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(d.b.url + "/api/glasses/anna/events")
	if err != nil {
		close(opened)
		return err.Error()
	}
	defer response.Body.Close()
	first := make([]byte, 16)
	n, _ := io.ReadFull(response.Body, first)
	close(opened)
	rest, _ := io.ReadAll(response.Body) // until it ends
	return string(first[:n]) + string(rest)
}

// publishing is all that only glasses may ask.
func publishing(d *testBoard) map[string]func() (int, string) {
	return map[string]func() (int, string){
		"whip":     func() (int, string) { return d.ask("POST", "/whip/anna", sdpType, "v=0\r\n") },
		"hear":     func() (int, string) { return d.ask("POST", "/hear/anna", sdpType, "v=0\r\n") },
		"events":   func() (int, string) { return d.ask("GET", "/api/glasses/anna/events", "", "") },
		"answer":   func() (int, string) { return d.ask("POST", "/api/glasses/anna/answer", jsonType, "{}") },
		"end":      func() (int, string) { return d.ask("POST", "/api/glasses/anna/end", jsonType, "{}") },
		"state":    func() (int, string) { return d.ask("PUT", "/api/sessions/anna", jsonType, `{"state":"live"}`) },
		"upload":   func() (int, string) { return d.ask("POST", "/api/uploads/", "", "") },
		"receipt":  func() (int, string) { return d.ask("GET", "/api/uploads/"+strangeID+"/receipt", "", "") },
		"resource": func() (int, string) { return d.ask("DELETE", "/whip/anna/x", "", "") },
		"restart":  func() (int, string) { return d.ask("PATCH", "/whip/anna/x", "application/trickle-ice-sdpfrag", "") },
		"part": func() (int, string) {
			return d.ask("PATCH", "/api/uploads/"+strangeID, "application/offset+octet-stream", "x")
		},
	}
}

func TestOnlyEnrolledDevices(t *testing.T) {
	b := startAuthority(t, nil)
	for what, ask := range publishing(b.board()) {
		status, answer := ask()
		wants(t, what+" of nobody", status, answer, 403, "not-enrolled")
	}
	other := startAuthority(t, nil).board()
	other.enrol(other.b.token(devices.Wanted{}))
	other.b = b
	for what, ask := range publishing(other) {
		status, answer := ask()
		wants(t, what+" of another endpoint's", status, answer, 403, "certificate-unknown")
	}
	d := b.board()
	d.enrol(b.token(devices.Wanted{Name: "ben"}))
	for _, path := range []string{"/whip/anna", "/whip/carl"} {
		status, answer := d.ask("POST", path, sdpType, "v=0\r\n")
		wants(t, "ben at "+path, status, answer, 403, "other-name")
	}
	status, answer := d.ask("GET", "/api/glasses/anna/events", "", "")
	wants(t, "ben at anna's events", status, answer, 403, "other-name")
	status, answer = d.ask("POST", "/whip/ben", sdpType, "v=0\r\n")
	wants(t, "ben at his own name, with an offer of nothing", status, answer, 400, "")
	for _, path := range []string{"/", "/healthz", "/api/showrooms"} { // customers, as before
		status, answer := b.board().ask("GET", path, "", "")
		wants(t, path, status, answer, 200, "")
	}
}

// Without --require-enrolment a name that a device has is its own all the same.
func TestOpenEndpointKeepsNames(t *testing.T) {
	b := startAuthority(t, func(c *Config) { c.RequireEnrolment = false })
	d := b.board()
	d.enrol(b.token(devices.Wanted{}))
	status, answer := b.board().ask("POST", "/whip/anna", sdpType, "v=0\r\n")
	wants(t, "a stranger under a device's name", status, answer, 403, "other-name")
	status, answer = b.board().ask("POST", "/whip/carl", sdpType, "v=0\r\n")
	wants(t, "a stranger under a free name", status, answer, 400, "")
}
