package enrol

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/bril-edge/bril/uplink/origin"
)

// schemaVersion is that of the document, of the questions and of the file.
const schemaVersion = 1

// The longest name and label of a device, in characters.
const (
	maxName  = 64
	maxLabel = 64
)

// Document is what an endpoint tells an enrolled device: who it is there, and
// everything else that it needs.
type Document struct {
	Device string `json:"device"` // its ID: 26 characters
	Name   string `json:"name"`   // under which it publishes
	Label  string `json:"label"`  // for people

	Server         string   `json:"server"` // https://host[:port]
	WHIPURL        string   `json:"whip_url"`
	UploadsURL     string   `json:"uploads_url"` // "" for none, as with what follows
	EventsURL      string   `json:"events_url"`
	SupportURL     string   `json:"support_url"`
	TrustedOrigins []string `json:"trusted_origins"`
	ICEServers     []Relay  `json:"ice_servers"`

	Recipient         string            `json:"recipient"`          // of photos and clips: age1…
	ConfigurationKeys []string          `json:"configuration_keys"` // ed25519:BASE64, that may sign configuration
	FleetURL          string            `json:"fleet_url"`          // https://…, below which the fleet's service is; "" for none
	Fleet             string            `json:"fleet"`              // the fleet's name
	Labels            map[string]string `json:"labels"`             // of the device in its fleet
	Roots             string            `json:"roots"`              // PEM; "" for the system's
	Time              time.Time         `json:"time"`               // at the endpoint
}

// Relay is a STUN or TURN server.
type Relay struct {
	URLs       []string      `json:"urls"`
	Username   string        `json:"username"`
	Credential origin.Secret `json:"-"`
}

// UnmarshalJSON reads a relay with its credential.
func (r *Relay) UnmarshalJSON(data []byte) error {
	var said struct {
		URLs                 []string
		Username, Credential string
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return errors.New("an entry of ice_servers cannot be read")
	}
	*r = Relay{said.URLs, said.Username, origin.NewSecret(said.Credential)}
	return nil
}

// parseDocument reads an endpoint's document. Fields that are not known are those of
// an endpoint that is newer.
func parseDocument(data []byte) (Document, error) {
	version := struct {
		SchemaVersion int `json:"schema_version"`
	}{}
	var d Document
	if json.Unmarshal(data, &version) != nil {
		return d, errors.New("the enrolment is not JSON")
	}
	if version.SchemaVersion != schemaVersion {
		return d, fmt.Errorf("the enrolment is of schema_version %d, not %d", version.SchemaVersion, schemaVersion)
	}
	if json.Unmarshal(data, &d) != nil {
		return d, errors.New("the enrolment has a field of another kind than it should")
	}
	if err := d.check(); err != nil {
		return Document{}, fmt.Errorf("the enrolment's %w", err)
	}
	return d, nil
}

func (d Document) check() error {
	switch {
	case !isID(d.Device):
		return errors.New("device is not 26 characters of a-z and 2-7")
	case !isName(d.Name):
		return errors.New("name is not 1 to 64 letters, digits, - and _")
	case utf8.RuneCountInString(d.Label) > maxLabel || strings.ContainsFunc(d.Label, unicode.IsControl):
		return errors.New("label is not at most 64 characters on one line")
	}
	if _, err := ParseServer(d.Server); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	for _, of := range []struct{ field, address string }{
		{"whip_url", d.WHIPURL}, {"uploads_url", d.UploadsURL}, {"events_url", d.EventsURL}, {"support_url", d.SupportURL}, {"fleet_url", d.FleetURL},
	} {
		if err := checkAddress(of.address, of.field == "whip_url"); err != nil {
			return fmt.Errorf("%s: %w", of.field, err)
		}
	}
	if d.Recipient != "" {
		if _, err := age.ParseX25519Recipient(d.Recipient); err != nil {
			return errors.New("recipient is not one of age")
		}
	}
	if _, err := d.SigningKeys(); err != nil {
		return err
	}
	_, err := d.pool()
	return err
}

func checkAddress(address string, needed bool) error {
	if address == "" && !needed {
		return nil
	}
	u, err := origin.Parse(address)
	if err == nil && u.Scheme != "https" {
		err = errors.New("must start with https://")
	}
	return err
}

func isID(id string) bool {
	return len(id) == 26 && !strings.ContainsFunc(id, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '2' || r > '7') })
}

func isName(name string) bool {
	return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// ParseServer reads the address of an endpoint, https://host[:port].
func ParseServer(address string) (*url.URL, error) {
	u, err := origin.Parse(address)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https":
		return nil, errors.New("must start with https://: a board is enrolled over TLS only")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return nil, fmt.Errorf("has a path or query: write %s", origin.Of(u))
	}
	u.Path = ""
	return u, nil
}

// SigningKeys returns the keys that may sign configuration.
func (d Document) SigningKeys() (keys []ed25519.PublicKey, err error) {
	for _, text := range d.ConfigurationKeys {
		encoded, ok := strings.CutPrefix(text, "ed25519:")
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(key) != ed25519.PublicKeySize {
			return nil, errors.New("configuration_keys have one that is not ed25519:BASE64")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// pool returns the authorities that are believed, nil for the system's.
func (d Document) pool() (*x509.CertPool, error) {
	if strings.TrimSpace(d.Roots) == "" {
		return nil, nil
	}
	chain, err := parseChain(d.Roots)
	if err != nil {
		return nil, fmt.Errorf("roots: %w", err)
	}
	pool := x509.NewCertPool()
	for _, c := range chain {
		pool.AddCert(c)
	}
	return pool, nil
}

// Origins are those of the endpoint, scheme://host[:port], which get to see the
// certificate.
func (d Document) Origins() (list []string) {
	for _, address := range []string{d.Server, d.WHIPURL, d.UploadsURL, d.EventsURL, d.SupportURL, d.FleetURL} {
		if u, err := origin.Parse(address); err == nil && !slices.Contains(list, origin.Of(u)) {
			list = append(list, origin.Of(u))
		}
	}
	return list
}

// parseChain reads one or more certificates.
func parseChain(text string) (chain []*x509.Certificate, err error) {
	rest := []byte(strings.TrimSpace(text))
	for len(rest) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("not certificates as PEM")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, errors.New("no certificate")
	}
	return chain, nil
}
