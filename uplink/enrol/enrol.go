// Package enrol makes a bare board a device that an endpoint knows, and keeps it
// one: a key that is made here and never leaves, a certificate for it, and what the
// endpoint says that the device needs. The certificate is renewed by itself.
//
// A token is the only thing that is believed at first. Its pin is compared with the
// endpoint's key before a byte of HTTP is sent, so that nobody else hears the secret.
package enrol

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/bril-edge/bril/uplink/enrol/token"
	"github.com/bril-edge/bril/uplink/origin"
)

// Config says where an enrolment is kept, and for which board.
type Config struct {
	Dir  string   // it is kept in; made if need be, and its owner's alone
	Keys KeyStore // files in Dir when nil

	Serial, Model, Version string // of the board and the program, which the endpoint is told

	Date      func(time.Time)  // as in origin.Config
	Time      func() time.Time // likewise; by it renewal is due, too
	Confirmed func() bool      // likewise
	Log       *slog.Logger     // discards when nil

	// Accept looks at a document before it counts; without it all are taken. What it
	// refuses leaves the board as it was.
	Accept func(Document) error

	before func(op string) error // of tests: see folder
}

func (c Config) now() time.Time {
	if c.Time != nil {
		return c.Time()
	}
	return time.Now()
}

func (c Config) log() *slog.Logger {
	if c.Log != nil {
		return c.Log
	}
	return slog.New(slog.DiscardHandler)
}

// keys returns where keys are kept.
func (c Config) keys(f *folder) KeyStore {
	if c.Keys != nil {
		return c.Keys
	}
	return keyFiles{f}
}

const (
	enrolPath  = "/api/enrol"
	devicePath = "/api/device"
	renewPath  = "/api/device/renew"
	askTime    = 20 * time.Second // of one question, to the last byte of its answer
	keyServer  = "--server"       // how the command calls the endpoint's address
)

// Enrol makes the board a device of the endpoint at server, in place of what it was.
// Until that is on the disk, it is what it was.
//
// When the answer is lost, the endpoint may have made the device: the same token then
// works again, for the key that was made for it is kept.
func Enrol(ctx context.Context, cfg Config, server string, t token.Token) (*Identity, error) {
	at, err := ParseServer(server)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyServer, err)
	}
	f, err := openFolder(cfg.Dir, cfg.before)
	if err != nil {
		return nil, err
	}
	defer f.close()
	r := record{Key: t.IDText()}
	key, err := cfg.keys(f).Make(r.Key)
	if err != nil {
		return nil, err
	}
	csr, err := request(key)
	if err != nil {
		return nil, err
	}
	if r.Document, err = ask(ctx, cfg, at, t, csr); err != nil {
		return nil, discard(cfg, f, err)
	}
	i, err := newIdentity(cfg, key, &r)
	if err != nil {
		return nil, origin.Request{Op: "enrol at", URL: at}.Fail(err)
	}
	if err := commit(cfg, f, r); err != nil {
		return nil, err
	}
	cfg.log().Info("enrolled", "device", i.doc.Device, "name", i.doc.Name, "server", i.doc.Server, "not_after", i.certificate.Leaf.NotAfter)
	return i, nil
}

// discard destroys a key whose token is worth nothing, unless it is in use.
func discard(cfg Config, f *folder, why error) error {
	if !errors.Is(why, ErrToken) {
		return why
	}
	r, err := readRecord(cfg.Dir)
	if err != nil && !errors.Is(err, ErrNotEnrolled) {
		return why // whose key is in use cannot be said
	}
	return errors.Join(why, cfg.keys(f).KeepOnly(r.Key))
}

// request returns a certificate signing request of key. Who the device is, the
// endpoint says.
func request(key crypto.Signer) (string, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "bril"}}, key)
	if err != nil {
		return "", fmt.Errorf("make a certificate signing request: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// ask shows the token to the endpoint that it is for, and returns the document.
func ask(ctx context.Context, cfg Config, server *url.URL, t token.Token, csr string) (json.RawMessage, error) {
	question, err := json.Marshal(map[string]any{
		"schema_version": schemaVersion, "token_id": t.IDText(), "secret": t.SecretText(), "csr": csr,
		"serial": cfg.Serial, "model": cfg.Model, "version": cfg.Version,
	})
	if err != nil {
		return nil, err
	}
	q := post("enrol at", server.JoinPath(enrolPath), question)
	c, err := origin.New(origin.Config{
		URL: q.URL.String(), Key: keyServer, Foreign: ErrNotEndpoint, UserAgent: "bril/" + cfg.Version,
		Date: cfg.Date, Transport: pinned(t),
	})
	if err != nil {
		return nil, err
	}
	defer c.CloseIdle()
	r, err := c.Do(ctx, askTime, q)
	switch {
	case errors.Is(err, ErrPin):
		return nil, origin.WithHint(err, pinHint)
	case err != nil:
		return nil, err
	case r.Status != http.StatusCreated && r.Status != http.StatusOK:
		return nil, hide(refused(c, q, r), t)
	}
	return r.Body, nil
}

func post(op string, to *url.URL, body []byte) origin.Request {
	q := origin.Request{Op: op, Method: http.MethodPost, URL: to, Here: true,
		Header: map[string]string{"Content-Type": "application/json", "Accept": "application/json"}}
	q.Body, q.Length = origin.Text(string(body))
	return q
}

// pinned returns a transport that ends a handshake with any key but the token's. No
// authority and no clock have a part in it: a bare board knows neither.
func pinned(t token.Token) *http.Transport {
	transport := origin.NewTransport(nil, nil)
	transport.DisableKeepAlives = true
	transport.TLSClientConfig = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection does it, before anything is sent
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !t.Pins(s.PeerCertificates[0]) {
				return ErrPin
			}
			return nil
		},
	}
	return transport
}

// Reset makes the board a bare one again. The endpoint is not told: there the device
// is revoked.
func Reset(cfg Config) error {
	f, err := openFolder(cfg.Dir, cfg.before)
	if err != nil {
		return err
	}
	defer f.close()
	// The record goes first: a key without one is nobody's.
	if err := f.sweep(func(name string) bool { return name == recordFile }); err != nil {
		return err
	}
	return cfg.keys(f).KeepOnly("")
}
