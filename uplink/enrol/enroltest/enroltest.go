// Package enroltest is an endpoint that enrols boards, for tests. It is written by
// the interface alone and shares no code with who enrols or with the reference
// endpoint; only tokens are read by the package that both have.
package enroltest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/enrol/token"
)

// recipient is a public key of age whose secret half nobody has.
const recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

// Board is what a board has told of itself.
type Board struct{ Serial, Model, Version string }

// Endpoint enrols boards. Its clock stands still until Sleep.
type Endpoint struct {
	URL   string
	Life  time.Duration        // of certificates
	Spoil func(map[string]any) // changes a document before it is told
	Other http.Handler         // what else the endpoint does, for devices that are known

	server *httptest.Server
	ca     *ecdsa.PrivateKey
	root   *x509.Certificate

	mu       sync.Mutex
	now      time.Time
	issued   map[string]*issued
	devices  map[string]*device // by ID
	boards   []Board
	uploads  string
	cut      int
	requests int
	heard    bytes.Buffer // all that came after the handshakes
}

type issued struct {
	secret, name, serial string
	expires, used        time.Time
	key                  string
	device               string
}

type device struct {
	name    string
	revoked bool
}

// New starts an endpoint on loopback, until the test ends.
func New(t testing.TB) *Endpoint {
	t.Helper()
	e := &Endpoint{Life: 90 * 24 * time.Hour, now: time.Now().Truncate(time.Second), issued: map[string]*issued{}, devices: map[string]*device{}}
	e.ca = newKey(t)
	e.root = e.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: e.now.Add(-time.Hour), NotAfter: e.now.Add(10 * 365 * 24 * time.Hour)}, nil, &e.ca.PublicKey, e.ca)
	e.server = httptest.NewUnstartedServer(http.HandlerFunc(e.serve))
	e.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	e.server.TLS = &tls.Config{Certificates: []tls.Certificate{e.serverCertificate(t, e.ca, e.root)}, ClientAuth: tls.RequestClientCert}
	e.server.StartTLS()
	t.Cleanup(e.server.Close)
	e.URL = e.server.URL
	e.uploads = e.URL + "/api/uploads/"
	return e
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (e *Endpoint) sign(t testing.TB, c, by *x509.Certificate, key crypto.PublicKey, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	made, err := sign(c, by, key, signer)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func sign(c, by *x509.Certificate, key crypto.PublicKey, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	var err error
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return nil, err
	}
	if by == nil {
		by = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, key, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// serverCertificate is good for as long as any test lasts.
func (e *Endpoint) serverCertificate(t testing.TB, signer *ecdsa.PrivateKey, root *x509.Certificate) tls.Certificate {
	key := newKey(t)
	leaf := e.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "test endpoint"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: e.now.Add(-time.Hour), NotAfter: e.now.Add(10 * 365 * 24 * time.Hour)},
		root, &key.PublicKey, signer)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// Impostor has another server, with a certificate by another authority, answer at
// the same address from the next connection on.
func (e *Endpoint) Impostor(t testing.TB) {
	t.Helper()
	key := newKey(t)
	root := e.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: e.now.Add(-time.Hour), NotAfter: e.now.Add(time.Hour)}, nil, &key.PublicKey, key)
	other := e.serverCertificate(t, key, root)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{other}}, nil
	}
	e.server.CloseClientConnections()
}

// Now is the time at the endpoint.
func (e *Endpoint) Now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

// Sleep lets time pass.
func (e *Endpoint) Sleep(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(d)
}

// Token makes one that is good for ten minutes.
func (e *Endpoint) Token(name string) token.Token {
	e.mu.Lock()
	defer e.mu.Unlock()
	made := token.Random(token.PinOf(e.server.TLS.Certificates[0].Leaf))
	e.issued[made.IDText()] = &issued{secret: made.SecretText(), name: name, expires: e.now.Add(10 * time.Minute)}
	return made
}

// each does something to all tokens.
func (e *Endpoint) each(do func(*issued)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, i := range e.issued {
		do(i)
	}
}

// Bind binds the tokens to a serial number, Use has another board use them.
func (e *Endpoint) Bind(serial string) { e.each(func(i *issued) { i.serial = serial }) }

// Use has another board use the tokens.
func (e *Endpoint) Use() { e.each(func(i *issued) { i.used, i.key = e.now, "another" }) }

// Forget forgets all tokens.
func (e *Endpoint) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.issued)
}

// Revoke revokes all devices.
func (e *Endpoint) Revoke() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.devices {
		d.revoked = true
	}
}

// Move has devices upload elsewhere.
func (e *Endpoint) Move(uploads string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.uploads = uploads
}

// CutAnswers breaks the next n connections after the endpoint has done what it was
// asked for, before it answers.
func (e *Endpoint) CutAnswers(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cut = n
}

// Devices is how many there are.
func (e *Endpoint) Devices() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.devices)
}

// Requests is how many came.
func (e *Endpoint) Requests() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.requests
}

// Heard is the text of all requests to enrol and renew.
func (e *Endpoint) Heard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard.String()
}

// Board is what the nth board to be enrolled has told.
func (e *Endpoint) Board(n int) Board {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.boards[n]
}

func (e *Endpoint) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return
	}
	e.mu.Lock()
	e.requests++
	fmt.Fprintf(&e.heard, "%s %s %v\n%s\n", r.Method, r.URL, r.Header, body)
	status, document := e.answer(r, body)
	cut := e.cut > 0
	if cut {
		e.cut--
	}
	e.mu.Unlock()
	switch {
	case cut:
		panic(http.ErrAbortHandler)
	case status == 0:
		r.Body = io.NopCloser(bytes.NewReader(body))
		e.Other.ServeHTTP(w, r)
		return
	case status >= 300:
		w.Header().Set("Content-Type", "application/problem+json")
	default:
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}

func problem(status int, word string) (int, map[string]any) {
	return status, map[string]any{"type": "urn:bril:problem:" + word, "title": word, "status": status}
}

func (e *Endpoint) answer(r *http.Request, body []byte) (int, map[string]any) {
	var q struct {
		SchemaVersion int    `json:"schema_version"`
		TokenID       string `json:"token_id"`
		Secret        string
		CSR           string
		Board
	}
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/json" && (json.Unmarshal(body, &q) != nil || q.SchemaVersion != 1) {
		return problem(http.StatusBadRequest, "body")
	}
	if r.Method+" "+r.URL.Path == "POST /api/enrol" {
		return e.enrol(q.TokenID, q.Secret, q.CSR, q.Board)
	}
	id, old, status, word := e.known(r)
	switch {
	case status != 0 && word != "certificate-expired":
		return problem(status, word)
	case r.Method+" "+r.URL.Path == "POST /api/device/renew":
		if e.now.After(old.Add(365 * 24 * time.Hour)) {
			return problem(status, word)
		}
		return e.certify(http.StatusOK, id, q.CSR)
	case status != 0:
		return problem(status, word)
	case r.Method+" "+r.URL.Path == "GET /api/device":
		return http.StatusOK, e.document(id)
	case e.Other != nil:
		return 0, nil
	}
	return problem(http.StatusNotFound, "not-found")
}

// known says which device asks, and until when its certificate is good.
func (e *Endpoint) known(r *http.Request) (id string, until time.Time, status int, word string) {
	if len(r.TLS.PeerCertificates) == 0 {
		return "", until, http.StatusForbidden, "not-enrolled"
	}
	leaf := r.TLS.PeerCertificates[0]
	d := e.devices[leaf.Subject.CommonName]
	switch {
	case leaf.CheckSignatureFrom(e.root) != nil || d == nil:
		return "", until, http.StatusForbidden, "certificate-unknown"
	case d.revoked:
		return "", until, http.StatusForbidden, "device-revoked"
	case e.now.After(leaf.NotAfter):
		return leaf.Subject.CommonName, leaf.NotAfter, http.StatusForbidden, "certificate-expired"
	}
	return leaf.Subject.CommonName, leaf.NotAfter, 0, ""
}

func (e *Endpoint) enrol(id, secret, csr string, b Board) (int, map[string]any) {
	i := e.issued[id]
	switch {
	case i == nil || i.secret != secret:
		return problem(http.StatusUnauthorized, "token-unknown")
	case !i.used.IsZero() && (i.key != keyOf(csr) || e.now.After(i.used.Add(10*time.Minute))):
		return problem(http.StatusGone, "token-used")
	case i.used.IsZero() && e.now.After(i.expires):
		return problem(http.StatusGone, "token-expired")
	case i.serial != "" && i.serial != b.Serial:
		return problem(http.StatusForbidden, "token-bound")
	}
	if i.used.IsZero() {
		var raw [16]byte
		rand.Read(raw[:])
		i.device = strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:]))
		i.used, i.key = e.now, keyOf(csr)
		e.devices[i.device] = &device{name: i.name}
		e.boards = append(e.boards, b)
	}
	return e.certify(http.StatusCreated, i.device, csr)
}

func parse(csr string) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode([]byte(csr))
	if block == nil {
		return nil, fmt.Errorf("not PEM")
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = r.CheckSignature()
	}
	return r, err
}

func keyOf(csr string) string {
	r, err := parse(csr)
	if err != nil {
		return ""
	}
	return string(r.RawSubjectPublicKeyInfo)
}

func (e *Endpoint) certify(status int, id, csr string) (int, map[string]any) {
	r, err := parse(csr)
	if err != nil {
		return problem(http.StatusBadRequest, "csr")
	}
	c, err := sign(&x509.Certificate{Subject: pkix.Name{CommonName: id}, NotBefore: e.now, NotAfter: e.now.Add(e.Life),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, e.root, r.PublicKey, e.ca)
	if err != nil {
		return problem(http.StatusBadRequest, "csr")
	}
	d := e.document(id)
	d["certificate"], d["not_after"] = text(c), c.NotAfter
	if e.Spoil != nil {
		e.Spoil(d)
	}
	return status, d
}

func text(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func (e *Endpoint) document(id string) map[string]any {
	d := map[string]any{
		"schema_version": 1, "device": id, "name": e.devices[id].name, "label": "Anna's glasses",
		"server": e.URL, "whip_url": e.URL + "/whip/" + e.devices[id].name, "uploads_url": e.uploads,
		"events_url": e.URL + "/api/glasses/" + e.devices[id].name + "/events", "support_url": "",
		"trusted_origins": []string{}, "recipient": recipient, "roots": text(e.root), "time": e.now,
		"ice_servers":        []any{map[string]any{"urls": []string{"turn:127.0.0.1:3478"}, "username": "u", "credential": "relay-secret"}},
		"configuration_keys": []string{"ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
		"issued":             e.now, "not_after": e.now.Add(e.Life), "a field of later": 1,
	}
	return maps.Clone(d)
}
