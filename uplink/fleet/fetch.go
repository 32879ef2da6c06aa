package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/origin"
)

const (
	fetchTime = 20 * time.Second
	// fetchFirst is within which the first fetch is made.
	fetchFirst = 30 * time.Second
	// fetchAlone is between two fetches while there is no line.
	fetchAlone = 3 * time.Minute
)

// fetching is the way around a line that does not work: the same signed bundle, by a
// plain request.
func (l *Link) fetching(ctx context.Context) {
	wait := rand.N(fetchFirst)
	for last := l.cfg.now(); ; {
		if !pause(ctx, min(wait, fetchAlone)) {
			return
		}
		due := l.cfg.now().Sub(last) >= wait || l.cfg.now().Before(last)
		if !due && l.Status().Connected {
			continue
		}
		if err := l.fetch(ctx); err != nil && ctx.Err() == nil {
			l.cfg.Log.Debug("fetch the fleet's configuration", "error", err)
			wait = max(fetchAlone, origin.RetryAfter(err))
		} else {
			wait = l.cfg.Fetch - rand.N(l.cfg.Fetch/10+1)
		}
		last = l.cfg.now()
	}
}

// fetch asks once, and offers what is new.
func (l *Link) fetch(ctx context.Context) error {
	l.mu.Lock()
	etag := l.etag
	l.mu.Unlock()
	q := origin.Request{Op: "fetch the fleet's configuration from", Method: http.MethodGet, URL: l.bundle, Header: map[string]string{"If-None-Match": etag}}
	r, err := l.cfg.Client.Do(ctx, fetchTime, q)
	if err != nil {
		return err
	}
	switch r.Status {
	case http.StatusOK:
	case http.StatusNotModified, http.StatusNoContent:
		l.answered()
		return nil
	default:
		return l.cfg.Client.Refused(q, r, "", errors.New("it is not told"))
	}
	l.answered()
	if len(r.Body) > fleet.MaxEnvelope {
		return q.Fail(fmt.Errorf("%d bytes: %w", len(r.Body), fleet.ErrSize))
	}
	l.mu.Lock()
	l.etag = r.Header.Get("ETag")
	l.mu.Unlock()
	l.cfg.Offer(r.Body)
	return nil
}
