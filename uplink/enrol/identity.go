package enrol

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

// State is how it is with an enrolment.
type State string

// The states, as `bril enrol --status` shows them.
const (
	NotEnrolled State = "not-enrolled"
	Enrolled    State = "enrolled"
	RenewalDue  State = "renewal-due"
	Expired     State = "expired" // Run renews it all the same, within a year
	Revoked     State = "revoked"
)

// Status is how it is with an identity.
type Status struct {
	State    State
	NotAfter time.Time // of the certificate
	RenewAt  time.Time // when it is renewed
	Trouble  error     // why that does not work, or why the endpoint takes it no longer
	Since    time.Time // of the trouble
	Count    int       // how often in a row
}

// Identity is who an enrolled board is. Its methods may be called concurrently.
type Identity struct {
	cfg    Config
	key    crypto.Signer
	spread time.Duration // by which boards that are alike do not renew at once

	changed chan struct{}
	doubted chan struct{} // holds one value once the endpoint has forbidden something

	mu          sync.Mutex
	record      record
	doc         Document
	roots       *x509.CertPool
	certificate *tls.Certificate
	trouble     error
	since       time.Time
	count       int
}

// spreadOver is how long boards that were enrolled together take to be renewed.
const spreadOver = time.Hour

// Load returns who this board is, ErrNotEnrolled when it is nobody yet.
func Load(cfg Config) (*Identity, error) {
	r, err := readRecord(cfg.Dir)
	if err != nil {
		return nil, err
	}
	key, err := cfg.keys(&folder{dir: cfg.Dir}).Open(r.Key)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: its key is gone", ErrDamaged)
	}
	if err != nil {
		return nil, hinted{fmt.Errorf("read the enrolment: %w", err), againHint}
	}
	i, err := newIdentity(cfg, key, &r)
	if err != nil {
		return nil, hinted{fmt.Errorf("read the enrolment in %s: %w: %w", cfg.Dir, ErrDamaged, err), againHint}
	}
	return i, nil
}

// newIdentity makes an identity of a record, into which it puts the certificate that
// the document brings.
func newIdentity(cfg Config, key crypto.Signer, r *record) (*Identity, error) {
	doc, certificate, err := take(key, r)
	if err != nil {
		return nil, err
	}
	if cfg.Accept != nil {
		if err := cfg.Accept(doc); err != nil {
			return nil, fmt.Errorf("the enrolment cannot be used: %w", err)
		}
	}
	roots, err := doc.pool()
	if err != nil {
		return nil, err
	}
	return &Identity{
		cfg: cfg, key: key, spread: rand.N(spreadOver), changed: make(chan struct{}, 1), doubted: make(chan struct{}, 1),
		record: *r, doc: doc, roots: roots, certificate: certificate,
	}, nil
}

// take reads a record's document and certificate.
func take(key crypto.Signer, r *record) (Document, *tls.Certificate, error) {
	doc, err := parseDocument(r.Document)
	if err != nil {
		return doc, nil, err
	}
	var brought struct{ Certificate string }
	if err := json.Unmarshal(r.Document, &brought); err != nil {
		return doc, nil, err
	}
	if r.Certificate == "" {
		r.Certificate = brought.Certificate
	}
	chain, err := parseChain(r.Certificate)
	if err != nil {
		return doc, nil, fmt.Errorf("the enrolment's certificate: %w", err)
	}
	leaf := chain[0]
	own, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !own.Equal(leaf.PublicKey):
		return doc, nil, errors.New("the enrolment's certificate is for another key")
	case !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return doc, nil, errors.New("the enrolment's certificate is not one for clients")
	}
	c := &tls.Certificate{PrivateKey: key, Leaf: leaf}
	for _, one := range chain {
		c.Certificate = append(c.Certificate, one.Raw)
	}
	return doc, c, nil
}

// Format prints who it is, and nothing else of it.
func (i *Identity) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "device %s", i.Document().Device) }

// Document returns what the endpoint has said last.
func (i *Identity) Document() Document {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.doc
}

// Certificate returns the newest one, with its key.
func (i *Identity) Certificate() *tls.Certificate {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.certificate
}

// Origin returns as whom the enrolled endpoint is asked. A nil Identity has none.
func (i *Identity) Origin() *origin.Identity {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return &origin.Identity{Origins: i.doc.Origins(), Roots: i.roots, Certificate: i.Certificate, Doubted: i.Doubt}
}

// Doubt has Run ask whether the board is still who it was: at once, or 10 s after it was
// asked last.
func (i *Identity) Doubt() {
	select {
	case i.doubted <- struct{}{}:
	default:
	}
}

// Changed has a value once the endpoint has said something else than before: what was
// made of the document is to be made anew.
func (i *Identity) Changed() <-chan struct{} { return i.changed }

// renewAfter is at which part of its life a certificate is renewed.
const renewAfter = 0.75

func renewAt(c *x509.Certificate) time.Time {
	life := c.NotAfter.Sub(c.NotBefore)
	return c.NotBefore.Add(time.Duration(float64(life) * renewAfter))
}

// Status returns how it is.
func (i *Identity) Status() Status {
	i.mu.Lock()
	defer i.mu.Unlock()
	leaf, now := i.certificate.Leaf, i.cfg.now()
	s := Status{State: Enrolled, NotAfter: leaf.NotAfter, RenewAt: renewAt(leaf), Trouble: i.trouble, Since: i.since, Count: i.count}
	switch {
	case errors.Is(i.trouble, ErrRevoked):
		s.State = Revoked
	case errors.Is(i.trouble, ErrExpired), now.After(s.NotAfter):
		s.State = Expired
	case !now.Before(s.RenewAt):
		s.State = RenewalDue
	}
	return s
}
