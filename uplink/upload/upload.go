// Package upload empties the spool: it sends its items to the endpoint by tus
// 1.0 (core and creation), one at a time and below live traffic, and has an item
// deleted only on the endpoint's receipt for the same checksum.
//
// It keeps nothing on disk. An upload's URL is the endpoint's with the item's id,
// and how far it is the endpoint knows: after a crash the next run asks.
//
// The client is its own, on net/http by way of package origin: tusgo reads
// answers of any length into memory, takes 2 MiB for a piece, and has no place
// for the rules of where the token may go; what is needed of tus is four requests.
package upload

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/spool"
)

// Spool is the outbox: a *spool.Spool.
type Spool interface {
	Next(context.Context) (spool.Entry, error) // waits for the oldest item that is due
	Turn(id string) bool                       // it is that item's turn still; asked after each piece
	Open(id string) (io.ReadSeekCloser, error)
	Progress(id string, sent int64)                     // the endpoint has so many bytes
	Acknowledge(id, sha256 string) error                // the endpoint has stored it: deletes it
	Refuse(id, why string) error                        // the endpoint will never take it
	Defer(id string, until time.Time, why string) error // behind the others, and not before; why may be empty
}

// Config says where to send, and how much of it.
type Config struct {
	Spool          Spool
	URL            string // of the endpoint, as in https://host/api/uploads/
	Token          origin.Secret
	TrustedOrigins []string          // beside URL's own
	Limit          func() int64      // bytes a second, asked while sending; none when nil or not above 0
	Audit          func() string     // head of the audit log, which travels with each upload; none when nil
	UserAgent      string            // "bril" when empty
	Date           func(time.Time)   // as in origin.Config
	Time           func() time.Time  // likewise
	Confirmed      func() bool       // likewise
	RootCAs        *x509.CertPool    // the system's when nil
	Identity       *origin.Identity  // of an enrolled device; nil otherwise
	Transport      http.RoundTripper // for tests; one of its own when nil
	Log            *slog.Logger      // discards when nil
}

// State is what the uploader does.
type State string

// The states of an uploader.
const (
	Idle    State = "idle"    // nothing is due
	Sending State = "sending" // an item is on its way
	Waiting State = "waiting" // something failed, or the endpoint checks what it got
)

// Status is what people see of the uploader.
type Status struct {
	State State
	Item  string    // that is being sent, or was last; "" for none
	Sent  int64     // bytes of it that the endpoint has confirmed
	Bytes int64     // of it
	Err   error     // of the last try; nil when it was well. Its hint: origin.Hint
	Since time.Time // when State began
	Retry time.Time // when Waiting ends at the latest
}

// Uploader sends one item after another.
type Uploader struct {
	cfg     Config
	client  client
	pace    pace
	wakes   chan struct{}
	log     *slog.Logger
	history history

	mu     sync.Mutex
	status Status
}

// New checks the configuration; an error names the key to change. It asks
// nothing of the network.
func New(cfg Config) (*Uploader, error) {
	if cfg.Transport == nil {
		cfg.Transport = newTransport(cfg.RootCAs, cfg.Time)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Limit == nil {
		cfg.Limit = func() int64 { return 0 }
	}
	if cfg.Audit == nil {
		cfg.Audit = func() string { return "" }
	}
	asker, err := origin.New(origin.Config{URL: cfg.URL, Key: keyURL, Foreign: ErrNotTus, Token: cfg.Token,
		TrustedOrigins: cfg.TrustedOrigins, UserAgent: cfg.UserAgent, Date: cfg.Date, Time: cfg.Time, Confirmed: cfg.Confirmed, Identity: cfg.Identity, Transport: cfg.Transport})
	if err != nil {
		return nil, err
	}
	u := &Uploader{cfg: cfg, client: client{asker, cfg.Audit}, wakes: make(chan struct{}, 1), log: cfg.Log}
	u.pace = pace{limit: cfg.Limit, bucket: rate.NewLimiter(0, 0)}
	u.history = newHistory()
	u.status = Status{State: Idle, Since: time.Now()}
	return u, nil
}

// Wake has the next try begin at once: the network is back, a new item came, or
// a person asks for it. A try that runs goes on; the wait after it is left out.
func (u *Uploader) Wake() {
	select {
	case u.wakes <- struct{}{}:
	default:
	}
}

// Status returns what it does now.
func (u *Uploader) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.status
	if s.State == Waiting && !time.Now().Before(s.Retry) {
		return Status{State: Idle, Since: s.Retry} // what it waited for is no longer there
	}
	return s
}

// Run sends what is due until ctx ends, or the spool is closed. A failure is
// shown, logged once and tried again; it never ends Run.
func (u *Uploader) Run(ctx context.Context) error {
	defer u.client.CloseIdle()
	for {
		item, err := u.cfg.Spool.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrClosed):
			return nil
		case err != nil:
			u.pause(ctx, u.failed(spool.Entry{}, err, endpointGrowing))
		default:
			u.drain()
			u.pause(ctx, u.handle(ctx, item))
		}
	}
}

// handle tries to send one item, tells the spool what came of it, and returns
// how long to leave the endpoint alone.
func (u *Uploader) handle(ctx context.Context, item spool.Entry) time.Duration {
	u.begin(item)
	s := &sending{Entry: item, client: u.client, pace: &u.pace, spool: u.cfg.Spool, progress: u.progress, log: u.log}
	err := s.run(ctx)
	switch {
	case ctx.Err() != nil:
		return 0
	case errors.Is(err, errYields):
		u.rest()
		return 0
	}
	if err == nil {
		u.log.Info("uploaded", "item", item.ID, "bytes", item.Bytes)
		u.succeeded(item)
		return 0
	}
	v := judge(err)
	if v == refusedForGood {
		u.log.Warn("the endpoint refuses an item", "item", item.ID, "error", err)
		u.succeeded(item) // the endpoint is well
		return u.told(item, u.cfg.Spool.Refuse(item.ID, reason(err)))
	}
	wait := u.failed(item, err, v)
	if v.onlyItem() {
		return u.told(item, u.cfg.Spool.Defer(item.ID, time.Now().Add(wait), v.why(err)))
	}
	if !s.advanced { // else it was cut in the middle, and goes on where it is
		_ = u.told(item, u.cfg.Spool.Defer(item.ID, time.Now(), v.why(err)))
	}
	return wait
}

// told returns how long to wait where the spool could not take what it was told:
// it gives the same item again at once. One that was dropped it does not.
func (u *Uploader) told(item spool.Entry, err error) time.Duration {
	if err == nil || errors.Is(err, spool.ErrUnknown) {
		return 0
	}
	return u.failed(item, fmt.Errorf("put item %s aside: %w", item.ID, err), itemGrowing)
}

// pause waits, unless it is woken.
func (u *Uploader) pause(ctx context.Context, wait time.Duration) {
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-u.wakes:
		u.history.woken()
	}
}

// drain forgets a Wake that came before the try that begins.
func (u *Uploader) drain() {
	select {
	case <-u.wakes:
		u.history.woken()
	default:
	}
}
