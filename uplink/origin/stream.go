package origin

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// Open sends a request whose answer goes on, and returns once it has begun: for
// that it has timeout, redirects and all. The body of a success is the caller's to
// read, to bound and to close; it ends with ctx. Every other answer has its Body
// in the reply, and body is nil.
func (c *Client) Open(ctx context.Context, timeout time.Duration, q Request) (r *Reply, body io.ReadCloser, err error) {
	own, cancel := context.WithCancelCause(ctx)
	begun := time.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })
	r, err = c.hops(ctx, timeout, q, func(q Request) (*Reply, error) {
		r, res, err := c.send(own, q)
		if err == nil {
			body, err = r.begin(res)
		}
		if err != nil && own.Err() != nil {
			err = context.Cause(own)
		}
		return r, err
	})
	if late := !begun.Stop(); err == nil && late {
		err = c.unanswered(ctx, q, context.DeadlineExceeded, timeout)
	}
	if err != nil && body != nil {
		body.Close()
		body = nil
	}
	if body == nil {
		cancel(nil)
		return r, nil, err
	}
	return r, &stream{body, sync.OnceFunc(func() { cancel(nil) })}, nil
}

// begin returns the body of a success and reads that of everything else.
func (r *Reply) begin(res *http.Response) (io.ReadCloser, error) {
	if r.Status < 300 {
		if err := plain(res); err != nil {
			res.Body.Close()
			return nil, err
		}
		return res.Body, nil
	}
	defer res.Body.Close()
	r.explain(res)
	return nil, nil
}

// stream ends its request with its body: closing that alone would read the rest.
type stream struct {
	io.ReadCloser
	cancel func()
}

func (s *stream) Close() error {
	s.cancel()
	return s.ReadCloser.Close()
}
