package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"filippo.io/age"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware/clock"
	"github.com/bril-edge/bril/uplink/discover"
	"github.com/bril-edge/bril/uplink/origin"
)

// cloud is where photos and clips go, and for whose eyes only: what the
// configuration says, and where it does not and the endpoint is on this machine,
// what that says.
type cloud struct {
	find func(context.Context) (discover.Found, error) // nil where nobody is asked

	mu        sync.Mutex
	recipient age.Recipient // nil while it is not known
	uploads   string        // likewise
	trust     string        // of the recipient, as `bril status` shows it
	err       error         // of the last question, or of what was made of the answer
}

// How far the recipient can be trusted, in the words of `bril status`.
const (
	recipientConfigured = "configured"
	recipientUnverified = "unverified (development)" // an endpoint on this machine said so
	recipientNone       = "none"
)

func newCloud(cfg configs.Config, opts Options, time *clock.Clock, as *origin.Identity) (*cloud, error) {
	c := &cloud{uploads: cfg.Upload.URL, trust: recipientNone}
	if cfg.Spool.Recipient != "" {
		recipient, err := age.ParseX25519Recipient(cfg.Spool.Recipient)
		if err != nil {
			return nil, fmt.Errorf("spool.recipient: %w", err) // cannot be: the configuration was validated
		}
		c.recipient, c.trust = recipient, recipientConfigured
	}
	// An endpoint on this machine does not say whom what goes elsewhere is for.
	elsewhere := cfg.Upload.URL != "" && !discover.Applies(cfg.Upload.URL)
	if discover.Applies(cfg.Uplink.WHIPURL) && !elsewhere {
		where := discover.Config{WHIPURL: cfg.Uplink.WHIPURL, StateDir: opts.StateDir, UserAgent: "bril/" + opts.Version,
			Time: time.TLSTime, Confirmed: time.Confirmed, Identity: as}
		c.find = func(ctx context.Context) (discover.Found, error) { return discover.Find(ctx, where) }
	}
	return c, nil
}

// possible says that somebody may be known, now or later, whom items are for.
func (c *cloud) possible() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recipient != nil || c.find != nil
}

// Recipient returns whom photos and clips are encrypted to. It asks an endpoint on
// this machine if need be, and not for where to send them: no press waits for that.
func (c *cloud) Recipient(ctx context.Context) (age.Recipient, error) {
	if known := c.known(); known != nil {
		return known, nil
	}
	if err := c.ask(ctx); err != nil {
		return nil, err
	}
	known := c.known()
	if known == nil {
		return nil, hinted{errors.New("nobody is known whom photos and clips are for"),
			"set spool.recipient to the cloud's key, age1…; without it nothing is taken, as it could be read by who finds the glasses"}
	}
	return known, nil
}

func (c *cloud) known() age.Recipient {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recipient
}

// note keeps why nothing is sent, for `bril status`.
func (c *cloud) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// ask completes what the configuration leaves open, unless that has been done.
func (c *cloud) ask(ctx context.Context) error {
	c.mu.Lock()
	known := c.recipient != nil && c.uploads != ""
	c.mu.Unlock()
	if known || c.find == nil {
		return nil
	}
	found, err := c.find(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err = err; err != nil {
		if c.recipient != nil { // where to send it can be asked later
			return nil
		}
		return fmt.Errorf("ask the endpoint whom photos and clips are for: %w", err)
	}
	if c.recipient == nil {
		c.recipient, c.trust = found.Recipient, recipientUnverified
	}
	if c.uploads == "" {
		c.uploads = found.Uploads
	}
	return nil
}

// state returns how far the recipient can be trusted, where uploads go, and why
// that is not known.
func (c *cloud) state() (trust, uploads string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trust, c.uploads, c.err
}
