// Package discover asks an endpoint on this machine for what a development
// configuration lacks: where to upload to, the recipient that photos and clips are
// encrypted to, and where calls are told of (/.well-known/bril).
//
// It trusts whoever listens there, so it does so on literal loopback addresses
// only, by no name and through no redirect. The recipient is pinned at the first
// time: another one later is an error, and nothing is encrypted to it.
package discover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/uplink/origin"
)

const (
	keyURL  = "uplink.whip_url"
	path    = "/.well-known/bril"
	version = 1
	timeout = 5 * time.Second
)

// What Find may fail with, found by errors.Is.
var (
	ErrNotLoopback   = errors.New("not a literal loopback address")
	ErrNotBril       = errors.New("does not tell its uploads and recipient")
	ErrStoresNothing = errors.New("takes no photos and clips")
	ErrChanged       = errors.New("another recipient than the pinned one")
)

// Config says whom to ask.
type Config struct {
	WHIPURL   string            // of the endpoint: its host has to be within 127.0.0.0/8, or ::1
	StateDir  string            // where the recipient is pinned, in endpoint.json; "" pins nothing
	UserAgent string            // "bril" when empty
	Time      func() time.Time  // as in origin.Config
	Confirmed func() bool       // likewise
	Identity  *origin.Identity  // of an enrolled device; nil otherwise
	Transport http.RoundTripper // for tests; one of its own when nil
}

// Found is what an endpoint tells.
type Found struct {
	Uploads   string // URL, at the same origin as the WHIP URL
	Recipient *age.X25519Recipient
}

// Find asks the endpoint. Where it does not answer, what was pinned of the same
// origin counts. Errors carry a hint where a person can do something.
func Find(ctx context.Context, cfg Config) (Found, error) {
	whip, err := origin.Parse(cfg.WHIPURL)
	if err != nil {
		return Found{}, fmt.Errorf("%s: %w", keyURL, err)
	}
	if !literal(whip.Hostname()) {
		return Found{}, origin.WithHint(
			fmt.Errorf("look for uploads at %s: %w", origin.Of(whip), ErrNotLoopback),
			"set upload.url and spool.recipient: only an endpoint at 127.0.0.1 or [::1] is asked for them")
	}
	kept, err := readPin(cfg.StateDir)
	if err != nil {
		return Found{}, err
	}
	found, err := ask(ctx, cfg, whip)
	if err != nil {
		if away(err) && kept.of(whip) {
			return kept.Found, nil
		}
		return Found{}, err
	}
	if err := kept.keep(cfg.StateDir, found); err != nil {
		return Found{}, err
	}
	return found, nil
}

// Applies says whether the endpoint of a WHIP URL is one that Find asks.
func Applies(whipURL string) bool {
	whip, err := origin.Parse(whipURL)
	return err == nil && literal(whip.Hostname())
}

// literal is stricter than what http is allowed to: a name, localhost too, may
// lead elsewhere tomorrow.
func literal(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.Is4() && addr.IsLoopback() || addr == netip.IPv6Loopback())
}

// away says that nobody answered for the endpoint.
func away(err error) bool {
	var e *origin.Error
	return errors.As(err, &e) && !errors.Is(err, ErrNotBril) && (e.Status == 0 || e.Status >= 500)
}

func ask(ctx context.Context, cfg Config, whip *url.URL) (Found, error) {
	q, r, err := get(ctx, cfg, whip)
	if err != nil {
		return Found{}, err
	}
	found, err := parse(r.Body, whip)
	if errors.Is(err, ErrStoresNothing) {
		return Found{}, q.Fail(origin.WithHint(err, "showroom takes them with --data DIR"))
	}
	if err != nil {
		return Found{}, q.Fail(origin.WithHint(fmt.Errorf("%w: %w", ErrNotBril, err), hint))
	}
	return found, nil
}

const hint = "set upload.url and spool.recipient, or let " + keyURL + " lead to a Bril endpoint (showroom)"

// parse reads what an endpoint tells, and what was pinned of it.
func parse(body []byte, at *url.URL) (Found, error) {
	var said struct {
		SchemaVersion int    `json:"schema_version"`
		Uploads       string `json:"uploads"`
		Recipient     string `json:"recipient"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return Found{}, errors.New("not JSON of this form")
	}
	if said.SchemaVersion != version {
		return Found{}, fmt.Errorf("schema_version %d is not %d", said.SchemaVersion, version)
	}
	if said.Uploads == "" && said.Recipient == "" {
		return Found{}, ErrStoresNothing
	}
	uploads, err := origin.Parse(said.Uploads)
	if err != nil {
		return Found{}, fmt.Errorf("uploads: %w", err)
	}
	if at != nil && origin.Of(uploads) != origin.Of(at) {
		return Found{}, fmt.Errorf("uploads go to %s, which is another origin", origin.Clean(origin.Of(uploads)))
	}
	recipient, err := age.ParseX25519Recipient(said.Recipient)
	if err != nil {
		return Found{}, fmt.Errorf("recipient %q is not an X25519 recipient of age (age1…)", origin.Clean(said.Recipient))
	}
	return Found{uploads.String(), recipient}, nil
}
