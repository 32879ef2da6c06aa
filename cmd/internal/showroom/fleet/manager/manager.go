// Package manager asks a fleet's service for its managers. It signs bundles here, by a
// key that never leaves: the service gets what is signed.
package manager

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/configs/fleet"
)

// Config says whom to ask, and as whom.
type Config struct {
	Server string         // https://host[:port], or http on loopback
	Token  string         // of a manager; it is sent nowhere else
	Roots  *x509.CertPool // of the server; the system's when nil
}

// Client asks one service.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

const (
	askTime   = 30 * time.Second
	maxAnswer = 64 << 20 // bytes: some kilobytes a device
)

// New checks the configuration; it asks nothing.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.Server)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%.80q is not the address of a server, https://HOST", cfg.Server)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("%s leads off this machine unencrypted: use https", u.Redacted())
	case cfg.Token == "" || strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the token is not one: showroom fleet manager add NAME prints it")
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots},
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: askTime,
	}
	return &Client{u, cfg.Token, &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// Error is a refusal of the service.
type Error struct {
	Status     int
	Type       string            `json:"type"`
	Detail     string            `json:"detail"`
	Problems   []service.Problem `json:"problems"`
	NextSerial uint64            `json:"next_serial"`
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("the server answers %d %s", e.Status, http.StatusText(e.Status))
	}
	return e.Detail
}

// Hint says what to do about it; "" where the detail does.
func (e *Error) Hint() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return "a token is made on the server: showroom fleet manager add NAME"
	case e.Type == "urn:bril:problem:offline":
		return "ask again when showroom fleet status says that it is seen now"
	case e.Detail == "": // of something else than the service
		return "is it the address of showroom? One with TLS is https://HOST[:PORT]"
	}
	return ""
}

// unreached is why the service could not be asked.
type unreached struct{ error }

func (e unreached) Unwrap() error { return e.error }

// Hint says what to do about it; "" where the error does.
func (e unreached) Hint() string {
	var unknown x509.UnknownAuthorityError
	if errors.As(e.error, &unknown) {
		return "a server with --tls-own has an authority of its own: --ca with its DATA/authority/ca.pem"
	}
	return ""
}

// Is says whether an error is a refusal for a reason, such as serial.
func Is(err error, word string) bool {
	var e *Error
	return errors.As(err, &e) && e.Type == "urn:bril:problem:"+word
}

func (c *Client) ask(ctx context.Context, method, path string, query url.Values, question, to any) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var body io.Reader
	if question != nil {
		text, err := json.Marshal(question)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	u := c.base.JoinPath("/api/fleet" + path)
	u.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	if question != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return unreached{fmt.Errorf("ask the fleet's service: %w", err)}
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer of the fleet's service: %w", err)
	}
	if answer.StatusCode >= 300 {
		refused := &Error{}
		_ = json.Unmarshal(data, refused) // what is no problem document has its status
		refused.Status = answer.StatusCode
		return refused
	}
	if to == nil {
		return nil
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("read the answer of the fleet's service: %w", err)
	}
	return nil
}

// Overview is the fleet at a glance.
func (c *Client) Overview(ctx context.Context) (o service.Overview, err error) {
	return o, c.ask(ctx, http.MethodGet, "", nil, nil, &o)
}

// Devices are those that have all labels and, where any are given, one of the names.
func (c *Client) Devices(ctx context.Context, labels, names []string) (list []service.Device, err error) {
	var d service.Devices
	err = c.ask(ctx, http.MethodGet, "/devices", url.Values{"label": labels, "name": names}, nil, &d)
	return d.Devices, err
}

// Device is all that is known of one, by its name or ID.
func (c *Client) Device(ctx context.Context, who string) (d service.DeviceDetail, err error) {
	return d, c.ask(ctx, http.MethodGet, "/devices/"+url.PathEscape(who), nil, nil, &d)
}

// SetLabels replaces the labels of a device.
func (c *Client) SetLabels(ctx context.Context, who string, set service.SetLabels) (d service.Device, err error) {
	return d, c.ask(ctx, http.MethodPut, "/devices/"+url.PathEscape(who)+"/labels", nil, set, &d)
}

// Restart asks a device to restart, when nobody is cut off by that.
func (c *Client) Restart(ctx context.Context, who, reason string) (d service.Device, err error) {
	return d, c.ask(ctx, http.MethodPost, "/devices/"+url.PathEscape(who)+"/restart", nil, service.Why{Reason: reason}, &d)
}

// Support asks a device for a support bundle.
func (c *Client) Support(ctx context.Context, who, reason string) (d service.Device, err error) {
	return d, c.ask(ctx, http.MethodPost, "/devices/"+url.PathEscape(who)+"/support", nil, service.Why{Reason: reason}, &d)
}

// Push hands over a signed bundle.
func (c *Client) Push(ctx context.Context, p service.Push) (r service.Rollout, err error) {
	p.DryRun = false
	return r, c.ask(ctx, http.MethodPost, "/bundles", nil, p, &r)
}

// DryRun says what a bundle would do.
func (c *Client) DryRun(ctx context.Context, p service.Push) (d service.DryRun, err error) {
	p.DryRun = true
	return d, c.ask(ctx, http.MethodPost, "/bundles", nil, p, &d)
}

// Bundles is the history, the newest first.
func (c *Client) Bundles(ctx context.Context) (list []service.Rollout, err error) {
	var b service.Bundles
	err = c.ask(ctx, http.MethodGet, "/bundles", nil, nil, &b)
	return b.Bundles, err
}

// Bundle is one of it, whole.
func (c *Client) Bundle(ctx context.Context, serial uint64) (b service.Bundle, err error) {
	return b, c.ask(ctx, http.MethodGet, fmt.Sprintf("/bundles/%d", serial), nil, nil, &b)
}

// Signed is one of it as one of keys has signed it. What is to be signed again comes from
// here: a service that could put its own words into an old bundle would have a manager
// sign them.
func (c *Client) Signed(ctx context.Context, serial uint64, keys ...ed25519.PublicKey) (fleet.Bundle, error) {
	told, err := c.Bundle(ctx, serial)
	if err != nil {
		return fleet.Bundle{}, err
	}
	b, err := fleet.Open(told.Envelope, keys)
	if err != nil {
		return fleet.Bundle{}, fmt.Errorf("bundle %d, as the service has it: %w", serial, err)
	}
	if b.Serial != serial {
		return fleet.Bundle{}, fmt.Errorf("the service tells bundle %d as bundle %d", b.Serial, serial)
	}
	return b, nil
}

// Rollout is how far a bundle has come.
func (c *Client) Rollout(ctx context.Context, serial uint64) (r service.Rollout, err error) {
	return r, c.ask(ctx, http.MethodGet, fmt.Sprintf("/rollouts/%d", serial), nil, nil, &r)
}

// Pause holds a rollout.
func (c *Client) Pause(ctx context.Context, serial uint64, reason string) (r service.Rollout, err error) {
	return r, c.ask(ctx, http.MethodPost, fmt.Sprintf("/rollouts/%d/pause", serial), nil, service.Why{Reason: reason}, &r)
}

// Resume has a rollout go on that is paused, or was stopped.
func (c *Client) Resume(ctx context.Context, serial uint64, reason string) (r service.Rollout, err error) {
	return r, c.ask(ctx, http.MethodPost, fmt.Sprintf("/rollouts/%d/resume", serial), nil, service.Why{Reason: reason}, &r)
}

// Audit is all of it, the oldest entry first. It is intact when the service says so and
// the hashes follow each other here, too.
func (c *Client) Audit(ctx context.Context) (all service.Audit, err error) {
	for after := uint64(0); ; {
		var page service.Audit
		if err := c.ask(ctx, http.MethodGet, "/audit", url.Values{"after": {fmt.Sprint(after)}}, nil, &page); err != nil {
			return all, err
		}
		all.SchemaVersion, all.Intact = page.SchemaVersion, page.Intact
		if len(page.Entries) == 0 {
			all.Intact = all.Intact && intact(all.Entries)
			return all, nil
		}
		all.Entries = append(all.Entries, page.Entries...)
		after = page.Entries[len(page.Entries)-1].Seq
	}
}

func intact(list []service.Entry) bool {
	entries := make([]records.FleetEntry, len(list))
	for i, e := range list {
		if e.Seq != uint64(i)+1 {
			return false
		}
		entries[i] = records.FleetEntry(e)
	}
	_, err := records.VerifyAudit("", entries)
	return err == nil
}

// maxAsked bounds the serials that a service can ask for: a board never takes one below
// the highest that it has seen, so that one signature under 2^64-1 would be the last.
// It is one a minute for thirty years.
const maxAsked = 1 << 24

// tries bound how often a serial is taken again that somebody else took meanwhile.
const tries = 5

// SignAndPush signs a bundle under the next serial and hands it over, p without its
// envelope; dry only says what it would do.
func (c *Client) SignAndPush(ctx context.Context, b fleet.Bundle, key ed25519.PrivateKey, p service.Push, dry bool) (r service.Rollout, d service.DryRun, err error) {
	for range tries {
		o, err := c.Overview(ctx)
		if err != nil {
			return r, d, err
		}
		if o.NextSerial == 0 || o.NextSerial > maxAsked {
			return r, d, fmt.Errorf("the service asks for serial %d, and has no good reason for one above %d: nothing was signed", o.NextSerial, maxAsked)
		}
		b.Serial = o.NextSerial
		if b.Audience.Fleet == "" {
			b.Audience.Fleet = o.Fleet
		}
		if p.Envelope, err = fleet.Sign(b, key); err != nil {
			return r, d, err
		}
		if dry {
			d, err = c.DryRun(ctx, p)
			return r, d, err
		}
		if r, err = c.Push(ctx, p); !Is(err, "serial") {
			return r, d, err
		}
	}
	return r, d, errors.New("others push bundles all the time: try again")
}
