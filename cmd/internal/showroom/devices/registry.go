// Package devices knows which boards are the endpoint's glasses: it makes tokens that
// enrol one board each, the certificates by which boards are known from then on, and
// takes both back. Private keys of boards never come here. It serves no HTTP but to
// who runs the server.
package devices

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// What is refused, found by errors.Is, beside the records' errors of tokens.
var (
	ErrRequest = errors.New("the certificate signing request is not good")
	ErrForeign = errors.New("the certificate is not of this endpoint's authority")
	ErrExpired = errors.New("the certificate has expired")
	ErrRevoked = errors.New("the device is revoked")
	ErrUnknown = errors.New("there is no such device or token")
	ErrName    = errors.New("not a name for glasses")
)

// grace is how long after its end a certificate can still be renewed, and nothing
// else: for boards that lay in a drawer.
const grace = 365 * 24 * time.Hour

// Config is what a Registry is made of.
type Config struct {
	Records   *records.DB
	Authority *Authority
	Endpoint  func(id, name string) Endpoint // what a device of that name is told
	Enrolled  func(records.Device)           // is told of each; nobody when nil
	Revoked   func(id, name string)          // is called when one is revoked; it ends what the device has running
	Clock     func() time.Time
	Log       *slog.Logger
}

// Registry enrols and knows devices. Its methods may be called from any goroutine.
type Registry struct{ cfg Config }

// New makes a registry.
func New(cfg Config) *Registry { return &Registry{cfg} }

// Question is what a board asks to be enrolled.
type Question struct {
	TokenID, Secret        string
	CSR                    string // PEM
	Serial, Model, Version string
}

// Enrol makes a device of the board that has a token. Errors are ErrRequest, and of
// package records: ErrNotFound for a token or a secret that is not ours, ErrTokenUsed,
// ErrTokenExpired, ErrTokenBound. Asked again with the same token and key it answers
// again.
func (r *Registry) Enrol(ctx context.Context, q Question) (Document, error) {
	key, err := request(q.CSR)
	if err != nil {
		return Document{}, err
	}
	hash, err := keyHash(key)
	if err != nil {
		return Document{}, err
	}
	board := records.Device{Serial: q.Serial, Model: q.Model, Version: q.Version, Key: hash}
	device, replaced, err := r.cfg.Records.Enrol(ctx, q.TokenID, q.Secret, board)
	if err != nil {
		r.cfg.Log.Warn("a board was not enrolled", "token", loggable(q.TokenID), "error", err)
		return Document{}, err
	}
	if replaced != "" {
		r.cfg.Log.Info("a device was revoked", "device", replaced, "name", device.Name, "for", device.ID)
		if r.cfg.Revoked != nil { // whatever else fails from here on
			r.cfg.Revoked(replaced, device.Name)
		}
	}
	leaf, err := r.cfg.Authority.device(device.ID, device.Name, key)
	if err != nil {
		return Document{}, err
	}
	if r.cfg.Enrolled != nil {
		r.cfg.Enrolled(device)
	}
	r.cfg.Log.Info("a board was enrolled", "device", device.ID, "name", device.Name, "serial", device.Serial, "replaces", replaced)
	return r.certified(ctx, device, leaf, hash, q.Version)
}

// Renew makes a new certificate for a device. The one that it has stays good until
// its end: an answer may get lost.
func (r *Registry) Renew(ctx context.Context, device records.Device, csr, version string) (Document, error) {
	key, err := request(csr)
	if err != nil {
		return Document{}, err
	}
	hash, err := keyHash(key)
	if err != nil {
		return Document{}, err
	}
	leaf, err := r.cfg.Authority.device(device.ID, device.Name, key)
	if err != nil {
		return Document{}, err
	}
	document, err := r.certified(ctx, device, leaf, hash, version)
	if err == nil {
		r.cfg.Log.Info("a device's certificate was renewed", "device", device.ID, "name", device.Name)
	}
	return document, err
}

func (r *Registry) certified(ctx context.Context, device records.Device, leaf *x509.Certificate, key, version string) (Document, error) {
	if err := r.cfg.Records.SetCertificate(ctx, device.ID, key, version, leaf.NotAfter); err != nil {
		return Document{}, known(err)
	}
	device.NotAfter, device.Renewed = leaf.NotAfter, r.cfg.Clock()
	d := r.Document(device)
	d.Certificate = string(encodeCertificate(leaf.Raw))
	return d, nil
}

// Document is what a device is told, without a new certificate.
func (r *Registry) Document(device records.Device) Document {
	return Document{
		SchemaVersion: SchemaVersion, Device: device.ID, Name: device.Name, Label: device.Label,
		Endpoint: r.cfg.Endpoint(device.ID, device.Name), Issued: device.Renewed.UTC(), NotAfter: device.NotAfter.UTC(), Time: r.cfg.Clock().UTC(),
	}
}

// Holder returns the device of a client's certificate. Errors are ErrForeign,
// ErrExpired, with which the device is returned, and ErrRevoked.
func (r *Registry) Holder(ctx context.Context, leaf *x509.Certificate) (records.Device, error) {
	id, err := r.cfg.Authority.holder(leaf)
	if err != nil {
		return records.Device{}, err
	}
	device, err := r.cfg.Records.Device(ctx, id)
	if errors.Is(err, records.ErrNotFound) {
		return records.Device{}, ErrForeign // the records were lost and the authority was not
	}
	if err != nil {
		return records.Device{}, err
	}
	now := r.cfg.Clock()
	switch {
	case !device.Revoked.IsZero():
		return records.Device{}, ErrRevoked
	case now.After(leaf.NotAfter):
		return device, ErrExpired
	case now.Before(leaf.NotBefore):
		return records.Device{}, ErrForeign
	}
	return device, nil
}

// MayRenew says whether a certificate that has expired can still be renewed.
func (r *Registry) MayRenew(leaf *x509.Certificate) bool {
	return r.cfg.Clock().Before(leaf.NotAfter.Add(grace))
}

// Held returns the device that a name belongs to; ok is false for none.
func (r *Registry) Held(ctx context.Context, name string) (device records.Device, ok bool, err error) {
	device, err = r.cfg.Records.DeviceNamed(ctx, name)
	if errors.Is(err, records.ErrNotFound) {
		return device, false, nil
	}
	return device, err == nil, err
}

// known makes an error of the records one of ours.
func known(err error) error {
	switch {
	case errors.Is(err, records.ErrNotFound):
		return fmt.Errorf("%w", ErrUnknown)
	case errors.Is(err, records.ErrRevoked):
		return ErrRevoked
	}
	return err
}

// loggable returns a token's ID, or nothing where a stranger sent something else: a
// whole token in the wrong field must not reach the log.
func loggable(id string) string {
	if len(id) != idLength || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return id
}

// idLength is of a token's ID, in characters.
const idLength = 11
