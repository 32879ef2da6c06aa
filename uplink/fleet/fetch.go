package fleet

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

const (
	fetchTime = 20 * time.Second
	// fetchFirst is within which the first fetch is made.
	fetchFirst = 30 * time.Second
	// fetchAlone is between two fetches while there is no line.
	fetchAlone = 3 * time.Minute
	// maxTag bounds what is said again to the service.
	maxTag = 256
)

// fetching is the way around a line that does not work: the same signed bundle, by a
// plain request.
func (l *Link) fetching(ctx context.Context) {
	alone := min(fetchAlone, l.cfg.Fetch)
	last, wait := time.Now(), rand.N(min(fetchFirst, l.cfg.Fetch))
	for pause(ctx, min(wait, early(alone))) {
		if time.Since(last) < wait && l.Status().Connected {
			continue
		}
		err := l.fetch(ctx)
		last, wait = time.Now(), early(l.cfg.Fetch)
		if err == nil {
			continue
		}
		l.cfg.Log.Debug("the fleet's configuration is not fetched", "error", err)
		wait = early(alone)
		if !pause(ctx, leftAlone(err)) {
			return
		}
	}
}

// early is up to a fifth less than d.
func early(d time.Duration) time.Duration { return d - rand.N(d/5+1) }

// fetch asks once, and offers what is new.
func (l *Link) fetch(ctx context.Context) error {
	q := origin.Request{Op: "fetch the fleet's configuration from", Method: http.MethodGet, URL: l.bundle, Header: map[string]string{"If-None-Match": l.etag}}
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
	if err := l.offer(r.Body); err != nil {
		return q.Fail(err)
	}
	l.etag = r.Header.Get("ETag")
	if len(l.etag) > maxTag {
		l.etag = ""
	}
	l.Tell()
	return nil
}
