package origin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Upgrade makes a request by dial that turns its connection into another protocol's
// (RFC 9110, section 7.8), as whom this client asks, without redirects, and with its
// transport's time for the answer. dial gets what the request needs and returns the
// answer, also where that is a refusal: the error then explains it.
func (c *Client) Upgrade(ctx context.Context, timeout time.Duration, q Request, dial func(ctx context.Context, by *http.Client, header http.Header) (*http.Response, error)) error {
	if err := c.Check("upgrade", q.URL); err != nil {
		return q.Fail(err)
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := c.request(bounded, q)
	if err != nil {
		return q.Fail(err)
	}
	by := &http.Client{Transport: c.cfg.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := dial(bounded, by, request.Header)
	if err == nil {
		c.tellDate(res)
		return nil
	}
	if res == nil {
		var attempt *url.Error // of http.Client, whose text repeats the URL
		if errors.As(err, &attempt) {
			err = attempt.Err
		}
		return c.unanswered(ctx, q, err, timeout)
	}
	r := &Reply{URL: q.URL, Status: res.StatusCode, Header: res.Header}
	if res.Body != nil {
		r.Body, _ = io.ReadAll(io.LimitReader(res.Body, MaxErrorBody)) // what there is explains it
		res.Body.Close()
	}
	return c.Refused(q, r, "", c.cfg.Foreign)
}
