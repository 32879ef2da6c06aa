package fleet

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// What can be wrong with an envelope, before anything of it is looked at.
var (
	ErrSize      = errors.New("too long for a bundle")
	ErrEnvelope  = errors.New("not a DSSE envelope of a bundle")
	ErrSignature = errors.New("not signed by a key of this fleet")
	ErrPayload   = errors.New("signed, and not a bundle")
)

// Sign puts a bundle into an envelope (https://github.com/secure-systems-lab/dsse,
// protocol version 1). Times are kept to the second, in UTC.
func Sign(b Bundle, key ed25519.PrivateKey) ([]byte, error) {
	b.SchemaVersion = SchemaVersion
	b.NotBefore, b.Expires = b.NotBefore.UTC().Truncate(time.Second), b.Expires.UTC().Truncate(time.Second)
	if err := b.wellFormed(); err != nil {
		return nil, err
	}
	payload, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("write the bundle: %w", err)
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("sign the bundle: the key is not one of Ed25519")
	}
	sealed, err := canonical(dsse.Envelope{
		PayloadType: PayloadType, Payload: base64.StdEncoding.EncodeToString(payload),
		Signatures: []dsse.Signature{{KeyID: KeyID(public), Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(key, dsse.PAE(PayloadType, payload)))}},
	})
	if err == nil && len(sealed) > MaxEnvelope {
		err = fmt.Errorf("the bundle has %d kB of at most %d: %w", len(sealed)>>10, MaxEnvelope>>10, ErrSize)
	}
	return sealed, err
}

// Open verifies an envelope and returns what it holds. Nothing of the payload is read
// before one of keys has signed it. There is one way to write an envelope and a bundle:
// what differs from it in one bit is refused, so that the bytes that were signed, were
// hashed and are kept are the same.
//
// The verification is our own few lines and not dsse's EnvelopeVerifier, which takes
// several spellings of one envelope, and links an SSH library for the names of keys.
func Open(envelope []byte, keys []ed25519.PublicKey) (Bundle, error) {
	payload, err := verify(envelope, keys)
	if err != nil {
		return Bundle{}, err
	}
	return bundleOf(payload)
}

// Reread returns what an envelope holds that was opened before and has been in nobody
// else's hands since: its key may be gone. It verifies no signature.
func Reread(envelope []byte) (Bundle, error) {
	_, payload, err := parse(envelope)
	if err != nil {
		return Bundle{}, err
	}
	return bundleOf(payload)
}

func bundleOf(payload []byte) (Bundle, error) {
	var b Bundle
	if err := strict(payload, &b); err != nil {
		return Bundle{}, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	if again, err := json.Marshal(b); err != nil || !bytes.Equal(again, payload) {
		return Bundle{}, fmt.Errorf("%w: it is written in another way than bundles are", ErrPayload)
	}
	if err := b.wellFormed(); err != nil {
		return Bundle{}, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	return b, nil
}

// parse takes an envelope apart. It looks at no signature.
func parse(envelope []byte) (e dsse.Envelope, payload []byte, err error) {
	if len(envelope) > MaxEnvelope {
		return e, nil, fmt.Errorf("%d bytes, of at most %d: %w", len(envelope), MaxEnvelope, ErrSize)
	}
	if err := strict(envelope, &e); err != nil {
		return e, nil, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	if again, err := canonical(e); err != nil || !bytes.Equal(again, envelope) {
		return e, nil, fmt.Errorf("%w: it is written in another way than envelopes are", ErrEnvelope)
	}
	if e.PayloadType != PayloadType {
		return e, nil, fmt.Errorf("%w: it holds %.60q", ErrEnvelope, e.PayloadType)
	}
	if payload, err = base64.StdEncoding.Strict().DecodeString(e.Payload); err != nil {
		return e, nil, fmt.Errorf("%w: its payload is not base64", ErrEnvelope)
	}
	return e, payload, nil
}

// verify returns the payload of an envelope that one of keys has signed.
func verify(envelope []byte, keys []ed25519.PublicKey) ([]byte, error) {
	e, payload, err := parse(envelope)
	if err != nil {
		return nil, err
	}
	signed := dsse.PAE(e.PayloadType, payload)
	for _, s := range e.Signatures {
		signature, err := base64.StdEncoding.Strict().DecodeString(s.Sig)
		if err != nil {
			return nil, fmt.Errorf("%w: a signature is not base64", ErrEnvelope)
		}
		for _, key := range keys {
			if len(key) == ed25519.PublicKeySize && s.KeyID == KeyID(key) && ed25519.Verify(key, signed, signature) {
				return payload, nil
			}
		}
	}
	return nil, ErrSignature
}

func canonical(e dsse.Envelope) ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write the envelope: %w", err)
	}
	return data, nil
}

// strict reads one JSON value without fields that are not known.
func strict(data []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

// Content returns what the bundle brings, without when and for whom, as a hash in hex:
// what has failed once fails under another serial too.
func (b Bundle) Content() string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode(struct {
		Configuration string
		Secrets       map[string]string
	}{b.Configuration, b.Secrets}) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}

// MaxLabels is how many labels an audience can have, and a device.
const MaxLabels = 32

// The bounds of what a bundle can hold, beside MaxEnvelope.
const (
	maxName    = 64 // characters of a fleet, a label or a secret's name
	maxDevices = 5000
	maxSecrets = 16
	maxSecret  = 4096 // bytes
	idLength   = 26   // of a device
)

// wellFormed says whether a bundle could be one, whatever it is for.
func (b Bundle) wellFormed() error {
	switch {
	case b.SchemaVersion != SchemaVersion:
		return fmt.Errorf("schema_version %d is not %d", b.SchemaVersion, SchemaVersion)
	case b.Serial == 0 || b.Serial > MaxSerial:
		return fmt.Errorf("serial %d is outside 1 to %d", b.Serial, uint64(MaxSerial))
	case b.NotBefore.IsZero() || !b.Expires.After(b.NotBefore):
		return errors.New("expires is not after not_before")
	case !utf8.ValidString(b.Configuration): // JSON would change it, and what is opened were not what was signed
		return errors.New("the configuration is not UTF-8")
	case len(b.Secrets) > maxSecrets:
		return fmt.Errorf("%d secrets, of at most %d", len(b.Secrets), maxSecrets)
	}
	for name, value := range b.Secrets {
		if !isName(name) || len(value) > maxSecret || value == "" || !utf8.ValidString(value) {
			return fmt.Errorf("secret %.64q: a name has letters, digits, - and _, and what it names 1 to %d bytes of UTF-8", name, maxSecret)
		}
	}
	if b.Successor != "" {
		if _, err := ParseKey(b.Successor); err != nil {
			return fmt.Errorf("successor: %w", err)
		}
	}
	return b.Audience.wellFormed()
}

func (a Audience) wellFormed() error {
	switch {
	case !isName(a.Fleet):
		return fmt.Errorf("audience: fleet %.64q is not 1 to %d letters, digits, -, _ and dots", a.Fleet, maxName)
	case len(a.Labels) > MaxLabels || len(a.Devices) > maxDevices:
		return fmt.Errorf("audience: at most %d labels and %d devices", MaxLabels, maxDevices)
	}
	for key, value := range a.Labels {
		if !isName(key) || !isName(value) {
			return fmt.Errorf("audience: label %.64q=%.64q is not KEY=VALUE of letters, digits, -, _ and dots", key, value)
		}
	}
	for _, id := range a.Devices {
		if len(id) != idLength || !isName(id) {
			return fmt.Errorf("audience: %.64q is not the ID of a device", id)
		}
	}
	return nil
}

// ValidLabel says whether a label can be one of an audience and of a device.
func ValidLabel(key, value string) bool { return isName(key) && isName(value) }

// ValidFleet says whether a fleet can have the name.
func ValidFleet(name string) bool { return isName(name) }

func isName(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' {
			return false
		}
	}
	return s != "" && len(s) <= maxName && s != "." && s != ".."
}
