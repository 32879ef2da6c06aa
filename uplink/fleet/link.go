// Package fleet is a board's line to the service of its fleet: OpAMP (version 0.14 of
// https://opentelemetry.io/docs/specs/opamp/) over a WebSocket with the board's
// certificate, and beside it the plain fetch of the same signed bundle over HTTPS. It
// carries envelopes down and reports up. It believes nothing of what it carries, and
// takes no packages, no connection settings, and no commands but a restart and the
// request for a support bundle.
//
// The messages are opamp-go's. The transport is not: its client has no read deadline,
// bounds no message, and does not tell when a connection is lost.
package fleet

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/origin"
)

// keyFleet is what errors name where a configuration would name a key.
const keyFleet = "the enrolment's fleet_url"

// errNotEnrolled keeps from those what the enrolment does not name.
var errNotEnrolled = errors.New("not an enrolled origin")

// Config says whose line it is, and what goes over it. Functions are called from Run's
// goroutines, each by one at a time but for Offer; those that are nil do nothing.
type Config struct {
	URL            string // of the fleet's service, as the enrolment has it
	Device         string // its ID, 26 characters of base32: 128 bits
	Version, Model string

	// Client asks the service. Its Identity is the board's, and the URL has to be of an
	// enrolled origin: nobody else is told anything.
	Client *origin.Client

	// Offer takes an envelope of at most fleet.MaxEnvelope bytes, and returns at once. It
	// may be called concurrently.
	Offer func(envelope []byte)
	// Report is what the board tells.
	Report func() fleet.Report
	// Effective returns the configuration in effect, and the one without a bundle, as
	// YAML without secrets.
	Effective func() (effective, base []byte)
	// Health is how the board's parts are.
	Health func() Health
	// Restart ends the daemon for a new start, or says why not now. It has been counted
	// before, and is no more where there is an error.
	Restart func() error
	// Restarts is where the last restarts are kept, so that they are bounded over
	// restarts; a file. None is made without it.
	Restarts string
	// Support sends a support bundle to where the enrolment says.
	Support func(ctx context.Context) error
	// Enrolment has it asked soon whether the enrolment says something new, such as other
	// labels; how often, is up to who asks. It returns at once.
	Enrolment func()

	Heartbeat time.Duration // default 30 s
	Fetch     time.Duration // between two fetches while the line stands; default 1 h
	Log       *slog.Logger  // default: none

	now func() time.Time // of tests: by which restarts are counted
}

// Health is how a part of the board is. Error is empty where it is well.
type Health struct {
	Healthy bool
	Status  string
	Error   string
	Since   time.Time
	Parts   map[string]Health
}

// Status is how it is with the line.
type Status struct {
	Connected bool
	Since     time.Time // of the connection, or of the trouble
	Trouble   error     // why there is none; nil while nothing failed
	Refused   int       // offers that were none of a fleet's configuration
	PutOff    int       // tries that the service has told to come again later
}

// Link is the line. Its methods may be called concurrently.
type Link struct {
	cfg     Config
	id      []byte
	line    *url.URL // wss, as https
	bundle  *url.URL
	restart restarts

	tell    chan struct{} // holds a value while something is to be told
	reached chan struct{}
	once    sync.Once
	support chan struct{} // holds a value while a support bundle is wanted

	etag string // of the last bundle that was fetched; fetching's

	mu      sync.Mutex
	status  Status
	refused map[string]string // by kind, why
	hash    []byte            // of the last remote configuration
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Link, error) {
	u, err := origin.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFleet, err)
	}
	id, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(cfg.Device))
	if err != nil || len(id) != 16 {
		return nil, fmt.Errorf("%.40q is not the ID of a device", cfg.Device)
	}
	if cfg.Client == nil {
		return nil, errors.New("the fleet's line needs a client to ask by")
	}
	if !cfg.Client.Enrolled(u) {
		return nil, fmt.Errorf("%s at %s: %w", keyFleet, origin.Of(u), errNotEnrolled)
	}
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, 30*time.Second)
	cfg.Fetch = cmp.Or(cfg.Fetch, time.Hour)
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	if cfg.now == nil {
		cfg.now = time.Now
	}
	return &Link{
		cfg: cfg.filled(), id: id, line: u.JoinPath("opamp"), bundle: u.JoinPath("bundle"),
		restart: restarts{path: cfg.Restarts, now: cfg.now},
		tell:    make(chan struct{}, 1), reached: make(chan struct{}), refused: map[string]string{}, support: make(chan struct{}, 1),
	}, nil
}

// filled puts functions that do nothing where there are none.
func (c Config) filled() Config {
	if c.Offer == nil {
		c.Offer = func([]byte) {}
	}
	if c.Report == nil {
		c.Report = func() fleet.Report { return fleet.Report{SchemaVersion: fleet.SchemaVersion} }
	}
	if c.Effective == nil {
		c.Effective = func() ([]byte, []byte) { return nil, nil }
	}
	if c.Enrolment == nil {
		c.Enrolment = func() {}
	}
	if c.Health == nil {
		c.Health = func() Health { return Health{Healthy: true} }
	}
	return c
}

// Tell has the report told anew, as something of it has changed.
func (l *Link) Tell() {
	select {
	case l.tell <- struct{}{}:
	default:
	}
}

// Reached is closed once the service has answered, over the line or to a fetch.
func (l *Link) Reached() <-chan struct{} { return l.reached }

func (l *Link) answered() { l.once.Do(func() { close(l.reached) }) }

// Status returns how it is with the line.
func (l *Link) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

const (
	// firstWait bounds the wait before the first try: a fleet that is switched on in the
	// morning does not come all at once. A short heartbeat shortens it.
	firstWait = 2 * time.Second
	// lostWait is likewise, after a line that stood: all of them are lost at once when
	// the service starts anew.
	lostWait = 5 * time.Second
	// Tries that fail are tried again after at most backoffFirst, twice that each time,
	// and at most backoffLast.
	backoffFirst = time.Second
	backoffLast  = 2 * time.Minute
)

// Run keeps the line and fetches beside it, until ctx ends.
func (l *Link) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { l.fetching(ctx) })
	if l.cfg.Support != nil {
		parts.Go(func() { l.supporting(ctx) })
	}
	wait, failures := rand.N(min(firstWait, l.cfg.Heartbeat)), 0
	for pause(ctx, wait) {
		began := time.Now()
		stood, err := l.connect(ctx)
		if ctx.Err() != nil {
			break
		}
		// A service that takes each line and soon drops it is one that fails.
		if stood && time.Since(began) > l.cfg.Heartbeat {
			failures, wait = 0, rand.N(min(lostWait, l.cfg.Heartbeat))
		} else {
			failures++
			wait = backoff(failures)
		}
		wait = max(wait, leftAlone(err))
		l.lost(err)
	}
	return ctx.Err()
}

// backoff has full jitter: what failed together is not tried again together.
func backoff(failures int) time.Duration {
	most := backoffLast
	if failures < 8 {
		most = min(backoffFirst<<(failures-1), backoffLast)
	}
	return most/10 + rand.N(most-most/10)
}

// leftAlone is how long the service wants to be left alone, and somewhat longer, as
// it may have said the same to all.
func leftAlone(err error) time.Duration {
	after := origin.RetryAfter(err)
	return after + rand.N(after/2+1)
}

// pause waits, and says whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *Link) lost(err error) {
	l.mu.Lock()
	news := l.status.Connected || l.status.Trouble == nil
	if news {
		l.status.Since = time.Now()
	}
	l.status.Connected, l.status.Trouble = false, err
	if origin.RetryAfter(err) > 0 {
		l.status.PutOff++
	}
	l.mu.Unlock()
	if news {
		l.cfg.Log.Info("the fleet's service is not reached", "error", err)
	}
}

func (l *Link) stands() {
	l.mu.Lock()
	l.status.Connected, l.status.Since, l.status.Trouble = true, time.Now(), nil
	l.mu.Unlock()
	l.cfg.Log.Debug("the fleet's service is reached")
}

// offer hands on an envelope that is no longer than it may be.
func (l *Link) offer(envelope []byte) error {
	if n := len(envelope); n == 0 || n > fleet.MaxEnvelope {
		return fmt.Errorf("an envelope of %d bytes: %w", n, fleet.ErrSize)
	}
	sum := sha256.Sum256(envelope)
	l.mu.Lock()
	l.hash = sum[:]
	l.mu.Unlock()
	l.cfg.Offer(envelope)
	return nil
}
